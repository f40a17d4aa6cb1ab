//! Who answers a message: the agent it is routed to, or several where a place is one of `broadcast`.

use chela_config::BroadcastStrategy;
use chela_core::agent_id::AgentId;
use chela_core::gate::mentions;
use chela_core::message::{EventKey, Inbound};
use chela_core::queue::{Envelope, Task};
use chela_core::session::{SessionStore, StoreError};
use chela_core::session_key::SessionKey;

use crate::live::Built;
use crate::receive::Routed;

/// One agent that answers a message, in a conversation of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answering {
    pub(crate) agent: AgentId,
    pub(crate) session: SessionKey,
    /// The same for every time the platform sends the message.
    pub(crate) event: EventKey,
}

/// All agents that could be meant in this place.
pub(crate) fn members(built: &Built, inbound: &Inbound, routed: &AgentId) -> Vec<AgentId> {
    match built.config.broadcast.choir(&inbound.channel, &inbound.peer.id) {
        Some(choir) => choir.agents.iter().map(|id| AgentId::new(id)).collect(),
        None => vec![routed.clone()],
    }
}

/// Those that answer this message. Where some are mentioned by name they may be the only ones.
pub(crate) fn answering(built: &Built, inbound: &Inbound, routed: &Routed) -> Vec<Answering> {
    let event = inbound.event_key();
    let Some(choir) = built.config.broadcast.choir(&inbound.channel, &inbound.peer.id) else {
        return vec![Answering { agent: routed.agent.clone(), session: routed.session.clone(), event }];
    };
    let named = |id: &&String| built.config.mention_patterns(id).iter().any(|words| mentions(&inbound.text, words));
    let named: Vec<&String> = choir.agents.iter().filter(|id| choir.mention_gating && named(id)).collect();
    let chosen = if named.is_empty() { choir.agents.iter().collect() } else { named };
    let one = |id: &String| {
        let agent = AgentId::new(id);
        let session = routed.session.with_agent(&agent);
        let event = EventKey::of("broadcast", agent.as_str(), event.as_str());
        Answering { agent, session, event }
    };
    chosen.into_iter().map(one).collect()
}

/// Whose answer to the same message this one stands behind, where agents answer one after the other.
pub(crate) fn before(built: &Built, envelope: &Envelope) -> Option<Answering> {
    let Task::Message { inbound, .. } = &envelope.task else { return None };
    if built.config.broadcast.strategy != BroadcastStrategy::Sequential {
        return None;
    }
    let own = Routed { agent: envelope.agent.clone(), session: envelope.session.clone(), text: String::new() };
    let all = answering(built, inbound, &own);
    let place = all.iter().position(|one| one.agent == envelope.agent)?;
    all.into_iter().nth(place.checked_sub(1)?)
}

/// Whether an answer is still to come.
pub(crate) async fn unfinished(sessions: &dyn SessionStore, one: &Answering) -> Result<bool, StoreError> {
    let head = sessions.head(&one.session).await?.unwrap_or_default();
    if head.finished(&one.event) {
        return Ok(false);
    }
    let row = sessions.accepted(&one.session, &one.event).await?;
    Ok(row.is_none_or(|row| row.turn == 0 || row.turn > head.last_turn))
}

#[cfg(test)]
mod tests;
