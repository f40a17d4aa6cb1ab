//! Places at which a test kills the process, as if its machine had lost its power. Nothing of it is in a release build.
//!
//! `CHELA_KILL_AT=sending.before` kills at the first time that point is reached.

/// Whether points are looked at in this build.
pub const ARMED: bool = cfg!(debug_assertions);

/// Dies here, without any farewell, if a test named this point.
#[inline]
pub fn reached(point: &str) {
    #[cfg(debug_assertions)]
    armed::reached(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;

    use rustix::process::{Signal, getpid, kill_process};

    /// The point named by the test.
    static NAMED: OnceLock<Option<String>> = OnceLock::new();

    pub(super) fn reached(point: &str) {
        let named = NAMED.get_or_init(|| std::env::var("CHELA_KILL_AT").ok());
        if named.as_deref() == Some(point) {
            // SIGKILL: no destructor, no flush, no other thread goes on. It cannot fail for one's own process.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}
