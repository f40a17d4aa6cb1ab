//! Mail: the laws of channels, how it is delivered, and Python's libraries as judges.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod delivery;
mod laws;
mod oracle;
mod subject;
