//! The tools every agent has, one file each, and the files of its workspace.
//!
//! All of them see nothing but `agents/<id>/` of the file store: configuration, media and other agents are out of reach
//! by construction, not by a list of forbidden names. Other conversations are reached by [`sessions`] alone.

mod apply_patch;
mod arguments;
mod carry;
mod cron;
mod edit;
mod exec;
mod find;
mod grep;
mod ls;
mod memory_get;
mod memory_graph;
mod memory_save;
mod memory_search;
mod message;
pub mod on_demand;
mod patch;
mod pattern;
mod process;
mod read;
mod session_status;
pub mod sessions;
mod text_file;
mod tree;
pub mod workspace;
mod write;

use std::sync::Arc;

use chela_core::message::ReplyAddress;
use chela_core::tool::Tool;
use chela_memory::Memory;

pub use cron::CronSettings;
pub use exec::ExecSettings;
pub use process::Runs;

/// What tools are made with.
#[derive(Clone, Default)]
pub struct ToolSettings {
    /// How notes are searched.
    pub memory: Arc<Memory>,
    /// Where commands run; without it there is no tool for them.
    pub exec: Option<ExecSettings>,
    /// Places that may be written to unasked.
    pub written_to: Vec<ReplyAddress>,
    /// Schedules of agents' making; without it there is no tool for them.
    pub cron: Option<CronSettings>,
}

/// All tools, in the order in which models see them.
pub fn all(settings: &ToolSettings) -> Vec<Arc<dyn Tool>> {
    let mut tools: Vec<Arc<dyn Tool>> =
        vec![Arc::new(read::Read), Arc::new(write::Write), Arc::new(edit::Edit), Arc::new(memory_save::MemorySave)];
    if settings.memory.settings().enabled {
        tools.push(Arc::new(memory_search::MemorySearch { memory: settings.memory.clone() }));
        tools.push(Arc::new(memory_get::MemoryGet));
    }
    tools.push(Arc::new(memory_graph::MemoryGraph));
    tools.push(Arc::new(session_status::SessionStatus));
    tools.extend::<[Arc<dyn Tool>; 4]>([
        Arc::new(apply_patch::ApplyPatch),
        Arc::new(ls::Ls),
        Arc::new(find::Find),
        Arc::new(grep::Grep),
    ]);
    if let Some(exec) = &settings.exec {
        tools.push(Arc::new(exec::Exec(exec.clone())));
        if exec.sandbox.as_ref().is_ok_and(|sandbox| sandbox.outlives_a_turn()) {
            tools.push(Arc::new(process::Process(exec.runs.clone())));
        }
    }
    tools.push(Arc::new(message::Message { allow: settings.written_to.clone() }));
    if let Some(cron) = settings.cron.as_ref().filter(|cron| cron.max_jobs > 0) {
        tools.push(Arc::new(cron::Cron(cron.clone())));
    }
    tools
}

#[cfg(test)]
mod tests;
