//! Orders for IRC: each key is said once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chela_channel_kit::bridge::{BridgeAbout, BridgeLimits, BridgeOrder, BridgeSent, BridgeText};
use tokio::sync::{mpsc, watch};

use super::session::LOCAL;
use super::{IrcSettings, render};
use crate::door::{Refusal, Voice};
use crate::store::{Said, Store, StoreError};

/// Most orders that wait to be said.
const WAITING: usize = 256;

/// What suits a reader of IRC in one go: some four lines.
const TEXT_LIMIT: usize = 1_500;

/// What an order came to.
type Outcome = Result<String, Refusal>;

/// Something for the connection to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Say this.
    Say(Job),
    /// Show that we type.
    Typing(String),
}

/// An order on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: String,
    pub(super) target: String,
    /// The id of a message of the server that is answered.
    pub(super) reply_to: Option<String>,
    /// The texts of its messages.
    pub(super) lines: Vec<String>,
    /// How many of them were written.
    pub(super) written: usize,
    outcome: watch::Sender<Option<Outcome>>,
}

/// Takes orders for one network.
pub struct IrcVoice {
    settings: Arc<IrcSettings>,
    store: Arc<Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// There while we may speak.
    commands: Option<mpsc::Sender<Command>>,
    /// Orders that are being said, by key.
    under_way: HashMap<String, watch::Receiver<Option<Outcome>>>,
}

impl IrcVoice {
    pub(super) fn new(settings: Arc<IrcSettings>, store: Arc<Store>) -> Self {
        Self { settings, store, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on we may speak: the orders come out of what is given back.
    pub(super) fn connected(&self) -> mpsc::Receiver<Command> {
        let (commands, orders) = mpsc::channel(WAITING);
        self.state().commands = Some(commands);
        orders
    }

    /// We can no longer speak: what waits is refused for now, with the end of its channel.
    pub(super) fn disconnected(&self) {
        *self.state() = State::default();
    }

    /// An order came to its end. What was said is in the store before.
    pub(super) fn finish(&self, job: Job, outcome: Outcome) {
        self.state().under_way.remove(&job.key);
        let _ = job.outcome.send(Some(outcome));
    }

    async fn say(&self, text: BridgeText) -> Outcome {
        let mut outcome = match self.begin(text)? {
            Ok(id) => return Ok(id),
            Err(outcome) => outcome,
        };
        match outcome.wait_for(Option::is_some).await {
            Ok(done) => done.clone().unwrap_or_else(|| Err(not_now("nobody knows"))),
            Err(_) => Err(not_now("the connection was lost meanwhile")),
        }
    }

    /// The id of what was said before, or where the outcome will be told. The lock is held throughout: a repetition must
    /// find either the order that is under way or what it came to.
    #[allow(clippy::type_complexity, reason = "two ends of one question")]
    fn begin(&self, text: BridgeText) -> Result<Result<String, watch::Receiver<Option<Outcome>>>, Refusal> {
        let target = target(&text.chat)?;
        let mut state = self.state();
        if let Some(under_way) = state.under_way.get(&text.key) {
            return Ok(Err(under_way.clone()));
        }
        let written = match self.store.said(&text.key).map_err(|error| unkept(&error))? {
            Said::Done(id) => return Ok(Ok(id)),
            Said::Begun(written) => written,
            Said::Nothing => 0,
        };
        let lines = render::lines(&text.text, render::budget(self.settings.longest_nick(), &target));
        if lines.is_empty() {
            return Err(Refusal::Never("there is nothing to say in it".to_owned()));
        }
        let commands = state.commands.as_ref().ok_or_else(|| not_now("there is no connection to the network"))?;
        let (sender, outcome) = watch::channel(None);
        let reply_to = text.reply_to.filter(|id| !id.starts_with(LOCAL) && !id.is_empty() && id.len() <= 200);
        let job = Job { key: text.key.clone(), target, reply_to, lines, written, outcome: sender };
        commands.try_send(Command::Say(job)).map_err(|_| not_now("too much waits to be said"))?;
        state.under_way.insert(text.key, outcome.clone());
        Ok(Err(outcome))
    }
}

#[async_trait]
impl Voice for IrcVoice {
    fn about(&self) -> BridgeAbout {
        BridgeAbout {
            name: self.settings.host.clone(),
            connected: self.state().commands.is_some(),
            features: vec!["attach".to_owned(), "typing".to_owned()],
            limits: BridgeLimits { text: Some(TEXT_LIMIT) },
        }
    }

    async fn obey(&self, order: BridgeOrder) -> Result<Option<BridgeSent>, Refusal> {
        let said = |id: String| Some(BridgeSent { id });
        match order {
            BridgeOrder::Send(text) => self.say(text).await.map(said),
            BridgeOrder::Attach { mut text, file } => {
                let url = file
                    .url
                    .ok_or_else(|| Refusal::Never("IRC carries no files, and this one has no URL".to_owned()))?;
                text.text = format!("{}\n\n{}: {url}", text.text, file.name.replace(char::is_control, ""));
                self.say(text).await.map(said)
            }
            BridgeOrder::Typing { chat, .. } => {
                let target = target(&chat)?;
                if let Some(commands) = &self.state().commands {
                    // Where orders wait, a sign of typing comes too late to be of use.
                    let _ = commands.try_send(Command::Typing(target));
                }
                Ok(None)
            }
            BridgeOrder::Edit { .. } | BridgeOrder::React { .. } => Err(Refusal::Unknown),
        }
    }
}

/// A chat as the target of a line: one nick or channel, which can end neither the parameter nor the line.
fn target(chat: &str) -> Result<String, Refusal> {
    let unfit = chat.is_empty()
        || chat.len() > 200
        || chat.starts_with(':')
        || chat.contains([' ', ',', '!', '*'])
        || chat.chars().any(char::is_control);
    if unfit { Err(Refusal::Never("the chat is no nick and no channel".to_owned())) } else { Ok(chat.to_owned()) }
}

fn not_now(why: &str) -> Refusal {
    Refusal::NotNow(why.to_owned())
}

pub(super) fn unkept(error: &StoreError) -> Refusal {
    Refusal::NotNow(error.to_string())
}

#[cfg(test)]
mod tests {
    use chela_channel_kit::bridge::BridgeUpload;
    use chela_core::clock::Millis;

    use super::*;

    fn text(key: &str, chat: &str, text: &str) -> BridgeText {
        BridgeText { key: key.into(), chat: chat.into(), thread: None, reply_to: Some("m1".into()), text: text.into() }
    }

    fn voice() -> (Arc<IrcVoice>, Arc<Store>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let settings = Arc::new(IrcSettings::new("irc.example", 6697, "bot"));
        (Arc::new(IrcVoice::new(settings, store.clone())), store, folder)
    }

    async fn next(orders: &mut mpsc::Receiver<Command>) -> Job {
        match orders.recv().await {
            Some(Command::Say(job)) => job,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_key_is_said_once_however_often_it_comes() {
        let (voice, store, _folder) = voice();
        let mut orders = voice.connected();
        let send = |key: &str| {
            let (voice, order) = (voice.clone(), BridgeOrder::Send(text(key, "#lobby", "hi")));
            tokio::spawn(async move { voice.obey(order).await })
        };
        let (first, second) = (send("k"), send("k"));
        let job = next(&mut orders).await;
        assert_eq!((job.lines.as_slice(), job.reply_to.as_deref()), (["hi".to_owned()].as_slice(), Some("m1")));
        tokio::task::yield_now().await;
        store.done("k", "k", Millis(1)).unwrap();
        voice.finish(job, Ok("k".to_owned()));
        let id = || Ok(Some(BridgeSent { id: "k".to_owned() }));
        let both = async { (first.await.unwrap(), second.await.unwrap()) };
        let both = tokio::time::timeout(std::time::Duration::from_secs(5), both).await.expect("the second is answered");
        assert_eq!((both.0, both.1, send("k").await.unwrap()), (id(), id(), id()));
        assert!(orders.try_recv().is_err(), "it was ordered once");
        // Another key is another order; without a connection it waits with its sender.
        let lost = send("k2");
        drop(next(&mut orders).await);
        voice.disconnected();
        assert!(matches!(lost.await.unwrap(), Err(Refusal::NotNow(_))));
        assert!(matches!(send("k3").await.unwrap(), Err(Refusal::NotNow(_))));
        assert!(!voice.about().connected);
        assert_eq!(send("k").await.unwrap(), id(), "what was said stays said");
    }

    #[tokio::test]
    async fn an_order_goes_on_where_a_dead_process_left_it() {
        let (voice, store, _folder) = voice();
        let mut orders = voice.connected();
        store.saying("k", 2, Millis(1)).unwrap();
        let (order, again) = (BridgeOrder::Send(text("k", "#lobby", "a\n\nb\n\nc")), voice.clone());
        tokio::spawn(async move { again.obey(order).await });
        let job = next(&mut orders).await;
        assert_eq!((job.written, job.lines.len()), (2, 3));
    }

    #[tokio::test]
    async fn a_chat_can_be_nothing_but_one_target() {
        let (voice, _store, _folder) = voice();
        let _orders = voice.connected();
        for chat in ["", "a b", "a,b", "a\r\nQUIT", ":a", "*", "$*.org", "a!b@c", &"x".repeat(201)] {
            for order in
                [BridgeOrder::Send(text("k", chat, "hi")), BridgeOrder::Typing { chat: chat.to_owned(), thread: None }]
            {
                assert!(matches!(voice.obey(order).await, Err(Refusal::Never(_))), "{chat:?}");
            }
        }
        assert!(matches!(voice.obey(BridgeOrder::Send(text("k", "#a", " \n"))).await, Err(Refusal::Never(_))));
    }

    #[tokio::test]
    async fn a_file_is_its_url_and_what_irc_has_not_is_unknown() {
        let (voice, _store, _folder) = voice();
        let mut orders = voice.connected();
        let attach = |url: Option<&str>| {
            let (name, mime) = ("a.png".to_owned(), "image/png".to_owned());
            let file = BridgeUpload { name, mime, size: 1, url: url.map(str::to_owned), data: None };
            BridgeOrder::Attach { text: text("k", "#a", "look"), file }
        };
        assert!(matches!(voice.obey(attach(None)).await, Err(Refusal::Never(_))));
        let (order, again) = (attach(Some("https://f.example/a_b_c.png")), voice.clone());
        tokio::spawn(async move { again.obey(order).await });
        assert_eq!(next(&mut orders).await.lines, ["look", "a.png: https://f.example/a_b_c.png"]);
        let react = BridgeOrder::React { chat: "#a".into(), thread: None, id: "1".into(), emoji: "x".into() };
        assert_eq!(voice.obey(react).await, Err(Refusal::Unknown));
    }
}
