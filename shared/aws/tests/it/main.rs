//! The adapters against an AWS-compatible server over HTTP: the laws every adapter of a port obeys, and what is
//! promised for AWS alone. What no emulator answers is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod halting;
mod laws;
mod requests;
mod sandbox;
mod server;
mod services;
