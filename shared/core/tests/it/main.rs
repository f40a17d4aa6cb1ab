//! The core from outside: the turn in every order, and what OpenClaw answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod exhaustive;
mod openclaw_fixtures;
