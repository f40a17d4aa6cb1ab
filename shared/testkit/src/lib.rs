//! What tests of every crate share. A development dependency only.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

pub mod channel;
pub mod clock;
pub mod laws;
pub mod memory;
pub mod model;
pub mod purse;
