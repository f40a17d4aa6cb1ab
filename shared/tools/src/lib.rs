//! The tools every agent has, one file each, and the files of its workspace.
//!
//! All of them see nothing but `agents/<id>/` of the file store: configuration, media and other agents are out of reach
//! by construction, not by a list of forbidden names. Other conversations are reached by [`sessions`] alone.

mod arguments;
mod edit;
mod memory_save;
mod memory_search;
mod read;
mod session_status;
pub mod sessions;
mod text_file;
pub mod workspace;
mod write;

use std::sync::Arc;

use chela_core::tool::Tool;

/// The tools that need no configuration, in the order in which models see them.
pub fn all() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(read::Read),
        Arc::new(write::Write),
        Arc::new(edit::Edit),
        Arc::new(memory_save::MemorySave),
        Arc::new(memory_search::MemorySearch),
        Arc::new(session_status::SessionStatus),
    ]
}

#[cfg(test)]
mod tests;
