//! What was wished for conversations by command, remembered for half a minute: at most one read of a conversation in that
//! time, also where nothing was wished.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chela_config::{QueueMode, QueueSection};
use chela_core::clock::Millis;
use chela_core::directory::{Directory, Wishes};
use chela_core::session_key::SessionKey;

/// How long wishes are remembered.
const REMEMBERED_MS: u64 = 30_000;

/// Conversations that are remembered; the memory is emptied when it is full.
const MOST: usize = 10_000;

/// Remembers wishes.
#[derive(Default)]
pub struct Wished {
    known: Mutex<HashMap<SessionKey, (Millis, Wishes)>>,
}

impl Wished {
    /// The wishes of a conversation. While they cannot be read those known last count, and none if none are known.
    pub async fn of(&self, directory: &dyn Directory, session: &SessionKey, now: Millis) -> Wishes {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned();
        if let Some((at, wishes)) = &known
            && now.since(*at) < REMEMBERED_MS
        {
            return wishes.clone();
        }
        let wishes = match directory.wishes(session).await {
            Ok(wishes) => wishes,
            Err(error) => {
                tracing::warn!(%error, "the wishes of a conversation cannot be read");
                known.map(|(_, wishes)| wishes).unwrap_or_default()
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(session.clone(), (now, wishes.clone()));
        wishes
    }
}

/// The mode of a conversation's queue: what was wished, else what its channel is configured to.
pub fn queue_mode(wishes: &Wishes, queue: &QueueSection, channel: &str) -> QueueMode {
    wishes.queue.as_deref().and_then(QueueMode::named).unwrap_or_else(|| queue.mode_of(channel))
}
