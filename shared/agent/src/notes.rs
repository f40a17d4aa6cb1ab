//! What happens on accounts, noted rarely: a note costs a write, and nobody asks for the second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chela_core::channel_log::{ChannelLog, Happening};
use chela_core::clock::Millis;

/// Notes of one kind on one account are this far apart, so that a busy account costs 12 writes an hour.
const EVERY_MS: u64 = 5 * 60 * 1000;

/// Failures are looked at sooner.
const FAILURES_EVERY_MS: u64 = 60 * 1000;

/// Notes what happens on accounts. A note that cannot be written is not missed.
pub struct ChannelNotes {
    log: Arc<dyn ChannelLog>,
    noted: Mutex<HashMap<(String, String, &'static str), Millis>>,
}

impl ChannelNotes {
    /// Nothing has been noted yet.
    pub fn new(log: Arc<dyn ChannelLog>) -> Self {
        Self { log, noted: Mutex::default() }
    }

    /// Where they are kept.
    pub fn log(&self) -> &dyn ChannelLog {
        self.log.as_ref()
    }

    /// Notes it, unless the same kind was noted a moment ago.
    pub async fn note(&self, channel: &str, account: &str, what: Happening, now: Millis) {
        let (kind, every) = match what {
            Happening::Received => ("received", EVERY_MS),
            Happening::Sent => ("sent", EVERY_MS),
            Happening::Failed(_) => ("failed", FAILURES_EVERY_MS),
        };
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let last = noted.entry((channel.to_owned(), account.to_owned(), kind)).or_insert(Millis(0));
            if last.0 != 0 && now.since(*last) < every {
                return;
            }
            *last = now;
        }
        let _ = self.log.note(channel, account, &what, now).await; // A note that is lost is not missed.
    }
}
