//! How long to wait before the next try.

use std::time::Duration;

/// Twice as long each time, up to a limit, and never exactly: a thousand bridges that lost one server do not come back
/// in the same second.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first wait, at most.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Backoff {
    /// The wait after so many failures in a row, from 1: between half and the whole of what is allowed.
    pub fn after(&self, failures: u32) -> Duration {
        self.at(failures, rand::random::<f64>())
    }

    fn at(&self, failures: u32, dice: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.most).mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_are_spread() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
        let longest: Vec<u64> = (1..9).map(|failures| backoff.at(failures, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.at(3, 0.0), Duration::from_secs(2));
        assert_eq!(backoff.at(u32::MAX, 1.0), Duration::from_secs(60));
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| backoff.after(5)).collect();
        assert!(waits.len() > 1 && waits.iter().all(|wait| (8..=16).contains(&wait.as_secs())), "{waits:?}");
    }
}
