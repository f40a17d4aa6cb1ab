//! The queue in the database: three lanes of lines, one line for each session.
//!
//! Rows make messages durable. Who waits and who is in flight is kept in memory (`lines`), because the only process
//! that receives is this one: after a restart everything that was in flight can be received again at once, and its
//! receives are counted anew. Receiving and hiding therefore wait for no disk.

mod lines;
mod row;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::{Clock, Millis};
use chela_core::queue::{Buried, DeadLetters, Delivery, Depth, Envelope, Lane, Queue, QueueError};
use rusqlite::Connection;
use tokio::sync::Notify;

use self::lines::{Lines, Next, Taken};
use self::row::{Bury, Delete, Push, Receipt, Redrive};
use crate::database::{Database, DatabaseError};

/// The largest message, as on SQS, so that what works here works there.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MESSAGE_BYTES: usize = 1024 * 1024;

/// Longest sleep while a message is in flight: timers stand still while a laptop sleeps, so the clock is looked at
/// again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// [`Queue`] on SQLite. What `push` accepted is durable.
pub struct SqliteQueue {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    /// Begins every receipt, so that those of an earlier process mean nothing.
    opened: String,
    shared: Arc<Shared>,
}

/// What is in memory, shared with work on its way to the database.
struct Shared {
    lines: Mutex<Lines>,
    /// Told when something may be received that could not be before.
    more: Notify,
}

impl SqliteQueue {
    /// Reads what waits in the database.
    pub(crate) fn restore(connection: &Connection, now: Millis) -> rusqlite::Result<Lines> {
        row::restore(connection, now)
    }

    pub(crate) fn new(database: Arc<Database>, clock: Arc<dyn Clock>, lines: Lines) -> Self {
        let shared = Arc::new(Shared { lines: Mutex::new(lines), more: Notify::new() });
        Self { database, opened: clock.unique(), clock, shared }
    }

    /// Returns when something may be received from the lane: at once, when something is pushed or returned, or when
    /// the visibility of a message in flight ends. Another receiver may still be faster.
    pub async fn wait(&self, lane: Lane) {
        loop {
            // Listening begins before looking, so that nothing can come unnoticed in between.
            let more = self.shared.more.notified();
            let now = self.clock.now();
            let next = self.shared.lines().next(lane, now);
            match next {
                Next::Now => return,
                Next::At(until) => {
                    let sleep = Duration::from_millis(until.since(now)).min(LOOK_AGAIN);
                    let _ = tokio::time::timeout(sleep, more).await;
                }
                Next::Never => more.await,
            }
        }
    }

    fn delivery(&self, lane: Lane, taken: Taken, body: String) -> Delivery {
        let Taken { id, group, flight, receives, .. } = taken;
        let receipt = Receipt { opened: self.opened.clone(), flight, id, group: group.to_string() };
        let message_id = id.to_string();
        Delivery { message_id, receipt: receipt.to_string(), lane, group: receipt.group, receives, body }
    }

    /// The receipt, if this process gave it.
    fn receipt(&self, receipt: &str) -> Result<Receipt, QueueError> {
        receipt.parse().ok().filter(|receipt: &Receipt| receipt.opened == self.opened).ok_or(QueueError::Expired)
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<DatabaseError> for QueueError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn push(&self, lane: Lane, envelope: &Envelope) -> Result<(), QueueError> {
        let body = serde_json::to_string(envelope).map_err(|error| QueueError::Unavailable(error.to_string()))?;
        if body.len() > MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes: body.len(), limit: MESSAGE_BYTES });
        }
        let push = Push::new(self.shared.clone(), lane, envelope, body, self.clock.now());
        Ok(self.database.run(push).await?)
    }

    async fn receive(&self, lane: Lane, max: usize, visibility_s: u32) -> Result<Vec<Delivery>, QueueError> {
        let now = self.clock.now();
        let taken = self.shared.lines().take(lane, max, now, now.plus(u64::from(visibility_s) * 1000));
        let unread: Vec<i64> = taken.iter().filter(|taken| taken.body.is_none()).map(|taken| taken.id).collect();
        let mut read = Vec::new().into_iter();
        if !unread.is_empty() {
            match self.database.run(move |connection: &Connection| row::bodies(connection, &unread)).await {
                Ok(bodies) => read = bodies.into_iter(),
                Err(error) => {
                    let mut lines = self.shared.lines();
                    taken.iter().rev().for_each(|taken| lines.untake(lane, taken));
                    return Err(error.into());
                }
            }
        }
        let deliveries = taken.into_iter().filter_map(|mut taken| {
            let body = taken.body.take().or_else(|| read.next().flatten())?;
            Some(self.delivery(lane, taken, body))
        });
        Ok(deliveries.collect())
    }

    async fn delete(&self, lane: Lane, receipt: &str) -> Result<(), QueueError> {
        let receipt = self.receipt(receipt)?;
        let delete = Delete { shared: self.shared.clone(), lane, receipt, now: self.clock.now() };
        self.database.run(delete).await?
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        Ok(self.shared.lines().depth(lane, self.clock.now()))
    }

    async fn hide(&self, lane: Lane, receipt: &str, seconds: u32) -> Result<(), QueueError> {
        let receipt = self.receipt(receipt)?;
        let now = self.clock.now();
        let until = now.plus(u64::from(seconds) * 1000);
        let hidden = self.shared.lines().hide(lane, &receipt.group, receipt.id, receipt.flight, now, until);
        if !hidden {
            return Err(QueueError::Expired);
        }
        // Also when the time became longer: whoever sleeps until the old end sleeps anew.
        self.shared.more.notify_waiters();
        Ok(())
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        let receipt = self.receipt(&delivery.receipt)?;
        let delete = Delete { shared: self.shared.clone(), lane: delivery.lane, receipt, now: self.clock.now() };
        self.database.run(Bury { delete, reason: reason.to_owned() }).await?
    }
}

#[async_trait]
impl DeadLetters for SqliteQueue {
    async fn buried(&self, limit: usize) -> Result<Vec<Buried>, QueueError> {
        Ok(self.database.run(move |connection: &Connection| row::buried(connection, limit)).await?)
    }

    async fn redrive(&self, lane: Lane, id: &str) -> Result<bool, QueueError> {
        let Ok(id) = id.parse() else { return Ok(false) };
        let redrive = Redrive::new(self.shared.clone(), lane, id, self.clock.now());
        Ok(self.database.run(redrive).await?)
    }

    async fn discard(&self, lane: Lane, id: &str) -> Result<bool, QueueError> {
        let Ok(id) = id.parse::<i64>() else { return Ok(false) };
        Ok(self.database.run(move |connection: &Connection| row::discard(connection, lane, id)).await?)
    }
}
