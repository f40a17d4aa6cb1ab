//! WhatsApp: the laws of channels, its Cloud API, and an SDK as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod cloud_api;
mod laws;
mod oracle;
mod posts;
mod subject;
