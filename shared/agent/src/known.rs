//! What a process knows of rows that all processes share, so that they are not read for every call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chela_core::clock::Millis;
use chela_core::cooldown::{Cooldown, CooldownStore};
use chela_core::session::StoreError;
use chela_core::spend::SpendStore;

/// How old may be what is known of rests.
const RESTS_MS: u64 = 10_000;

/// How old may be what is known of the halt, where no limit makes every call ask the store itself.
const HALT_MS: u64 = 5_000;

type Rests = BTreeMap<String, Cooldown>;

/// Rests of credentials, and whether spending is halted, as they were seconds ago. One for each process.
#[derive(Debug, Default)]
pub struct Known {
    rests: Mutex<Option<(Millis, Rests)>>,
    halted: Mutex<Option<(Millis, bool)>>,
}

impl Known {
    /// The rests. If they cannot be read those of before count: a rest is a courtesy.
    pub(crate) async fn rests(&self, store: &dyn CooldownStore, now: Millis) -> Rests {
        let before = open(&self.rests).clone();
        match before {
            Some((at, rests)) if now.since(at) < RESTS_MS => rests,
            before => match store.cooldowns().await {
                Ok(rests) => {
                    *open(&self.rests) = Some((now, rests.clone()));
                    rests
                }
                Err(_) => before.map(|(_, rests)| rests).unwrap_or_default(),
            },
        }
    }

    /// Rests are read again before they are used again.
    pub(crate) fn forget_rests(&self) {
        *open(&self.rests) = None;
    }

    /// Whether spending is halted. An error is one: nobody may spend what nobody can forbid.
    pub(crate) async fn halted(&self, store: &dyn SpendStore, tenant: &str, now: Millis) -> Result<bool, StoreError> {
        let before = *open(&self.halted);
        if let Some((at, halted)) = before
            && now.since(at) < HALT_MS
        {
            return Ok(halted);
        }
        let halted = store.halted(tenant).await?;
        *open(&self.halted) = Some((now, halted));
        Ok(halted)
    }
}

fn open<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
