//! Providers of media against servers that remember what they were asked and answer by a script.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod ears;
mod painted;
mod pdf;
mod server;
mod spoken;
