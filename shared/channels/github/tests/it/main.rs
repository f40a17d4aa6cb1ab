//! GitHub: the laws of channels, its own rules in both directions, and libraries of others as judges.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod account;
mod app;
mod entrance;
mod laws;
mod oracle;
mod outbound;
mod subject;
