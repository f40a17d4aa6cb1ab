//! The client against servers on 127.0.0.1 that answer, lie, stall and break off.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)] // helpers of tests, where a panic is the failure
mod cost;
mod one_way_out;
mod proxy;
mod server;
mod ssrf;
mod tls;
mod wire;
