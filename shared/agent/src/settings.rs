//! What configuration decided, in the form a turn needs it.

use std::collections::HashMap;
use std::sync::Arc;

use chela_core::agent_id::AgentId;
use chela_core::channel::Channel;
use chela_core::message::{ChannelId, ReplyAddress};
use chela_core::model::Model;

/// Everything that is installed: channels to answer on, agents to answer.
#[derive(Default)]
pub struct Installation {
    /// By channel and account.
    pub channels: HashMap<(ChannelId, String), Arc<dyn Channel>>,
    /// By id.
    pub agents: HashMap<AgentId, AgentSettings>,
}

impl Installation {
    /// The channel that can send to `address`.
    pub fn channel(&self, address: &ReplyAddress) -> Option<&Arc<dyn Channel>> {
        self.channels.get(&(address.channel.clone(), address.account.clone()))
    }
}

/// One agent.
#[derive(Clone)]
pub struct AgentSettings {
    /// The system prompt: workspace files and standing instructions.
    pub system: Arc<str>,
    /// Models to ask, in order of preference; never empty.
    pub models: Vec<ModelChoice>,
    /// Most model calls in one turn; the last one gets no tools.
    pub max_steps: u16,
    /// Whether answers are shown while they grow, where the channel can edit.
    pub streaming: bool,
    /// Whether every finished turn is published as a lifecycle event (on AWS $1 per million); failures always are.
    pub announce: bool,
}

/// One model an agent may ask.
#[derive(Clone)]
pub struct ModelChoice {
    /// `provider/model`, for people and transcripts.
    pub name: String,
    /// The provider's name of it.
    pub id: String,
    /// Most tokens of one answer.
    pub max_tokens: u32,
    /// Tokens the model reads at once; older turns are left out beyond it.
    pub context_window: u32,
    /// The endpoint.
    pub model: Arc<dyn Model>,
}
