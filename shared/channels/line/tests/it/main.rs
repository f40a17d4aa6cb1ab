//! LINE: the laws of channels, its Messaging API, and its SDK as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod laws;
mod messaging_api;
mod oracle;
mod subject;
