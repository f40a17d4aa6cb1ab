//! Deleting what is stored of a person: which conversations are theirs, what of the others is, and the port that removes
//! rows. docs/privacy.md says what is removed and what is not.
//!
//! An erasure takes the session's lease, so that no turn runs meanwhile, and leaves its instant in the head ([`Erased`]):
//! messages that were accepted before it and still wait in a lane begin no turn. The rows then go one by one; whoever
//! stops in between leaves rows that the next erasure finds. A turn that had begun counts as finished, so that an attempt
//! which lost its lease long ago can write to a place that nobody reads any more, and to no other.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::access::SenderRef;
use crate::agent_id::fold;
use crate::approval::{Request, hashed};
use crate::clock::Millis;
use crate::directory::Listing;
use crate::message::EventKey;
use crate::model::Block;
use crate::queue::{Envelope, Task};
use crate::session::{Accepted, AssistantEntry, Entry, EntryBody, Head, StoreError, UserFragment};
use crate::session_key::{IdentityLinks, SessionKey};
use crate::tool_policy::Who;

/// Stands where words were.
pub const NOTICE: &str = "[deleted at the request of its sender]";

/// Stands where a summary of what was said before was.
pub const NOTICE_OF_PAST: &str = "[What was said before is deleted: somebody who took part asked for it.]";

/// How long the head of a conversation that was deleted is kept: longer than any queue keeps a message.
const STONE_KEPT_MS: u64 = 15 * 24 * 60 * 60 * 1000;

/// Most erasures that a head remembers: it is to stay small.
const REMEMBERED: usize = 6;

/// What an erasure leaves in the head of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// What was accepted up to then begins no turn any more.
    pub at: Millis,
    /// The last turn there was.
    pub turn: u64,
    /// [`mark`] of the person whose words went; of everybody, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// Sixteen digits that stand for a person on a channel; on every channel where it is empty.
pub fn mark(channel: &str, sender: &str) -> String {
    let mut mark = hashed(["person", &fold(channel), &fold(sender)]);
    mark.truncate(16);
    mark
}

impl Head {
    /// Whether a message was accepted before it was to be forgotten, and is therefore not answered.
    pub fn drops(&self, envelope: &Envelope) -> bool {
        let sender = match &envelope.task {
            Task::Message { inbound, .. } => Some((inbound.channel.as_str(), inbound.sender.id.as_str())),
            _ => None,
        };
        self.erased.iter().filter(|erased| envelope.accepted_at <= erased.at).any(|erased| {
            match (&erased.who, sender) {
                (None, _) => true,
                (Some(who), Some((channel, id))) => *who == mark(channel, id) || *who == mark("", id),
                (Some(_), None) => false,
            }
        })
    }

    /// The last turn before the conversation began, or began anew; 0 if it never was deleted.
    pub fn before_first(&self) -> u64 {
        self.erased.iter().filter(|erased| erased.who.is_none()).map(|erased| erased.turn).max().unwrap_or_default()
    }

    /// From when on nobody needs this head any more: it only says that a conversation was deleted.
    pub fn expires(&self) -> Option<Millis> {
        let whole = self.erased.iter().rev().find(|erased| erased.who.is_none())?;
        let stone = self.current.is_none() && self.owner.is_empty() && self.last_turn == whole.turn;
        stone.then(|| whole.at.plus(STONE_KEPT_MS))
    }

    /// Notes an erasure, and what the queue may still bring is not older than any that is noted.
    fn note(&mut self, erased: Erased) {
        self.erased.retain(|before| before.who != erased.who && before.at.plus(STONE_KEPT_MS) > erased.at);
        self.erased.push(erased);
        let surplus = self.erased.len().saturating_sub(REMEMBERED);
        self.erased.drain(..surplus);
    }

    /// The turn in progress counts as finished, whatever of it is stored.
    fn end_open_turn(&mut self, asked_by: &EventKey) {
        match self.current.clone() {
            Some(event) if event != *asked_by => self.finish(&[]),
            _ => (self.current, self.attempts) = (None, 0),
        }
    }

    /// The head of a conversation whose rows are being deleted. `asked_by` is the event under which it was claimed.
    #[must_use]
    pub fn deleted(mut self, asked_by: &EventKey, at: Millis) -> Self {
        let (owner, lease_until) = (self.owner.clone(), self.lease_until);
        self.end_open_turn(asked_by);
        self.note(Erased { at, turn: self.last_turn, who: None });
        Self {
            epoch: self.epoch,
            owner,
            lease_until,
            revision: self.revision.saturating_add(1),
            last_turn: self.last_turn,
            forgotten: self.last_turn,
            recent: self.recent,
            erased: self.erased,
            ..Self::default()
        }
    }

    /// The head of a conversation in which a person's words are being replaced. `theirs`: the turn in progress is about
    /// them, so that it ends here.
    #[must_use]
    pub fn redacted(mut self, asked_by: &EventKey, person: &Person, theirs: bool, at: Millis) -> Self {
        let (owner, lease_until) = (self.owner.clone(), self.lease_until);
        if theirs || self.current.as_ref() == Some(asked_by) {
            self.end_open_turn(asked_by);
        }
        for who in person.marks() {
            self.note(Erased { at, turn: self.last_turn, who: Some(who) });
        }
        Self { owner, lease_until, revision: self.revision.saturating_add(1), ..self }
    }
}

/// A person by all ids they are known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Channel and id, as they were written; a channel that is empty is every one.
    pub ids: Vec<(String, String)>,
}

impl Person {
    /// Somebody on a channel, and everybody the configuration says they are.
    pub fn new(channel: &str, sender: &str, links: Option<&IdentityLinks>) -> Self {
        let mut ids = vec![(fold(channel), sender.trim().to_owned())];
        let canonical = links.and_then(|links| Some((links, links.canonical(channel, sender)?)));
        let linked = canonical.into_iter().flat_map(|(links, name)| {
            links.iter().filter(move |(known, _)| known.trim() == name).flat_map(|(_, linked)| linked)
        });
        for id in linked {
            let id = match id.split_once(':') {
                Some((channel, id)) if is_channel(channel) => (fold(channel), id.trim().to_owned()),
                _ => (String::new(), id.trim().to_owned()),
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Self { ids }
    }

    /// Whether this id on this channel is theirs; on any channel, where it is not known.
    pub fn is(&self, channel: Option<&str>, sender: &str) -> bool {
        let (channel, sender) = (channel.map(fold), fold(sender));
        self.ids.iter().any(|(known, id)| {
            fold(id) == sender && (known.is_empty() || channel.as_ref().is_none_or(|channel| channel == known))
        })
    }

    /// What is left of them in heads.
    fn marks(&self) -> Vec<String> {
        self.ids.iter().map(|(channel, id)| mark(channel, id)).collect()
    }

    /// Whether one of these is them.
    pub fn is_among(&self, who: &[Who]) -> bool {
        who.iter().any(|who| who.senders.iter().any(|sender| self.is(Some(&who.channel), sender)))
    }

    /// Whether an occasion is theirs: they wrote it, or it was made on their behalf.
    pub fn began(&self, task: &Task) -> bool {
        match task {
            Task::Message { inbound, .. } => self.is(Some(&inbound.channel), &inbound.sender.id),
            Task::Relay { limit, .. } | Task::Decision { limit, .. } => self.is_among(&limit.who),
            Task::Heartbeat { made_for, .. } => made_for.as_ref().is_some_and(|made| self.is_among(&made.limit.who)),
            Task::Approval { .. } | Task::Redeliver { .. } | Task::Wrote { .. } | Task::Lapsed { .. } => false,
        }
    }
}

/// Whether the part of a linked id before its colon names a channel: ids of Matrix and of others have colons, too.
fn is_channel(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// What of a turn is a person's, as its entries are read in order.
#[derive(Debug)]
pub struct Redaction<'a> {
    person: &'a Person,
    /// Where ids are of one channel, which.
    channel: Option<String>,
    /// Turns that are theirs whoever speaks in them.
    theirs: Vec<u64>,
    /// The turn in which they have spoken by now.
    spoke: Option<u64>,
}

impl<'a> Redaction<'a> {
    /// Of the conversation `session`; `theirs` are turns known to be about this person.
    pub fn new(person: &'a Person, session: &SessionKey, theirs: Vec<u64>) -> Self {
        Self { person, channel: channel_of_room(session), theirs, spoke: None }
    }

    /// The entry without what is theirs: their words and files, and from there on all that was said, asked of tools and
    /// answered in the turn. What others said in it stays. `None` if there is nothing of theirs in it. The entry stays
    /// one that every provider takes: calls keep their ids, and results answer them.
    pub fn of(&mut self, entry: &Entry) -> Option<Entry> {
        let said = match &entry.body {
            EntryBody::Assistant(answer) => answer.user.as_slice(),
            EntryBody::Steered { user } => user.as_slice(),
            EntryBody::ToolDone { .. } | EntryBody::Summary { .. } | EntryBody::ToolResults { .. } => &[],
        };
        if self.theirs.contains(&entry.turn) || said.iter().any(|fragment| self.wrote(fragment)) {
            self.spoke = Some(entry.turn);
        }
        if self.spoke != Some(entry.turn) {
            return None;
        }
        let mut without = entry.clone();
        match &mut without.body {
            EntryBody::Assistant(answer) => self.strip(answer),
            EntryBody::Steered { user } => self.strip_words(user),
            EntryBody::ToolDone { result } => strip_block(result),
            EntryBody::ToolResults { results } => results.iter_mut().for_each(strip_block),
            EntryBody::Summary { .. } => {}
        }
        (without != *entry).then_some(without)
    }

    fn wrote(&self, fragment: &UserFragment) -> bool {
        !fragment.sender.is_empty() && self.person.is(self.channel.as_deref(), &fragment.sender)
    }

    fn strip(&self, answer: &mut AssistantEntry) {
        self.strip_words(&mut answer.user);
        answer.blocks.retain(|block| !matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. }));
        answer.blocks.iter_mut().for_each(strip_block);
        let parts = answer.interim.iter_mut().chain(answer.outbox.iter_mut().flatten());
        parts.for_each(|part| NOTICE.clone_into(part));
    }

    fn strip_words(&self, user: &mut [UserFragment]) {
        for fragment in user {
            // What another conversation or a schedule says in a turn that is theirs is on their behalf.
            if fragment.sender.is_empty() || self.wrote(fragment) {
                let (event, authority) = (fragment.event.clone(), fragment.authority);
                *fragment = UserFragment { event, text: NOTICE.to_owned(), authority, ..UserFragment::default() };
            }
        }
    }
}

fn strip_block(block: &mut Block) {
    match block {
        Block::Text { text } | Block::Thinking { text, .. } => NOTICE.clone_into(text),
        Block::ToolResult { text, files, .. } => {
            NOTICE.clone_into(text);
            files.clear();
        }
        Block::ToolUse { input, .. } => *input = serde_json::json!({}),
        Block::RedactedThinking { data } => data.clear(),
        Block::File { .. } => *block = Block::Text { text: NOTICE.to_owned() },
    }
}

/// An entry without its words on turns before, if it has some: they may repeat what a person said in the turn `since` or
/// later.
pub fn without_past(entry: &Entry, since: u64) -> Option<Entry> {
    let mut without = entry.clone();
    match &mut without.body {
        EntryBody::Summary { text } if entry.turn >= since => NOTICE_OF_PAST.clone_into(text),
        EntryBody::Assistant(AssistantEntry { summary: Some(text), .. }) if entry.turn > since => {
            NOTICE_OF_PAST.clone_into(text);
        }
        _ => return None,
    }
    (without != *entry).then_some(without)
}

/// The channel of a room; `None` for a conversation in which people of several channels may meet.
pub fn channel_of_room(session: &SessionKey) -> Option<String> {
    let rest = session.as_str().strip_prefix("agent:")?.split_once(':')?.1;
    let (channel, rest) = rest.split_once(':')?;
    (rest.starts_with("group:") || rest.starts_with("channel:")).then(|| channel.to_owned())
}

/// A stored row of a session beside its head.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name: rows are read in the order of their names.
    pub name: String,
    /// What it holds.
    pub body: RowBody,
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "rows are read in pages and looked at one by one")]
pub enum RowBody {
    /// An accepted event.
    Event(Accepted),
    /// An entry of the transcript, or a summary.
    Entry(Entry),
}

/// Removes rows. Everything here twice is the same as once.
#[async_trait]
pub trait Erasure: Send + Sync {
    /// The rows of a session whose names come after `after` (all, if it is empty), at most `limit`; consistent.
    async fn stored(&self, session: &SessionKey, after: &str, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// Puts another value in the place of a row; one that is gone is not made anew.
    async fn replace(&self, session: &SessionKey, row: &Row) -> Result<(), StoreError>;

    /// Removes a row of a session by its name.
    async fn remove(&self, session: &SessionKey, name: &str) -> Result<(), StoreError>;

    /// Removes the messages that were left for a running turn to see: all of them wait in a lane, too.
    async fn remove_left(&self, session: &SessionKey) -> Result<(), StoreError>;

    /// Removes what stands beside the rows: control mark, left messages, wishes, flagged replies.
    async fn remove_marks(&self, session: &SessionKey) -> Result<(), StoreError>;

    /// Takes a conversation out of the lists it stands in.
    async fn unlist(&self, listing: &Listing) -> Result<(), StoreError>;

    /// All requests for consent, decided ones too.
    async fn requests(&self) -> Result<Vec<Request>, StoreError>;

    /// Removes a request for consent.
    async fn remove_request(&self, id: &str) -> Result<(), StoreError>;

    /// Removes the approval of a sender and the request for one. `true` if there was one or the other.
    async fn disapprove(&self, who: &SenderRef) -> Result<bool, StoreError>;

    /// Has what was removed gone from the disk, too, as far as that is in our hands.
    async fn wipe(&self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
