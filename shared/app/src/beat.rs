//! A schedule fired: one turn in the scheduled lane, with a session of its own.

use std::sync::Arc;

use chela_core::agent_id::AgentId;
use chela_core::approval::woken_for;
use chela_core::clock::{Clock, Millis};
use chela_core::job::{self, STALE_MS};
use chela_core::message::EventKey;
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Lane, Queue, QueueError, Task};
use chela_core::schedule::{Firing, MADE, ScheduleExpression, Timing};
use chela_core::session_key::cron_session_key;

use crate::live::{Built, Live};

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
        if let Some(id) = woken_for(&firing.name) {
            return self.wake(&built, firing, id).await;
        }
        if firing.name.starts_with(MADE) {
            return self.beat_job(&built, firing).await;
        }
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

    /// The time of a request is over. What it is about is looked up by the function that may.
    async fn wake(&self, built: &Built, firing: &Firing, id: &str) -> Result<Beat, QueueError> {
        let agents = built.config.agents.ids();
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            event: firing_event(firing),
            session: cron_session_key(&firing.name),
            agent: AgentId::new(agents.first().map_or("main", String::as_str)),
            accepted_at: self.clock.now(),
            task: Task::Lapsed { id: id.to_owned() },
        };
        self.queue.push(Lane::Scheduled, &envelope).await?;
        Ok(Beat::Queued)
    }

    /// A schedule of an agent's making: what it means stands in that agent's book and nowhere else.
    async fn beat_job(&self, built: &Built, firing: &Firing) -> Result<Beat, QueueError> {
        let config = &built.config;
        if !config.cron.enabled || config.tools.cron.max_jobs == 0 {
            return Ok(Beat::Skipped("schedules of agents' making do not fire"));
        }
        let agents = config.agents.ids().into_iter().map(|id| AgentId::new(&id));
        let Some(agent) = agents.into_iter().find(|agent| job::is_of(&firing.name, agent)) else {
            return Ok(Beat::Skipped("no agent that is configured made it"));
        };
        let book = job::book(self.live.files().as_ref(), &agent).await;
        let book = book.map_err(|error| QueueError::Unavailable(error.to_string()))?;
        let Some(job) = book.jobs.iter().find(|job| job.schedule.name == firing.name && job.schedule.enabled) else {
            return Ok(Beat::Skipped("it was removed or is disabled"));
        };
        if too_often(&job.schedule.expression, config.tools.cron.min_interval_minutes) {
            return Ok(Beat::Skipped("it fires more often than is allowed now (tools.cron.minIntervalMinutes)"));
        }
        let now = self.clock.now();
        if now.since(firing.scheduled_at) > STALE_MS {
            return Ok(Beat::Skipped("the firing is more than six hours old"));
        }
        let envelope = job.envelope(&agent, firing_event(firing), firing.scheduled_at, now);
        self.queue.push(Lane::Scheduled, &envelope).await?;
        Ok(Beat::Queued)
    }
}

/// Whether less than so many minutes may lie between two firings: what was allowed when it was made may not be any more.
fn too_often(expression: &ScheduleExpression, least: u32) -> bool {
    let gap = match Timing::parse(expression) {
        Ok(Timing::Rate { minutes }) => minutes,
        Ok(Timing::Cron(cron)) => cron.least_gap().into(),
        Ok(Timing::At(_)) => return false,
        // What nobody can read nobody can bound.
        Err(_) => return true,
    };
    gap < u64::from(least)
}

/// The event of a firing: its schedule and the second it was due.
pub fn firing_event(firing: &Firing) -> EventKey {
    EventKey::of("schedule", &firing.name, &Millis(firing.scheduled_at.0).seconds().to_string())
}
