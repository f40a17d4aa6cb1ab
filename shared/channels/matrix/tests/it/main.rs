//! Matrix: the laws of channels, its own rules in both directions, and a real Synapse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "test code"
)]

mod attend;
mod homeserver;
mod inbound;
mod laws;
mod outbound;
mod subject;
mod synapse;
