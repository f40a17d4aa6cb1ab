//! One conversation as it is stored: a small head that says who works on it, the accepted events, and the
//! append-only entries of its turns.
//!
//! How the rows protect a turn (`turn` has the rules that use them):
//! - the **head** carries the lease and the epoch; every change of it is one conditional write, so an attempt that
//!   lost its lease can change nothing and, since intents to act live on the head, can begin nothing;
//! - an **accepted event** is stored under its own name: the second writer learns that it is a duplicate;
//! - an **entry** is stored under its place in the transcript: the first writer wins, the second adopts.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::erasure::Erased;
use crate::message::EventKey;
use crate::model::{Block, Thinking, Usage};
use crate::queue::{Authority, Envelope, Task};
use crate::session_key::SessionKey;
use crate::shown::StoredFile;

/// How many finished events a head remembers, so that late duplicates cost one write and no read.
pub const RECENT_EVENTS: usize = 24;

/// The head of a session: who works on it and how far it is. Stays under 1 KB, because an update is billed by the
/// whole item (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Grows by one with every claim: the fence.
    pub epoch: u64,
    /// The attempt that works on the session; empty if none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Until when it may.
    #[serde(default)]
    pub lease_until: Millis,
    /// Grows with every save of an attempt: a copy of an earlier one that arrives late (a client that repeats a request
    /// whose answer it missed) sets nothing back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// Number of the last finished turn; the first turn is 1.
    #[serde(default)]
    pub last_turn: u64,
    /// The event of the turn in progress, whose number is `last_turn + 1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<EventKey>,
    /// How often the turn in progress was claimed.
    #[serde(default)]
    pub attempts: u32,
    /// Marks of what the turn in progress has begun and not yet recorded as done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<Intent>,
    /// Parts of the turn in progress that are settled, first part first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Settled>,
    /// The platform's id of the message that shows the answer of the turn in progress while it grows; the first part
    /// replaces its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// Turns up to this one are forgotten (`/new`).
    #[serde(default)]
    pub forgotten: u64,
    /// Turns up to this one are read as plain text: a provider would not take them as they are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub plain: u64,
    /// [`EventKey::short`] of the last finished events, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<String>,
    /// What was chosen for this conversation by command.
    #[serde(default, skip_serializing_if = "Choices::is_none")]
    pub choices: Choices,
    /// What was deleted at a person's request, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<Erased>,
}

/// What was chosen for one conversation (`/model`, `/think`, …). `None` is what configuration says. Lives in the head,
/// so texts in it are short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// The model asked first, as `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How hard it thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// What is told of tools beside the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbose: Option<Verbose>,
    /// What is told of the cost under each answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageFooter>,
    /// The credential that answered last, so that the provider's prompt cache is met again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Choices {
    /// Whether nothing was chosen.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is told of tools beside an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verbose {
    /// Nothing.
    #[default]
    Off,
    /// Which were used.
    On,
    /// What they answered, too.
    Full,
}

/// What is told of the cost under each answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsageFooter {
    /// Nothing.
    #[default]
    Off,
    /// Tokens.
    Tokens,
    /// Tokens, model and dollars.
    Full,
}

impl Head {
    /// Number of the turn in progress, or of the next one.
    pub fn turn(&self) -> u64 {
        self.last_turn.saturating_add(1)
    }

    /// The head after its turn: nobody holds the session, and its event and `further` ones that the turn answered are
    /// remembered as finished.
    pub fn finish(&mut self, further: &[EventKey]) {
        if let Some(event) = self.current.take() {
            self.last_turn = self.turn();
            self.recent.extend(std::iter::once(&event).chain(further).map(|event| event.short().to_owned()));
            let surplus = self.recent.len().saturating_sub(RECENT_EVENTS);
            self.recent.drain(..surplus);
        }
        self.attempts = 0;
        self.intents.clear();
        self.settled.clear();
        self.preview = None;
        self.release();
    }

    /// The head given back with its turn unfinished: the next claim resumes it.
    pub fn release(&mut self) {
        self.owner.clear();
        self.lease_until = Millis::default();
    }

    /// Whether this event's turn is known to be finished.
    pub fn finished(&self, event: &EventKey) -> bool {
        self.recent.iter().any(|known| known == event.short())
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references over")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The mark of something that must not be done twice: written, under a lease that is still long enough, before it is
/// begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Intent {
    /// A tool call.
    Tool {
        /// The step it belongs to.
        step: u16,
        /// The provider's id of the call.
        id: String,
    },
    /// A part of the reply (`SENDING`).
    Send {
        /// Its place in the outbox.
        part: u16,
    },
    /// The message that shows the answer while it grows. If its fate is unknown nothing is lost: it is not the reply.
    Preview,
}

/// The end of one part of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Settled {
    /// The platform confirmed it.
    Sent {
        /// The platform's id.
        id: String,
    },
    /// Nobody can know; flagged for the owner.
    Unknown,
    /// The platform refused for good; flagged for the owner.
    Dead,
}

/// An accepted event: the record that it came, and the user's message of the turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its name.
    pub event: EventKey,
    /// The turn it became part of. 0: the event was claimed and not stored when another one had to go on, so its name
    /// was put aside, lest a late attempt begin a turn under a number that is not its own any more; the event is taken
    /// up again as [`EventKey::again`].
    pub turn: u64,
    /// When.
    pub at: Millis,
    /// What came; `None` if it was answered in the turn of another event by an attempt that knew only its words, which
    /// are in that turn's entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}

/// One item of the transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The turn.
    pub turn: u64,
    /// The step within the turn, from 0.
    pub step: u16,
    /// When it was written.
    pub at: Millis,
    /// What it is.
    pub body: EntryBody,
}

/// The kinds of entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum EntryBody {
    /// One answer of the model, written before its tools run.
    Assistant(AssistantEntry),
    /// The result of one tool with effects, where a step has several: its journal.
    ToolDone {
        /// The result.
        result: Block,
    },
    /// Messages that came while the turn ran and that it is to heed from its next step on.
    Steered {
        /// What was said.
        user: Vec<UserFragment>,
    },
    /// What the turns up to this entry's said, in short: it stands for them once a later answer says so
    /// ([`AssistantEntry::compacted`]). The entries themselves stay.
    Summary {
        /// The summary.
        text: String,
    },
    /// The results of all tools of the step, one for each call.
    ToolResults {
        /// [`Block::ToolResult`]s, in the order of the calls.
        results: Vec<Block>,
    },
}

/// One answer of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AssistantEntry {
    /// What the turn answers; in its first step only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user: Vec<UserFragment>,
    /// What the model said.
    pub blocks: Vec<Block>,
    /// Which model.
    pub model: String,
    /// What it cost.
    pub usage: Usage,
    /// Parts of the reply that are sent before the tools of this answer run, where the channel shows what is said on the
    /// way; or the parts of a block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interim: Vec<String>,
    /// The reply's parts, if this ends the turn (an empty list is a silent end); `None` if tools are to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<Vec<String>>,
    /// A new conversation begins after this turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
    /// The provider took the turns before this one only as plain text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// The provider did not take the turns before this one in any form: this stands for them from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The turns up to this one stand in an [`EntryBody::Summary`] from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compacted: Option<u64>,
    /// From here on this is chosen for the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Box<Choices>>,
}

impl AssistantEntry {
    /// A block of an answer: these parts are sent while the model still speaks. The answer that is stored behind it holds
    /// their words again, so that a block has none of its own.
    pub fn block(user: Vec<UserFragment>, parts: Vec<String>) -> Self {
        Self { user, interim: parts, ..Self::default() }
    }

    /// Whether it is a block of an answer and not the answer.
    pub fn is_block(&self) -> bool {
        self.outbox.is_none() && self.blocks.is_empty()
    }
}

/// A piece of what the user said, with its own sender.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserFragment {
    /// Its event, unless it is the first of its turn, whose event the turn is named after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKey>,
    /// The sender's platform id; empty for a schedule.
    pub sender: String,
    /// What to call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The text.
    pub text: String,
    /// What the sender may do.
    #[serde(default, skip_serializing_if = "is_guest")]
    pub authority: Authority,
    /// Stored files that came along, for models that can look at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<StoredFile>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references over")]
fn is_guest(authority: &Authority) -> bool {
    *authority == Authority::Guest
}

impl Entry {
    /// The entry's place: entries of a session sort by it, and no two entries share one.
    pub fn place(&self) -> String {
        let Self { turn, step, .. } = self;
        match &self.body {
            EntryBody::Assistant(_) => format!("M#{turn:012}#{step:04}#A"),
            EntryBody::ToolDone { result: Block::ToolResult { id, .. } } => format!("M#{turn:012}#{step:04}#J#{id}"),
            EntryBody::ToolDone { .. } => format!("M#{turn:012}#{step:04}#J#"),
            EntryBody::ToolResults { .. } => format!("M#{turn:012}#{step:04}#T"),
            EntryBody::Steered { .. } => format!("M#{turn:012}#{step:04}#U"),
            EntryBody::Summary { .. } => Self::summary_place(*turn),
        }
    }

    /// The place of the summary of all turns up to `turn`. It is not among the entries of a turn.
    pub fn summary_place(turn: u64) -> String {
        format!("K#{turn:012}")
    }

    /// The place before every entry of `turn`.
    pub fn turn_place(turn: u64) -> String {
        format!("M#{turn:012}")
    }
}

/// A request to work on a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim<'a> {
    /// The event that asks.
    pub event: &'a EventKey,
    /// The attempt's name: unique for every attempt.
    pub owner: &'a str,
    /// Now.
    pub now: Millis,
    /// The end of the lease asked for; must be after `now`.
    pub until: Millis,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one of them in a turn, and it holds a head nearly always")]
pub enum Claimed {
    /// The session is ours. `head.current` is our event, or that of an unfinished turn which goes first.
    Held(Head),
    /// Somebody else works on it until then.
    Busy {
        /// The end of their lease.
        until: Millis,
    },
    /// The event's turn is finished: nothing is to be done, and nothing was changed.
    Finished,
}

/// What a write that must be the first found.
#[derive(Clone, Debug, PartialEq)]
pub enum Put<T> {
    /// It was the first.
    Stored,
    /// Somebody was before us; this is theirs.
    Exists(T),
}

/// Under which conditions a head may be replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence<'a> {
    /// The epoch we claimed.
    pub epoch: u64,
    /// The name we claimed under.
    pub owner: &'a str,
    /// The stored lease must reach at least to here: now plus the time needed, for an intent; 0 otherwise.
    pub lease_reaches: Millis,
}

/// Why the store refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// We no longer hold the session: stop at once, write nothing more.
    #[error("the session is held by another attempt")]
    Fenced,
    /// The store does not answer or is throttled: try again.
    #[error("the session store is unavailable: {0}")]
    Unavailable(String),
    /// The disk is full.
    #[error("the session store has no room: {0}")]
    Full(String),
    /// A stored row cannot be read; the text names the row.
    #[error("a stored row is damaged: {0}")]
    Damaged(String),
}

/// A reply whose fate the owner must decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flagged {
    /// The session.
    pub session: SessionKey,
    /// The turn.
    pub turn: u64,
    /// The part.
    pub part: u16,
    /// The event of the turn: with it the part's idempotency key is made again.
    pub event: EventKey,
    /// When it was flagged; later if it was sent again in vain. Tells one state of the flag from the next.
    pub at: Millis,
    /// Why: unconfirmed, refused, or given up.
    pub reason: String,
    /// It is being sent again: the mark that is written before, and replaced by the outcome.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sending: bool,
}

impl Flagged {
    /// A short name for people, `reply-` and twelve digits: the same for this part of this turn for ever.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.turn.to_be_bytes());
        hash.update(self.part.to_be_bytes());
        hash.update(self.session.as_str());
        let mut hex = hex::encode(hash.finalize());
        hex.truncate(12);
        format!("reply-{hex}")
    }
}

/// A mark that a running turn looks at between steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Turns whose event was accepted before this instant end at their next step.
    pub stop_before: Millis,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// One conditional write that is also the read of the head. If nobody holds a live lease (or `owner` itself does):
    /// `owner` and `until` are stored, `epoch` and `attempts` grow by one, and `current` becomes `event` (with
    /// `attempts` 1) if no turn is in progress. Claiming again with the same owner extends the lease.
    async fn claim(&self, key: &SessionKey, claim: &Claim<'_>) -> Result<Claimed, StoreError>;

    /// Replaces the head if `fence` holds and the stored one has no later [`Head::revision`], else [`StoreError::Fenced`]. Saving the same head twice is harmless.
    async fn save(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError>;

    /// The head, consistently; `None` if the session never was.
    async fn head(&self, key: &SessionKey) -> Result<Option<Head>, StoreError>;

    /// Stores an event unless it is known. The row expires after eight days, longer than any platform retries.
    async fn accept(&self, key: &SessionKey, accepted: &Accepted) -> Result<Put<Accepted>, StoreError>;

    /// A stored event.
    async fn accepted(&self, key: &SessionKey, event: &EventKey) -> Result<Option<Accepted>, StoreError>;

    /// Stores an entry unless its place is taken.
    async fn append(&self, key: &SessionKey, entry: &Entry) -> Result<Put<Entry>, StoreError>;

    /// The summary of all turns up to `turn`, if one was stored; consistent.
    async fn summary(&self, key: &SessionKey, turn: u64) -> Result<Option<Entry>, StoreError>;

    /// The newest entries of turns after `after_turn`, at most `limit`, oldest first; consistent.
    async fn history(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// The entries of one turn, in order; consistent.
    async fn turn(&self, key: &SessionKey, turn: u64) -> Result<Vec<Entry>, StoreError>;

    /// Notes a reply for the owner. The same turn and part twice is one row, and one that was settled stays so.
    async fn flag(&self, flagged: &Flagged) -> Result<(), StoreError>;

    /// What the owner must decide, newest first, at most `limit`; consistent.
    async fn flagged(&self, limit: usize) -> Result<Vec<Flagged>, StoreError>;

    /// Replaces a flag by what it becomes, or settles it for good (`None`), if it still is as it was `seen`. `false` if
    /// it changed or was settled in the meantime: then nothing was changed, so of two who decide at once one does.
    async fn change_flag(&self, seen: &Flagged, becomes: Option<&Flagged>) -> Result<bool, StoreError>;

    /// Leaves a mark for the running turn; a later mark replaces an earlier one.
    async fn set_control(&self, key: &SessionKey, control: &Control) -> Result<(), StoreError>;

    /// The mark, if there is one.
    async fn control(&self, key: &SessionKey) -> Result<Option<Control>, StoreError>;

    /// Leaves a message for the running turn to see, beside the one in the queue. Kept for an hour at least; the same
    /// message twice may be one row or two.
    async fn leave(&self, envelope: &Envelope) -> Result<(), StoreError>;

    /// Messages left that were accepted after `since`, oldest first, at most `limit`.
    async fn left(&self, key: &SessionKey, since: Millis, limit: usize) -> Result<Vec<Envelope>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deployment meets turns that the version before began: what it left out is what it did not know.
    #[test]
    fn rows_of_the_version_before_are_read() {
        let head: Head = serde_json::from_str(
            r#"{"epoch":7,"owner":"a","lease_until":90,"last_turn":4,"current":"00aa","attempts":2,
                "intents":[{"kind":"tool","step":0,"id":"c1"},{"kind":"send","part":1}],
                "settled":[{"state":"sent","id":"9"}],"preview":"8","forgotten":2,"recent":["11bb"]}"#,
        )
        .unwrap();
        assert_eq!((head.revision, head.plain, head.last_turn, head.settled.len()), (0, 0, 4, 1));
        let accepted: Accepted = serde_json::from_str(
            r#"{"event":"00aa","turn":5,"at":1,"task":{"kind":"heartbeat","name":"n","scheduled_at":1,"prompt":"p"}}"#,
        )
        .unwrap();
        assert!(accepted.task.is_some());
        let entry: Entry = serde_json::from_str(
            r#"{"turn":5,"step":0,"at":1,"body":{"entry":"assistant","user":[{"sender":"7","text":"hi"}],
                "blocks":[{"type":"text","text":"hello"}],"model":"m","outbox":["hello"],
                "usage":{"input":1,"output":1,"cache_read":0,"cache_write":0}}}"#,
        )
        .unwrap();
        let EntryBody::Assistant(answer) = entry.body else { panic!("an answer") };
        assert!(!answer.forget && !answer.plain && answer.user[0].event.is_none());
    }
}
