//! The session store as a process sees it over a network: slow, throttled, and sometimes late.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::queue::Envelope;
use chela_core::session::{
    Accepted, Claim, Claimed, Control, Entry, Fence, Flagged, Head, Put, SessionStore, StoreError,
};
use chela_core::session_key::SessionKey;

use crate::fault::{Fault, Place};
use crate::process::Process;
use crate::rows::Rows;

/// Longest a request is stuck between a client that has given up and the store.
const LATE_MS: u64 = 120_000;

/// One process's way to the store.
pub(crate) struct Remote {
    pub(crate) process: Arc<Process>,
    pub(crate) rows: Arc<Rows>,
}

impl Remote {
    async fn ask<T: Send + 'static>(
        &self,
        place: Place,
        key: &SessionKey,
        operation: impl Fn(&Rows) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let process = &self.process;
        let sim = &process.sim;
        let fault = process.draw(place, process.message_of(key));
        let rows = self.rows.clone();
        let usual = || Duration::from_millis(process.sim.rng().u64(1..=15));
        let once = {
            let (rows, operation) = (rows.clone(), operation.clone());
            move || operation(&rows)
        };
        match fault {
            Some(Fault::DiesBefore) => process.die().await,
            Some(Fault::DiesAfter) => {
                let _ = process.request(usual(), Duration::ZERO, once).await;
                process.die().await
            }
            Some(Fault::DiesInFlight) => {
                late(sim.span(1, LATE_MS), once);
                process.die().await
            }
            Some(Fault::PausedBefore) => {
                process.pause().await;
                process.request(usual(), usual(), once).await
            }
            Some(Fault::PausedAfter) => {
                let answer = process.request(usual(), Duration::ZERO, once).await;
                process.pause().await;
                answer
            }
            Some(Fault::Slow) => {
                let slowly = || sim.span(10, 5_000);
                process.request(slowly(), slowly(), once).await
            }
            Some(Fault::Stalled) => process.request(sim.span(5_000, LATE_MS), usual(), once).await,
            Some(Fault::Throttled) => process.request(usual(), usual(), unavailable).await,
            Some(Fault::ThrottledAfter) => {
                let _ = process.request(usual(), sim.span(1, 5_000), once).await;
                unavailable()
            }
            Some(Fault::ThrottledLate) => {
                late(sim.span(100, LATE_MS), once);
                process.request(usual(), usual(), unavailable).await
            }
            Some(Fault::Retried) => {
                let _ = process.request(usual(), sim.span(10, 3_000), once.clone()).await;
                process.request(usual(), usual(), once).await
            }
            Some(Fault::Echoed) => {
                late(sim.span(100, LATE_MS), once.clone());
                process.request(usual(), usual(), once).await
            }
            _ => process.request(usual(), usual(), once).await,
        }
    }
}

fn unavailable<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("simulated".into()))
}

/// The request is on its way; nobody waits for its answer.
fn late<T>(after: Duration, operation: impl FnOnce() -> T + Send + 'static) {
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        let _ = operation();
    });
}

#[async_trait]
impl SessionStore for Remote {
    async fn claim(&self, key: &SessionKey, claim: &Claim<'_>) -> Result<Claimed, StoreError> {
        let (session, event, owner) = (key.clone(), claim.event.clone(), claim.owner.to_owned());
        let (now, until) = (claim.now, claim.until);
        let claim =
            move |rows: &Rows| Ok(rows.claim_now(&session, &Claim { event: &event, owner: &owner, now, until }));
        self.ask(Place::Write, key, claim).await
    }

    async fn save(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError> {
        let (session, head, owner) = (key.clone(), head.clone(), fence.owner.to_owned());
        let (epoch, lease_reaches) = (fence.epoch, fence.lease_reaches);
        let save = move |rows: &Rows| rows.save_now(&session, &head, &Fence { epoch, owner: &owner, lease_reaches });
        self.ask(Place::Write, key, save).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<Head>, StoreError> {
        self.rows.head(key).await
    }

    async fn accept(&self, key: &SessionKey, accepted: &Accepted) -> Result<Put<Accepted>, StoreError> {
        let (session, accepted) = (key.clone(), accepted.clone());
        self.ask(Place::Write, key, move |rows| Ok(rows.accept_now(&session, &accepted))).await
    }

    async fn accepted(&self, key: &SessionKey, event: &EventKey) -> Result<Option<Accepted>, StoreError> {
        let (session, event) = (key.clone(), event.clone());
        self.ask(Place::Read, key, move |rows| Ok(rows.accepted_now(&session, &event))).await
    }

    async fn append(&self, key: &SessionKey, entry: &Entry) -> Result<Put<Entry>, StoreError> {
        let (session, entry) = (key.clone(), entry.clone());
        self.ask(Place::Write, key, move |rows| Ok(rows.append_now(&session, &entry))).await
    }

    async fn summary(&self, key: &SessionKey, turn: u64) -> Result<Option<Entry>, StoreError> {
        self.rows.summary(key, turn).await
    }

    async fn history(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let session = key.clone();
        self.ask(Place::Read, key, move |rows| Ok(rows.history_now(&session, after_turn, limit))).await
    }

    async fn flag(&self, flagged: &Flagged) -> Result<(), StoreError> {
        let flag = flagged.clone();
        let written = move |rows: &Rows| {
            rows.flag_now(&flag);
            Ok(())
        };
        self.ask(Place::Write, &flagged.session, written).await
    }

    async fn flagged(&self, limit: usize) -> Result<Vec<Flagged>, StoreError> {
        self.rows.flagged(limit).await
    }

    async fn set_control(&self, key: &SessionKey, control: &Control) -> Result<(), StoreError> {
        self.rows.set_control(key, control).await
    }

    async fn control(&self, key: &SessionKey) -> Result<Option<Control>, StoreError> {
        let session = key.clone();
        self.ask(Place::Read, key, move |rows| Ok(rows.control_now(&session))).await
    }

    async fn turn(&self, key: &SessionKey, turn: u64) -> Result<Vec<Entry>, StoreError> {
        self.rows.turn(key, turn).await
    }

    async fn change_flag(&self, seen: &Flagged, becomes: Option<&Flagged>) -> Result<bool, StoreError> {
        self.rows.change_flag(seen, becomes).await
    }

    async fn leave(&self, envelope: &Envelope) -> Result<(), StoreError> {
        self.rows.leave(envelope).await
    }

    async fn left(&self, key: &SessionKey, since: Millis, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        let session = key.clone();
        self.ask(Place::Read, key, move |rows| Ok(rows.left_now(&session, since, limit))).await
    }
}
