//! Google Chat: the laws of channels, its own rules in both directions, and Google's library as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod chat_api;
mod laws;
mod oracle;
mod subject;
