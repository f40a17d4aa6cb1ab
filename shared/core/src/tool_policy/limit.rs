//! On whose behalf a turn is made, in few words: what travels with work that is handed on.

use serde::{Deserialize, Serialize};

use crate::agent_id::AgentId;
use crate::message::Inbound;
use crate::session_key::PeerKind;

/// Senders of one turn that are remembered; more than so many are nobody in particular, so that every rule about senders
/// holds.
const MOST_SENDERS: usize = 20;

/// Agents and models that work goes through before every rule holds.
const MOST_STEPS: usize = 24;

/// On whose behalf something is done: who began it, and which agents it went through since. Whatever binds any of them
/// binds the work.
///
/// It names the people and the agents, not the tools they had: so it is small, and what waited for days is held to what
/// configuration says when it runs. Work is handed on with the limit of the turn that hands it on
/// ([`crate::tool::Caller::limit`]), and nothing is ever taken out of a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limit {
    /// Who began it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<Who>,
    /// Through whom it went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<Step>,
    /// Nobody knows any more who began it: then the rules for every sender, room and channel hold.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// Somebody who began something: people in one place, or the house itself, which has neither place nor senders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Who {
    /// The channel; empty for the house itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// The account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The room, and the one around it if there is one; none in a direct chat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<String>,
    /// Platform ids of the people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<String>,
}

/// An agent that worked on it, and the model that did, as `provider/model`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The agent.
    pub agent: AgentId,
    /// The model, once one has spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Who {
    /// Whoever wrote a message, without the senders.
    pub fn at(inbound: &Inbound) -> Self {
        let rooms = match inbound.peer.kind {
            PeerKind::Direct => Vec::new(),
            PeerKind::Group | PeerKind::Channel => {
                let around = inbound.parent_peer.iter().map(|parent| parent.id.clone());
                std::iter::once(inbound.peer.id.clone()).chain(around).collect()
            }
        };
        Self { channel: inbound.channel.clone(), account: inbound.account.clone(), rooms, senders: Vec::new() }
    }
}

impl Limit {
    /// Of work of which nobody knows who began it.
    #[must_use]
    pub fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    /// Of what the configuration itself begins.
    #[must_use]
    pub fn of_house() -> Self {
        Self { who: vec![Who::default()], ..Self::default() }
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds somebody on whose behalf it is done. Twice is once.
    pub fn add_who(&mut self, who: Who) {
        if !self.who.contains(&who) {
            self.who.push(who);
        }
        self.bound();
    }

    /// Adds a sender to the people of a channel. One whose place is not known makes the limit [`Self::unknown`].
    pub fn add_sender(&mut self, channel: &str, sender: &str) {
        // Rules for nobody in particular go on to hold where they held.
        let there = |who: &&mut Who| who.channel == channel && !who.senders.is_empty();
        let mut there = self.who.iter_mut().filter(there).peekable();
        if there.peek().is_none() {
            self.unknown = true;
        }
        for who in there {
            if !who.senders.iter().any(|known| known == sender) {
                who.senders.push(sender.to_owned());
            }
        }
        self.bound();
    }

    /// Adds an agent that works on it, with the model it does so by. Twice is once.
    pub fn add_step(&mut self, agent: &AgentId, model: Option<&str>) {
        let known = |step: &Step| step.agent == *agent && (model.is_none() || step.model.as_deref() == model);
        if self.through.iter().any(known) {
            return;
        }
        self.through.retain(|step| step.agent != *agent || step.model.is_some());
        self.through.push(Step { agent: agent.clone(), model: model.map(str::to_owned) });
        self.bound();
    }

    /// What is too long to travel is cut, and then everything holds.
    fn bound(&mut self) {
        let people = self.who.iter().map(|who| who.senders.len()).max().unwrap_or_default();
        if people.max(self.who.len()) > MOST_SENDERS {
            self.who.clear();
            self.unknown = true;
        }
        if self.through.len() > MOST_STEPS {
            // Models are forgotten before agents.
            let mut agents: Vec<AgentId> = Vec::new();
            for step in std::mem::take(&mut self.through) {
                if !agents.contains(&step.agent) {
                    agents.push(step.agent);
                }
            }
            self.through = agents.into_iter().map(|agent| Step { agent, model: None }).collect();
            self.unknown = true;
        }
    }
}
