//! Teams: the laws of channels, the Bot Framework's own rules, and its SDK as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod bot_framework;
mod laws;
mod oracle;
mod subject;
