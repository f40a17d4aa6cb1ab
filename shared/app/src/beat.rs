//! A schedule fired: one turn in the scheduled lane, with a session of its own.

use std::sync::Arc;

use chela_core::clock::{Clock, Millis};
use chela_core::message::EventKey;
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Lane, Queue, QueueError, Task};
use chela_core::schedule::Firing;
use chela_core::session_key::cron_session_key;

use crate::live::Live;

/// A firing this old is not worth a turn any more: the scheduler had been down for hours.
const STALE_MS: u64 = 6 * 60 * 60 * 1000;

/// Turns firings into turns.
pub struct Beater {
    /// Where turns begin.
    pub queue: Arc<dyn Queue>,
    /// What is configured.
    pub live: Arc<Live>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What became of a firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// A turn is queued.
    Queued,
    /// Nothing is to be done, and why.
    Skipped(&'static str),
}

impl Beater {
    /// Queues the turn of a firing. The same firing twice is one turn: its event is made of name and due time.
    pub async fn beat(&self, firing: &Firing) -> Result<Beat, QueueError> {
        let built = self.live.current().await;
        let Some(heartbeat) = built.heartbeat(&firing.name) else {
            return Ok(Beat::Skipped("no schedule of this name is configured"));
        };
        if !heartbeat.schedule.enabled {
            return Ok(Beat::Skipped("the schedule is disabled"));
        }
        let now = self.clock.now();
        if now.since(firing.scheduled_at) > STALE_MS {
            return Ok(Beat::Skipped("the firing is more than six hours old"));
        }
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            event: firing_event(firing),
            session: cron_session_key(&firing.name),
            agent: heartbeat.agent.clone(),
            accepted_at: now,
            task: Task::Heartbeat {
                name: firing.name.clone(),
                scheduled_at: firing.scheduled_at,
                prompt: heartbeat.prompt.clone(),
                deliver_to: heartbeat.deliver_to.clone(),
                made_for: None,
            },
        };
        self.queue.push(Lane::Scheduled, &envelope).await?;
        Ok(Beat::Queued)
    }
}

/// The event of a firing: its schedule and the second it was due.
pub fn firing_event(firing: &Firing) -> EventKey {
    EventKey::of("schedule", &firing.name, &Millis(firing.scheduled_at.0).seconds().to_string())
}
