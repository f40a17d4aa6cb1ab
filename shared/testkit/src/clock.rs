//! Time that stands still until a test moves it.

use std::sync::atomic::{AtomicU64, Ordering};

use chela_core::clock::{Clock, Millis};

/// A clock a test moves by hand; names it deals are numbered.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    dealt: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Millis) -> Self {
        Self { now: AtomicU64::new(now.0), dealt: AtomicU64::new(0) }
    }

    /// Moves the clock.
    pub fn advance(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::SeqCst))
    }

    fn unique(&self) -> String {
        format!("name{}", self.dealt.fetch_add(1, Ordering::SeqCst))
    }
}
