//! `tools`, `agents.….tools` and what rooms say about tools: as the policy reads them, and what is wrong with them.

use std::collections::BTreeMap;

use chela_core::agent_id::AgentId;
use chela_core::gate::GroupRule;
use chela_core::tool_policy::{
    Known, ModelToolRules, Place, Profile, Room, Scope, SenderKey, SenderKeyError, ToolPolicy, ToolRules, known, words,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::approvals::ExecTools;
use crate::path::Path;
use crate::settings::Config;
use crate::shape::{Misfit, nearest};
use crate::subagents::SessionTools;

/// Which tools an agent may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentTools {
    /// What it begins with, instead of `tools.profile`.
    pub profile: Option<Profile>,
    /// Tools that may be used: names, groups such as `group:fs`, and `*` for any characters; all that `tools` allows if left
    /// out, none if it is empty.
    pub allow: Option<Vec<String>>,
    /// Tools beside those of the profile and of `allow`.
    pub also_allow: Vec<String>,
    /// Tools that may not be used, whatever else says.
    pub deny: Vec<String>,
    /// Its tools while the models of some provider, or one model, speak: by `provider` or `provider/model`.
    pub by_provider: BTreeMap<String, ModelToolRules>,
    /// Its tools in turns of some senders, instead of those in `tools.toolsBySender`.
    pub tools_by_sender: BTreeMap<String, ToolRules>,
    /// The tools for other conversations.
    pub sessions: SessionTools,
    /// Which of its calls need the owner's consent, where it differs from `tools.exec`.
    pub exec: ExecTools,
}

/// `tools.subagents`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SubagentTools {
    /// The tools of sub-agents, within what they have anyway.
    pub tools: ToolRules,
}

impl Config {
    /// All that is said about tools.
    pub fn tool_policy(&self) -> ToolPolicy {
        let tools = &self.tools;
        let lists = |allow: &Option<Vec<String>>, also_allow: &[String], deny: &[String]| ToolRules {
            allow: allow.clone(),
            also_allow: also_allow.to_vec(),
            deny: deny.to_vec(),
        };
        let all = Scope {
            at: "tools".to_owned(),
            profile: tools.profile,
            rules: lists(&tools.allow, &tools.also_allow, &tools.deny),
            by_provider: tools.by_provider.clone(),
            by_sender: tools.tools_by_sender.clone(),
        };
        let scope = |(id, path, own): (String, Path, &AgentTools)| {
            let scope = Scope {
                at: path.to_string(),
                profile: own.profile,
                rules: lists(&own.allow, &own.also_allow, &own.deny),
                by_provider: own.by_provider.clone(),
                by_sender: own.tools_by_sender.clone(),
            };
            (AgentId::new(&id), scope)
        };
        let mut agents: BTreeMap<AgentId, Scope> = self.tools_of_agents().into_iter().map(scope).collect();
        for id in self.agents.ids() {
            agents.entry(AgentId::new(&id)).or_default();
        }
        let mut places = BTreeMap::new();
        for account in self.accounts() {
            let Some(channel) = self.channels.by_id.get(&account.channel) else { continue };
            let own = channel.accounts.as_ref().and_then(|accounts| accounts.get(&account.id));
            let of_channel = format!("channels.{}", account.channel);
            let at = |own_says: bool| {
                if own_says { format!("{of_channel}.accounts.{}", account.id) } else { of_channel.clone() }
            };
            let rooms_at = at(own.is_some_and(|own| own.groups.is_some()));
            let room = |(id, rule): (&String, &GroupRule)| {
                let at = format!("{rooms_at}.groups.{id}");
                let by_sender = rule.tools_by_sender.clone();
                (id.clone(), Room { at, rules: rule.tools.clone(), by_sender })
            };
            let place = Place {
                at: format!("{}.tools", at(own.is_some_and(|own| own.tools.is_some()))),
                rooms: account.gate.groups.iter().map(room).collect(),
                rules: account.tools,
            };
            places.insert((account.channel, account.id), place);
        }
        ToolPolicy { all, agents, places, subagents: tools.subagents.tools.clone() }
    }

    /// What agents say about their tools: the agent's id, the path, and what it says.
    fn tools_of_agents(&self) -> Vec<(String, Path, &AgentTools)> {
        let agents = &self.agents;
        if agents.entries.is_empty() {
            let path = |at| Path::of(&["agents", "list"]).index(at).key("tools");
            let list = agents.list.iter().enumerate();
            return list.filter_map(|(at, agent)| Some((agent.id.clone()?, path(at), &agent.tools))).collect();
        }
        let entries = agents.entries.iter();
        entries.map(|(id, agent)| (id.clone(), Path::of(&["agents", "entries", id, "tools"]), &agent.tools)).collect()
    }
}

/// Words in lists of tools that nobody knows, and keys for senders that mean nobody.
pub(crate) fn inspect(config: &Config) -> Vec<Misfit> {
    let mut inspection = Inspection { config, misfits: Vec::new() };
    let tools = &config.tools;
    let at = Path::of(&["tools"]);
    inspection.lists(&at, tools.allow.as_ref(), &tools.also_allow, &tools.deny);
    inspection.models(&at, &tools.by_provider);
    inspection.senders(&at, &tools.tools_by_sender);
    inspection.rules(&at.key("subagents").key("tools"), &tools.subagents.tools);
    for (_, at, own) in config.tools_of_agents() {
        inspection.lists(&at, own.allow.as_ref(), &own.also_allow, &own.deny);
        inspection.models(&at, &own.by_provider);
        inspection.senders(&at, &own.tools_by_sender);
    }
    for (id, channel) in &config.channels.by_id {
        let at = Path::of(&["channels", id]);
        let accounts = channel.accounts.iter().flatten();
        let accounts = accounts.map(|(name, account)| (at.key("accounts").key(name), account));
        for (at, account) in std::iter::once((at.clone(), channel)).chain(accounts) {
            inspection.rules(&at.key("tools"), account.tools.as_ref().unwrap_or(&ToolRules::default()));
            for (room, rule) in account.groups.iter().flatten() {
                let at = at.key("groups").key(room);
                inspection.rules(&at.key("tools"), rule.tools.as_ref().unwrap_or(&ToolRules::default()));
                inspection.senders(&at, &rule.tools_by_sender);
            }
        }
    }
    inspection.misfits
}

struct Inspection<'a> {
    config: &'a Config,
    misfits: Vec<Misfit>,
}

impl Inspection<'_> {
    fn rules(&mut self, at: &Path, rules: &ToolRules) {
        self.lists(at, rules.allow.as_ref(), &rules.also_allow, &rules.deny);
    }

    fn models(&mut self, at: &Path, by_provider: &BTreeMap<String, ModelToolRules>) {
        for (key, rules) in by_provider {
            let at = at.key("byProvider").key(key);
            self.lists(&at, rules.allow.as_ref(), &rules.also_allow, &rules.deny);
        }
    }

    fn senders(&mut self, at: &Path, by_sender: &BTreeMap<String, ToolRules>) {
        for (key, rules) in by_sender {
            let at = at.key("toolsBySender").key(key);
            self.rules(&at, rules);
            // Nobody would be held to it, so it is an error and no warning.
            let Err(error) = SenderKey::parse(key) else { continue };
            let fix = match error {
                SenderKeyError::Name => "write the sender's id, as in \"id:123\" or \"channel:telegram:123\"",
                SenderKeyError::Nobody => "write \"channel:<channel>:<id>\", \"id:<id>\", \"e164:<number>\" or \"*\"",
            };
            let message = error.to_string();
            self.misfits.push(Misfit { path: at, at_key: true, warning: false, message, fix: fix.to_owned() });
        }
    }

    fn lists(&mut self, at: &Path, allow: Option<&Vec<String>>, also_allow: &[String], deny: &[String]) {
        for (list, words) in
            [("allow", allow.map_or(&[][..], Vec::as_slice)), ("alsoAllow", also_allow), ("deny", deny)]
        {
            for (index, word) in words.iter().enumerate() {
                self.word(at.key(list).index(index), word, list == "deny");
            }
        }
        if allow.is_some_and(Vec::is_empty) && also_allow.is_empty() {
            let fix = "leave it out to allow all; OpenClaw reads an empty list so";
            self.say(at.key("allow"), true, "allows no tool at all".to_owned(), fix.to_owned());
        }
    }

    /// A word that stands for nothing allows nothing, which shows; in `deny` it would silently let a tool through.
    fn word(&mut self, at: Path, word: &str, denies: bool) {
        let consequence = if denies { "so nothing is denied" } else { "so nothing is allowed" };
        let servers = &self.config.mcp.servers;
        match known(word) {
            Known::Here => {}
            Known::Elsewhere if denies => {}
            Known::Elsewhere => {
                let message = format!("OpenClaw has this tool, Chela does not yet, {consequence}");
                self.say(at, true, message, "remove it, or leave it for OpenClaw".to_owned());
            }
            Known::Server => {
                let server = word.trim().split("__").next().unwrap_or_default().to_ascii_lowercase();
                if server.contains('*') || servers.contains_key(&server) {
                    return;
                }
                let near = nearest(&server, servers.keys().map(String::as_str));
                let fix = near.map_or("name a server of mcp.servers, or remove it".to_owned(), |near| {
                    format!("did you mean \"{near}__\"?")
                });
                self.say(at, !denies, format!("there is no such server in mcp.servers, {consequence}"), fix);
            }
            Known::Unknown => {
                let fix = nearest(word, words().into_iter());
                let fix = fix.map_or("docs/tools.md names all tools and groups".to_owned(), |near| {
                    format!("did you mean \"{near}\"?")
                });
                self.say(at, !denies, format!("there is no such tool or group, {consequence}"), fix);
            }
        }
    }

    fn say(&mut self, path: Path, warning: bool, message: String, fix: String) {
        self.misfits.push(Misfit { path, at_key: false, warning, message, fix });
    }
}

#[cfg(test)]
mod tests;
