//! The house as a whole: its shape, and its binaries against platforms, models and a local AWS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod architecture;
mod attacks;
mod bad_input;
mod binaries;
mod channels;
mod corpus;
mod dead_letters;
mod deployed;
mod explain;
mod forget;
mod killed;
mod local;
mod oracle;
mod platform;
mod sandbox;
mod stories;
mod subagents;
