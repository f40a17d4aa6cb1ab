//! One budget of time for the calls that show one message.

use std::sync::Arc;
use std::time::Duration;

use chela_core::clock::{Clock, Millis};

/// What is left of the time a part may take, where more than one call is needed.
#[derive(Clone)]
pub struct Deadline {
    clock: Arc<dyn Clock>,
    since: Millis,
    whole: Duration,
}

impl Deadline {
    /// From now on.
    pub fn new(clock: &Arc<dyn Clock>, whole: Duration) -> Self {
        Self { clock: clock.clone(), since: clock.now(), whole }
    }

    /// What is left; zero when it is over.
    pub fn left(&self) -> Duration {
        self.whole.saturating_sub(Duration::from_millis(self.clock.now().since(self.since)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Ticking(AtomicU64);

    impl Clock for Ticking {
        fn now(&self) -> Millis {
            Millis(self.0.fetch_add(400, Ordering::Relaxed))
        }

        fn unique(&self) -> String {
            "u".to_owned()
        }
    }

    #[test]
    fn later_calls_have_less_time() {
        let clock: Arc<dyn Clock> = Arc::new(Ticking(AtomicU64::new(1_000)));
        let deadline = Deadline::new(&clock, Duration::from_millis(700));
        assert_eq!([deadline.left(), deadline.left()].map(|left| left.as_millis()), [300, 0]);
    }
}
