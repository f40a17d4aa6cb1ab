//! The webhook: the laws of channels, and the reference library as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod laws;
mod oracle;
mod subject;
