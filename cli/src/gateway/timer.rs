//! Fires the schedules of the configuration: what EventBridge Scheduler does on AWS.

use std::sync::Arc;
use std::time::Duration;

use chela_app::beat::Beater;
use chela_app::live::{Heartbeat, Live};
use chela_core::clock::Clock;
use chela_core::schedule::{Firing, MADE, Schedules};
use chela_embedded::SqliteSchedules;

/// Longest sleep: a changed configuration is noticed at the latest then.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Pause before a firing that could not be queued is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The schedules' clockwork.
pub(crate) struct Timer {
    pub(crate) schedules: Arc<SqliteSchedules>,
    pub(crate) beater: Beater,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Timer {
    /// Fires until `stopped` resolves.
    pub(crate) async fn run(self, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(stopped);
        let mut known: Vec<Heartbeat> = Vec::new();
        loop {
            let wanted = self.live.current().await.heartbeats.clone();
            if wanted != known {
                self.adopt(&wanted).await;
                known = wanted;
            }
            let wait = self.fire().await;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // A schedule that an agent made just now may be due before.
                Ok(()) = self.schedules.wait() => {}
                () = &mut stopped => return Ok(()),
            }
        }
    }

    /// Makes the stored schedules those of the configuration.
    async fn adopt(&self, wanted: &[Heartbeat]) {
        let stored = self.schedules.list().await.unwrap_or_default();
        // Those of agents' making come and go with their books.
        let configured = stored.iter().filter(|old| !old.name.starts_with(MADE));
        for old in configured.filter(|old| !wanted.iter().any(|new| new.schedule.name == old.name)) {
            if let Err(error) = self.schedules.delete(&old.name).await {
                tracing::warn!(schedule = old.name, %error, "cannot remove a schedule");
            }
        }
        for heartbeat in wanted {
            if let Err(error) = self.schedules.put(&heartbeat.schedule).await {
                tracing::warn!(schedule = heartbeat.schedule.name, %error, "cannot keep a schedule");
            }
        }
    }

    /// Fires what is due, and says how long to sleep.
    async fn fire(&self) -> Duration {
        let now = self.clock.now();
        match self.schedules.due(now).await {
            Ok(firings) => {
                for firing in firings {
                    self.queue(&firing).await;
                }
            }
            Err(error) => tracing::error!(%error, "schedules cannot be read"),
        }
        let next = self.schedules.next_due(now).await.ok().flatten();
        next.map_or(LOOK_EVERY, |next| Duration::from_millis(next.since(self.clock.now())).min(LOOK_EVERY))
    }

    /// Queues one firing, however long that takes: asking for what is due again would say that it is queued.
    async fn queue(&self, firing: &Firing) {
        loop {
            match self.beater.beat(firing).await {
                Ok(beat) => return tracing::info!(schedule = firing.name, ?beat, "heartbeat"),
                Err(error) => tracing::error!(schedule = firing.name, %error, "a heartbeat cannot be queued yet"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
