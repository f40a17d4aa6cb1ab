//! Instagram: the laws of channels, its Send API, and an SDK as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod laws;
mod oracle;
mod send_api;
mod subject;
