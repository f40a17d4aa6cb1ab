//! `agents`: who answers, with which model, and when unasked.

use std::collections::BTreeMap;

use chela_core::agent_id::{DEFAULT_AGENT_ID, normalize_agent_id, normalize_agent_id_strict};
use chela_core::model::Thinking;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::channels::BlockStreamingBreak;
use crate::context::{Compaction, ContextPruning};
use crate::identity::Identity;
use crate::media::MediaModels;
use crate::schedules::Destination;
use crate::settings::GroupChat;
use crate::skills::ContextRule;
use crate::subagents::{SubagentDefaults, Subagents};
use crate::tools::AgentTools;

/// `agents`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentsSection {
    /// What holds for every agent that does not say otherwise.
    pub defaults: AgentDefaults,
    /// The agents by id. Without any there is one, `main`.
    pub entries: BTreeMap<String, Agent>,
    /// The agents, each with its id: the older form of `entries`, which counts if both are there.
    pub list: Vec<Agent>,
    /// `"explicit"` where no agent answers unless a binding names it.
    pub ownership: Option<Ownership>,
}

impl AgentsSection {
    /// The agent with this id, if it is configured.
    pub fn entry(&self, id: &str) -> Option<&Agent> {
        let same = |other: &str| normalize_agent_id(Some(other)) == normalize_agent_id(Some(id));
        if self.entries.is_empty() {
            return self.list.iter().find(|agent| agent.id.as_deref().is_some_and(same));
        }
        self.entries.iter().find(|(key, _)| same(key)).map(|(_, agent)| agent)
    }

    /// Ids of all agents in their normal form; `main` if none is configured.
    pub fn ids(&self) -> Vec<String> {
        let named: Vec<&str> = if self.entries.is_empty() {
            self.list.iter().filter_map(|agent| agent.id.as_deref()).collect()
        } else {
            self.entries.keys().map(String::as_str).collect()
        };
        if named.is_empty() {
            return vec![DEFAULT_AGENT_ID.to_owned()];
        }
        named.into_iter().map(|id| normalize_agent_id(Some(id))).collect()
    }

    /// Models to ask for this agent, in order of preference, as `provider/model`; none if nothing says so.
    pub fn models_of(&self, id: &str) -> Vec<String> {
        let own = self.entry(id).and_then(|agent| agent.model.as_ref());
        own.or(self.defaults.model.as_ref()).map(ModelChoice::in_order).unwrap_or_default()
    }

    /// The only skills this agent may use, if something says so.
    pub fn skills_of(&self, id: &str) -> Option<&[String]> {
        self.entry(id).and_then(|agent| agent.skills.as_deref()).or(self.defaults.skills.as_deref())
    }

    /// What the model of this agent is told when it is needed.
    pub fn context_of(&self, id: &str) -> Vec<&ContextRule> {
        self.defaults.context.iter().chain(self.entry(id).iter().flat_map(|agent| &agent.context)).collect()
    }

    /// Folders of the file store, by id, for agents that work in another one than their own. Of a path its last name
    /// counts; OpenClaw's own default means nothing here.
    pub fn workspaces(&self) -> BTreeMap<String, String> {
        let other = |id: String| {
            let path = self.entry(&id)?.workspace.as_deref()?;
            let folder = folder(path).filter(|folder| *folder != id && folder != OPENCLAW_WORKSPACE)?;
            Some((id, folder))
        };
        self.ids().into_iter().filter_map(other).collect()
    }

    /// How hard the models of this agent think, unless a conversation chooses otherwise.
    pub fn thinking_of(&self, id: &str) -> Thinking {
        self.entry(id).and_then(|agent| agent.thinking_default).unwrap_or(self.defaults.thinking_default)
    }

    /// The heartbeat of this agent.
    pub fn heartbeat_of(&self, id: &str) -> Option<&Heartbeat> {
        self.entry(id).and_then(|agent| agent.heartbeat.as_ref()).or(self.defaults.heartbeat.as_ref())
    }
}

/// `agents.ownership`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// Only bindings decide who answers.
    Explicit,
}

/// `agents.defaults`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentDefaults {
    /// The model, as `provider/model`. Without one the offline model `echo` answers.
    pub model: Option<ModelChoice>,
    /// How hard models think before they answer.
    pub thinking_default: Thinking,
    /// Where `streaming.block` of a channel ends a message: `text_end`, within a growing answer, too; `message_end`, only
    /// where the model stops speaking.
    pub block_streaming_break: BlockStreamingBreak,
    /// The zone in which days of notes begin and schedules are meant, as in `Europe/Berlin`; UTC if left out.
    pub user_timezone: Option<String>,
    /// Most characters of one workspace file in the prompt.
    #[schemars(range(min = 500))]
    pub bootstrap_max_chars: u32,
    /// Most characters of all workspace files in the prompt.
    #[schemars(range(min = 500))]
    pub bootstrap_total_max_chars: u32,
    /// Longest a turn may take, in seconds.
    #[schemars(range(min = 5, max = 86_400))]
    pub timeout_seconds: u32,
    /// A turn at regular intervals, if something says how often.
    pub heartbeat: Option<Heartbeat>,
    /// Models that make something else than words.
    pub media_models: MediaModels,
    /// The agent that does the house's own work.
    pub system_agent: Option<SystemAgent>,
    /// How a conversation that grows too long for its model becomes a summary.
    pub compaction: Compaction,
    /// How old results of tools are shortened for the model; what is stored stays whole.
    pub context_pruning: ContextPruning,
    /// Names of the only skills that agents may use; all if left out.
    pub skills: Option<Vec<String>>,
    /// More for the model to know, when it is needed.
    pub context: Vec<ContextRule>,
    /// Work that agents give to one another.
    pub subagents: SubagentDefaults,
}

impl Default for AgentDefaults {
    fn default() -> Self {
        Self {
            model: None,
            thinking_default: Thinking::Off,
            block_streaming_break: BlockStreamingBreak::TextEnd,
            user_timezone: None,
            bootstrap_max_chars: 8_000,
            bootstrap_total_max_chars: 24_000,
            timeout_seconds: 600,
            heartbeat: None,
            media_models: MediaModels::default(),
            system_agent: None,
            compaction: Compaction::default(),
            context_pruning: ContextPruning::default(),
            skills: None,
            context: Vec::new(),
            subagents: SubagentDefaults::default(),
        }
    }
}

/// `agents.defaults.systemAgent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemAgent {
    /// Its id.
    pub agent_id: Option<String>,
}

/// One agent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Agent {
    /// Its id, in `agents.list`; in `agents.entries` the key is the id.
    pub id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it answers what no binding claims.
    #[serde(rename = "default")]
    pub is_default: Option<bool>,
    /// Its model, instead of `agents.defaults.model`.
    pub model: Option<ModelChoice>,
    /// How hard its models think, instead of `agents.defaults.thinkingDefault`.
    pub thinking_default: Option<Thinking>,
    /// The folder below `agents/` in the file store that it works in, instead of that of its own id. Agents with the same
    /// folder share their files and their memory. Of a path, as OpenClaw has them, the last name counts.
    pub workspace: Option<String>,
    /// Its heartbeat, instead of `agents.defaults.heartbeat`.
    pub heartbeat: Option<Heartbeat>,
    /// What addresses it in rooms.
    pub group_chat: GroupChat,
    /// Which tools it may use, within what `tools` allows.
    pub tools: AgentTools,
    /// Names of the only skills it may use, instead of `agents.defaults.skills`.
    pub skills: Option<Vec<String>>,
    /// More for its model to know, beside `agents.defaults.context`.
    pub context: Vec<ContextRule>,
    /// Who it is.
    pub identity: Identity,
    /// What it is good at: what other agents read before they give it work.
    pub description: Option<String>,
    /// Work it gives to others and is given.
    pub subagents: Subagents,
}

/// The folder of OpenClaw's first agent where nothing else is said.
const OPENCLAW_WORKSPACE: &str = "workspace";

/// The name of the folder a path leads to, as the file store has it; `None` if it has no name.
pub(crate) fn folder(path: &str) -> Option<String> {
    let last = path.trim().trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next()?;
    normalize_agent_id_strict(Some(last)).ok()
}

/// A model and what stands in for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelChoice {
    /// Asked first, as `provider/model`.
    pub primary: Option<String>,
    /// Asked in this order while those before do not answer.
    pub fallbacks: Vec<String>,
}

impl ModelChoice {
    /// All of them, the first one first.
    pub fn in_order(&self) -> Vec<String> {
        self.primary.iter().chain(&self.fallbacks).cloned().collect()
    }
}

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Name(String),
            Both {
                primary: Option<String>,
                #[serde(default)]
                fallbacks: Vec<String>,
            },
        }
        Ok(match Written::deserialize(from)? {
            Written::Name(name) => Self { primary: Some(name), fallbacks: Vec::new() },
            Written::Both { primary, fallbacks } => Self { primary, fallbacks },
        })
    }
}

impl JsonSchema for ModelChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelChoice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A model as `provider/model`, or a model and what stands in for it.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "primary": { "type": "string", "description": "Asked first, as `provider/model`." },
                        "fallbacks": {
                            "type": "array",
                            "items": { "type": "string" },
                            "description": "Asked in this order while those before do not answer.",
                        },
                    },
                },
            ],
        })
    }
}

/// A turn at regular intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Heartbeat {
    /// How often: `30m`, `2h`, `1d`. `0m` is never.
    pub every: Option<String>,
    /// What the agent is asked; a short default if left out.
    pub prompt: Option<String>,
    /// Where an answer goes; nowhere if left out. `HEARTBEAT_OK` is never sent.
    pub deliver_to: Option<Destination>,
}

#[cfg(test)]
mod tests {
    use crate::check::check;
    use crate::{Config, MissingVariable, Surroundings};

    fn read(text: &str) -> (Option<Config>, Vec<String>) {
        let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
        let checked = check("chela.json5", text, &|_| None, &surroundings);
        let found = checked.report.errors.iter().chain(&checked.report.warnings);
        (checked.config, found.map(|finding| format!("{}: {}", finding.path, finding.message)).collect())
    }

    #[test]
    fn an_agent_works_in_the_folder_it_is_given_and_in_no_other_place() {
        let (config, found) = read(
            r#"{ agents: { list: [{ id: "main", workspace: "~/.openclaw/workspace" }, { id: "fox", workspace: "main" },
                 { id: "owl", workspace: "C:\\work\\The Nest\\" }, { id: "hen" }, { id: "cat", workspace: "cat" },
                 { id: "rat", workspace: "../../config" }] } }"#,
        );
        assert_eq!(found, [""; 0]);
        let there = config.unwrap().agents.workspaces();
        let there: Vec<(&str, &str)> = there.iter().map(|(id, folder)| (id.as_str(), folder.as_str())).collect();
        assert_eq!(there, [("fox", "main"), ("owl", "the-nest"), ("rat", "config")], "all below agents/");
        let (config, found) =
            read(r#"{ agents: { entries: { fox: { workspace: "../.." }, owl: { workspace: "" } } } }"#);
        assert!(config.is_none());
        let wrong = |id: &str| format!("agents.entries.{id}.workspace: no folder of the file store can be called so");
        assert_eq!(found, [wrong("fox"), wrong("owl")]);
    }
}
