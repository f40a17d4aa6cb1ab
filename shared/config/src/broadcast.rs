//! `broadcast`: places where several agents answer each message.

use std::collections::BTreeMap;

use chela_core::agent_id::normalize_agent_id;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// Most agents that answer one message.
pub(crate) const MOST_AGENTS: usize = 16;

/// `broadcast`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BroadcastSection {
    /// Whether they answer side by side, or one after the other in the order of the list.
    pub strategy: BroadcastStrategy,
    /// Who answers, by the id of the chat or room, bare or as `channel:id`.
    #[serde(flatten)]
    pub by_peer: BTreeMap<String, BroadcastGroup>,
}

/// `broadcast.strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BroadcastStrategy {
    /// Side by side.
    #[default]
    Parallel,
    /// One after the other: each begins when the one before it has ended, or has taken longer than ten minutes.
    Sequential,
}

/// The agents of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BroadcastGroup {
    /// Their ids.
    pub agents: Vec<String>,
    /// Whether a message that mentions some of them is for those alone; `None` is yes where the key names the channel.
    pub mention_gating: Option<bool>,
}

impl<'de> Deserialize<'de> for BroadcastGroup {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Ids(Vec<String>),
            #[serde(rename_all = "camelCase")]
            Whole {
                agents: Vec<String>,
                mention_gating: Option<bool>,
            },
        }
        Ok(match Written::deserialize(from)? {
            Written::Ids(agents) => Self { agents, mention_gating: None },
            Written::Whole { agents, mention_gating } => Self { agents, mention_gating },
        })
    }
}

impl JsonSchema for BroadcastGroup {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BroadcastGroup".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Ids of the agents that answer here, or an object with them.",
            "anyOf": [
                { "type": "array", "items": { "type": "string" } },
                {
                    "type": "object",
                    "required": ["agents"],
                    "properties": {
                        "agents": {
                            "type": "array",
                            "items": { "type": "string" },
                            "description": "Ids of the agents that answer here.",
                        },
                        "mentionGating": {
                            "type": "boolean",
                            "description": "Whether a message that mentions some of them is for those alone.",
                        },
                    },
                },
            ],
        })
    }
}

/// Who answers in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choir {
    /// Their ids in normal form, each once.
    pub agents: Vec<String>,
    /// Whether a message that mentions some of them is for those alone.
    pub mention_gating: bool,
}

impl BroadcastSection {
    /// Who answers in this place, if it is one where several do. A key with the channel counts before one without.
    pub fn choir(&self, channel: &str, peer: &str) -> Option<Choir> {
        let qualified = self.by_peer.get(&format!("{channel}:{peer}"));
        let group = qualified.or_else(|| self.by_peer.get(peer))?;
        let mut agents: Vec<String> = Vec::new();
        for id in &group.agents {
            let id = normalize_agent_id(Some(id));
            if !agents.contains(&id) {
                agents.push(id);
            }
        }
        let mention_gating = group.mention_gating.unwrap_or(qualified.is_some());
        (!agents.is_empty()).then_some(Choir { agents, mention_gating })
    }

    /// The keys of places where an agent answers beside others.
    pub fn places_of(&self, agent: &str) -> impl Iterator<Item = &str> {
        let agent = normalize_agent_id(Some(agent));
        let shared = move |group: &BroadcastGroup| {
            let is_it = |id: &String| normalize_agent_id(Some(id)) == agent;
            group.agents.len() > 1 && group.agents.iter().any(is_it)
        };
        self.by_peer.iter().filter(move |(_, group)| shared(group)).map(|(key, _)| key.as_str())
    }
}

#[cfg(test)]
mod tests {
    use crate::check::check;
    use crate::{Config, MissingVariable, Surroundings};

    /// The configuration, or its errors and warnings, each with its path.
    fn read(text: &str) -> (Option<Config>, Vec<String>) {
        let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
        let checked = check("chela.json5", text, &|_| None, &surroundings);
        let found = checked.report.errors.iter().chain(&checked.report.warnings);
        let found = found.map(|finding| format!("{}: {}", finding.path, finding.message)).collect();
        (checked.config, found)
    }

    #[test]
    fn a_place_is_found_with_and_without_its_channel() {
        let (config, found) = read(
            r#"{ agents: { entries: { alfred: {}, baerbel: {}, carl: {} } }, broadcast: {
                 "120@g.us": ["alfred", "Baerbel", "alfred"], "telegram:-1": { agents: ["alfred", "carl"] },
                 "-1": ["baerbel"], "slack:C1": { agents: ["carl"], mentionGating: false } } }"#,
        );
        assert_eq!(found, [""; 0]);
        let broadcast = config.unwrap().broadcast;
        let choir = |channel, peer| broadcast.choir(channel, peer).map(|it| (it.agents.join(" "), it.mention_gating));
        assert_eq!(choir("whatsapp", "120@g.us"), Some(("alfred baerbel".into(), false)));
        assert_eq!(choir("telegram", "-1"), Some(("alfred carl".into(), true)));
        assert_eq!(choir("discord", "-1"), Some(("baerbel".into(), false)));
        assert_eq!(choir("slack", "C1"), Some(("carl".into(), false)));
        assert_eq!(choir("slack", "C2"), None);
        assert_eq!(broadcast.places_of("alfred").collect::<Vec<_>>(), ["120@g.us", "telegram:-1"]);
        assert_eq!(broadcast.places_of("carl").collect::<Vec<_>>(), ["telegram:-1"], "alone it needs no name");
    }

    #[test]
    fn an_agent_that_is_not_there_is_an_error() {
        let (config, found) = read(r#"{ broadcast: { "1": ["main", "nobody"], "2": [] } }"#);
        assert!(config.is_none());
        assert_eq!(found, [r#"broadcast.1: there is no agent "nobody""#, "broadcast.2: names 0 agents"]);
        let (config, found) = read(r#"{ broadcast: { strategy: "sequential", "1": ["main"] } }"#);
        assert!(config.is_some());
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn who_may_give_work_to_whom() {
        let (config, found) = read(
            r#"{ agents: { defaults: { subagents: { allowAgents: ["b"], model: "p/cheap" } }, entries: { a: {},
                 b: { subagents: { allowAgents: ["*"] } }, c: { subagents: { allowAgents: [], model: "p/own" } } } } }"#,
        );
        assert_eq!(found, [""; 0]);
        let agents = config.unwrap().agents;
        assert_eq!(agents.may_give_work_to("a"), ["b"]);
        assert_eq!(agents.may_give_work_to("b"), ["a", "c"]);
        assert_eq!(agents.may_give_work_to("c"), [""; 0]);
        assert_eq!((agents.subagent_model_of("a"), agents.subagent_model_of("c")), (Some("p/cheap"), Some("p/own")));
        let (_, found) = read(r#"{ agents: { defaults: { subagents: { allowAgents: ["*", "x"] } } } }"#);
        assert_eq!(found, ["agents.defaults.subagents.allowAgents[1]: there is no such agent"]);
        let (config, _) = read("{ agents: { defaults: { subagents: { maxSpawnDepth: 9 } } } }");
        assert!(config.is_none(), "deeper than addresses can be carried");
    }

    #[test]
    fn the_narrower_visibility_counts() {
        use crate::SessionVisibility::{Agent, All, Own, Tree};
        let (config, found) = read(
            r#"{ tools: { sessions: { visibility: "agent" } }, agents: { entries: {
                 a: { tools: { sessions: { visibility: "self" } } }, b: { tools: { sessions: { visibility: "all" } } } } } }"#,
        );
        assert_eq!(found, [""; 0]);
        let config = config.unwrap();
        assert_eq!([config.session_visibility_of("a"), config.session_visibility_of("b")], [Own, Agent]);
        assert_eq!(Config::default().session_visibility_of("a"), Tree);
        assert!(Tree < Agent && Agent < All);
    }

    #[test]
    fn an_agent_has_a_name_a_face_and_a_manner() {
        let (config, found) = read(
            r#"{ messages: { responsePrefix: "{identity.emoji} {identity.name}:" }, agents: { entries: {
                 fox: { name: "work", identity: { name: "Fox", emoji: "🦊", persona: "Sly and short." } },
                 max: { name: "Max" }, nobody: {} } } }"#,
        );
        assert_eq!(found, [""; 0]);
        let mut config = config.unwrap();
        assert_eq!(config.persona_of("fox").unwrap(), "You are Fox 🦊. Sly and short.");
        assert_eq!((config.persona_of("max").unwrap(), config.persona_of("nobody")), ("You are Max.".into(), None));
        let prefix = |config: &Config, id| config.response_prefix_of(id);
        assert_eq!(prefix(&config, "fox").unwrap(), "🦊 Fox:");
        assert_eq!((prefix(&config, "max").unwrap(), prefix(&config, "nobody")), ("Max:".into(), None));
        assert_eq!(
            (config.signature_of("fox"), config.signature_of("nobody")),
            ("**🦊 Fox:**".into(), "**nobody:**".into())
        );
        config.messages.response_prefix = Some("auto".into());
        assert_eq!(prefix(&config, "fox").unwrap(), "[Fox]");
        config.messages.response_prefix = None;
        assert_eq!(prefix(&config, "fox"), None);
    }
}
