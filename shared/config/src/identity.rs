//! `identity` of an agent, and what its answers begin with.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agents::Agent;
use crate::settings::Config;

/// `identity`: who the agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// What it calls itself.
    pub name: Option<String>,
    /// The emoji that stands for it.
    pub emoji: Option<String>,
    /// What it is like, in a few words: the head of its prompt.
    #[serde(alias = "persona")]
    #[schemars(extend("x-aliases" = ["persona"]))]
    pub theme: Option<String>,
}

impl Config {
    /// What an agent is called by people.
    pub fn name_of(&self, agent: &str) -> Option<&str> {
        let entry = self.agents.entry(agent)?;
        let name = entry.identity.name.as_deref().or(entry.name.as_deref())?.trim();
        (!name.is_empty()).then_some(name)
    }

    /// Who an agent is, as its prompt says it.
    pub fn persona_of(&self, agent: &str) -> Option<String> {
        let identity = self.agents.entry(agent).map(|entry| &entry.identity)?;
        let name = self.name_of(agent).map(|name| match &identity.emoji {
            Some(emoji) => format!("You are {name} {emoji}."),
            None => format!("You are {name}."),
        });
        let theme = identity.theme.as_deref().map(|theme| theme.trim().to_owned()).filter(|theme| !theme.is_empty());
        let said: Vec<String> = name.into_iter().chain(theme).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// What the answers of an agent begin with, if `messages.responsePrefix` says so.
    pub fn response_prefix_of(&self, agent: &str) -> Option<String> {
        let template = self.messages.response_prefix.as_deref()?.trim();
        let template = if template == "auto" { "[{identity.name}]" } else { template };
        let (name, emoji) = (self.name_of(agent), emoji(self.agents.entry(agent)));
        if name.is_none() && template.contains("name}") {
            return None;
        }
        let mut prefix = template.to_owned();
        for (word, value) in [
            ("{identity.name}", name),
            ("{identityName}", name),
            ("{identity.emoji}", emoji),
            ("{agentId}", Some(agent)),
        ] {
            prefix = prefix.replace(word, value.unwrap_or_default());
        }
        Some(prefix.trim().to_owned()).filter(|prefix| !prefix.is_empty())
    }

    /// What an agent's answers begin with where several answer the same message.
    pub fn signature_of(&self, agent: &str) -> String {
        let name = self.name_of(agent).unwrap_or(agent);
        match emoji(self.agents.entry(agent)) {
            Some(emoji) => format!("**{emoji} {name}:**"),
            None => format!("**{name}:**"),
        }
    }
}

fn emoji(entry: Option<&Agent>) -> Option<&str> {
    let emoji = entry?.identity.emoji.as_deref()?.trim();
    (!emoji.is_empty()).then_some(emoji)
}
