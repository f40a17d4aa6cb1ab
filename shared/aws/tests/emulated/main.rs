//! The adapters against an AWS-compatible server over HTTP: the laws every adapter of a port obeys, and what is
//! promised for AWS alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod halting;
mod laws;
mod requests;
mod server;
mod services;
