//! The clock of the machine: the one place here that reads time and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use chela_core::clock::{Clock, Millis};

/// [`Clock`] of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        // A machine whose clock stands before 1970 is told that it is 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// 128 random bits as 32 hexadecimal digits.
    fn unique(&self) -> String {
        format!("{:032x}", rand::random::<u128>())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let names: BTreeSet<String> = (0..1000).map(|_| SystemClock.unique()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().flat_map(|name| name.chars()).all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
    }

    #[test]
    fn the_time_is_that_of_this_century() {
        let now = SystemClock.now();
        assert!(now > Millis(1_700_000_000_000) && now < Millis(4_200_000_000_000), "{now:?}");
    }
}
