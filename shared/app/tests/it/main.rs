//! The verbs of the house, against the embedded store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod approvals;
mod commands;
mod forget;
mod halted;
mod house;
mod jobs;
mod ready;
mod revoked;
mod rotation;
mod sequence;
mod waited;
