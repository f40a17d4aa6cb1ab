#![doc = include_str!("../README.md")]

mod bundle;
mod eligible;
#[cfg(feature = "install")]
pub mod install;
mod lock;
mod prompt;
mod scan;
mod shelf;
mod skill;
mod tool;

pub use bundle::{Bundle, BundleError, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};
pub use eligible::{Ground, Missing};
pub use lock::{LOCK_NAME, Lock, Locked};
pub use prompt::{PROMPT_MAX_CHARS, Template, expand, listing};
pub use scan::{Finding, Severity, scan};
pub use shelf::{Shelf, ShelfSettings, Stocked};
pub use skill::{BadSkill, Needs, Skill, read_skill};
pub use tool::SkillTool;
