//! Which conversations there are, and what was wished for them beside their turns.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::agent_id::AgentId;
use crate::approval::hashed;
use crate::clock::Millis;
use crate::message::ReplyAddress;
use crate::session::{SessionStore, StoreError};
use crate::session_key::SessionKey;

/// A conversation as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Its key.
    pub session: SessionKey,
    /// Who answers in it.
    pub agent: AgentId,
    /// What it is called, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The conversation that gave it its work, if it is a sub-agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SessionKey>,
    /// When it began.
    pub began: Millis,
    /// When it ended: a sub-agent has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Millis>,
}

impl Listing {
    /// Whether it is in no list of those who gave it work any more: a sub-agent that ended so long ago.
    pub fn archived(&self, now: Millis, after: Option<Duration>) -> bool {
        let ended = self.ended.filter(|_| self.parent.is_some());
        ended.zip(after).is_some_and(|(ended, after)| u128::from(now.since(ended)) >= after.as_millis())
    }
}

/// What was wished for a conversation by command and concerns messages before they become turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wishes {
    /// Whether messages of a room are answered that do not address the agent; `None` is what configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_all: Option<bool>,
    /// What becomes of messages that come while the agent is busy, by its name in `messages.queue.mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// The conversation in which what is said at a place is answered, as routing decided when somebody last wrote there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Home {
    /// Its key.
    pub session: SessionKey,
    /// Who answers in it.
    pub agent: AgentId,
}

/// Sixty-four digits that stand for a place: channel, account, chat and thread, whichever message is answered there.
pub fn place_mark(at: &ReplyAddress) -> String {
    let thread = at.thread.as_deref();
    let is_thread = if thread.is_some() { "thread" } else { "" };
    hashed(["place", &at.channel, &at.account, &at.to, is_thread, thread.unwrap_or_default()])
}

/// Keeps listings, wishes and homes.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Notes a conversation, in the place of what was noted of it before.
    async fn list(&self, listing: &Listing) -> Result<(), StoreError>;

    /// The conversations of an agent, newest first, at most `limit`; consistent.
    async fn listed(&self, agent: &AgentId, limit: usize) -> Result<Vec<Listing>, StoreError>;

    /// The conversations that this one gave work to, newest first, at most `limit`; consistent.
    async fn children(&self, parent: &SessionKey, limit: usize) -> Result<Vec<Listing>, StoreError>;

    /// What was wished; nothing if nothing was. Consistent.
    async fn wishes(&self, session: &SessionKey) -> Result<Wishes, StoreError>;

    /// Replaces the wishes.
    async fn wish(&self, session: &SessionKey, wishes: &Wishes) -> Result<(), StoreError>;

    /// Notes where what is said at the place of this [`place_mark`] is answered, instead of what was noted before. Kept for
    /// a year at least.
    async fn note_home(&self, place: &str, home: &Home, now: Millis) -> Result<(), StoreError>;

    /// Where it is answered, if somebody wrote there; consistent.
    async fn home(&self, place: &str) -> Result<Option<Home>, StoreError>;
}

/// A sub-agent that began longer ago has been given up by somebody who could not say so.
const LONGEST_WORK_MS: u64 = 24 * 60 * 60 * 1000;

/// Those of `listings` that were given work and are still at it. One that ended without a report (it was stopped) is
/// known by its head.
pub async fn at_work(
    sessions: &dyn SessionStore,
    listings: Vec<Listing>,
    now: Millis,
) -> Result<Vec<Listing>, StoreError> {
    let mut working = Vec::new();
    for listing in listings {
        let may_work =
            listing.parent.is_some() && listing.ended.is_none() && now.since(listing.began) < LONGEST_WORK_MS;
        if !may_work {
            continue;
        }
        let head = sessions.head(&listing.session).await?;
        if head.is_none_or(|head| head.last_turn == 0 || head.current.is_some()) {
            working.push(listing);
        }
    }
    Ok(working)
}
