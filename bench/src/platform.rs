//! The platform at the other end: takes replies over HTTP and hands them to the session they belong to.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::http::{Message, Wire, answer};
use crate::signing::Signer;

/// What is read of a reply.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    data: Reply<'a>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    chat: Chat<'a>,
    reply_to: Option<&'a str>,
    text: String,
}

#[derive(Deserialize)]
struct Chat<'a> {
    id: &'a str,
}

/// Listens on a port of its own until the program ends.
pub(crate) struct Platform {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Where the ids of answered messages go, by chat.
    chats: HashMap<String, UnboundedSender<String>>,
    seen: HashSet<String>,
    replies: u64,
    violation: Option<String>,
    /// What is sent again under its id is dropped, as Standard Webhooks has it.
    knows_keys: bool,
}

impl Platform {
    pub(crate) async fn start(signer: Signer) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok(wire) = Wire::accept(&listener).await {
                tokio::spawn(serve(wire, signer.clone(), shared.clone()));
            }
        });
        Ok(Self { address, state })
    }

    /// From now on a process may die, and what it sent come again.
    #[cfg(test)]
    pub(crate) fn expect_repetitions(&self) {
        lock(&self.state).knows_keys = true;
    }

    /// Where replies are to be posted.
    pub(crate) fn callback_url(&self) -> String {
        format!("http://{}/replies", self.address)
    }

    /// The ids of the messages that are answered in a chat, as the answers come.
    pub(crate) fn listen(&self, chat: &str) -> UnboundedReceiver<String> {
        let (sender, receiver) = unbounded_channel();
        lock(&self.state).chats.insert(chat.to_owned(), sender);
        receiver
    }

    /// Replies so far. An error if any was not as it must be: forged, for nobody, or sent twice.
    pub(crate) fn replies(&self) -> anyhow::Result<u64> {
        let state = lock(&self.state);
        match &state.violation {
            None => Ok(state.replies),
            Some(violation) => bail!("{violation}"),
        }
    }
}

async fn serve(mut wire: Wire, signer: Signer, state: Arc<Mutex<State>>) {
    let accepted = answer(200, "", b"{}");
    // The gateway closes idle connections; that ends the loop as well.
    while let Ok(Some(message)) = wire.read_request().await {
        let taken = take(&message, &signer, &mut lock(&state));
        if let Err(error) = taken {
            let mut state = lock(&state);
            state.violation.get_or_insert(format!("a reply is not as it must be: {error:#}"));
            // Nobody shall wait for what comes after.
            state.chats.clear();
        }
        if wire.write(&accepted).await.is_err() {
            return;
        }
    }
}

fn take(message: &Message, signer: &Signer, state: &mut State) -> anyhow::Result<()> {
    let id = signer.verified_id(message).context("its signature is wrong")?;
    // Nothing fails here, so nothing has a reason to be sent again.
    if !state.seen.insert(id.to_owned()) {
        if state.knows_keys {
            return Ok(());
        }
        bail!("{id} was sent twice");
    }
    let event: Event = serde_json::from_slice(&message.body).context("its body cannot be read")?;
    let Reply { chat, reply_to, text } = event.data;
    let answered = reply_to.context("it answers no message")?;
    if text.trim().is_empty() {
        bail!("the answer to {answered} is empty");
    }
    let session = state.chats.get(chat.id).with_context(|| format!("nobody listens in chat {}", chat.id))?;
    session.send(answered.to_owned()).ok().with_context(|| format!("chat {} has ended", chat.id))?;
    state.replies += 1;
    Ok(())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
