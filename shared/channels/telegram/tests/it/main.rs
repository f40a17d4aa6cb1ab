//! Telegram: the laws of channels, its Bot API, and a library of bots as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod bot_api;
mod files_and_buttons;
mod forwards;
mod laws;
mod oracle;
mod subject;
