//! The simulation, under test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
