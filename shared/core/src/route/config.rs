//! What routing reads of the configuration. Everything else in these sections belongs to other parts of the
//! house and is passed over here; the configuration's schema, not this module, refuses unknown keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::agent_id::{DEFAULT_AGENT_ID, fold, js_trim, normalize_agent_id};
use crate::session_key::{DmScope, GroupScope, IdentityLinks, PeerKind, id_text, value_text};

/// `agents`: who can answer. Either `entries` or `list`; with both, `entries` counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentsConfig {
    /// The agents by id.
    #[serde(deserialize_with = "present_entries", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, AgentEntry>")]
    pub entries: Option<BTreeMap<String, AgentEntry>>,
    /// The agents, each with its id: the older form of `entries`.
    #[serde(deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<AgentEntry>")]
    pub list: Option<Vec<AgentEntry>>,
    /// What holds for every agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<AgentDefaults>,
    /// `explicit` where no agent answers unless something names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<String>,
}

/// One agent, as far as routing is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AgentEntry {
    /// The agent's id; in `entries` the key counts instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether this agent answers what no binding claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

/// `agents.defaults`, as far as routing is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentDefaults {
    /// The agent that does the house's own work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_agent: Option<SystemAgent>,
}

/// `agents.defaults.systemAgent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemAgent {
    /// The agent's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
}

/// One rule of `bindings`: which messages go to which agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    /// `route`, or `acp` for a rule that routing passes over.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The agent that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Which messages.
    #[serde(rename = "match", deserialize_with = "or_default")]
    pub matches: BindingMatch,
    /// How these messages are grouped into sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<BindingSession>,
    /// Among rules of the same tier the higher number is asked first. Not in OpenClaw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Whether the agent is spared what `match.text` demands before its first `*` or `?`: with `/work *` it reads only
    /// what follows `/work`. Not in OpenClaw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<bool>,
}

/// Which messages a binding is about. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingMatch {
    /// The channel.
    #[serde(deserialize_with = "id_text")]
    pub channel: String,
    /// Our account: absent for the default one, `*` for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The human or room, or the room around a thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<BindingPeer>,
    /// The guild (Discord).
    #[serde(deserialize_with = "optional_id_text", skip_serializing_if = "Option::is_none")]
    pub guild_id: Option<String>,
    /// The team or workspace (Slack, Teams).
    #[serde(deserialize_with = "optional_id_text", skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The sender has at least one of these roles.
    #[serde(deserialize_with = "role_ids", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The text of the message, with `*` for any run of characters and `?` for one, whatever the case:
    /// `/work *`. Not in OpenClaw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The peer of a binding. A peer without a known kind or an id is a mistake that makes its binding match
/// nothing: taking such a rule for a broader one would hand messages to the wrong agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BindingPeer {
    /// `direct` (also `dm`), `group` or `channel`; the last two stand for each other.
    #[serde(deserialize_with = "id_text")]
    #[schemars(with = "PeerKind")]
    pub kind: String,
    /// The id, or `*` for every peer of the kind.
    #[serde(deserialize_with = "id_text")]
    pub id: String,
}

/// `session` of a binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingSession {
    /// Overrides `session.dmScope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_scope: Option<DmScope>,
    /// Overrides `session.groupScope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_scope: Option<GroupScope>,
}

/// `session`, as far as routing is concerned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionConfig {
    /// How direct messages are grouped into sessions; `main` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_scope: Option<DmScope>,
    /// How groups are grouped into sessions; `per-group` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_scope: Option<GroupScope>,
    /// The last segment of an agent's main session; `main` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_key: Option<String>,
    /// Who is who across channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_links: Option<IdentityLinks>,
}

/// The sections of a configuration that routing reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoutingConfig {
    /// Who can answer.
    #[serde(deserialize_with = "or_default")]
    pub agents: AgentsConfig,
    /// Who answers what.
    #[serde(deserialize_with = "or_default")]
    pub bindings: Vec<Binding>,
    /// How messages are grouped.
    #[serde(deserialize_with = "or_default")]
    pub session: SessionConfig,
}

impl AgentsConfig {
    /// The ids of the configured agents in their normal form, each once. Without any roster there is `main`.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let Some(agents) = self.roster() else { return vec![DEFAULT_AGENT_ID.to_owned()] };
        let mut ids: Vec<String> = Vec::with_capacity(agents.len());
        for (id, _) in agents {
            let id = normalize_agent_id(id);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// The ids a binding may name: an entry of the list without an id cannot be named.
    pub(super) fn nameable_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for (id, _) in self.roster().into_iter().flatten() {
            let id = js_trim(id.unwrap_or_default());
            let normal = normalize_agent_id(Some(id));
            if !id.is_empty() && !ids.contains(&normal) {
                ids.push(normal);
            }
        }
        ids
    }

    /// The agent that answers what nothing else claims: the recorded one where ownership is explicit, else the
    /// one marked as default, else the only one.
    pub(super) fn fallback(&self) -> Option<String> {
        if self.ownership.as_deref() == Some("explicit") {
            let recorded = self.defaults.as_ref()?.system_agent.as_ref()?.agent_id.as_deref()?;
            if js_trim(recorded).is_empty() {
                return None;
            }
            let recorded = normalize_agent_id(Some(recorded));
            return self.ids().contains(&recorded).then_some(recorded);
        }
        let agents = self.roster().unwrap_or_default();
        let mut marked = agents.iter().filter(|(_, entry)| entry.default == Some(true));
        match (marked.next(), marked.next()) {
            (Some((id, _)), None) => Some(normalize_agent_id(*id)),
            _ => self.sole(),
        }
    }

    /// The only agent there is.
    pub(super) fn sole(&self) -> Option<String> {
        match self.roster().as_deref() {
            None => Some(DEFAULT_AGENT_ID.to_owned()),
            Some([(id, _)]) => Some(normalize_agent_id(*id)),
            Some(_) => None,
        }
    }

    fn roster(&self) -> Option<Vec<(Option<&str>, &AgentEntry)>> {
        if let Some(entries) = &self.entries {
            return Some(entries.iter().map(|(id, entry)| (Some(id.as_str()), entry)).collect());
        }
        let list = self.list.as_ref()?;
        Some(list.iter().map(|entry| (entry.id.as_deref(), entry)).collect())
    }
}

impl BindingPeer {
    /// The kind and id, unless the peer is a mistake.
    pub(super) fn valid(&self) -> Option<(PeerKind, &str)> {
        let id = js_trim(&self.id);
        (!id.is_empty()).then_some((PeerKind::from_label(&self.kind)?, id))
    }
}

impl Binding {
    /// Whether routing looks at the binding at all.
    pub(super) fn routes(&self) -> bool {
        self.kind.as_deref() != Some("acp") && !fold(&self.matches.channel).is_empty()
    }
}

/// A roster that is written but null is an empty one: OpenClaw then has no agent, and not `main`.
fn present_entries<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, AgentEntry>>, D::Error> {
    let entries = Option::<BTreeMap<String, Option<AgentEntry>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(Some(entries.into_iter().filter_map(|(id, entry)| Some((id, entry?))).collect()))
}

fn present_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<AgentEntry>>, D::Error> {
    let list = Option::<Vec<Option<AgentEntry>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(Some(list.into_iter().flatten().collect()))
}

/// Null counts as absent.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

pub(super) fn optional_id_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(id_text(deserializer)?).filter(|id| !js_trim(id).is_empty()))
}

/// What is no list of roles asks for no role; an entry that is no text stays, as a role nobody has.
pub(super) fn role_ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let Value::Array(roles) = Value::deserialize(deserializer)? else { return Ok(None) };
    Ok(Some(roles.into_iter().map(|role| value_text(role).unwrap_or_default()).collect()))
}
