//! What holds on one machine, beyond the laws that every adapter keeps.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod blobs;
mod crash;
mod events;
mod open;
mod queue;
mod schedules;
mod secrets;
mod sessions;
mod spending;
mod support;
