//! The sandbox, from outside: what a command may do, and everything it may not, in the jail of a laptop and in a world made
//! like Lambda's; run by whoever runs the tests and, where that is root, by nobody too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod command;
mod escape;
mod laws;
mod place;
mod remains;
mod unprivileged;
