//! Works off one lane of the embedded queue: what the event source mapping does on AWS.

use std::sync::Arc;

use chela_agent::Slice;
use chela_app::answer::{Answerer, VISIBILITY_S, by_group};
use chela_core::clock::Clock;
use chela_core::queue::{Delivery, Lane, Queue};
use chela_embedded::SqliteQueue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Sessions worked on at once, per lane.
const CONCURRENCY: usize = 128;

/// Messages taken at once.
const BATCH: usize = 10;

/// The time of one attempt; a longer turn goes on in the next.
const SLICE_MS: u64 = 150_000;

/// One lane's worker.
pub(crate) struct Worker {
    pub(crate) lane: Lane,
    pub(crate) queue: Arc<SqliteQueue>,
    pub(crate) answerer: Arc<Answerer>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Worker {
    /// Works until `stopping` is set, then finishes what it has begun.
    pub(crate) async fn run(self, stopping: tokio::sync::watch::Receiver<bool>) {
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(CONCURRENCY));
        let mut running = JoinSet::new();
        let mut stopped = stopping.clone();
        while !*stopping.borrow() {
            while running.try_join_next().is_some() {}
            let room = places.available_permits().min(BATCH);
            let deliveries = if room == 0 { vec![] } else { this.receive(room).await };
            if deliveries.is_empty() {
                tokio::select! {
                    () = this.queue.wait(this.lane), if room > 0 => {}
                    _ = running.join_next(), if !running.is_empty() => {}
                    _ = stopped.changed() => {}
                }
                continue;
            }
            for group in by_group(deliveries) {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let this = this.clone();
                running.spawn(async move {
                    this.answer(group).await;
                    drop(place);
                });
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn receive(&self, room: usize) -> Vec<Delivery> {
        match self.queue.receive(self.lane, room, VISIBILITY_S).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                tracing::error!(lane = self.lane.name(), %error, "cannot receive");
                vec![]
            }
        }
    }

    /// Answers the messages of one session, then acknowledges those that are done.
    async fn answer(&self, group: Vec<Delivery>) {
        let slice = Slice { deadline: self.clock.now().plus(SLICE_MS) };
        let batch = self.answerer.answer(group.clone(), slice).await;
        for note in &batch.notes {
            tracing::warn!(lane = self.lane.name(), note, "the turn will be repeated");
        }
        for delivery in group.iter().filter(|delivery| !batch.failed.contains(&delivery.message_id)) {
            if let Err(error) = self.queue.delete(self.lane, &delivery.receipt).await {
                // It is delivered again, and its turn is found finished.
                tracing::warn!(lane = self.lane.name(), %error, "cannot acknowledge");
            }
        }
    }
}
