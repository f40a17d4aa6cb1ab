//! Sessions in the database: heads, accepted events, entries, flags and control marks.
//!
//! Rows are JSON beside the columns they are found by. They are written and read as JSON on the caller's thread, so
//! that the database's thread does nothing but rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chela_core::clock::{Clock, Millis};
use chela_core::message::EventKey;
use chela_core::queue::Envelope;
use chela_core::session::{
    Accepted, Claim, Claimed, Control, Entry, Fence, Flagged, Head, Put, SessionStore, StoreError,
};
use chela_core::session_key::SessionKey;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::{Database, DatabaseError, integer, unsigned};

/// How long an accepted event is kept: eight days, longer than any platform retries (WhatsApp retries for seven,
/// <https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks>).
const ACCEPTED_KEPT_MS: u64 = 8 * 24 * 60 * 60 * 1000;

/// How long a message left for a running turn is kept: longer than any turn runs.
const LEFT_KEPT_MS: u64 = 60 * 60 * 1000;

/// Expired rows are removed once in so many accepted events, …
const SWEEP_EVERY: u64 = 64;

/// … at most this many at once: more than come in between, and few enough to delay nobody.
const SWEEP_ROWS: u64 = 2 * SWEEP_EVERY;

/// [`SessionStore`] and [`chela_core::access::AccessStore`] on SQLite. All that it answers is durable.
pub struct SqliteSessions {
    pub(crate) database: Arc<Database>,
    clock: Arc<dyn Clock>,
    accepts: AtomicU64,
}

impl SqliteSessions {
    pub(crate) fn new(database: Arc<Database>, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, accepts: AtomicU64::new(0) }
    }

    /// Ends every lease. Called while the folder is opened, when nobody else can have it: whoever held a lease is dead,
    /// and its turn need not wait for the lease to run out. A damaged row is left for whoever reads it.
    pub(crate) fn release_all(connection: &Connection) -> rusqlite::Result<usize> {
        connection.execute(
            "UPDATE sessions SET owner = '', lease_until = 0,
             body = json_set(json_remove(body, '$.owner'), '$.lease_until', 0)
             WHERE owner <> '' AND json_valid(body)",
            [],
        )
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        let text = error.to_string();
        match error {
            DatabaseError::Full(_) => Self::Full(text),
            DatabaseError::Unavailable { .. } => Self::Unavailable(text),
            DatabaseError::Damaged { .. } => Self::Damaged(text),
        }
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn claim(&self, key: &SessionKey, claim: &Claim<'_>) -> Result<Claimed, StoreError> {
        let asked = Asked {
            session: key.as_str().to_owned(),
            event: claim.event.clone(),
            owner: claim.owner.to_owned(),
            now: claim.now,
            until: claim.until,
        };
        self.database.run(move |connection: &Connection| asked.answer(connection)).await?
    }

    async fn save(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError> {
        let row = HeadRow::of(key.as_str(), head)?;
        let (epoch, owner) = (integer(fence.epoch), fence.owner.to_owned());
        let (reaches, revision) = (integer(fence.lease_reaches.0), integer(head.revision));
        let changed = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "UPDATE sessions SET epoch = ?2, owner = ?3, lease_until = ?4, body = ?5, expires_at = ?10
                         WHERE session = ?1 AND epoch = ?6 AND owner = ?7 AND lease_until >= ?8
                         AND COALESCE(json_extract(body, '$.revision'), 0) <= ?9",
                    )?
                    .execute(params![
                        row.session,
                        row.epoch,
                        row.owner,
                        row.lease_until,
                        row.body,
                        epoch,
                        owner,
                        reaches,
                        revision,
                        row.expires_at
                    ])
            })
            .await?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Fenced) }
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<Head>, StoreError> {
        let session = key.as_str().to_owned();
        let body = self.database.run(move |connection: &Connection| head_body(connection, &session)).await?;
        body.map(|body| read(&body, || head_name(key.as_str()))).transpose()
    }

    async fn accept(&self, key: &SessionKey, accepted: &Accepted) -> Result<Put<Accepted>, StoreError> {
        let (session, event) = (key.as_str().to_owned(), accepted.event.as_str().to_owned());
        let body = write(accepted, || accepted_name(key, &accepted.event))?;
        let expires_at = integer(accepted.at.plus(ACCEPTED_KEPT_MS).0);
        let now = integer(self.clock.now().0);
        let sweep = self.accepts.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY);
        let known = self
            .database
            .run(move |connection: &Connection| {
                if sweep {
                    sweep_accepted(connection, now)?;
                }
                let stored = connection
                    .prepare_cached(
                        "INSERT INTO accepted (session, event, expires_at, body) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at, body = excluded.body
                         WHERE accepted.expires_at <= ?5",
                    )?
                    .execute(params![session, event, expires_at, body, now])?;
                if stored == 1 { Ok(None) } else { accepted_body(connection, &session, &event, now) }
            })
            .await?;
        match known {
            None => Ok(Put::Stored),
            Some(body) => Ok(Put::Exists(read(&body, || accepted_name(key, &accepted.event))?)),
        }
    }

    async fn accepted(&self, key: &SessionKey, event: &EventKey) -> Result<Option<Accepted>, StoreError> {
        let (session, name) = (key.as_str().to_owned(), event.as_str().to_owned());
        let now = integer(self.clock.now().0);
        let body =
            self.database.run(move |connection: &Connection| accepted_body(connection, &session, &name, now)).await?;
        body.map(|body| read(&body, || accepted_name(key, event))).transpose()
    }

    async fn append(&self, key: &SessionKey, entry: &Entry) -> Result<Put<Entry>, StoreError> {
        let (session, place) = (key.as_str().to_owned(), entry.place());
        let body = write(entry, || entry_name(key, &entry.place()))?;
        let known = self
            .database
            .run(move |connection: &Connection| {
                let stored = connection
                    .prepare_cached(
                        "INSERT INTO entries (session, place, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![session, place, body])?;
                if stored == 1 {
                    return Ok(None);
                }
                connection
                    .prepare_cached("SELECT body FROM entries WHERE session = ?1 AND place = ?2")?
                    .query_row(params![session, place], |row| row.get::<_, String>(0))
                    .map(Some)
            })
            .await?;
        match known {
            None => Ok(Put::Stored),
            Some(body) => Ok(Put::Exists(read(&body, || entry_name(key, &entry.place()))?)),
        }
    }

    async fn summary(&self, key: &SessionKey, turn: u64) -> Result<Option<Entry>, StoreError> {
        let (session, place) = (key.as_str().to_owned(), Entry::summary_place(turn));
        let body = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("SELECT body FROM entries WHERE session = ?1 AND place = ?2")?
                    .query_row(params![session, place], |row| row.get::<_, String>(0))
                    .optional()
            })
            .await?;
        body.map(|body| read(&body, || entry_name(key, &Entry::summary_place(turn)))).transpose()
    }

    async fn history(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let session = key.as_str().to_owned();
        let from = Entry::turn_place(after_turn.saturating_add(1));
        let rows = self
            .database
            .run(move |connection: &Connection| {
                let mut newest_first = connection.prepare_cached(
                    "SELECT place, body FROM entries WHERE session = ?1 AND place >= ?2 ORDER BY place DESC LIMIT ?3",
                )?;
                let rows = newest_first
                    .query_map(params![session, from, count(limit)], |row| {
                        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                Ok(rows)
            })
            .await?;
        rows.iter().rev().map(|(place, body)| read(body, || entry_name(key, place))).collect()
    }

    async fn turn(&self, key: &SessionKey, turn: u64) -> Result<Vec<Entry>, StoreError> {
        let session = key.as_str().to_owned();
        let (from, before) = (Entry::turn_place(turn), Entry::turn_place(turn.saturating_add(1)));
        let rows = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "SELECT place, body FROM entries WHERE session = ?1 AND place >= ?2 AND place < ?3 ORDER BY place",
                    )?
                    .query_map(params![session, from, before], |row| {
                        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        rows.iter().map(|(place, body)| read(body, || entry_name(key, place))).collect()
    }

    async fn flag(&self, flagged: &Flagged) -> Result<(), StoreError> {
        let Flagged { session, turn, part, at, .. } = flagged;
        let body = write(flagged, || flag_name(flagged))?;
        let (session, turn, part, at) = (session.as_str().to_owned(), integer(*turn), *part, integer(at.0));
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO flagged (session, turn, part, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
                         ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![session, turn, part, at, body])
            })
            .await?;
        Ok(())
    }

    async fn flagged(&self, limit: usize) -> Result<Vec<Flagged>, StoreError> {
        let bodies = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "SELECT body FROM flagged WHERE body <> '' ORDER BY at DESC, session, turn, part LIMIT ?1",
                    )?
                    .query_map(params![count(limit)], |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        bodies.iter().map(|body| read(body, || "a flag".to_owned())).collect()
    }

    async fn change_flag(&self, seen: &Flagged, becomes: Option<&Flagged>) -> Result<bool, StoreError> {
        let Flagged { session, turn, part, .. } = seen;
        let (session, turn, part) = (session.as_str().to_owned(), integer(*turn), *part);
        let at = integer(becomes.unwrap_or(seen).at.0);
        let old = write(seen, || flag_name(seen))?;
        // A row that is settled stays, empty, so that an attempt that comes too late cannot flag it anew.
        let new = becomes.map(|flag| write(flag, || flag_name(flag))).transpose()?.unwrap_or_default();
        let changed = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "UPDATE flagged SET at = ?4, body = ?5
                         WHERE session = ?1 AND turn = ?2 AND part = ?3 AND body = ?6",
                    )?
                    .execute(params![session, turn, part, at, new, old])
            })
            .await?;
        Ok(changed == 1)
    }

    async fn set_control(&self, key: &SessionKey, control: &Control) -> Result<(), StoreError> {
        let (session, stop_before) = (key.as_str().to_owned(), integer(control.stop_before.0));
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO controls (session, stop_before) VALUES (?1, ?2)")?
                    .execute(params![session, stop_before])
            })
            .await?;
        Ok(())
    }

    async fn control(&self, key: &SessionKey) -> Result<Option<Control>, StoreError> {
        let session = key.as_str().to_owned();
        let stop_before = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("SELECT stop_before FROM controls WHERE session = ?1")?
                    .query_row(params![session], |row| row.get::<_, i64>(0))
                    .optional()
            })
            .await?;
        Ok(stop_before.map(|at| Control { stop_before: Millis(unsigned(at)) }))
    }

    async fn leave(&self, envelope: &Envelope) -> Result<(), StoreError> {
        let (session, at) = (envelope.session.as_str().to_owned(), integer(envelope.accepted_at.0));
        let forgotten = integer(envelope.accepted_at.0.saturating_sub(LEFT_KEPT_MS));
        let (event, body) =
            (envelope.event.as_str().to_owned(), write(envelope, || "a message left for a turn".to_owned())?);
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("DELETE FROM left_messages WHERE session = ?1 AND at < ?2")?
                    .execute(params![session, forgotten])?;
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO left_messages (session, at, event, body) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![session, at, event, body])
            })
            .await?;
        Ok(())
    }

    async fn left(&self, key: &SessionKey, since: Millis, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        let (session, since) = (key.as_str().to_owned(), integer(since.0));
        let limit = count(limit);
        let bodies: Vec<String> = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "SELECT body FROM left_messages WHERE session = ?1 AND at > ?2 ORDER BY at LIMIT ?3",
                    )?
                    .query_map(params![session, since, limit], |row| row.get(0))?
                    .collect()
            })
            .await?;
        bodies.iter().map(|body| read(body, || "a message left for a turn".to_owned())).collect()
    }
}

/// A [`Claim`] on its way to the database's thread.
struct Asked {
    session: String,
    event: EventKey,
    owner: String,
    now: Millis,
    until: Millis,
}

impl Asked {
    fn answer(&self, connection: &Connection) -> rusqlite::Result<Result<Claimed, StoreError>> {
        let stored = match head_body(connection, &self.session)? {
            None => Head::default(),
            Some(body) => match read(&body, || head_name(&self.session)) {
                Ok(head) => head,
                Err(damaged) => return Ok(Err(damaged)),
            },
        };
        let head = match self.decide(stored) {
            Claimed::Held(head) => head,
            other => return Ok(Ok(other)),
        };
        match HeadRow::of(&self.session, &head) {
            Ok(row) => row.store(connection)?,
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(Claimed::Held(head)))
    }

    fn decide(&self, mut head: Head) -> Claimed {
        if head.finished(&self.event) {
            return Claimed::Finished;
        }
        let free = head.owner.is_empty() || head.owner == self.owner || head.lease_until <= self.now;
        if !free {
            return Claimed::Busy { until: head.lease_until };
        }
        if head.current.is_none() {
            head.current = Some(self.event.clone());
            head.attempts = 0;
        }
        head.attempts = head.attempts.saturating_add(1);
        head.epoch = head.epoch.saturating_add(1);
        head.owner.clone_from(&self.owner);
        head.lease_until = self.until;
        Claimed::Held(head)
    }
}

struct HeadRow {
    session: String,
    epoch: i64,
    owner: String,
    lease_until: i64,
    body: String,
    /// When the row goes: it only says that a conversation was deleted.
    expires_at: Option<i64>,
}

impl HeadRow {
    fn of(session: &str, head: &Head) -> Result<Self, StoreError> {
        Ok(Self {
            session: session.to_owned(),
            epoch: integer(head.epoch),
            owner: head.owner.clone(),
            lease_until: integer(head.lease_until.0),
            body: write(head, || head_name(session))?,
            expires_at: head.expires().map(|at| integer(at.0)),
        })
    }

    fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO sessions (session, epoch, owner, lease_until, body, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner,
                 lease_until = excluded.lease_until, body = excluded.body, expires_at = excluded.expires_at",
            )?
            .execute(params![self.session, self.epoch, self.owner, self.lease_until, self.body, self.expires_at])?;
        Ok(())
    }
}

fn head_body(connection: &Connection, session: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT body FROM sessions WHERE session = ?1")?
        .query_row(params![session], |row| row.get(0))
        .optional()
}

fn accepted_body(connection: &Connection, session: &str, event: &str, now: i64) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT body FROM accepted WHERE session = ?1 AND event = ?2 AND expires_at > ?3")?
        .query_row(params![session, event, now], |row| row.get(0))
        .optional()
}

fn sweep_accepted(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM accepted WHERE (session, event) IN
             (SELECT session, event FROM accepted WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute(params![now, integer(SWEEP_ROWS)])?;
    connection.prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1")?.execute([now])?;
    Ok(())
}

fn head_name(session: &str) -> String {
    format!("head of \"{session}\"")
}

fn accepted_name(key: &SessionKey, event: &EventKey) -> String {
    format!("event {} of \"{}\"", event.as_str(), key.as_str())
}

fn flag_name(flagged: &Flagged) -> String {
    format!("flag of part {} of turn {} of \"{}\"", flagged.part, flagged.turn, flagged.session.as_str())
}

fn entry_name(key: &SessionKey, place: &str) -> String {
    format!("entry {place} of \"{}\"", key.as_str())
}

pub(crate) fn write<T: Serialize>(value: &T, name: impl FnOnce() -> String) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(format!("{} cannot be written: {error}", name())))
}

// The error's category and place, not its words: these may repeat what somebody wrote.
pub(crate) fn read<T: DeserializeOwned>(body: &str, name: impl FnOnce() -> String) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| {
        StoreError::Damaged(format!("{}: {:?} error at column {}", name(), error.classify(), error.column()))
    })
}

pub(crate) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
