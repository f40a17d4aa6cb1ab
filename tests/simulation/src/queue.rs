//! SQS FIFO by its documented rules, in memory.
//!
//! - While a message of a group is in flight no other message of the group is delivered
//!   (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html>).
//! - A receipt is good for its own receive and as long as the message is invisible; afterwards deleting fails
//!   (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>).
//! - One deduplication id is taken once in five minutes.
//! - A message that was received 20 times goes to the dead-letter queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::message::EventKey;
use chela_core::queue::{Delivery, Depth, Envelope, Lane, Queue, QueueError};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>
const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);

/// `maxReceiveCount` of the deployed queues.
const MAX_RECEIVES: u32 = 20;

/// The largest message:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MESSAGE_BYTES: usize = 1024 * 1024;

/// The queue.
#[derive(Default)]
pub struct FifoQueue {
    state: Mutex<State>,
    changed: Notify,
    ignores_order: bool,
}

#[derive(Default)]
struct State {
    waiting: Vec<Message>,
    seen: BTreeMap<(&'static str, String, EventKey), Instant>,
    dead: Vec<Envelope>,
    dealt: u64,
}

struct Message {
    id: String,
    lane: Lane,
    group: String,
    body: String,
    envelope: Envelope,
    receives: u32,
    /// The receipt of the latest receive, and when it ends.
    in_flight: Option<(String, Instant)>,
}

impl Message {
    fn invisible(&self, now: Instant) -> bool {
        self.in_flight.as_ref().is_some_and(|(_, until)| *until > now)
    }

    fn holds(&self, receipt: &str, now: Instant) -> bool {
        self.in_flight.as_ref().is_some_and(|(held, until)| held == receipt && *until > now)
    }
}

impl FifoQueue {
    /// A queue that hands out later messages while the first of their group is in flight.
    pub fn that_ignores_order(ignores_order: bool) -> Self {
        Self { ignores_order, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Messages that are neither deleted nor dead.
    pub fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was given up since this was last asked.
    pub(crate) fn take_dead(&self) -> Vec<Envelope> {
        std::mem::take(&mut self.state().dead)
    }

    /// Whether this event would be taken now.
    pub(crate) fn is_new(&self, lane: Lane, envelope: &Envelope) -> bool {
        let key = (lane.name(), envelope.session.queue_group(), envelope.event.clone());
        self.state().seen.get(&key).is_none_or(|at| at.elapsed() >= DEDUPLICATION)
    }

    /// Returns when something may have become receivable.
    pub(crate) async fn wait(&self) {
        let changed = self.changed.notified();
        let next = {
            let now = Instant::now();
            let state = self.state();
            let ends = state.waiting.iter().filter_map(|message| message.in_flight.as_ref().map(|(_, until)| *until));
            ends.filter(|until| *until > now).min()
        };
        match next {
            Some(next) => drop(timeout_at(next, changed).await),
            None => changed.await,
        }
    }
}

#[async_trait]
impl Queue for FifoQueue {
    async fn push(&self, lane: Lane, envelope: &Envelope) -> Result<(), QueueError> {
        let body = serde_json::to_string(envelope).expect("an envelope can be written");
        if body.len() > MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes: body.len(), limit: MESSAGE_BYTES });
        }
        if !self.is_new(lane, envelope) {
            return Ok(());
        }
        let mut state = self.state();
        let group = envelope.session.queue_group();
        state.seen.insert((lane.name(), group.clone(), envelope.event.clone()), Instant::now());
        state.dealt += 1;
        let id = format!("id{}", state.dealt);
        let envelope = envelope.clone();
        state.waiting.push(Message { id, lane, group, body, envelope, receives: 0, in_flight: None });
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn receive(&self, lane: Lane, max: usize, visibility_s: u32) -> Result<Vec<Delivery>, QueueError> {
        let now = Instant::now();
        let mut state = self.state();
        let State { waiting, dead, dealt, .. } = &mut *state;
        waiting.retain(|message| {
            let given_up = message.receives >= MAX_RECEIVES && !message.invisible(now);
            if given_up {
                dead.push(message.envelope.clone());
            }
            !given_up
        });
        let blocked: BTreeSet<String> = waiting
            .iter()
            .filter(|message| message.lane == lane && message.invisible(now) && !self.ignores_order)
            .map(|message| message.group.clone())
            .collect();
        let ready = waiting
            .iter_mut()
            .filter(|message| message.lane == lane && !message.invisible(now) && !blocked.contains(&message.group));
        let deliveries = ready.take(max).map(|message| {
            *dealt += 1;
            message.receives += 1;
            let receipt = format!("r{dealt}");
            message.in_flight = Some((receipt.clone(), now + Duration::from_secs(visibility_s.into())));
            let Message { id, group, body, receives, .. } = message;
            let (message_id, group, body, receives) = (id.clone(), group.clone(), body.clone(), *receives);
            Delivery { message_id, receipt, lane, group, receives, body }
        });
        Ok(deliveries.collect())
    }

    async fn delete(&self, lane: Lane, receipt: &str) -> Result<(), QueueError> {
        let now = Instant::now();
        let mut state = self.state();
        let known = |message: &Message| {
            message.lane == lane && message.in_flight.as_ref().is_some_and(|(held, _)| held == receipt)
        };
        match state.waiting.iter().position(known) {
            None => return Ok(()),
            Some(index) if !state.waiting[index].holds(receipt, now) => return Err(QueueError::Expired),
            Some(index) => drop(state.waiting.remove(index)),
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn hide(&self, lane: Lane, receipt: &str, seconds: u32) -> Result<(), QueueError> {
        let now = Instant::now();
        let mut state = self.state();
        let held = state.waiting.iter_mut().find(|message| message.lane == lane && message.holds(receipt, now));
        let Some(message) = held else { return Err(QueueError::Expired) };
        message.in_flight = Some((receipt.to_owned(), now + Duration::from_secs(seconds.into())));
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        let state = self.state();
        let held = || state.waiting.iter().filter(|message| message.lane == lane);
        let in_flight = held().filter(|message| message.in_flight.is_some()).count();
        Ok(Depth { waiting: held().count().saturating_sub(in_flight), in_flight })
    }

    async fn bury(&self, delivery: &Delivery, _: &str) -> Result<(), QueueError> {
        let mut state = self.state();
        if let Some(index) = state.waiting.iter().position(|message| message.id == delivery.message_id) {
            let message = state.waiting.remove(index);
            state.dead.push(message.envelope);
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }
}
