//! Not too fast: servers have no answer for "slower", they end the connection ("Excess Flood").

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, then one after each pause; pauses that were not needed are saved up again.
#[derive(Debug)]
pub(super) struct Pace {
    ahead: Duration,
    every: Duration,
    /// When all that was said would have been said at an even pace.
    even: Instant,
}

impl Pace {
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        Self { ahead: every.saturating_mul(burst.saturating_sub(1)), every, even: Instant::now() }
    }

    /// When the next message may be said.
    pub(super) fn next(&self) -> Instant {
        self.even.checked_sub(self.ahead).unwrap_or(self.even)
    }

    /// One was said.
    pub(super) fn said(&mut self) {
        self.even = self.even.max(Instant::now()) + self.every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_an_even_pace() {
        let began = Instant::now();
        let mut pace = Pace::new(4, Duration::from_secs(1));
        let mut times = Vec::new();
        for _ in 0..7 {
            tokio::time::sleep_until(pace.next()).await;
            pace.said();
            times.push(began.elapsed().as_secs());
        }
        assert_eq!(times, [0, 0, 0, 0, 1, 2, 3]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!((0..4).all(|_| {
            let now = pace.next() <= Instant::now();
            pace.said();
            now
        }));
        assert!(pace.next() > Instant::now(), "more than a burst is not saved up");
    }
}
