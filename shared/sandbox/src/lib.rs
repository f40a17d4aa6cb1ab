//! Runs one command that a model chose, where nothing can be stolen. Two places, one program inside:
//!
//! | place | walls around it |
//! |---|---|
//! | the `sandbox` function | a function of its own, whose code has no right and no route |
//! | [`Jail`], on a laptop | bubblewrap: namespaces, a read-only system, no home, no network, a private `/tmp` |
//!
//! Inside, both do the same ([`run`]): a fresh folder with the files that were brought, a clean environment, limits, a
//! filter of system calls that leaves no socket, and afterwards no process and no file of it. Limits and filter need a
//! stage between the house and the command ([`take_over`]), because a process can only bind itself.

mod enter;
mod folder;
mod jail;
mod limits;
mod run;
mod stage;
mod strays;

pub use jail::{Jail, Unjailed};
pub use limits::{DISK_BYTES, MEMORY_BYTES, MOST_FILES, MOST_PROCESSES};
pub use run::{Walls, run};
pub use stage::take_over;
