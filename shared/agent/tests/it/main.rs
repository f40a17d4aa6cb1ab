//! The turn, told as stories.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod commands;
mod crashes;
mod delivery;
mod faults;
mod models;
mod redelivery;
mod together;
mod world;
