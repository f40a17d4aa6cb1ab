//! A session store in memory: the rules of the port and nothing else. A mutant of it breaks one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::queue::Envelope;
use chela_core::session::{
    Accepted, Claim, Claimed, Control, Entry, Fence, Flagged, Head, Intent, Put, SessionStore, StoreError,
};
use chela_core::session_key::SessionKey;

use crate::sim::Mutant;

/// Sessions in memory.
#[derive(Default)]
pub struct Rows {
    sessions: Mutex<BTreeMap<SessionKey, Session>>,
    /// With whether it is settled: then nobody flags it again.
    flags: Mutex<Vec<(Flagged, bool)>>,
    mutant: Option<Mutant>,
}

#[derive(Default)]
struct Session {
    head: Option<Head>,
    accepted: BTreeMap<EventKey, Accepted>,
    entries: BTreeMap<String, Entry>,
    control: Option<Control>,
    left: BTreeMap<(Millis, EventKey), Envelope>,
}

impl Rows {
    /// A store that keeps every promise but one.
    pub fn broken(mutant: Option<Mutant>) -> Self {
        Self { mutant, ..Self::default() }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Session>> {
        self.sessions.lock().unwrap()
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn claim_now(&self, key: &SessionKey, claim: &Claim<'_>) -> Claimed {
        let mut sessions = self.sessions();
        let stored = &mut sessions.entry(key.clone()).or_default().head;
        let mut head = stored.clone().unwrap_or_default();
        if head.finished(claim.event) {
            return Claimed::Finished;
        }
        let held = !head.owner.is_empty() && head.owner != claim.owner && head.lease_until > claim.now;
        if held && !self.is(Mutant::ClaimIgnoresLease) {
            return Claimed::Busy { until: head.lease_until };
        }
        head.epoch += 1;
        claim.owner.clone_into(&mut head.owner);
        head.lease_until = claim.until;
        if head.current.is_some() {
            head.attempts += 1;
        } else {
            head.current = Some(claim.event.clone());
            head.attempts = 1;
        }
        *stored = Some(head.clone());
        Claimed::Held(head)
    }

    pub(crate) fn save_now(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError> {
        let mut sessions = self.sessions();
        let stored = sessions.get_mut(key).and_then(|session| session.head.as_mut()).ok_or(StoreError::Fenced)?;
        let ours = (stored.epoch == fence.epoch && stored.owner == fence.owner) || self.is(Mutant::SaveIgnoresEpoch);
        let lasts = stored.lease_until >= fence.lease_reaches || self.is(Mutant::SaveIgnoresLease);
        let older = head.revision < stored.revision && !self.is(Mutant::SaveIgnoresRevision);
        if !ours || !lasts || older {
            return Err(StoreError::Fenced);
        }
        let before = stored.lease_until;
        *stored = head.clone();
        if (self.is(Mutant::SaveKeepsLease) || self.is(Mutant::SaveIgnoresLease)) && !stored.owner.is_empty() {
            stored.lease_until = before;
        }
        if self.is(Mutant::ForgetsPlaceholders) {
            stored.preview = None;
        }
        stored.intents.retain(|intent| match intent {
            Intent::Send { .. } => !self.is(Mutant::ForgetsSendIntents),
            Intent::Tool { .. } => !self.is(Mutant::ForgetsToolIntents),
            Intent::Preview => true,
        });
        Ok(())
    }

    pub(crate) fn accept_now(&self, key: &SessionKey, accepted: &Accepted) -> Put<Accepted> {
        if self.is(Mutant::AcceptForgets) {
            return Put::Stored;
        }
        put(&mut self.sessions().entry(key.clone()).or_default().accepted, accepted.event.clone(), accepted, false)
    }

    pub(crate) fn append_now(&self, key: &SessionKey, entry: &Entry) -> Put<Entry> {
        let overwrites = self.is(Mutant::AppendOverwrites);
        put(&mut self.sessions().entry(key.clone()).or_default().entries, entry.place(), entry, overwrites)
    }

    pub(crate) fn flag_now(&self, flagged: &Flagged) {
        let mut flags = self.flags.lock().unwrap();
        match flags.iter_mut().find(|(known, _)| known.id() == flagged.id()) {
            Some((known, settled)) if !*settled => *known = flagged.clone(),
            Some(_) => {}
            None => flags.push((flagged.clone(), false)),
        }
    }

    pub(crate) fn accepted_now(&self, key: &SessionKey, event: &EventKey) -> Option<Accepted> {
        self.sessions().get(key).and_then(|session| session.accepted.get(event).cloned())
    }

    pub(crate) fn history_now(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Vec<Entry> {
        let sessions = self.sessions();
        let Some(session) = sessions.get(key) else { return Vec::new() };
        let from = Entry::turn_place(after_turn.saturating_add(1));
        let mut newest: Vec<Entry> = session.entries.range(from..).rev().take(limit).map(|(_, e)| e.clone()).collect();
        newest.reverse();
        newest
    }

    pub(crate) fn left_now(&self, key: &SessionKey, since: Millis, limit: usize) -> Vec<Envelope> {
        let sessions = self.sessions();
        let Some(session) = sessions.get(key) else { return Vec::new() };
        session.left.iter().filter(|((at, _), _)| *at > since).take(limit).map(|(_, left)| left.clone()).collect()
    }

    pub(crate) fn control_now(&self, key: &SessionKey) -> Option<Control> {
        self.sessions().get(key).and_then(|session| session.control)
    }
}

fn put<K: Ord, V: Clone>(rows: &mut BTreeMap<K, V>, key: K, value: &V, overwrites: bool) -> Put<V> {
    match rows.get(&key) {
        Some(theirs) if !overwrites => Put::Exists(theirs.clone()),
        _ => {
            rows.insert(key, value.clone());
            Put::Stored
        }
    }
}

#[async_trait]
impl SessionStore for Rows {
    async fn claim(&self, key: &SessionKey, claim: &Claim<'_>) -> Result<Claimed, StoreError> {
        Ok(self.claim_now(key, claim))
    }

    async fn save(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError> {
        self.save_now(key, head, fence)
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<Head>, StoreError> {
        Ok(self.sessions().get(key).and_then(|session| session.head.clone()))
    }

    async fn accept(&self, key: &SessionKey, accepted: &Accepted) -> Result<Put<Accepted>, StoreError> {
        Ok(self.accept_now(key, accepted))
    }

    async fn accepted(&self, key: &SessionKey, event: &EventKey) -> Result<Option<Accepted>, StoreError> {
        Ok(self.accepted_now(key, event))
    }

    async fn append(&self, key: &SessionKey, entry: &Entry) -> Result<Put<Entry>, StoreError> {
        Ok(self.append_now(key, entry))
    }

    async fn summary(&self, key: &SessionKey, turn: u64) -> Result<Option<Entry>, StoreError> {
        let sessions = self.sessions();
        Ok(sessions.get(key).and_then(|session| session.entries.get(&Entry::summary_place(turn))).cloned())
    }

    async fn history(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(self.history_now(key, after_turn, limit))
    }

    async fn flag(&self, flagged: &Flagged) -> Result<(), StoreError> {
        self.flag_now(flagged);
        Ok(())
    }

    async fn flagged(&self, limit: usize) -> Result<Vec<Flagged>, StoreError> {
        let known = self.flags.lock().unwrap();
        let open = known.iter().filter(|(_, settled)| !settled);
        let mut flags: Vec<Flagged> = open.map(|(flagged, _)| flagged.clone()).collect();
        flags.sort_by_key(|flagged| std::cmp::Reverse(flagged.at));
        flags.truncate(limit);
        Ok(flags)
    }

    async fn set_control(&self, key: &SessionKey, control: &Control) -> Result<(), StoreError> {
        self.sessions().entry(key.clone()).or_default().control = Some(*control);
        Ok(())
    }

    async fn control(&self, key: &SessionKey) -> Result<Option<Control>, StoreError> {
        Ok(self.control_now(key))
    }

    async fn turn(&self, key: &SessionKey, turn: u64) -> Result<Vec<Entry>, StoreError> {
        let all = self.history_now(key, turn.saturating_sub(1), usize::MAX);
        Ok(all.into_iter().filter(|entry| entry.turn == turn).collect())
    }

    async fn change_flag(&self, seen: &Flagged, becomes: Option<&Flagged>) -> Result<bool, StoreError> {
        let mut flags = self.flags.lock().unwrap();
        let Some((known, settled)) = flags.iter_mut().find(|(known, settled)| known == seen && !settled) else {
            return Ok(false);
        };
        match becomes {
            Some(flagged) => *known = flagged.clone(),
            None => *settled = true,
        }
        Ok(true)
    }

    async fn leave(&self, envelope: &Envelope) -> Result<(), StoreError> {
        let mut sessions = self.sessions();
        let left = &mut sessions.entry(envelope.session.clone()).or_default().left;
        left.insert((envelope.accepted_at, envelope.event.clone()), envelope.clone());
        Ok(())
    }

    async fn left(&self, key: &SessionKey, since: Millis, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        Ok(self.left_now(key, since, limit))
    }
}
