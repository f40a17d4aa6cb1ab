//! Skills from outside and on the shelf.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]

mod installing;
mod openclaw;
mod shelf;
