//! Which tools a turn may use.
//!
//! Every part of the configuration that has something to say about it is a [`Layer`]: the profile, `tools`, the agent,
//! the provider of the model, the channel, the room, the sender, sub-agents. A tool may be used if every layer lets it:
//! a layer can only take away. Within a layer `deny` wins over `allow`. Which rules stand in a layer is chosen where
//! OpenClaw chooses (an agent's profile instead of the profile of all, the room's rules for this sender instead of its
//! rules for all), so that its configurations keep their meaning.
//!
//! Layers follow from a [`Limit`], which says on whose behalf a turn is made. A limit travels with whatever is handed on,
//! and nothing is ever taken out of it: so what a sub-agent, a letter to another conversation, a schedule or a decision
//! has begun is bound by the layers of whoever began it as well as by its own.

mod catalog;
mod layers;
mod limit;
mod sender;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::agent_id::AgentId;
use crate::tool::{Caller, Tool};

pub use catalog::{CATALOG, Entry, Known, MCP, Profile, groups, known, words};
pub use limit::{Limit, Step, Who};
pub use sender::{SenderKey, SenderKeyError};

/// Tools that sub-agents never have: they act in the world in the owner's name, and only a conversation with a person may.
/// OpenClaw takes the same from them.
pub const NOT_FOR_SUBAGENTS: &[&str] = &["message", "cron", "gateway"];

/// Lists of tools: names, groups (`group:fs`), and `*` for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ToolRules {
    /// Tools that may be used: names, groups such as `group:fs`, and `*` for any characters; all if left out, none if it is
    /// empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Tools that may be used beside those of `allow`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_allow: Vec<String>,
    /// Tools that may not be used, whatever else says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// Tools while the models of one provider, or one model, speak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ModelToolRules {
    /// What it begins with.
    pub profile: Option<Profile>,
    /// Tools that may be used; all of the profile if left out, none if it is empty.
    pub allow: Option<Vec<String>>,
    /// Tools that may be used beside those of the profile.
    pub also_allow: Vec<String>,
    /// Tools that may not be used, whatever else says.
    pub deny: Vec<String>,
}

/// What one scope says: all agents, or one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Its key in the configuration: `tools`, or `agents.entries.<id>.tools`.
    pub at: String,
    /// What it begins with.
    pub profile: Option<Profile>,
    /// Its lists.
    pub rules: ToolRules,
    /// By `provider` or `provider/model`.
    pub by_provider: BTreeMap<String, ModelToolRules>,
    /// By [`SenderKey`] as it is written.
    pub by_sender: BTreeMap<String, ToolRules>,
}

/// What one account of a channel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The key of its lists in the configuration: `channels.<id>.tools`.
    pub at: String,
    /// For all that is written there.
    pub rules: ToolRules,
    /// By room; `*` for every other.
    pub rooms: BTreeMap<String, Room>,
}

/// What one room says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Its key in the configuration: `channels.<id>.groups.<id>`.
    pub at: String,
    /// For everybody in it.
    pub rules: Option<ToolRules>,
    /// For some, instead.
    pub by_sender: BTreeMap<String, ToolRules>,
}

/// All that configuration says about tools. The default takes nothing away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolPolicy {
    /// For all agents.
    pub all: Scope,
    /// For each agent that is configured; none if that is not known.
    pub agents: BTreeMap<AgentId, Scope>,
    /// By channel and account, each that is configured; none if that is not known.
    pub places: BTreeMap<(String, String), Place>,
    /// For sub-agents.
    pub subagents: ToolRules,
}

/// Something that may take tools away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The key of the configuration it comes from.
    pub at: String,
    /// The last word of the key that `allow` comes from: `allow` or `profile`.
    pub allowed_by: &'static str,
    /// What it lets through; everything if `None`.
    pub allow: Option<Vec<String>>,
    /// What it holds back.
    pub deny: Vec<String>,
}

/// What refuses a tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} does not allow it")]
pub struct Refused {
    /// The key of the configuration.
    pub key: String,
}

/// Whether all layers let a tool be used; else the first that does not.
pub fn decide(tool: &str, layers: &[Layer]) -> Result<(), Refused> {
    let tool = catalog::normal(tool);
    let fits = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &tool));
    for layer in layers {
        if fits(&layer.deny) {
            return Err(Refused { key: format!("{}.deny", layer.at) });
        }
        if layer.allow.as_deref().is_some_and(|allow| !fits(allow)) {
            return Err(Refused { key: format!("{}.{}", layer.at, layer.allowed_by) });
        }
    }
    Ok(())
}

fn matches(pattern: &str, tool: &str) -> bool {
    if pattern.contains('*') { WildMatch::new(pattern).matches(tool) } else { pattern == tool }
}

impl ToolPolicy {
    /// The tools this caller may use: those that are there for them, and that no layer refuses. The one place in which
    /// that is decided, for what a model is offered, what it finds and what runs.
    pub fn usable<'t>(&self, tools: &'t [Arc<dyn Tool>], caller: &Caller) -> Vec<&'t Arc<dyn Tool>> {
        let layers = self.layers(&caller.limit, caller.depth);
        let may = |tool: &&Arc<dyn Tool>| tool.offered(caller) && decide(&tool.spec().name, &layers).is_ok();
        tools.iter().filter(may).collect()
    }
}

impl Layer {
    /// The layer of these rules; `None` if they take nothing away.
    fn of(at: String, rules: &ToolRules) -> Option<Self> {
        let allow = rules.allow.as_ref().map(|allow| {
            let names = allow.iter().chain(&rules.also_allow);
            catalog::expanded(&names.collect::<Vec<_>>())
        });
        let deny = catalog::expanded(&rules.deny);
        (allow.is_some() || !deny.is_empty()).then_some(Self { at, allowed_by: "allow", allow, deny })
    }

    fn of_profile(at: &str, profile: Option<Profile>, also: &[String]) -> Option<Self> {
        let mut allow = catalog::expanded(&profile?.allows()?);
        allow.extend(catalog::expanded(also));
        Some(Self { at: at.to_owned(), allowed_by: "profile", allow: Some(allow), deny: Vec::new() })
    }

    /// Lets nothing through.
    pub fn nothing(at: String) -> Self {
        Self { at, allowed_by: "allow", allow: Some(Vec::new()), deny: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
