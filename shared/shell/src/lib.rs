#![doc = include_str!("../README.md")]

mod doubt;
mod judge;
mod programs;
mod read;
mod risk;
mod rule;
mod text;
mod word;

pub use doubt::Doubt;
pub use judge::{Judgement, Verdict, judge, judge_argv, verdict};
pub use rule::{Rule, RuleError};
pub use text::{digest, shown};

/// The longest command that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
