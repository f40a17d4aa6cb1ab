//! Deleting all that is stored of a person, at the owner's request: conversations that are theirs as a whole, their part in
//! others, files, exports, notes, schedules, requests for consent, approvals, dead letters. docs/privacy.md has the whole
//! list, and what stays.
//!
//! What is to go is found anew at every call, and in each conversation files go before the rows that name them, its rows
//! before its place in the lists: a call that was broken off is made again, and does the rest.

mod beside;
mod conversation;
mod find;

use std::sync::Arc;

use chela_core::access::AccessStore;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, BlobStore};
use chela_core::clock::{Clock, Millis};
use chela_core::directory::Directory;
use chela_core::erasure::{Erasure, Person};
use chela_core::job::BookError;
use chela_core::queue::{DeadLetters, QueueError};
use chela_core::session::{SessionStore, StoreError};
use chela_core::session_key::{IdentityLinks, SessionKey};
use serde::{Deserialize, Serialize};

/// How long one call may take; whoever asked asks again for the rest. Less than a function of HTTP has.
const SLICE_MS: u64 = 20_000;

/// Who is to be forgotten, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
    /// The channel they write on.
    pub channel: String,
    /// Our account there; every one, if it is left out.
    #[serde(default)]
    pub account: Option<String>,
    /// Their id on it, or on an account of ours.
    pub sender: String,
    /// What becomes of conversations they share with others.
    #[serde(default)]
    pub rooms: Rooms,
    /// Only tell what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What becomes of conversations that a person shares with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rooms {
    /// The turns they spoke in lose their words, what was done about them, and what was answered.
    #[default]
    Redact,
    /// The conversations are deleted as a whole.
    Delete,
}

/// What becomes of one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It is theirs, or was begun for them: all of it goes.
    Delete,
    /// Others take part: what is theirs goes.
    Redact,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was found, and nothing was done.
    Found,
    /// It is done.
    Done,
    /// A turn is at work in it: ask again.
    Busy,
    /// There was no time left: ask again.
    Left,
}

/// One conversation of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// Its key.
    pub session: SessionKey,
    /// What becomes of it.
    pub how: How,
    /// Messages, answers and results of tools that go or lose their words.
    pub rows: usize,
    /// Files that go.
    pub files: usize,
    /// How far it is.
    pub state: State,
}

/// What was found, or removed.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Conversations.
    pub conversations: Vec<Conversation>,
    /// Exports of them.
    pub exports: usize,
    /// Files of notes.
    pub notes: usize,
    /// Schedules.
    pub schedules: usize,
    /// Requests for consent.
    pub requests: usize,
    /// Approvals and requests for one.
    pub approvals: usize,
    /// Messages that could not be handled.
    pub dead_letters: usize,
    /// Whether nothing is left to do.
    pub done: bool,
}

impl Found {
    /// Whether there is nothing of them.
    pub fn is_empty(&self) -> bool {
        let beside = [self.exports, self.notes, self.schedules, self.requests, self.approvals, self.dead_letters];
        self.conversations.is_empty() && beside.iter().all(|count| *count == 0)
    }
}

/// Why it stopped. Asked again it goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files.
    #[error(transparent)]
    Files(#[from] BlobError),
    /// The dead letters.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The book of an agent's schedules.
    #[error("{0}")]
    Schedules(String),
}

impl<E: std::fmt::Display> From<BookError<E>> for ForgetError {
    fn from(error: BookError<E>) -> Self {
        Self::Schedules(error.to_string())
    }
}

/// What it works through.
pub struct Stores<'a> {
    /// Heads and leases.
    pub sessions: &'a dyn SessionStore,
    /// What removes rows.
    pub erasure: &'a dyn Erasure,
    /// Which conversations there are.
    pub directory: &'a dyn Directory,
    /// Who was let in.
    pub access: &'a dyn AccessStore,
    /// Messages that could not be handled.
    pub dead_letters: &'a dyn DeadLetters,
    /// Files.
    pub files: &'a dyn BlobStore,
    /// Time and names.
    pub clock: &'a Arc<dyn Clock>,
}

/// What of the configuration it reads.
pub struct House<'a> {
    /// All agents.
    pub agents: Vec<AgentId>,
    /// All accounts, by channel and name.
    pub accounts: Vec<(String, String)>,
    /// Who is who across channels.
    pub links: Option<&'a IdentityLinks>,
}

/// One call.
pub struct Forgetting<'a> {
    stores: Stores<'a>,
    house: House<'a>,
    wish: &'a Wish,
    person: Person,
    until: Millis,
}

impl<'a> Forgetting<'a> {
    /// A call that begins now.
    pub fn new(stores: Stores<'a>, house: House<'a>, wish: &'a Wish) -> Self {
        let person = Person::new(&wish.channel, &wish.sender, house.links);
        let until = stores.clock.now().plus(SLICE_MS);
        Self { stores, house, wish, person, until }
    }

    /// Finds what there is, and removes it unless that was not wished. Called again it does what is left.
    pub async fn run(&self) -> Result<Found, ForgetError> {
        let mut found = Found { done: true, ..Found::default() };
        let mut gone: Vec<SessionKey> = Vec::new();
        // Their standing first: what they write from now on is a stranger's.
        found.approvals = self.approvals().await?;
        found.schedules = self.schedules().await?;
        for work in self.conversations().await? {
            if work.how == How::Delete {
                gone.push(work.listing.session.clone());
            }
            let exports = self.exports(&work.listing).await?;
            found.exports = found.exports.saturating_add(exports.len());
            let state = if self.wish.dry_run {
                State::Found
            } else if self.stores.clock.now() >= self.until {
                State::Left
            } else {
                self.remove_files(&exports).await?;
                match work.how {
                    How::Delete => self.delete(&work).await?,
                    How::Redact => self.redact(&work).await?,
                }
            };
            found.done &= matches!(state, State::Found | State::Done);
            let (session, how) = (work.listing.session, work.how);
            found.conversations.push(Conversation {
                session,
                how,
                rows: work.looked.rows,
                files: work.looked.files,
                state,
            });
        }
        found.requests = self.requests(&gone).await?;
        found.notes = self.notes().await?;
        found.dead_letters = self.buried(&gone).await?;
        if !self.wish.dry_run && found.done {
            match self.stores.erasure.wipe().await {
                // Somebody reads the file: it is done when it can be.
                Err(StoreError::Unavailable(_)) => found.done = false,
                wiped => wiped?,
            }
        }
        Ok(found)
    }

    async fn remove_files(&self, keys: &[String]) -> Result<(), BlobError> {
        for key in keys {
            self.stores.files.delete(key, None).await?;
        }
        Ok(())
    }
}
