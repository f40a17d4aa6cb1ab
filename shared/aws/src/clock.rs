//! The clock of the function's environment: the one place here that reads time and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use chela_core::clock::{Clock, Millis};

/// [`Clock`] of a Lambda function; Lambda keeps it within milliseconds of the real time.
#[derive(Clone, Copy, Debug, Default)]
pub struct LambdaClock;

impl Clock for LambdaClock {
    fn now(&self) -> Millis {
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
        let names: BTreeSet<String> = (0..1000).map(|_| LambdaClock.unique()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().flat_map(|name| name.chars()).all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
    }
}
