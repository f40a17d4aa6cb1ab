//! Tokens, the keys that prove them, and PyJWT as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod jwt;
mod keys;
mod oracle;
