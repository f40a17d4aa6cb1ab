//! What tests share obeys the same laws as what it stands for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod memory;
