//! Schedules that agents make: what each says and for whom, and the book an agent's are kept in.
//!
//! The book is one file, replaced as a whole and only as it was read, so that of two writers none loses what the other
//! wrote. It lies where no tool for files reaches. The scheduler knows nothing of it but a name; what a firing means is
//! looked up here, and a firing that nothing is written about means nothing.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::agent_id::AgentId;
use crate::blob::{BlobError, BlobStore, Precondition};
use crate::clock::Millis;
use crate::message::{EventKey, ReplyAddress};
use crate::queue::{ENVELOPE_VERSION, Envelope, MadeFor, Task};
use crate::schedule::{MADE, Schedule};
use crate::session_key::SessionKey;

/// The newest form of a book.
const VERSION: u16 = 1;

/// How often a book that others write to at the same time is read again.
const TRIES: usize = 8;

/// A firing this old is not worth a turn any more: the scheduler had been down for hours.
pub const STALE_MS: u64 = 6 * 60 * 60 * 1000;

/// One schedule of an agent's making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// What it is called, among those of its agent.
    pub name: String,
    /// When it fires, under the scheduler's name of it.
    pub schedule: Schedule,
    /// What is to be done.
    pub text: String,
    /// In which conversation.
    pub session: SessionKey,
    /// Where an answer goes; nowhere if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_to: Option<ReplyAddress>,
    /// For whom it was made: never more is done for it than for them then.
    pub made_for: MadeFor,
    /// When it was made or changed.
    pub made_at: Millis,
    /// When it fires, if it fires once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once_at: Option<Millis>,
    /// Why it did not fire when it last should have: whoever had it made may not have it done any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl Job {
    /// The turn of a firing.
    pub fn envelope(&self, agent: &AgentId, event: EventKey, scheduled_at: Millis, now: Millis) -> Envelope {
        let place = if self.deliver_to.is_some() { "goes to this conversation" } else { "is read by nobody" };
        let prompt = format!(
            "[Your schedule {} fires. Nobody is waiting, and nobody can be asked back; your answer {place}. If there is \
             nothing to say, answer HEARTBEAT_OK.]\n\n{}",
            serde_json::Value::from(self.name.as_str()),
            self.text
        );
        let (name, deliver_to) = (self.name.clone(), self.deliver_to.clone());
        let made_for = Some(Box::new(self.made_for.clone()));
        let task = Task::Heartbeat { name, scheduled_at, prompt, deliver_to, made_for };
        let (agent, session) = (agent.clone(), self.session.clone());
        Envelope { version: ENVELOPE_VERSION, event, session, agent, accepted_at: now, task }
    }

    /// Whether it has fired for good.
    pub fn is_over(&self, now: Millis) -> bool {
        self.once_at.is_some_and(|at| now.since(at) > STALE_MS)
    }
}

/// All schedules that one agent made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Book {
    version: u16,
    /// In the order they were made.
    pub jobs: Vec<Job>,
}

impl Default for Book {
    fn default() -> Self {
        Self { version: VERSION, jobs: Vec::new() }
    }
}

impl Book {
    /// A schedule by its name.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

/// Why a book could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum BookError<E> {
    /// The change itself was refused.
    #[error("{0}")]
    Refused(E),
    /// The store refused or did not answer: try again.
    #[error("the schedules cannot be looked at now: {0}")]
    Unavailable(String),
}

/// The scheduler's name of an agent's schedule: no other agent's, and none of the configuration.
pub fn scheduled_name(agent: &AgentId, name: &str) -> String {
    format!("{}{}", beginning(agent), digits(&[agent.as_str(), name], 32))
}

/// Whether a firing is of this agent's making.
pub fn is_of(firing: &str, agent: &AgentId) -> bool {
    firing.starts_with(&beginning(agent))
}

fn beginning(agent: &AgentId) -> String {
    format!("{MADE}{}.", digits(&[agent.as_str()], 12))
}

fn digits(parts: &[&str], count: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(count);
    hex
}

fn key(agent: &AgentId) -> String {
    format!("jobs/{agent}.json")
}

/// The book of an agent; an empty one if it has none.
pub async fn book(files: &dyn BlobStore, agent: &AgentId) -> Result<Book, BookError<String>> {
    Ok(read(files, agent).await.map_err(BookError::Unavailable)?.0)
}

/// Changes the book of an agent. `change` is called again where somebody else wrote meanwhile; what it refuses changes
/// nothing.
pub async fn change<T, E>(
    files: &dyn BlobStore,
    agent: &AgentId,
    change: impl Fn(&mut Book) -> Result<T, E>,
) -> Result<T, BookError<E>> {
    for _ in 0..TRIES {
        let (mut book, precondition) = read(files, agent).await.map_err(BookError::Unavailable)?;
        let before = book.clone();
        let done = change(&mut book).map_err(BookError::Refused)?;
        if book == before {
            return Ok(done);
        }
        let bytes = serde_json::to_vec(&book).map_err(|error| BookError::Unavailable(error.to_string()))?;
        match files.put(&key(agent), bytes.into(), precondition).await {
            Ok(_) => return Ok(done),
            Err(BlobError::Conflict(_)) => {}
            Err(error) => return Err(BookError::Unavailable(error.to_string())),
        }
    }
    Err(BookError::Unavailable("others change them at the same time".to_owned()))
}

/// Notes why a schedule does not fire, or that it does again. `true` if that is news.
pub async fn hold(
    files: &dyn BlobStore,
    agent: &AgentId,
    name: &str,
    why: Option<&str>,
) -> Result<bool, BookError<String>> {
    let note = |book: &mut Book| {
        let job = book.jobs.iter_mut().find(|job| job.name == name && job.held.as_deref() != why);
        Ok(job.map(|job| job.held = why.map(str::to_owned)).is_some())
    };
    change(files, agent, note).await
}

async fn read(files: &dyn BlobStore, agent: &AgentId) -> Result<(Book, Precondition), String> {
    let Some(blob) = files.get(&key(agent)).await.map_err(|error| error.to_string())? else {
        return Ok((Book::default(), Precondition::Absent));
    };
    let book: Book = serde_json::from_slice(&blob.bytes).map_err(|error| format!("{}: {error}", key(agent)))?;
    if book.version != VERSION {
        return Err(format!("{} is of version {}; this code reads {VERSION}", key(agent), book.version));
    }
    Ok((book, Precondition::Matches(blob.etag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_scheduler_are_nobody_elses() {
        let (one, two) = (AgentId::new("main"), AgentId::new("work"));
        let names = [scheduled_name(&one, "a"), scheduled_name(&one, "b"), scheduled_name(&two, "a")];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 3);
        assert!(names.iter().all(|name| name.len() <= 64 && name.starts_with(MADE)), "{names:?}");
        assert!(is_of(&names[0], &one) && is_of(&names[1], &one) && !is_of(&names[2], &one));
        assert!(!is_of("heartbeat-main", &one));
    }
}
