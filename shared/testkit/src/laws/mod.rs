//! The conformance suites: one per port, and every adapter of a port passes all of it.
//!
//! A law is an `async fn` that asks one thing of a fresh, empty adapter through its port alone. A suite is used by
//! one line in a test file, which makes one named test of every law:
//!
//! ```ignore
//! async fn sessions() -> Subject<dyn SessionStore> { Subject::new(Box::new(open_a_fresh_store().await)) }
//! chela_testkit::session_laws!(sessions);
//! ```
//!
//! Times are passed in and lie around [`NOW`]. Only queues have a clock of their own, see [`queue::QueueSubject`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "laws are the body of tests"
)]

pub mod access;
pub mod approval;
pub mod audit;
pub mod blobs;
pub mod channel;
pub mod channel_log;
pub mod cooldowns;
pub mod dead_letters;
pub mod directory;
pub mod erasure;
pub mod events;
pub mod queue;
pub mod sandbox;
pub mod schedules;
pub mod secrets;
pub mod sessions;
pub mod spend;

mod sample;

use std::any::Any;
use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::Arc;

use chela_core::clock::Millis;

/// The time laws take as the present: in the year 2096, so that no store that sweeps by its own clock finds
/// anything of theirs expired.
pub const NOW: Millis = Millis(4_000_000_000_000);

/// A fresh, empty adapter, and whatever must live as long as it does (a temporary folder, a server).
pub struct Subject<P: ?Sized> {
    port: Arc<P>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl<P: ?Sized> Subject<P> {
    /// An adapter that needs nothing else.
    pub fn new(port: Box<P>) -> Self {
        Self::keeping(port.into(), ())
    }

    /// An adapter and what it stands on; `kept` is dropped after the adapter.
    pub fn keeping(port: Arc<P>, kept: impl Any + Send + Sync) -> Self {
        Self { port, _kept: Box::new(kept) }
    }
}

impl<P: ?Sized> Deref for Subject<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

/// A law borrows the port; suites with subjects of their own borrow those.
impl<P: ?Sized> Borrow<P> for Subject<P> {
    fn borrow(&self) -> &P {
        &self.port
    }
}

/// One test for each law of a suite. Called by the suites' own macros, which hold the lists.
#[macro_export]
#[doc(hidden)]
macro_rules! law_tests {
    ($suite:ident, $make:expr, [$($law:ident),* $(,)?]) => {
        mod $suite {
            use super::*;
            $(
                #[tokio::test]
                async fn $law() {
                    let subject = ($make)().await;
                    $crate::laws::$suite::$law(std::borrow::Borrow::borrow(&subject)).await;
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    /// A law that stands in no list is never run.
    #[test]
    fn every_law_is_in_the_list_of_its_suite() {
        let suites = [
            include_str!("access.rs"),
            include_str!("blobs.rs"),
            include_str!("channel_log.rs"),
            include_str!("cooldowns.rs"),
            include_str!("dead_letters.rs"),
            include_str!("directory.rs"),
            include_str!("erasure.rs"),
            include_str!("events.rs"),
            include_str!("queue.rs"),
            include_str!("sandbox.rs"),
            include_str!("schedules.rs"),
            include_str!("secrets.rs"),
            include_str!("sessions.rs"),
            include_str!("spend.rs"),
        ];
        for suite in suites {
            let (laws, list) = suite.split_once("#[macro_export]").expect("a suite ends with its list");
            let named: Vec<_> = laws.split("\npub async fn ").skip(1).filter_map(|f| f.split('(').next()).collect();
            assert!(!named.is_empty());
            for law in named {
                let listed = list.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == law);
                assert!(listed, "law \"{law}\" is missing from the list below it");
            }
        }
    }
}
