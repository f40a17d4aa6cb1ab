//! Every dialect against a server that remembers what it was asked and answers by a script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests, where a panic is the failure

mod answered;
mod asked;
mod carried;
mod litellm;
mod opened;
mod oracle;
mod refused;
mod server;
mod small;
