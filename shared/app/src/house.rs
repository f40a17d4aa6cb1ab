//! What configuration says about agents among themselves: who may give work to whom, and how each is told apart.

use std::sync::Arc;

use crate::install::archive_after;
use chela_agent::Voice;
use chela_config::{Config, SessionVisibility};
use chela_core::agent_id::AgentId;
use chela_core::tool::Tool;
use chela_tools::sessions::{self, House, Member, Visibility};

/// The tools of an agent for other conversations.
pub(crate) fn tools(config: &Config, agent: &AgentId, id: &str) -> Vec<Arc<dyn Tool>> {
    let agents = &config.agents;
    let member = |id: &String| {
        let member = Member {
            name: config.name_of(id).map(str::to_owned),
            description: agents.entry(id).and_then(|entry| entry.description.clone()),
            models: agents.models_of(id),
            model: agents.subagent_model_of(id).map(str::to_owned),
        };
        (AgentId::new(id), member)
    };
    let limits = &agents.defaults.subagents;
    let house = House {
        agents: agents.ids().iter().map(member).collect(),
        allowed: agents.may_give_work_to(id).iter().map(|id| AgentId::new(id)).filter(|id| id != agent).collect(),
        visibility: match config.session_visibility_of(id) {
            SessionVisibility::Own => Visibility::Own,
            SessionVisibility::Tree => Visibility::Tree,
            SessionVisibility::Agent => Visibility::Agent,
            SessionVisibility::All => Visibility::All,
        },
        max_depth: limits.max_spawn_depth,
        max_children: limits.max_children_per_agent,
        max_concurrent: limits.max_concurrent,
        archive_after: archive_after(config),
    };
    sessions::tools(&Arc::new(house))
}

/// What an agent's answers begin with.
pub(crate) fn voice(config: &Config, id: &str) -> Voice {
    Voice {
        prefix: config.response_prefix_of(id),
        signature: config.signature_of(id),
        shared: config.broadcast.places_of(id).map(str::to_owned).collect(),
    }
}
