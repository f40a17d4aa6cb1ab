//! Secrets that were changed where they are kept. Accounts and models are opened with what a secret was then, so that a
//! token that was exchanged would be sent, and an old one believed, until the next deployment. Whatever was asked for is
//! asked for again each minute; the store behind may answer from its memory for some minutes more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chela_core::clock::Millis;
use chela_core::secret::{Secret, SecretError, SecretRef, SecretStore};
use futures_util::future::join_all;

/// How often is looked.
const LOOK_EVERY_MS: u64 = 60_000;

/// A [`SecretStore`] that remembers what it gave out.
pub(crate) struct Watched {
    inner: Arc<dyn SecretStore>,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    looked_at: Millis,
    /// `None` where the store had nothing: a secret that appears is a change too.
    secrets: HashMap<SecretRef, Option<Secret>>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn SecretStore>) -> Self {
        Self { inner, given: Mutex::default() }
    }

    /// Begins anew: what is asked for from now on is what is watched.
    pub(crate) fn forget(&self, now: Millis) {
        *self.given() = Given { looked_at: now, ..Given::default() };
    }

    /// Whether something that was given out is not the same any more. A store that does not answer says nothing about that.
    pub(crate) async fn changed(&self, now: Millis) -> bool {
        let watched: Vec<(SecretRef, Option<Secret>)> = {
            let mut given = self.given();
            if now.since(given.looked_at) < LOOK_EVERY_MS {
                return false;
            }
            given.looked_at = now;
            given.secrets.iter().map(|(reference, secret)| (reference.clone(), secret.clone())).collect()
        };
        let changes = watched.iter().map(async |(reference, before)| match self.inner.get(reference).await {
            Ok(secret) => before.as_ref() != Some(&secret),
            Err(SecretError::Missing { .. }) => before.is_some(),
            Err(SecretError::Unsupported(..) | SecretError::Unavailable { .. }) => false,
        });
        join_all(changes).await.contains(&true)
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SecretStore for Watched {
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let found = self.inner.get(reference).await;
        self.given().secrets.insert(reference.clone(), found.as_ref().ok().cloned());
        found
    }
}
