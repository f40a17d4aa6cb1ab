//! What reaches the world outside: tools, parts of a reply, time.

use std::time::Duration;

use chela_core::agent_id::AgentId;
use chela_core::channel::{OutboundPart, SendError};
use chela_core::channel_log::Happening;
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::reply::Said;
use chela_core::tool::{ToolAnswer, ToolCall};
use chela_core::turn::{Command, Fate, Input, Part, PlannedCall, idempotency_key};

use crate::answer::{Agent, Attempt};
use crate::post::Post;
use crate::purse::Purse;
use crate::relay::is_relay;
use crate::repeats::with_warning;
use crate::settings::Outlet;

/// What is shown where a part will stand in a moment.
const PLACEHOLDER: &str = "…";

impl Agent {
    /// Does one thing that is not of the store.
    pub(crate) async fn act(&self, attempt: &Attempt<'_>, command: Command) -> Input {
        match command {
            Command::Run { call, idempotency_key, until } => {
                Input::ToolReturned(self.run_tool(attempt, &call, &idempotency_key, until).await)
            }
            Command::Send(part) => Input::Sent(self.send(attempt, &part, None).await),
            Command::Edit { message, part } => Input::Edited(self.send(attempt, &part, Some(&message)).await.map(drop)),
            Command::SendPlaceholder { to, part, until } => {
                Input::PreviewSent(self.place(attempt, &to, part, until).await)
            }
            Command::Announce(name) => {
                self.publish(name, attempt).await;
                Input::Announced
            }
            Command::Wait { ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Input::Tick
            }
            // Everything else is the store's, or a call's own.
            _ => Input::Tick,
        }
    }

    async fn send(&self, attempt: &Attempt<'_>, part: &Part, message: Option<&str>) -> Result<String, SendError> {
        let left = self.left(part.until);
        let Some(outlet) = attempt.outlet(&part.to) else {
            return Err(SendError::Refused {
                channel: "none",
                reason: "the account is not configured any more".into(),
            });
        };
        let channel = &outlet.channel;
        if left.is_zero() {
            // The machine slept between the mark and the request: somebody else may hold the session by now.
            return Err(SendError::NotSent { channel: channel.id(), reason: "its time was over".into() });
        }
        let Part { to, idempotency_key, .. } = part;
        let stored = OutboundPart {
            to,
            number: part.part,
            markdown: &part.markdown,
            choices: &[],
            idempotency_key,
            timeout: left,
        };
        self.send_stored(outlet, attempt.agent, &stored, message).await
    }

    /// Sends the message that a part takes the place of; its id, if the platform confirmed it.
    async fn place(&self, attempt: &Attempt<'_>, to: &ReplyAddress, number: u16, until: Millis) -> Option<String> {
        let outlet = attempt.outlet(to)?;
        let event = &attempt.machine.accepted()?.event;
        let key = idempotency_key(attempt.machine.session(), event, &format!("placeholder:{number}"));
        let timeout = self.left(until);
        let part = OutboundPart { to, number, markdown: PLACEHOLDER, choices: &[], idempotency_key: &key, timeout };
        if timeout.is_zero() {
            return None;
        }
        outlet.channel.send(&part).await.ok().map(|receipt| receipt.message_id)
    }

    /// Sends a part as it is stored, or puts it in the place of `message`.
    pub(crate) async fn send_stored(
        &self,
        outlet: &Outlet,
        agent: &AgentId,
        stored: &OutboundPart<'_>,
        message: Option<&str>,
    ) -> Result<String, SendError> {
        let channel = &outlet.channel;
        let Said { text, choices, file } = Said::of_part(stored.markdown);
        let part = OutboundPart { markdown: &text, choices: &choices, ..stored.clone() };
        let sent = match (&file, message) {
            (Some(path), None) => self.attach(outlet, agent, path, &part).await.map(|sent| sent.message_id),
            (Some(_), Some(_)) => {
                Err(SendError::Refused { channel: channel.id(), reason: "a text does not become a file".into() })
            }
            (None, Some(message)) => channel.edit(message, &part).await.map(|()| message.to_owned()),
            (None, None) => channel.send(&part).await.map(|receipt| receipt.message_id),
        };
        self.note_sending(part.to, &sent).await;
        sent
    }

    /// Notes what became of a sending, for those who look after the account.
    pub(crate) async fn note_sending(&self, to: &ReplyAddress, sent: &Result<String, SendError>) {
        let happening = match sent {
            Ok(_) => Happening::Sent,
            Err(error) => Happening::Failed(error.to_string()),
        };
        if !is_relay(to) {
            self.channels.note(&to.channel, &to.account, happening, self.clock.now()).await;
        }
    }

    pub(crate) async fn run_tool(
        &self,
        attempt: &Attempt<'_>,
        call: &PlannedCall,
        idempotency_key: &str,
        until: Millis,
    ) -> ToolAnswer {
        let left = self.left(until);
        let caller = attempt.caller();
        let tool = attempt.tools(&caller).into_iter().find(|tool| tool.spec().name == call.name);
        let Some(tool) = tool else { return ToolAnswer::error(attempt.refusal(&call.name, &caller)) };
        if left.is_zero() {
            return ToolAnswer::error(format!("\"{}\" was not run: its time was over before it began.", call.name));
        }
        let status = attempt.status();
        if let Some(consent) = tool.consent(&call.input, &caller)
            && let Err(answer) = self.permitted(attempt, call, &consent, &caller, idempotency_key).await
        {
            return answer;
        }
        let (purse, post) = (Purse::of(self, attempt), Post::of(self, attempt, until));
        let run = tool.run(ToolCall {
            input: &call.input,
            idempotency_key,
            again: call.fate == Fate::Begun,
            agent: attempt.agent,
            session: attempt.machine.session(),
            caller: &caller,
            files: self.files.as_ref(),
            sessions: self.sessions.as_ref(),
            directory: self.directory.as_ref(),
            queue: self.queue.as_ref(),
            post: &post,
            purse: &purse,
            clock: self.clock.as_ref(),
            status: &status,
        });
        match tokio::time::timeout(left, run).await {
            Ok(answer) => with_warning(&attempt.machine.turn().entries, &call.name, &call.input, answer),
            Err(_) => ToolAnswer::error(format!(
                "\"{}\" did not end within {} s and was abandoned; it may have taken effect.",
                call.name,
                left.as_secs()
            )),
        }
    }

    fn left(&self, until: Millis) -> Duration {
        Duration::from_millis(until.since(self.clock.now()))
    }
}
