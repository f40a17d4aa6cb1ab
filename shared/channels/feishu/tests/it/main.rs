//! Feishu: the laws of channels, its own rules in both directions, and its SDK as the judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod account;
mod entrance;
mod laws;
mod oracle;
mod outbound;
mod subject;
