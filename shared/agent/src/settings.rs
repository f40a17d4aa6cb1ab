//! What configuration decided, in the form a turn needs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chela_core::agent_id::AgentId;
use chela_core::approval::Asking;
use chela_core::channel::{Channel, Unconfirmed};
use chela_core::chunk::{ChunkMode, chunk_markdown};
use chela_core::media::{Documents, Ears, Voice};
use chela_core::message::{ChannelId, ReplyAddress};
use chela_core::model::{Model, Thinking};
use chela_core::queue::Authority;
use chela_core::reply::{Piece, Said, numbered, pieces};
use chela_core::spend::Price;
use chela_core::tool::Tool;
use chela_core::tool_policy::ToolPolicy;

use crate::approval::ApprovalRules;
use crate::knowledge::Knowledge;
use crate::spend::SpendRules;

/// Everything that is installed: channels to answer on, agents to answer.
#[derive(Clone, Default)]
pub struct Installation {
    /// By channel and account.
    pub outlets: HashMap<(ChannelId, String), Outlet>,
    /// By id.
    pub agents: HashMap<AgentId, AgentSettings>,
    /// What hears, reads and speaks.
    pub media: MediaSettings,
    /// What may be spent.
    pub spend: SpendRules,
    /// What is a command here.
    pub commands: CommandRules,
    /// Which tools may be used, by whom and where.
    pub tools: Arc<ToolPolicy>,
}

/// What configuration says about commands.
#[derive(Clone, Debug)]
pub struct CommandRules {
    /// Whether commands that are merely typed count, beside those of a platform's menu.
    pub typed: bool,
    /// Words of commands that are turned off.
    pub disabled: Vec<String>,
    /// Whether the owners are named: then being paired makes nobody one.
    pub owners_named: bool,
}

impl Default for CommandRules {
    fn default() -> Self {
        Self { typed: true, disabled: Vec::new(), owners_named: false }
    }
}

impl Installation {
    /// What can send to `address`.
    pub fn outlet(&self, address: &ReplyAddress) -> Option<&Outlet> {
        self.outlets.get(&(address.channel.clone(), address.account.clone()))
    }
}

/// What hears, reads and speaks for all agents.
#[derive(Clone, Default)]
pub struct MediaSettings {
    /// What turns voice notes into words; `None`: they stay files.
    pub ears: Option<Arc<dyn Ears>>,
    /// What is sent before the answer to a voice note, with `{transcript}` in it; `None` for nothing.
    pub echo: Option<String>,
    /// What turns PDFs into words; `None`: they stay files.
    pub documents: Option<Arc<dyn Documents>>,
    /// What speaks.
    pub voice: Option<Arc<dyn Voice>>,
    /// When an answer is spoken unasked.
    pub aloud: AutoVoice,
}

/// When an answer is spoken beside being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoVoice {
    /// Never.
    #[default]
    Off,
    /// Always.
    Always,
    /// When it answers a voice note.
    Inbound,
    /// When the model says so.
    Tagged,
}

/// How what is said on the way to an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Fewest characters of a message.
    pub least: usize,
    /// Characters at which a message is full, and the answer goes on in the next one.
    pub most: usize,
    /// How long a growing answer stands still before what there is of it is sent.
    pub idle: Duration,
    /// Whether a growing answer is sent block by block, where the channel does not show it in another way; else only what
    /// is said before tools run.
    pub growing: bool,
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
    /// How what is said on the way to an answer is sent as messages of its own; `None` if nothing is.
    pub blocks: Option<Blocks>,
    /// Whether a turn heeds messages that come while it runs.
    pub steered: bool,
    /// Largest file of a message that is fetched, in bytes.
    pub media_bytes: usize,
    /// The emoji that says "seen" under a message while an answer is made, and where it is used.
    pub seen: Option<(String, SeenScope)>,
    /// What its owner wants of a part of which nobody knows if it arrived, instead of what the channel does.
    pub wished: Option<Unconfirmed>,
}

impl Outlet {
    /// What becomes of a part whose fate is unknown. A platform that knows keys never needs the owner's choice.
    pub fn unconfirmed(&self, to: &ReplyAddress) -> Unconfirmed {
        match self.channel.unconfirmed(to) {
            Unconfirmed::ResendWithKey => Unconfirmed::ResendWithKey,
            own => self.wished.unwrap_or(own),
        }
    }

    /// What a request for consent has to fit into.
    pub(crate) fn asking(&self, to: &ReplyAddress) -> Asking {
        let limits = self.channel.limits(to);
        let units = self.text_limit.map_or(limits.text, |limit| limit.min(limits.text));
        Asking { units: if units == 0 { usize::MAX } else { units }, choices: limits.choices }
    }

    /// An answer cut to what the account takes at this address.
    /// Files are parts of their own; choices stay with the last words, and are a list where there are no buttons.
    pub fn parts(&self, to: &ReplyAddress, markdown: &str) -> Vec<String> {
        let limits = self.channel.limits(to);
        let most = self.text_limit.map_or(limits.text, |limit| limit.min(limits.text));
        let mut parts = Vec::new();
        for piece in pieces(markdown) {
            let text = match piece {
                Piece::Text(text) => text,
                Piece::File(path) => {
                    parts.push(Said { file: Some(path), ..Said::default() }.part());
                    continue;
                }
            };
            let Said { mut text, mut choices, .. } = Said::of(&text);
            if choices.len() > limits.choices || text.is_empty() {
                text = format!("{text}\n\n{}", numbered(&choices)).trim().to_owned();
            }
            if choices.len() > limits.choices {
                choices.clear();
            }
            let mut texts = chunk_markdown(&text, most, self.chunk_mode);
            if let Some(last) = texts.pop() {
                parts.extend(texts);
                parts.push(Said { text: last, choices, file: None }.part());
            }
        }
        parts
    }
}

/// Where a message is marked as seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenScope {
    /// In rooms, where it is to us.
    GroupMentions,
    /// In rooms.
    GroupAll,
    /// In direct chats.
    Direct,
    /// Everywhere.
    All,
}

/// One agent.
#[derive(Clone, Default)]
pub struct AgentSettings {
    /// The system prompt: workspace files and standing instructions.
    pub system: Arc<str>,
    /// The same without what only the owner may read.
    pub system_for_guests: Arc<str>,
    /// Models to ask, in order of preference. Without any the sender is told that none can be asked.
    pub models: Vec<ModelChoice>,
    /// Further models that a conversation may choose to be asked first.
    pub further_models: Vec<ModelChoice>,
    /// How hard they think, unless a conversation chooses otherwise.
    pub thinking: Thinking,
    /// The zone its person lives in: days of notes begin there.
    pub timezone: Arc<str>,
    /// Most model calls in one turn; the last one gets no tools.
    pub max_steps: u16,
    /// Tools it may use, in the order they are offered.
    pub tools: Vec<Arc<dyn Tool>>,
    /// Whether every finished turn is published as a lifecycle event (on AWS $1 per million); failures always are.
    pub announce: bool,
    /// Longest a turn may take from its first step on; as long as it takes if `None`.
    pub longest_turn: Option<Duration>,
    /// How long sub-agents that have ended are listed; always if `None`.
    pub archive_after: Option<Duration>,
    /// How its answers begin.
    pub voice: crate::voice::Voice,
    /// What it knows beside its prompt.
    pub knowledge: Knowledge,
    /// What becomes of a conversation that grows longer than its models read.
    pub context: ContextSettings,
    /// Which of its calls a person must agree to.
    pub approvals: ApprovalRules,
}

impl AgentSettings {
    /// All models it may ask.
    pub fn all_models(&self) -> impl Iterator<Item = &ModelChoice> {
        self.models.iter().chain(&self.further_models)
    }
}

impl AgentSettings {
    /// The prompt of a turn: one in which a guest's words are does not tell what the owner's memory holds.
    pub(crate) fn system_for(&self, authority: Authority) -> &str {
        match authority {
            Authority::Owner => &self.system,
            Authority::Guest => &self.system_for_guests,
        }
    }
}

/// `agents.defaults.compaction` and `agents.defaults.contextPruning`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextSettings {
    /// How a long past becomes a summary.
    pub compaction: CompactionSettings,
    /// How old results of tools are shortened for the model; `None` if never.
    pub pruning: Option<PruningSettings>,
}

/// How a long past becomes a summary.
#[derive(Clone, Debug, PartialEq)]
pub struct CompactionSettings {
    /// Whether a model writes it; else it is the last words of each side, shortened.
    pub by_model: bool,
    /// Tokens of the window that are left free, less in small windows.
    pub reserve_tokens: u64,
    /// Tokens of the newest turns that stay as they were said, fewer in small windows.
    pub keep_recent_tokens: u64,
    /// Whether what must last is noted before.
    pub flush: Option<FlushSettings>,
}

impl Default for CompactionSettings {
    fn default() -> Self {
        Self { by_model: true, reserve_tokens: 20_000, keep_recent_tokens: 20_000, flush: None }
    }
}

/// The notes that are taken before a compaction.
#[derive(Clone, Debug, PartialEq)]
pub struct FlushSettings {
    /// Tokens that are left free for it beside the reserve.
    pub soft_threshold_tokens: u64,
    /// What the model is asked; a default if left out.
    pub prompt: Option<Arc<str>>,
}

/// How old results of tools are shortened.
#[derive(Clone, Debug, PartialEq)]
pub struct PruningSettings {
    /// The part of the window beyond which long ones are trimmed.
    pub soft_ratio: f64,
    /// The part beyond which, trimmed as they are, all are cleared.
    pub hard_ratio: f64,
    /// Answers of the model, the newest, from the first of which on nothing is touched.
    pub keep_last_assistants: usize,
    /// A result with more characters is trimmed.
    pub max_chars: usize,
    /// What is kept of its beginning.
    pub head_chars: usize,
    /// What is kept of its end.
    pub tail_chars: usize,
    /// What stands for a cleared one; `None` if none is cleared.
    pub placeholder: Option<Arc<str>>,
}

impl Default for PruningSettings {
    fn default() -> Self {
        Self {
            soft_ratio: 0.3,
            hard_ratio: 0.5,
            keep_last_assistants: 3,
            max_chars: 4_000,
            head_chars: 1_500,
            tail_chars: 1_500,
            placeholder: Some("[Old tool result content cleared]".into()),
        }
    }
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
    /// What it looks at itself.
    pub sees: Sees,
    /// What it costs; `None` if nobody knows.
    pub price: Option<Price>,
    /// The credentials it is asked with, in order of preference.
    pub profiles: Vec<Profile>,
}

impl ModelChoice {
    /// The provider's id.
    pub fn provider(&self) -> &str {
        self.name.split_once('/').map_or(self.name.as_str(), |(provider, _)| provider)
    }
}

/// One credential of a provider.
#[derive(Clone)]
pub struct Profile {
    /// Its id: `anthropic:work`, or `anthropic:default` where there is but one. Rests are noted under it.
    pub id: String,
    /// The provider's endpoint, asked with this credential.
    pub model: Arc<dyn Model>,
}

/// What a model looks at itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sees {
    /// Pictures.
    pub image: bool,
    /// PDFs.
    pub pdf: bool,
}
