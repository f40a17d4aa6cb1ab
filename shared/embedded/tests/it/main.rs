//! The laws that every adapter keeps, and what holds on one machine beyond them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod blobs;
mod crash;
mod events;
mod laws;
mod open;
mod queue;
mod schedules;
mod secrets;
mod sessions;
mod spending;
mod support;
