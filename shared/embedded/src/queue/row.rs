//! The rows of the queue, and the work that changes them together with the memory.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chela_core::clock::Millis;
use chela_core::queue::{Buried, Envelope, Lane, QueueError};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use sha2::{Digest, Sha256};

use super::Shared;
use super::lines::{Held, Lines, Name, Row};
use crate::database::{Work, integer, unsigned};

/// Reads what waits, after removing rows that were only kept for names that need no longer be remembered.
pub(super) fn restore(connection: &Connection, now: Millis) -> rusqlite::Result<Lines> {
    let mut lines = Lines::default();
    let mut rows =
        connection.prepare("SELECT id, lane, line, event, pushed_at, body IS NULL FROM messages ORDER BY id")?;
    let rows = rows.query_map([], |row| {
        let (lane, group, event) = (lane(row, 1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?);
        let (pushed_at, done) = (Millis(unsigned(row.get(4)?)), row.get(5)?);
        Ok(Row { id: row.get(0)?, lane, name: name(lane, &group, &event), group, pushed_at, done })
    })?;
    for row in rows {
        lines.restore(row?);
    }
    while let Some(forgotten) = lines.forget(now) {
        forget(connection, forgotten)?;
    }
    Ok(lines)
}

/// The bodies of these messages, in the same order; `None` for one that was deleted in the meantime.
pub(super) fn bodies(connection: &Connection, ids: &[i64]) -> rusqlite::Result<Vec<Option<String>>> {
    let mut statement = connection.prepare_cached("SELECT body FROM messages WHERE id = ?1")?;
    ids.iter().map(|id| Ok(statement.query_row(params![id], |row| row.get(0)).optional()?.flatten())).collect()
}

/// Buried messages, newest first.
pub(super) fn buried(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Buried>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT lane, line, buried_at, receives, reason, body, id FROM buried
             ORDER BY buried_at DESC, id DESC LIMIT ?1",
        )?
        .query_map(params![limit], |row| {
            let at = Millis(unsigned(row.get(2)?));
            let (id, group, receives) = (row.get::<_, i64>(6)?.to_string(), row.get(1)?, row.get(3)?);
            Ok(Buried { lane: lane(row, 0)?, id, group, at, receives, reason: row.get(4)?, body: row.get(5)? })
        })?
        .collect()
}

/// Removes a buried message; false if it is not there.
pub(super) fn discard(connection: &Connection, lane: Lane, id: i64) -> rusqlite::Result<bool> {
    let mut delete = connection.prepare_cached("DELETE FROM buried WHERE id = ?1 AND lane = ?2")?;
    Ok(delete.execute(params![id, lane.name()])? == 1)
}

/// A message on its way in.
pub(super) struct Push {
    shared: Arc<Shared>,
    lane: Lane,
    group: String,
    event: String,
    name: Name,
    now: Millis,
    body: String,
    /// The id of its row, once it has one.
    id: Option<i64>,
}

impl Push {
    pub(super) fn new(shared: Arc<Shared>, lane: Lane, envelope: &Envelope, body: String, now: Millis) -> Self {
        let (group, event) = (envelope.session.queue_group(), envelope.event.as_str().to_owned());
        Self { shared, lane, name: name(lane, &group, &event), group, event, now, body, id: None }
    }
}

impl Work for Push {
    type Answer = ();

    // A repetition is answered only after the transaction of the first, so it never says "accepted" of what is lost.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let (id, forgotten) = {
            let mut lines = self.shared.lines();
            if !lines.remember(self.name, self.now) {
                return Ok(());
            }
            (lines.next_id(self.now), lines.forget(self.now))
        };
        self.id = Some(id);
        if let Some(forgotten) = forgotten {
            forget(connection, forgotten)?;
        }
        connection
            .prepare_cached(
                "INSERT INTO messages (id, lane, line, event, pushed_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![id, self.lane.name(), self.group, self.event, integer(self.now.0), self.body])?;
        Ok(())
    }

    fn committed(&mut self, _answer: &mut ()) {
        let Some(id) = self.id else { return };
        let group = std::mem::take(&mut self.group);
        let row = Row { id, lane: self.lane, group, name: self.name, pushed_at: self.now, done: false };
        self.shared.lines().push(row, std::mem::take(&mut self.body));
        self.shared.more.notify_waiters();
    }

    fn rolled_back(&mut self) {
        if self.id.take().is_some() {
            self.shared.lines().unremember(self.name);
        }
    }
}

/// A message on its way out.
pub(super) struct Delete {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: Lane,
    pub(super) receipt: Receipt,
    pub(super) now: Millis,
}

impl Delete {
    fn held(&self) -> Held {
        self.shared.lines().held(self.lane, &self.receipt.group, self.receipt.id, self.receipt.flight)
    }

    fn remove(&self) {
        self.shared.lines().remove(self.lane, &self.receipt.group, self.receipt.id, self.now);
        self.shared.more.notify_waiters();
    }

    fn remove_row(&self, connection: &Connection, pushed_at: Millis) -> rusqlite::Result<()> {
        let sql = if Lines::row_stays(pushed_at, self.now) {
            "UPDATE messages SET body = NULL WHERE id = ?1"
        } else {
            "DELETE FROM messages WHERE id = ?1"
        };
        connection.prepare_cached(sql)?.execute(params![self.receipt.id])?;
        Ok(())
    }
}

impl Work for Delete {
    type Answer = Result<(), QueueError>;

    fn run(&mut self, connection: &Connection) -> rusqlite::Result<Self::Answer> {
        match self.held() {
            Held::Newest { pushed_at, .. } => self.remove_row(connection, pushed_at).map(Ok),
            Held::Gone => Ok(Ok(())),
            Held::Older => Ok(Err(QueueError::Expired)),
        }
    }

    fn committed(&mut self, answer: &mut Self::Answer) {
        if answer.is_ok() {
            self.remove();
        }
    }
}

/// A message on its way to the buried ones.
pub(super) struct Bury {
    pub(super) delete: Delete,
    pub(super) reason: String,
}

impl Work for Bury {
    type Answer = Result<(), QueueError>;

    fn run(&mut self, connection: &Connection) -> rusqlite::Result<Self::Answer> {
        let (pushed_at, receives) = match self.delete.held() {
            Held::Newest { pushed_at, receives } => (pushed_at, receives),
            Held::Gone => return Ok(Ok(())),
            Held::Older => return Ok(Err(QueueError::Expired)),
        };
        connection
            .prepare_cached(
                // Under the message's own id, because no later message gets that.
                "INSERT INTO buried (id, lane, line, buried_at, receives, reason, body)
                 SELECT id, lane, line, ?2, ?3, ?4, body FROM messages WHERE id = ?1 AND body IS NOT NULL",
            )?
            .execute(params![self.delete.receipt.id, integer(self.delete.now.0), receives, self.reason])?;
        self.delete.remove_row(connection, pushed_at).map(Ok)
    }

    fn committed(&mut self, answer: &mut Self::Answer) {
        self.delete.committed(answer);
    }
}

/// A buried message on its way back.
pub(super) struct Redrive {
    shared: Arc<Shared>,
    lane: Lane,
    id: i64,
    now: Millis,
    /// Its new row and its body, once it has one.
    pushed: Option<(Row, String)>,
}

impl Redrive {
    pub(super) fn new(shared: Arc<Shared>, lane: Lane, id: i64, now: Millis) -> Self {
        Self { shared, lane, id, now, pushed: None }
    }
}

impl Work for Redrive {
    type Answer = bool;

    fn run(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let buried = connection
            .prepare_cached("SELECT line, body FROM buried WHERE id = ?1 AND lane = ?2")?
            .query_row(params![self.id, self.lane.name()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
            .optional()?;
        let Some((group, body)) = buried else { return Ok(false) };
        let (lane, pushed_at) = (self.lane, self.now);
        // The event's own name may have been pushed less than five minutes ago: this message has another.
        let (id, event, name) = {
            let mut lines = self.shared.lines();
            let id = lines.next_id(pushed_at);
            let event = format!("redriven {id}");
            let name = name(lane, &group, &event);
            lines.remember(name, pushed_at);
            (id, event, name)
        };
        let row = Row { id, lane, group, name, pushed_at, done: false };
        let (row, body) = &*self.pushed.insert((row, body));
        connection
            .prepare_cached(
                "INSERT INTO messages (id, lane, line, event, pushed_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![row.id, lane.name(), row.group, event, integer(pushed_at.0), body])?;
        discard(connection, lane, self.id)
    }

    fn committed(&mut self, _answer: &mut bool) {
        if let Some((row, body)) = self.pushed.take() {
            self.shared.lines().push(row, body);
            self.shared.more.notify_waiters();
        }
    }

    fn rolled_back(&mut self) {
        if let Some((row, _)) = self.pushed.take() {
            self.shared.lines().unremember(row.name);
        }
    }
}

/// What [`super::Delivery::receipt`] holds: which receive of which message, by which opening of the database.
#[derive(Debug, PartialEq)]
pub(super) struct Receipt {
    pub(super) opened: String,
    pub(super) flight: u64,
    pub(super) id: i64,
    pub(super) group: String,
}

impl fmt::Display for Receipt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opened, flight, id, group } = self;
        write!(out, "{opened}.{flight}.{id}.{group}")
    }
}

impl FromStr for Receipt {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        // The group comes last because it alone may contain a point.
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(QueueError::Expired);
        let (opened, flight, id, group) = (part()?, part()?, part()?, part()?);
        Ok(Self {
            opened: opened.to_owned(),
            flight: flight.parse().map_err(|_| QueueError::Expired)?,
            id: id.parse().map_err(|_| QueueError::Expired)?,
            group: group.to_owned(),
        })
    }
}

fn forget(connection: &Connection, (after, up_to): (i64, i64)) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM messages WHERE id > ?1 AND id <= ?2 AND body IS NULL")?
        .execute(params![after, up_to])?;
    Ok(())
}

fn name(lane: Lane, group: &str, event: &str) -> Name {
    let mut hash = Sha256::new();
    for part in [lane.name(), group, event] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let half = hash.finalize().into_iter().take(16).fold(0, |number, byte| number << 8 | u128::from(byte));
    Name(half)
}

fn lane(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Lane> {
    let name: String = row.get(column)?;
    Lane::ALL.into_iter().find(|lane| lane.name() == name).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("no lane \"{name}\"").into())
    })
}
