//! Slack: the laws of channels, its own rules in both directions, how it is set up, and its SDK as the judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod account;
mod files_and_buttons;
mod laws;
mod oracle;
mod outbound;
mod samples;
mod setup;
