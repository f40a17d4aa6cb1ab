//! Discord: the laws of channels, what it says and is asked, and judges of its signatures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod answers;
mod laws;
mod oracle;
mod reading;
mod subject;
