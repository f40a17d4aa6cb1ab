//! What configuration decided, in the form a turn needs it.

use std::collections::HashMap;
use std::sync::Arc;

use chela_core::agent_id::AgentId;
use chela_core::channel::{Channel, Unconfirmed};
use chela_core::chunk::{ChunkMode, chunk_markdown};
use chela_core::message::{ChannelId, ReplyAddress};
use chela_core::model::Model;
use chela_core::tool::Tool;

/// Everything that is installed: channels to answer on, agents to answer.
#[derive(Default)]
pub struct Installation {
    /// By channel and account.
    pub outlets: HashMap<(ChannelId, String), Outlet>,
    /// By id.
    pub agents: HashMap<AgentId, AgentSettings>,
}

impl Installation {
    /// What can send to `address`.
    pub fn outlet(&self, address: &ReplyAddress) -> Option<&Outlet> {
        self.outlets.get(&(address.channel.clone(), address.account.clone()))
    }
}

/// One account to answer on, and how answers are to look there.
#[derive(Clone)]
pub struct Outlet {
    /// The account.
    pub channel: Arc<dyn Channel>,
    /// Most UTF-16 code units of one part, if less than the channel takes.
    pub text_limit: Option<usize>,
    /// Where long answers are cut.
    pub chunk_mode: ChunkMode,
    /// Whether an answer is shown while it grows, where the channel can edit.
    pub streaming: bool,
    /// Whether a turn heeds messages that come while it runs.
    pub steered: bool,
    /// Whether a part of which nobody knows if it arrived is sent again instead of flagged.
    pub resend: bool,
}

impl Outlet {
    /// What becomes of a part whose fate is unknown. A platform that knows keys never needs the owner's choice.
    pub fn unconfirmed(&self, to: &ReplyAddress) -> Unconfirmed {
        match self.channel.unconfirmed(to) {
            Unconfirmed::Flag if self.resend => Unconfirmed::Resend,
            known => known,
        }
    }

    /// An answer cut to what the account takes at this address.
    pub fn parts(&self, to: &ReplyAddress, markdown: &str) -> Vec<String> {
        let most = self.channel.limits(to).text;
        chunk_markdown(markdown, self.text_limit.map_or(most, |limit| limit.min(most)), self.chunk_mode)
    }
}

/// One agent.
#[derive(Clone)]
pub struct AgentSettings {
    /// The system prompt: workspace files and standing instructions.
    pub system: Arc<str>,
    /// Models to ask, in order of preference. Without any the sender is told that none can be asked.
    pub models: Vec<ModelChoice>,
    /// The zone its person lives in: days of notes begin there.
    pub timezone: Arc<str>,
    /// Most model calls in one turn; the last one gets no tools.
    pub max_steps: u16,
    /// Tools it may use, in the order they are offered.
    pub tools: Vec<Arc<dyn Tool>>,
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
