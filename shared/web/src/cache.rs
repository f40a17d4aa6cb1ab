//! What was asked a moment ago is not asked again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chela_core::clock::Millis;

/// Most answers that are kept.
const MOST: usize = 64;

/// Most bytes of them together.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Answers of this process, each for a while.
pub(crate) struct Cache {
    ttl: Duration,
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    key: String,
    text: String,
    at: Millis,
}

impl Cache {
    /// Keeps nothing if `ttl` is zero.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, kept: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &str, now: Millis) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |it: &&Kept| it.key == key && u128::from(now.since(it.at)) < self.ttl.as_millis();
        kept.iter().find(fresh).map(|it| it.text.clone())
    }

    pub(crate) fn put(&self, key: String, text: &str, now: Millis) {
        if self.ttl.is_zero() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|it| it.key != key);
        kept.push_back(Kept { key, text: text.to_owned(), at: now });
        let mut bytes: usize = kept.iter().map(|it| it.text.len()).sum();
        while kept.len() > MOST || bytes > MOST_BYTES {
            let Some(oldest) = kept.pop_front() else { return };
            bytes = bytes.saturating_sub(oldest.text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_a_while_and_not_without_end() {
        let cache = Cache::new(Duration::from_secs(60));
        cache.put("a".into(), "1", Millis(0));
        assert_eq!(cache.get("a", Millis(59_999)).as_deref(), Some("1"));
        assert_eq!((cache.get("a", Millis(60_000)), cache.get("b", Millis(0))), (None, None));
        for at in 0..MOST {
            cache.put(format!("k{at}"), "x", Millis(1));
        }
        assert_eq!((cache.get("a", Millis(1)), cache.get("k0", Millis(1)).as_deref()), (None, Some("x")));
        cache.put("large".into(), &"x".repeat(MOST_BYTES), Millis(1));
        assert!(cache.get("k63", Millis(1)).is_none() && cache.get("large", Millis(1)).is_some());
        let none = Cache::new(Duration::ZERO);
        none.put("a".into(), "1", Millis(0));
        assert_eq!(none.get("a", Millis(0)), None);
    }
}
