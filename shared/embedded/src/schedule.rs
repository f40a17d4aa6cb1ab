//! Schedules in the database, and what is due.
//!
//! A firing is stored before it is reported, and removed when the caller comes back for the next ones: if the process
//! ends in between, the next one reports it again, and being the same firing its repetitions make one turn. Of
//! several occasions that passed while no process ran only the newest is reported: nobody wants to be told of
//! yesterday's hours one by one.

mod cron;
mod expression;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::{Clock, Millis};
use chela_core::schedule::{Firing, MADE, Schedule, ScheduleError, Schedules};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::Notify;

use crate::database::{Database, DatabaseError, integer, unsigned};

pub use self::expression::Expression;

/// Longest sleep before the clock is looked at again: timers stand still while a laptop sleeps, and clocks are set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// [`Schedules`] on SQLite.
pub struct SqliteSchedules {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    changed: Notify,
    /// What the last call of `due` answered.
    reported: Mutex<Vec<Firing>>,
}

impl SqliteSchedules {
    pub(crate) fn new(database: Arc<Database>, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, changed: Notify::new(), reported: Mutex::default() }
    }

    /// The firings due at `now`, oldest first. For one caller, who queues them and then asks again: asking again says
    /// that the firings of the last answer are safely queued. Until then they are kept, and reported by the next
    /// process if this one ends.
    pub async fn due(&self, now: Millis) -> Result<Vec<Firing>, ScheduleError> {
        let passed = self.database.run(move |connection: &Connection| passed(connection, now)).await?;
        let mut steps = Vec::with_capacity(passed.len());
        for Passed { body, since, next_at } in passed {
            let schedule = read(&body)?;
            let expression = Expression::parse(&schedule)?;
            let newest = expression.newest(next_at, now, since);
            let next = expression.after(now, since);
            steps.push(Step { name: schedule.name, from: next_at, newest, next });
        }
        let queued = self.reported().clone();
        let firings = self
            .database
            .run(move |connection: &Connection| {
                for firing in &queued {
                    connection
                        .prepare_cached("DELETE FROM firings WHERE name = ?1 AND scheduled_at = ?2")?
                        .execute(params![firing.name, integer(firing.scheduled_at.0)])?;
                }
                for step in &steps {
                    step.store(connection)?;
                }
                firings(connection)
            })
            .await?;
        self.reported().clone_from(&firings);
        Ok(firings)
    }

    /// When [`SqliteSchedules::due`] will have something new to report: `now` if it has already; `None` if never.
    pub async fn next_due(&self, now: Millis) -> Result<Option<Millis>, ScheduleError> {
        let (next, stored) = self
            .database
            .run(|connection: &Connection| {
                let next: Option<i64> =
                    connection.prepare_cached("SELECT min(next_at) FROM schedules")?.query_row([], |row| row.get(0))?;
                Ok((next, firings(connection)?))
            })
            .await?;
        if stored.iter().any(|firing| !self.reported().contains(firing)) {
            return Ok(Some(now));
        }
        Ok(next.map(|at| Millis(unsigned(at)).max(now)))
    }

    fn reported(&self) -> MutexGuard<'_, Vec<Firing>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when [`SqliteSchedules::due`] has something to report.
    pub async fn wait(&self) -> Result<(), ScheduleError> {
        loop {
            // Listening begins before looking, so that nothing can come unnoticed in between.
            let changed = self.changed.notified();
            let now = self.clock.now();
            match self.next_due(now).await? {
                Some(at) if at <= now => return Ok(()),
                Some(at) => {
                    let sleep = Duration::from_millis(at.since(now)).min(LOOK_AGAIN);
                    let _ = tokio::time::timeout(sleep, changed).await;
                }
                None => changed.await,
            }
        }
    }
}

#[async_trait]
impl Schedules for SqliteSchedules {
    async fn put(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let expression = Expression::parse(schedule)?;
        let now = self.clock.now();
        let next = expression.after(now, now).filter(|_| schedule.enabled);
        let name = schedule.name.clone();
        let body = serde_json::to_string(schedule)
            .map_err(|error| ScheduleError::Invalid { name: name.clone(), reason: error.to_string() })?;
        self.database
            .run(move |connection: &Connection| {
                let known: Option<String> = connection
                    .prepare_cached("SELECT body FROM schedules WHERE name = ?1")?
                    .query_row(params![name], |row| row.get(0))
                    .optional()?;
                // The same schedule goes on as it was: a restart does not begin its interval anew.
                if known.as_ref() == Some(&body) {
                    return Ok(());
                }
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO schedules (name, since, next_at, body) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![name, integer(now.0), next.map(|at| integer(at.0)), body])?;
                Ok(())
            })
            .await?;
        self.changed.notify_waiters();
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), ScheduleError> {
        let name = name.to_owned();
        self.database
            .run(move |connection: &Connection| {
                for sql in ["DELETE FROM schedules WHERE name = ?1", "DELETE FROM firings WHERE name = ?1"] {
                    connection.prepare_cached(sql)?.execute(params![name])?;
                }
                Ok(())
            })
            .await?;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Schedule>, ScheduleError> {
        let bodies = self
            .database
            .run(|connection: &Connection| {
                connection
                    .prepare_cached("SELECT body FROM schedules ORDER BY name")?
                    .query_map([], |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        bodies.iter().map(|body| read(body)).collect()
    }
}

impl From<DatabaseError> for ScheduleError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A schedule whose next occasion has come.
struct Passed {
    body: String,
    since: Millis,
    next_at: Millis,
}

/// What becomes of it.
struct Step {
    name: String,
    from: Millis,
    newest: Millis,
    next: Option<Millis>,
}

impl Step {
    /// Nothing happens if the schedule has been changed in the meantime, or somebody else has taken the step.
    fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        let next = self.next.map(|at| integer(at.0));
        let stepped = connection
            .prepare_cached("UPDATE schedules SET next_at = ?3 WHERE name = ?1 AND next_at = ?2")?
            .execute(params![self.name, integer(self.from.0), next])?;
        if stepped == 1 {
            connection
                .prepare_cached("INSERT OR IGNORE INTO firings (name, scheduled_at) VALUES (?1, ?2)")?
                .execute(params![self.name, integer(self.newest.0)])?;
            if self.next.is_none() && self.name.starts_with(MADE) {
                connection.prepare_cached("DELETE FROM schedules WHERE name = ?1")?.execute(params![self.name])?;
            }
        }
        Ok(())
    }
}

fn passed(connection: &Connection, now: Millis) -> rusqlite::Result<Vec<Passed>> {
    let mut passed = connection.prepare_cached("SELECT body, since, next_at FROM schedules WHERE next_at <= ?1")?;
    let rows = passed.query_map(params![integer(now.0)], |row| {
        let (since, next_at) = (Millis(unsigned(row.get(1)?)), Millis(unsigned(row.get(2)?)));
        Ok(Passed { body: row.get(0)?, since, next_at })
    })?;
    rows.collect()
}

fn firings(connection: &Connection) -> rusqlite::Result<Vec<Firing>> {
    connection
        .prepare_cached("SELECT name, scheduled_at FROM firings ORDER BY scheduled_at, name")?
        .query_map([], |row| Ok(Firing { name: row.get(0)?, scheduled_at: Millis(unsigned(row.get(1)?)) }))?
        .collect()
}

fn read(body: &str) -> Result<Schedule, ScheduleError> {
    serde_json::from_str(body).map_err(|error| {
        ScheduleError::Unavailable(format!("a stored schedule cannot be read ({error}): put it again"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_that_was_changed_meanwhile_does_not_fire() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("migrations/1.sql")).unwrap();
        connection.execute_batch("INSERT INTO schedules VALUES ('a', 0, 20, '{}'), ('b', 0, 10, '{}')").unwrap();
        for name in ["a", "b", "deleted"] {
            let step = Step { name: name.into(), from: Millis(10), newest: Millis(10), next: Some(Millis(30)) };
            step.store(&connection).unwrap();
        }
        assert_eq!(firings(&connection).unwrap(), [Firing { name: "b".into(), scheduled_at: Millis(10) }]);
    }
}
