//! The turn, told as stories.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod approvals;
mod authority;
mod bad_answers;
mod blocks;
mod commands;
mod compaction;
mod crashes;
mod delivery;
mod extras;
mod failover;
mod faults;
mod flow;
mod media;
mod messages;
mod models;
mod on_demand;
mod pictures;
mod redelivery;
mod room;
mod segments;
mod services;
mod spending;
mod subagents;
mod together;
mod tools;
mod world;
