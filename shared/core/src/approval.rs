//! Calls that wait for a person's consent: what was asked, what was decided, and that each decision is used once.
//!
//! A [`Request`] is one row that goes one way: it waits, is decided (or its time runs out), and if it was allowed it is
//! used by one call. Every step is a replacement of the row as it was seen, so of two who decide at once one does, and
//! of two attempts that would run the call one does. What a decision allows is the call whose tool, arguments and shown
//! text have the request's digest, in the request's conversation, once.

mod desk;
mod policy;
mod prompt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::agent_id::AgentId;
use crate::clock::Millis;
use crate::message::{EventKey, Inbound, ReplyAddress};
use crate::session::{Put, StoreError};
use crate::session_key::SessionKey;
use crate::tool::{Caller, Consent};

pub use desk::{Desk, Said, decision_event, session_of_request, wake_up, woken_for};
pub use policy::{Mode, Permission, Policy, Rule, decide, listed};
pub use prompt::{Asking, escaped, request_parts};

/// How long a request waits for an answer, unless configured otherwise.
pub const VALID_MS: u64 = 24 * 60 * 60 * 1000;

/// How long what was allowed may wait to be run: the queue brings it within seconds, unless the house is down.
pub const GRANT_MS: u64 = 24 * 60 * 60 * 1000;

/// How long a request is remembered after its time, so that a late click is told what became of it.
pub const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Most characters of what a person is shown. Nobody reads more, and what is not read is not agreed to.
pub const MOST_SHOWN: usize = 12_000;

/// Most bytes of a call's arguments that wait for consent.
pub const MOST_INPUT: usize = 64 * 1024;

/// Something that may be done once a person agrees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Twelve digits, made of the conversation, the turn's event, the call and the digest.
    pub id: String,
    /// [`digest`] of the tool, its arguments and what was shown.
    pub digest: String,
    /// The conversation it is for.
    pub session: SessionKey,
    /// Whose.
    pub agent: AgentId,
    /// The turn that asks.
    pub turn: u64,
    /// The provider's id of the call.
    pub call: String,
    /// The model that called.
    pub model: String,
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub input: Value,
    /// What is agreed to.
    pub consent: Consent,
    /// For whom the turn was made.
    pub caller: Caller,
    /// Whether it is asked in its own conversation.
    pub here: bool,
    /// Where else it is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<ReplyAddress>,
    /// When.
    pub asked_at: Millis,
    /// From then on it is denied.
    pub expires_at: Millis,
    /// What became of it.
    pub state: State,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum State {
    /// Nobody decided yet.
    Waiting,
    /// It may run, once.
    Allowed(Decided),
    /// It may not.
    Denied(Decided),
    /// Nobody decided in time.
    Expired,
    /// It was allowed, and its call was begun.
    Used {
        /// The decision.
        decided: Decided,
        /// The idempotency key of the call that used it.
        key: String,
    },
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The owner's name: `telegram:42`, or `api`.
    pub by: String,
    /// When.
    pub at: Millis,
    /// The name of the deciding event: the same event again is the same decision.
    pub event: String,
}

/// What somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It may run this once.
    Once,
    /// It may run, and the same command from now on.
    Always,
    /// It may not.
    Deny,
}

/// Why a decision is not taken, or a grant cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The time of the request, or of what was allowed, is over.
    #[error("its time is over, so it counts as denied; ask me again if it is still wanted")]
    Expired,
    /// It is another call than the one that was shown.
    #[error("what would run is not what was shown")]
    Changed,
    /// It belongs to another conversation.
    #[error("it belongs to another conversation")]
    Elsewhere,
    /// Somebody decided before.
    #[error("it was {how} by {by}")]
    Decided {
        /// Allowed, or denied.
        how: &'static str,
        /// By whom.
        by: String,
    },
    /// It was used.
    #[error("it was allowed by {by} and has been run; each approval is for one run")]
    Used {
        /// By whom.
        by: String,
    },
    /// Nobody decided yet.
    #[error("nobody has decided about it yet")]
    Undecided,
    /// What would be remembered is not known for sure.
    #[error(
        "it cannot be allowed for ever: which programs it would run cannot be told for sure; allow it once or deny it"
    )]
    NotForEver,
}

/// What a person agrees to, in 64 hexadecimal digits: the tool, its arguments and what was shown.
pub fn digest(tool: &str, input: &Value, shown: &str) -> String {
    hashed([tool, &input.to_string(), shown])
}

/// The name of a request: the same for every attempt at its turn, different for every other call.
pub fn request_id(session: &SessionKey, event: &EventKey, step: u16, call: &str, digest: &str) -> String {
    let mut id = hashed([session.as_str(), event.as_str(), &step.to_string(), call, digest]);
    id.truncate(12);
    id
}

/// The id of the call that a decision about this request has run. No two calls of a conversation share an id, so that
/// it is another than the first.
pub fn decided_call(id: &str) -> String {
    format!("approved_{id}")
}

/// A digest of texts, each with its length before it, so that no two lists share one.
pub(crate) fn hashed<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

impl Request {
    /// The first sixteen digits of the digest, as people compare them.
    pub fn short_digest(&self) -> &str {
        self.digest.get(..16).unwrap_or(&self.digest)
    }

    /// Whether nobody decided, and nobody can any more.
    pub fn overdue(&self, now: Millis) -> bool {
        self.state == State::Waiting && now >= self.expires_at
    }

    /// Whether it may be remembered for ever: only what is known for sure.
    pub fn for_ever(&self) -> bool {
        self.consent.programs.as_ref().is_some_and(|programs| !programs.is_empty())
    }

    /// Whether it was asked where this message comes from.
    pub fn asked_in(&self, session: &SessionKey, inbound: &Inbound) -> bool {
        let (here, to) = (self.here && self.session == *session, &inbound.reply_to);
        let there =
            |place: &ReplyAddress| place.channel == to.channel && place.account == to.account && place.to == to.to;
        here || self.places.iter().any(there)
    }

    /// The request with this decision. The same decision by the same event again changes nothing.
    pub fn decided(&self, verdict: Verdict, decided: Decided) -> Result<Self, Refused> {
        let becomes = match verdict {
            Verdict::Once => State::Allowed(decided.clone()),
            Verdict::Always if self.for_ever() => State::Allowed(decided.clone()),
            Verdict::Always => return Err(Refused::NotForEver),
            Verdict::Deny => State::Denied(decided.clone()),
        };
        let again = |before: &Decided| before.event == decided.event;
        match &self.state {
            State::Waiting if decided.at >= self.expires_at => return Err(Refused::Expired),
            State::Waiting => {}
            State::Allowed(before) if again(before) && verdict != Verdict::Deny => return Ok(self.clone()),
            State::Denied(before) if again(before) && verdict == Verdict::Deny => return Ok(self.clone()),
            State::Used { decided: before, .. } if again(before) => return Ok(self.clone()),
            State::Allowed(before) => return Err(Refused::Decided { how: "allowed", by: before.by.clone() }),
            State::Denied(before) => return Err(Refused::Decided { how: "denied", by: before.by.clone() }),
            State::Used { decided: before, .. } => return Err(Refused::Used { by: before.by.clone() }),
            State::Expired => return Err(Refused::Expired),
        }
        Ok(Self { state: becomes, ..self.clone() })
    }

    /// The request as the call of this key uses it. The same call again may: a tool that knows keys runs again after a
    /// crash.
    pub fn used(&self, session: &SessionKey, digest: &str, key: &str, now: Millis) -> Result<Self, Refused> {
        if self.session != *session {
            return Err(Refused::Elsewhere);
        }
        if self.digest != digest {
            return Err(Refused::Changed);
        }
        match &self.state {
            State::Waiting if now >= self.expires_at => Err(Refused::Expired),
            State::Waiting => Err(Refused::Undecided),
            State::Expired => Err(Refused::Expired),
            State::Denied(decided) => Err(Refused::Decided { how: "denied", by: decided.by.clone() }),
            State::Used { key: before, .. } if before == key => Ok(self.clone()),
            State::Used { decided, .. } => Err(Refused::Used { by: decided.by.clone() }),
            State::Allowed(decided) if now.since(decided.at) > GRANT_MS => Err(Refused::Expired),
            State::Allowed(decided) => {
                let state = State::Used { decided: decided.clone(), key: key.to_owned() };
                Ok(Self { state, ..self.clone() })
            }
        }
    }

    /// What is remembered if it is allowed for ever: each of its programs with exactly its arguments and what stood beside
    /// them.
    pub fn rules(&self, decided: &Decided) -> Vec<Rule> {
        let (programs, beside) = (self.consent.programs.iter().flatten(), &self.consent.beside);
        programs.map(|words| Rule::exact(&self.agent, &self.tool, words, beside, &decided.by, decided.at)).collect()
    }
}

/// Keeps requests and what is allowed for ever.
#[async_trait]
pub trait ApprovalStore: Send + Sync {
    /// Files a request unless one of its id is there; then that is told, and nothing changed.
    async fn ask(&self, request: &Request) -> Result<Put<Request>, StoreError>;

    /// A request by its id; consistent. Kept for [`KEPT_MS`] after its time at least.
    async fn request(&self, id: &str) -> Result<Option<Request>, StoreError>;

    /// Replaces a request if it still is as it was `seen`. `false` if it changed in the meantime: then nothing was
    /// changed, so of two who decide at once one does, and what was allowed is used once.
    async fn change(&self, seen: &Request, becomes: &Request) -> Result<bool, StoreError>;

    /// Requests that nobody decided, those whose time is over included, newest first; consistent.
    async fn waiting(&self) -> Result<Vec<Request>, StoreError>;

    /// Remembers a rule under its id; twice is once.
    async fn remember(&self, rule: &Rule) -> Result<(), StoreError>;

    /// Forgets a rule. `false` if there is none of this id.
    async fn forget(&self, id: &str) -> Result<bool, StoreError>;

    /// What is remembered, by id; consistent.
    async fn rules(&self) -> Result<Vec<Rule>, StoreError>;
}

#[cfg(test)]
mod tests;
