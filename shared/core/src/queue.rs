//! The queue: three lanes, first in first out within a session.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::agent_id::AgentId;
use crate::clock::Millis;
use crate::message::{EventKey, Inbound, ReplyAddress};
use crate::session_key::SessionKey;
use crate::tool_policy::Limit;

/// A queue with its own concurrency, so that background work never delays a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Somebody waits for the answer.
    Live,
    /// A schedule fired.
    Scheduled,
    /// Nobody waits.
    Background,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 3] = [Self::Live, Self::Scheduled, Self::Background];

    /// The lane's name in configuration, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Scheduled => "scheduled",
            Self::Background => "background",
        }
    }
}

/// The newest form of [`Envelope`] this code writes, and the newest it reads.
pub const ENVELOPE_VERSION: u16 = 1;

/// What travels through the queue: everything a turn needs to begin. At most 64 KB, so that SQS bills one unit;
/// files travel by reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The form of this record; a newer one than the reader knows goes to the dead-letter queue.
    pub version: u16,
    /// The name of the event: queued twice within five minutes it is delivered once.
    pub event: EventKey,
    /// The conversation: also the queue group.
    pub session: SessionKey,
    /// Who answers.
    pub agent: AgentId,
    /// When it was accepted.
    pub accepted_at: Millis,
    /// What is to be answered.
    pub task: Task,
}

/// The occasion of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Task {
    /// Somebody wrote.
    Message {
        /// The message.
        inbound: Box<Inbound>,
        /// What the webhook could decide about the sender.
        standing: Standing,
        /// What the sender may do; a paired sender's is looked up in the turn.
        #[serde(default)]
        authority: Authority,
    },
    /// A schedule fired.
    Heartbeat {
        /// The schedule's name.
        name: String,
        /// The time it was due.
        scheduled_at: Millis,
        /// What the agent is asked.
        prompt: String,
        /// Where a non-silent answer goes; nowhere if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deliver_to: Option<ReplyAddress>,
        /// For whom a tool made the schedule; for the owner, if it stands in the configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_for: Option<Box<MadeFor>>,
    },
    /// Another conversation of the house gives work to this one, or reports what came of it.
    Relay {
        /// The other conversation.
        from: SessionKey,
        /// What for.
        purpose: Purpose,
        /// What the work is called, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// What is to be done, or what came of it.
        text: String,
        /// How many conversations stand between this one and a person's.
        depth: u8,
        /// How often conversations have written to one another since a person or a schedule began it.
        #[serde(default)]
        hops: u8,
        /// What may be done for it: never more than the other conversation's turn might.
        #[serde(default)]
        authority: Authority,
        /// On whose behalf: its tools are never more than theirs.
        #[serde(default = "Limit::unknown")]
        limit: Limit,
        /// Where the answer goes; nowhere if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deliver_to: Option<ReplyAddress>,
    },
    /// A call of another conversation waits for the owner's consent, who is asked here.
    Approval {
        /// The request's id.
        id: String,
        /// Where the owner is.
        deliver_to: ReplyAddress,
    },
    /// It was decided about a call that waited, or its time is over: the call runs or is denied, and the model goes on.
    Decision {
        /// The request's id.
        id: String,
        /// The platform id of whoever the call was made for; empty if nobody in particular.
        sender: String,
        /// What might be done in the turn that asked.
        #[serde(default)]
        authority: Authority,
        /// On whose behalf that turn was made.
        #[serde(default = "Limit::unknown")]
        limit: Limit,
        /// How many conversations stand between this one and a person's.
        #[serde(default)]
        depth: u8,
        /// How often conversations have written to one another since a person or a schedule began it.
        #[serde(default)]
        hops: u8,
        /// Where the answer goes; nowhere if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deliver_to: Option<ReplyAddress>,
    },
    /// The agent wrote this at the place of this conversation while it worked in another one. It stands in the transcript
    /// from then on; no model is asked, and nothing is sent.
    Wrote {
        /// The other conversation.
        from: SessionKey,
        /// What it wrote.
        text: String,
        /// For whom.
        #[serde(default)]
        authority: Authority,
    },
    /// The time of a request is over: if nobody decided, that is told. No turn is made of this itself.
    Lapsed {
        /// The request's id.
        id: String,
    },
    /// The owner wants a flagged part sent again. No turn is made of it.
    Redeliver {
        /// The turn.
        turn: u64,
        /// The part.
        part: u16,
        /// [`crate::session::Flagged::at`] as the owner saw it: a flag that changed since is left alone.
        flagged_at: Millis,
    },
}

impl Task {
    /// Where its answer goes; nowhere if `None`.
    pub fn reply_to(&self) -> Option<&ReplyAddress> {
        match self {
            Self::Message { inbound, .. } => Some(&inbound.reply_to),
            Self::Heartbeat { deliver_to, .. } | Self::Relay { deliver_to, .. } | Self::Decision { deliver_to, .. } => {
                deliver_to.as_ref()
            }
            Self::Approval { deliver_to, .. } => Some(deliver_to),
            Self::Redeliver { .. } | Self::Lapsed { .. } | Self::Wrote { .. } => None,
        }
    }

    /// What may be done for it. A schedule is the owner's, or of whoever had it made.
    pub fn authority(&self) -> Authority {
        match self {
            Self::Message { authority, .. }
            | Self::Relay { authority, .. }
            | Self::Decision { authority, .. }
            | Self::Wrote { authority, .. } => *authority,
            Self::Heartbeat { made_for, .. } => made_for.as_ref().map_or(Authority::Owner, |made| made.authority),
            Self::Redeliver { .. } | Self::Approval { .. } | Self::Lapsed { .. } => Authority::Guest,
        }
    }
}

/// For whom a tool made something that begins turns later: never more may be done in them than in the turn that made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MadeFor {
    /// What might be done in that turn.
    #[serde(default)]
    pub authority: Authority,
    /// On whose behalf that turn was made: [`crate::tool::Caller::limit`].
    #[serde(default = "Limit::unknown")]
    pub limit: Limit,
}

/// What somebody may do beyond being answered. Ordered: the lower of two is the careful one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Authority {
    /// Be answered.
    #[default]
    Guest,
    /// Change how the agent works, what it remembers and what it spends.
    Owner,
}

/// Why one conversation writes to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// Work for a sub-agent; what it answers is reported.
    Assign,
    /// A sub-agent's answer.
    Report,
    /// A message from one conversation to another; what it answers is reported.
    Message,
}

/// What the webhook could decide about a sender from configuration in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Allowed by configuration.
    Allowed,
    /// Allowed only if the owner has approved the pairing: the turn looks it up before anything else.
    IfPaired,
}

/// One received message. Until it is deleted or its visibility ends, no other message of its group is delivered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The queue's id of the message.
    pub message_id: String,
    /// What [`Queue::delete`] and [`Queue::hide`] take; valid for this receive only.
    pub receipt: String,
    /// The lane it came from.
    pub lane: Lane,
    /// The queue group, which tells messages of one session apart from those of others even when the body is broken.
    pub group: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// The body as sent.
    pub body: String,
}

/// Why the queue refused.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The message is larger than the queue takes: it will never be accepted.
    #[error("a message of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The queue's limit.
        limit: usize,
    },
    /// The receipt is no longer valid: its time ran out and somebody else may hold the message.
    #[error("the receipt is no longer valid")]
    Expired,
    /// The queue did not answer, or is full: try again.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
}

/// How many messages a lane holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Depth {
    /// Messages that nobody has received, or that were returned.
    pub waiting: usize,
    /// Messages that are received and not yet deleted, or hidden for a while.
    pub in_flight: usize,
}

/// A first-in-first-out queue per session, in three lanes.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Appends to the session's line. The same `envelope.event` in the same session within five minutes is accepted
    /// once; pushing it again answers `Ok` and changes nothing.
    async fn push(&self, lane: Lane, envelope: &Envelope) -> Result<(), QueueError>;

    /// Takes up to `max` messages and hides them and the rest of their groups for `visibility_s` seconds.
    /// Answers at once, with nothing if nothing is there.
    async fn receive(&self, lane: Lane, max: usize, visibility_s: u32) -> Result<Vec<Delivery>, QueueError>;

    /// Removes a message for good. Deleting twice is harmless.
    async fn delete(&self, lane: Lane, receipt: &str) -> Result<(), QueueError>;

    /// Hides a received message for `seconds` from now; 0 returns it to the head of its group at once.
    async fn hide(&self, lane: Lane, receipt: &str, seconds: u32) -> Result<(), QueueError>;

    /// The same for several messages of one lane, all or as many as still can be.
    async fn hide_all(&self, lane: Lane, receipts: &[&str], seconds: u32) -> Result<(), QueueError> {
        for receipt in receipts {
            self.hide(lane, receipt, seconds).await?;
        }
        Ok(())
    }

    /// How many messages a lane holds, nearly: a service may count with a minute's delay.
    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError>;

    /// Takes a message that can never be handled out of its lane and keeps it, with the reason, for the owner.
    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError>;
}

/// A message that could never be handled, kept for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buried {
    /// The lane it came from.
    pub lane: Lane,
    /// Its name within the dead letters of its lane, of letters, digits and `-`; of no other message before or after.
    pub id: String,
    /// The queue group of its session.
    pub group: String,
    /// When it was buried.
    pub at: Millis,
    /// How often it was received; where the dead letters are a queue themselves, looks at them included.
    pub receives: u32,
    /// Why it was buried.
    pub reason: String,
    /// The body as sent.
    pub body: String,
}

/// What [`Queue::bury`] kept, and what a queue gave up by itself.
#[async_trait]
pub trait DeadLetters: Queue {
    /// Buried messages of all lanes, newest first, at most `limit`. Looking takes nothing away; where the dead letters
    /// are a queue themselves, what somebody else looks at in this moment, or stands behind the ten oldest of its
    /// session, is not shown.
    async fn buried(&self, limit: usize) -> Result<Vec<Buried>, QueueError>;

    /// Puts a buried message with the same body at the end of its session's line, also less than five minutes after it
    /// was first pushed. `false` if it is not there (any more); twice at once is one message.
    async fn redrive(&self, lane: Lane, id: &str) -> Result<bool, QueueError>;

    /// Removes a buried message for good. `false` if it is not there (any more).
    async fn discard(&self, lane: Lane, id: &str) -> Result<bool, QueueError>;
}
