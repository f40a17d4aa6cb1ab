//! Twilio: the laws of channels, its own rules in both directions, and its SDK as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod cut;
mod laws;
mod oracle;
mod proof;
mod rest_api;
mod subject;
