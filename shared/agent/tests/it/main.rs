//! The turn, told as stories.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod commands;
mod crashes;
mod delivery;
mod extras;
mod faults;
mod models;
mod redelivery;
mod room;
mod segments;
mod subagents;
mod together;
mod world;
