//! Tools for other conversations: work given to sub-agents, messages, lists, transcripts.
//!
//! Who may see what is decided in one place, [`House::sees`]. A guest never sees more than the conversation it stands
//! in and those that this one gave work to.

mod agents_list;
mod sessions_history;
mod sessions_list;
mod sessions_send;
mod sessions_spawn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chela_core::agent_id::AgentId;
use chela_core::directory::Listing;
use chela_core::queue::{Authority, QueueError};
use chela_core::relay;
use chela_core::session::StoreError;
use chela_core::session_key::{SessionKey, agent_id_of};
use chela_core::tool::{Caller, Tool, ToolCall};
use serde::Deserialize;

/// Most conversations one look takes in.
const LOOKED_AT: usize = 200;

/// Longest label.
const LABEL_CHARS: usize = 60;

/// What configuration says about agents and their conversations, as one agent sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct House {
    /// All agents.
    pub agents: BTreeMap<AgentId, Member>,
    /// Agents that this one may give work to, beside itself.
    pub allowed: Vec<AgentId>,
    /// Which other conversations it sees.
    pub visibility: Visibility,
    /// How many conversations may stand between a person's and a sub-agent's, that one included.
    pub max_depth: u8,
    /// Most sub-agents of one conversation at a time.
    pub max_children: u16,
    /// Most sub-agents of one agent at a time.
    pub max_concurrent: u16,
    /// How long sub-agents that have ended are listed; always if `None`.
    pub archive_after: Option<Duration>,
}

/// One agent of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// What people call it.
    pub name: Option<String>,
    /// What it is good at.
    pub description: Option<String>,
    /// Models it may be asked to use, as `provider/model`.
    pub models: Vec<String>,
    /// The one it uses as a sub-agent, if it is another than for people.
    pub model: Option<String>,
}

/// Which other conversations an agent sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// None.
    Own,
    /// That which gave it its work, and those it gave work to.
    #[default]
    Tree,
    /// All of the same agent.
    Agent,
    /// All.
    All,
}

/// The tools for this house.
pub fn tools(house: &Arc<House>) -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(sessions_spawn::SessionsSpawn(house.clone())),
        Arc::new(sessions_send::SessionsSend(house.clone())),
        Arc::new(sessions_list::SessionsList(house.clone())),
        Arc::new(sessions_history::SessionsHistory(house.clone())),
        Arc::new(agents_list::AgentsList(house.clone())),
    ]
}

impl House {
    /// Whether somebody so deep may give work to others. Those who may not have no use for the other tools either.
    fn may_spawn(&self, caller: &Caller) -> bool {
        caller.depth < self.max_depth
    }

    /// What this caller sees: more than its own tree only the owner does.
    fn visibility_for(&self, caller: &Caller) -> Visibility {
        if caller.authority == Authority::Owner { self.visibility } else { self.visibility.min(Visibility::Tree) }
    }

    /// The conversations this caller sees beside its own, newest first.
    async fn seen(&self, call: &ToolCall<'_>) -> Result<Vec<Listing>, StoreError> {
        let visibility = self.visibility_for(call.caller);
        let mut seen = match visibility {
            Visibility::Own => vec![],
            Visibility::Tree => descendants(call).await?,
            Visibility::Agent => call.directory.listed(call.agent, LOOKED_AT).await?,
            Visibility::All => {
                let mut all = vec![];
                for agent in self.agents.keys() {
                    all.extend(call.directory.listed(agent, LOOKED_AT).await?);
                }
                all
            }
        };
        let known: Vec<SessionKey> = seen.iter().map(|listing| listing.session.clone()).collect();
        if visibility > Visibility::Tree {
            // Sub-agents of other agents.
            seen.extend(descendants(call).await?.into_iter().filter(|listing| !known.contains(&listing.session)));
        }
        seen.retain(|listing| listing.session != *call.session);
        seen.sort_by_key(|listing| std::cmp::Reverse(listing.began));
        Ok(seen)
    }

    /// Whether this caller sees a conversation.
    async fn sees(&self, call: &ToolCall<'_>, session: &SessionKey) -> Result<bool, StoreError> {
        let visibility = self.visibility_for(call.caller);
        if session == call.session {
            return Ok(true);
        }
        if visibility == Visibility::Own {
            return Ok(false);
        }
        let agent = agent_id_of(session.as_str());
        let of_house = match visibility {
            Visibility::All => agent.is_some_and(|agent| self.agents.contains_key(&agent)),
            Visibility::Agent => agent.as_ref() == Some(call.agent),
            Visibility::Own | Visibility::Tree => false,
        };
        let parent = call.caller.reply_to.as_ref().filter(|to| to.channel == relay::CHANNEL);
        if of_house || parent.is_some_and(|parent| parent.to == session.as_str()) {
            return Ok(true);
        }
        Ok(descendants(call).await?.iter().any(|listing| listing.session == *session))
    }
}

/// The conversations that this one gave work to, and those that they gave work to.
async fn descendants(call: &ToolCall<'_>) -> Result<Vec<Listing>, StoreError> {
    let mut found = call.directory.children(call.session, LOOKED_AT).await?;
    let mut next = 0;
    while let Some(listing) = found.get(next).filter(|_| found.len() < LOOKED_AT) {
        next = next.saturating_add(1);
        let session = listing.session.clone();
        found.extend(call.directory.children(&session, LOOKED_AT).await?);
    }
    Ok(found)
}

/// A name for people: one short line.
fn label_of(label: Option<&str>) -> Option<String> {
    let label: String = label?.chars().filter(|c| !c.is_control()).take(LABEL_CHARS).collect();
    Some(label.trim().to_owned()).filter(|label| !label.is_empty())
}

fn away(error: &StoreError) -> String {
    format!("The conversations cannot be looked at now ({error}). Try again in a moment.")
}

fn not_queued(error: &QueueError) -> String {
    format!("It could not be sent ({error}). Try again in a moment.")
}

#[cfg(test)]
mod tests;
