//! `subagents`: who may give work to whom, and how much; `tools.sessions`: who sees what.

use chela_core::agent_id::normalize_agent_id;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::agents::{AgentsSection, ModelChoice};
use crate::settings::Config;

/// `agents.defaults.subagents`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SubagentDefaults {
    /// Ids of agents that may be given work, beside the agent itself; `"*"` is all.
    pub allow_agents: Vec<String>,
    /// The model agents use for such work, instead of their own first.
    pub model: Option<ModelChoice>,
    /// How deep sub-agents may give work to others: 1 is not at all.
    #[schemars(range(min = 1, max = 5))]
    pub max_spawn_depth: u8,
    /// Most sub-agents of one conversation at a time.
    #[schemars(range(min = 1, max = 20))]
    pub max_children_per_agent: u16,
    /// Most sub-agents of one agent at a time.
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent: u16,
    /// Minutes after which a sub-agent that has ended is in no list of its conversation any more; 0 is never. What was said
    /// is kept.
    pub archive_after_minutes: u32,
}

impl Default for SubagentDefaults {
    fn default() -> Self {
        Self {
            allow_agents: Vec::new(),
            model: None,
            max_spawn_depth: 1,
            max_children_per_agent: 5,
            max_concurrent: 8,
            archive_after_minutes: 60,
        }
    }
}

/// `subagents` of one agent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Subagents {
    /// Ids of agents that it may give work to, beside itself, instead of those in the defaults; `"*"` is all.
    pub allow_agents: Option<Vec<String>>,
    /// The model it uses for work it is given, instead of its own first.
    pub model: Option<ModelChoice>,
}

/// `tools.sessions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionTools {
    /// Which other conversations an agent sees when it works for the owner; for others never more than `tree`.
    pub visibility: Option<SessionVisibility>,
}

/// `tools.sessions.visibility`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionVisibility {
    /// None.
    #[serde(rename = "self")]
    Own,
    /// That which gave it its work, and those it gave work to.
    #[default]
    Tree,
    /// All of the same agent.
    Agent,
    /// All.
    All,
}

impl AgentsSection {
    /// The ids of agents this one may give work to, beside itself, in normal form.
    pub fn may_give_work_to(&self, id: &str) -> Vec<String> {
        let own = self.entry(id).and_then(|agent| agent.subagents.allow_agents.as_ref());
        let allowed = own.unwrap_or(&self.defaults.subagents.allow_agents);
        let named: Vec<String> = allowed.iter().map(|id| normalize_agent_id(Some(id))).collect();
        let all = allowed.iter().any(|id| id == "*");
        let others = self.ids().into_iter().filter(|other| *other != normalize_agent_id(Some(id)));
        others.filter(|other| all || named.contains(other)).collect()
    }

    /// The model an agent uses for work it is given, if it is another than its first.
    pub fn subagent_model_of(&self, id: &str) -> Option<&str> {
        let own = self.entry(id).and_then(|agent| agent.subagents.model.as_ref());
        own.or(self.defaults.subagents.model.as_ref())?.primary.as_deref()
    }
}

impl Config {
    /// Which other conversations an agent sees: the narrower of what its own tools and all tools say.
    pub fn session_visibility_of(&self, agent: &str) -> SessionVisibility {
        let own = self.agents.entry(agent).and_then(|entry| entry.tools.sessions.visibility);
        let all = self.tools.sessions.visibility;
        own.into_iter().chain(all).min().unwrap_or_default()
    }
}
