//! Messages beside the reply of a turn, for the tool that writes them: on the same accounts, cut and rendered in the same
//! way. The mark of the tool's call is the mark of the sending, so a death on the way is known, and what the platform
//! cannot tell from a repetition is not repeated.

use std::time::Duration;

use async_trait::async_trait;
use chela_core::channel::{OutboundPart, SendError, Unconfirmed};
use chela_core::clock::Millis;
use chela_core::message::{ChannelId, EventKey, ReplyAddress};
use chela_core::post::{Errand, Undone};
use chela_core::queue::{Authority, Task};

use crate::answer::{Agent, Attempt};
use crate::blocks::{is_for_guests, without_private_files};
use crate::settings::Outlet;

/// Longest wait for a platform to take one message.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest pause a platform may ask for while the call still runs.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The accounts, as a tool of one turn uses them.
pub(crate) struct Post<'a> {
    agent: &'a Agent,
    attempt: &'a Attempt<'a>,
    /// When the call must have ended.
    until: Millis,
}

/// One request to a platform.
enum Step<'e> {
    /// A part as replies store them.
    Part(String),
    /// A file of the workspace.
    File(&'e str),
    /// Anything else.
    Other(&'e Errand),
}

impl<'a> Post<'a> {
    pub(crate) fn of(agent: &'a Agent, attempt: &'a Attempt<'a>, until: Millis) -> Self {
        Self { agent, attempt, until }
    }

    /// Does one thing, and once more where the platform asks for a moment's patience.
    async fn patiently(
        &self,
        outlet: &Outlet,
        step: &Step<'_>,
        to: &ReplyAddress,
        number: u16,
        key: &str,
    ) -> Result<Option<String>, SendError> {
        loop {
            let left = Duration::from_millis(self.until.since(self.agent.clock.now()));
            if left.is_zero() {
                return Err(SendError::NotSent { channel: outlet.channel.id(), reason: "its time was over".into() });
            }
            let part = OutboundPart {
                to,
                number,
                markdown: "",
                choices: &[],
                idempotency_key: key,
                timeout: left.min(SEND_TIMEOUT),
            };
            match self.once(outlet, step, &part).await {
                Err(SendError::RateLimited { after, .. }) if after <= LONGEST_PAUSE && after < left => {
                    tokio::time::sleep(after).await;
                }
                done => return done,
            }
        }
    }

    async fn once(
        &self,
        outlet: &Outlet,
        step: &Step<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Option<String>, SendError> {
        let (channel, to, agent) = (&outlet.channel, part.to, self.attempt.agent);
        match step {
            Step::Part(markdown) => {
                let stored = OutboundPart { markdown, ..part.clone() };
                self.agent.send_stored(outlet, agent, &stored, None).await.map(Some)
            }
            Step::File(path) => {
                let sent = self.agent.offer(outlet, agent, path, part).await.map(|sent| sent.message_id);
                self.agent.note_sending(to, &sent).await;
                sent.map(Some)
            }
            Step::Other(Errand::Ask(poll)) => {
                let sent = channel.poll(poll, part).await.map(|sent| sent.message_id);
                self.agent.note_sending(to, &sent).await;
                sent.map(Some)
            }
            Step::Other(Errand::Open { name, message }) => {
                channel.open_thread(to, name, message.as_deref()).await.map(Some)
            }
            Step::Other(Errand::Edit { message, text }) => {
                let parts = outlet.parts(to, text);
                let [markdown] = parts.as_slice() else {
                    let reason = "the text does not fit into one message".to_owned();
                    return Err(SendError::Refused { channel: channel.id(), reason });
                };
                let stored = OutboundPart { markdown, ..part.clone() };
                self.agent.send_stored(outlet, agent, &stored, Some(message)).await.map(|_| None)
            }
            Step::Other(Errand::React { message, emoji }) => channel.react(to, message, emoji).await.map(|()| None),
            Step::Other(Errand::Delete { message }) => channel.delete(to, message).await.map(|()| None),
            Step::Other(Errand::Pin { message, pinned }) => channel.pin(to, message, *pinned).await.map(|()| None),
            Step::Other(Errand::Say { .. }) => Ok(None),
        }
    }
}

/// What is to be asked of the platform for it, in order.
fn steps<'e>(outlet: &Outlet, to: &ReplyAddress, errand: &'e Errand) -> Vec<Step<'e>> {
    match errand {
        Errand::Say { text, file } => {
            let parts = if text.is_empty() { Vec::new() } else { outlet.parts(to, text) };
            parts.into_iter().map(Step::Part).chain(file.as_deref().map(Step::File)).collect()
        }
        other => vec![Step::Other(other)],
    }
}

/// The same without what only the owner may have, as a reply to a guest is.
fn for_guests(outlet: &Outlet, errand: &Errand) -> Result<Errand, Undone> {
    match errand {
        Errand::Say { file: Some(path), .. } if !is_for_guests(path) => {
            let reason = "only the owner may have this file".to_owned();
            let error = SendError::Refused { channel: outlet.channel.id(), reason };
            Err(Undone { ids: Vec::new(), error })
        }
        Errand::Say { text, file } => Ok(Errand::Say { text: without_private_files(text), file: file.clone() }),
        Errand::Edit { message, text } => {
            Ok(Errand::Edit { message: message.clone(), text: without_private_files(text) })
        }
        other => Ok(other.clone()),
    }
}

/// Whether doing it again is doing it once, or is what the owner prefers to not doing it at all.
fn may_repeat(outlet: &Outlet, to: &ReplyAddress, errand: &Errand) -> bool {
    let keyed = matches!(outlet.unconfirmed(to), Unconfirmed::ResendWithKey | Unconfirmed::Resend);
    // No platform knows keys of threads.
    errand.repeats() || (keyed && !matches!(errand, Errand::Open { .. }))
}

#[async_trait]
impl chela_core::post::Post for Post<'_> {
    fn accounts(&self) -> Vec<(ChannelId, String)> {
        let mut accounts: Vec<_> = self.attempt.installation.outlets.keys().cloned().collect();
        accounts.sort();
        accounts
    }

    fn answered(&self) -> Option<String> {
        match self.attempt.task() {
            Some(Task::Message { inbound, .. }) => inbound.message_id.clone(),
            _ => None,
        }
    }

    async fn run(&self, to: &ReplyAddress, errand: &Errand, key: &str, again: bool) -> Result<Vec<String>, Undone> {
        let Some(outlet) = self.attempt.installation.outlet(to) else {
            let reason = format!("account \"{}\" of channel \"{}\" is not configured", to.account, to.channel);
            return Err(Undone { ids: Vec::new(), error: SendError::Refused { channel: "none", reason } });
        };
        if again && !may_repeat(outlet, to, errand) {
            let reason = "it was begun and then interrupted; it may or may not have arrived".to_owned();
            let error = SendError::Unknown { channel: outlet.channel.id(), reason };
            return Err(Undone { ids: Vec::new(), error });
        }
        let guest = self.attempt.caller().authority == Authority::Guest;
        let errand = &if guest { for_guests(outlet, errand)? } else { errand.clone() };
        let mut ids = Vec::new();
        // From 1 on: what belongs to the first part of an answer is the reply's.
        for (step, number) in steps(outlet, to, errand).iter().zip(1u16..) {
            let key = EventKey::of("post", key, &number.to_string());
            match self.patiently(outlet, step, to, number, key.as_str()).await {
                Ok(id) => ids.extend(id),
                Err(error) => return Err(Undone { ids, error }),
            }
        }
        self.agent.mirror(self.attempt, to, errand, key).await;
        Ok(ids)
    }
}
