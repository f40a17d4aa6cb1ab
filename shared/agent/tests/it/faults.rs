//! A session store that dies on command: at the n-th operation, before or after it took effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use async_trait::async_trait;
use chela_core::approval::{ApprovalStore, Request, Rule};
use chela_core::audit::{AuditLog, Record};
use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::queue::Envelope;
use chela_core::session::{
    Accepted, Claim, Claimed, Control, Entry, Fence, Flagged, Head, Put, SessionStore, StoreError,
};
use chela_core::session_key::SessionKey;
use chela_embedded::SqliteSessions;

/// Passes everything on, counts, and fails where a test says. An attempt that meets the failure can write nothing more
/// (its process is dead), so every later operation fails too, until [`FaultyStore::revive`].
pub(crate) struct FaultyStore {
    inner: Arc<SqliteSessions>,
    writes: AtomicU32,
    operations: AtomicU32,
    dies_at: AtomicU32,
    applied: std::sync::atomic::AtomicBool,
    most_read: AtomicUsize,
}

const NEVER: u32 = u32::MAX;

impl FaultyStore {
    pub(crate) fn new(inner: Arc<SqliteSessions>) -> Self {
        Self {
            inner,
            writes: AtomicU32::new(0),
            operations: AtomicU32::new(0),
            dies_at: AtomicU32::new(NEVER),
            applied: false.into(),
            most_read: AtomicUsize::new(0),
        }
    }

    /// The process dies at the n-th operation from now, counted from 0; `applied`: after it took effect.
    pub(crate) fn dies_at(&self, operation: u32, applied: bool) {
        self.operations.store(0, Ordering::SeqCst);
        self.dies_at.store(operation, Ordering::SeqCst);
        self.applied.store(applied, Ordering::SeqCst);
    }

    /// A new process. Answers whether the old one had died.
    pub(crate) fn revive(&self) -> bool {
        let died = self.operations.load(Ordering::SeqCst) > self.dies_at.load(Ordering::SeqCst);
        self.dies_at.store(NEVER, Ordering::SeqCst);
        died
    }

    /// Most bytes of entries that were read at once.
    pub(crate) fn most_read(&self) -> usize {
        self.most_read.load(Ordering::SeqCst)
    }

    pub(crate) fn writes(&self) -> u32 {
        self.writes.load(Ordering::SeqCst)
    }

    async fn step<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let at = self.operations.fetch_add(1, Ordering::SeqCst);
        let dies_at = self.dies_at.load(Ordering::SeqCst);
        let dead = || StoreError::Unavailable("the process is dead".into());
        if at > dies_at || (at == dies_at && !self.applied.load(Ordering::SeqCst)) {
            return Err(dead());
        }
        let result = operation.await;
        if at == dies_at { Err(dead()) } else { result }
    }

    async fn write<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.step(operation).await
    }
}

/// As narrow as the table on AWS.
fn has_room(row: &str) -> Result<(), StoreError> {
    if row.len() > 350 * 1024 { Err(StoreError::Full(format!("{} bytes", row.len()))) } else { Ok(()) }
}

#[async_trait]
impl SessionStore for FaultyStore {
    async fn claim(&self, key: &SessionKey, claim: &Claim<'_>) -> Result<Claimed, StoreError> {
        self.write(self.inner.claim(key, claim)).await
    }

    async fn save(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError> {
        self.write(self.inner.save(key, head, fence)).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<Head>, StoreError> {
        self.step(self.inner.head(key)).await
    }

    async fn accept(&self, key: &SessionKey, accepted: &Accepted) -> Result<Put<Accepted>, StoreError> {
        has_room(&serde_json::to_string(accepted).unwrap())?;
        self.write(self.inner.accept(key, accepted)).await
    }

    async fn accepted(&self, key: &SessionKey, event: &EventKey) -> Result<Option<Accepted>, StoreError> {
        self.step(self.inner.accepted(key, event)).await
    }

    async fn append(&self, key: &SessionKey, entry: &Entry) -> Result<Put<Entry>, StoreError> {
        has_room(&serde_json::to_string(entry).unwrap())?;
        self.write(self.inner.append(key, entry)).await
    }

    async fn summary(&self, key: &SessionKey, turn: u64) -> Result<Option<Entry>, StoreError> {
        self.step(self.inner.summary(key, turn)).await
    }

    async fn history(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self.step(self.inner.history(key, after_turn, limit)).await?;
        self.most_read.fetch_max(serde_json::to_string(&entries).unwrap().len(), Ordering::SeqCst);
        Ok(entries)
    }

    async fn turn(&self, key: &SessionKey, turn: u64) -> Result<Vec<Entry>, StoreError> {
        self.step(self.inner.turn(key, turn)).await
    }

    async fn flag(&self, flagged: &Flagged) -> Result<(), StoreError> {
        self.write(self.inner.flag(flagged)).await
    }

    async fn flagged(&self, limit: usize) -> Result<Vec<Flagged>, StoreError> {
        self.inner.flagged(limit).await
    }

    async fn change_flag(&self, seen: &Flagged, becomes: Option<&Flagged>) -> Result<bool, StoreError> {
        self.write(self.inner.change_flag(seen, becomes)).await
    }

    async fn set_control(&self, key: &SessionKey, control: &Control) -> Result<(), StoreError> {
        self.inner.set_control(key, control).await
    }

    async fn control(&self, key: &SessionKey) -> Result<Option<Control>, StoreError> {
        self.step(self.inner.control(key)).await
    }

    async fn leave(&self, envelope: &Envelope) -> Result<(), StoreError> {
        self.inner.leave(envelope).await
    }

    async fn left(&self, key: &SessionKey, since: Millis, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        self.step(self.inner.left(key, since, limit)).await
    }
}

#[async_trait]
impl ApprovalStore for FaultyStore {
    async fn ask(&self, request: &Request) -> Result<Put<Request>, StoreError> {
        self.write(self.inner.ask(request)).await
    }

    async fn request(&self, id: &str) -> Result<Option<Request>, StoreError> {
        self.step(self.inner.request(id)).await
    }

    async fn change(&self, seen: &Request, becomes: &Request) -> Result<bool, StoreError> {
        self.write(self.inner.change(seen, becomes)).await
    }

    async fn waiting(&self) -> Result<Vec<Request>, StoreError> {
        self.step(self.inner.waiting()).await
    }

    async fn remember(&self, rule: &Rule) -> Result<(), StoreError> {
        self.write(self.inner.remember(rule)).await
    }

    async fn forget(&self, id: &str) -> Result<bool, StoreError> {
        self.write(self.inner.forget(id)).await
    }

    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        self.step(self.inner.rules()).await
    }
}

#[async_trait]
impl AuditLog for FaultyStore {
    async fn record(&self, tenant: &str, record: &Record) -> Result<Put<Record>, StoreError> {
        self.write(self.inner.record(tenant, record)).await
    }

    async fn records(&self, tenant: &str, before: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.step(self.inner.records(tenant, before, limit)).await
    }
}
