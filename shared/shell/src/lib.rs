#![doc = include_str!("../README.md")]

mod doubt;
mod judge;
mod programs;
mod read;
mod risk;
mod text;
mod word;

pub use doubt::Doubt;
pub use judge::{Verdict, script, verdict, verdict_argv};
pub use text::{digest, shown};

/// The longest command that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
