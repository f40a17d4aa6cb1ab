//! The sections of `chela.json5`. Comments of fields are what `chela config schema` and docs/configuration.md say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chela_core::route::{Binding, RoutingConfig, SessionConfig};
use chela_core::tool_policy::{ModelToolRules, Profile, ToolRules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agents::AgentsSection;
use crate::approvals::{ApprovalsSection, ExecTools};
use crate::auth::AuthSection;
use crate::broadcast::BroadcastSection;
use crate::channels::ChannelsSection;
use crate::commands::CommandsSection;
use crate::mcp::McpSection;
use crate::media::{MediaTools, Tts};
use crate::memory::MemorySection;
use crate::providers::ModelsSection;
use crate::schedules::CronSection;
use crate::secrets::SecretInput;
use crate::skills::{PromptTemplate, SkillsSection};
use crate::spend::SpendSection;
use crate::subagents::SessionTools;
use crate::tools::SubagentTools;
use crate::web::{BrowserTool, WebTools};
use crate::writing::{CronTool, MessageTool};

/// The whole configuration. Everything has a default: an empty file is a configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// Where editors find the schema; ignored otherwise.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// Who answers.
    pub agents: AgentsSection,
    /// Which agent answers what: the first rule that matches, from the narrowest kind to the widest.
    pub bindings: Vec<Binding>,
    /// Where several agents answer each message.
    pub broadcast: BroadcastSection,
    /// How messages are grouped into conversations.
    pub session: SessionConfig,
    /// The messaging platforms, by name.
    pub channels: ChannelsSection,
    /// The providers of models.
    pub models: ModelsSection,
    /// Several credentials of one provider.
    pub auth: AuthSection,
    /// What may be spent on models.
    pub spend: SpendSection,
    /// What agents remember.
    pub memory: MemorySection,
    /// How messages are taken in.
    pub messages: MessagesSection,
    /// What is answered without a model, and who is the owner.
    pub commands: CommandsSection,
    /// Turns that nobody has to ask for.
    pub cron: CronSection,
    /// The HTTP server and its API.
    pub gateway: GatewaySection,
    /// Which tools agents may use, and what they are given.
    pub tools: ToolsSection,
    /// Servers whose tools agents may use as well.
    pub mcp: McpSection,
    /// Where the owner is asked for consent.
    pub approvals: ApprovalsSection,
    /// Instructions that agents load when they need them.
    pub skills: SkillsSection,
    /// Texts that people call by their names.
    pub prompts: BTreeMap<String, PromptTemplate>,
    /// Speech.
    pub tts: Tts,
    /// What is logged.
    pub logging: LoggingSection,
    /// The same agents, bindings and session rules as routing reads them.
    #[serde(skip)]
    #[schemars(skip)]
    pub routing: RoutingConfig,
}

/// `messages`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MessagesSection {
    /// What happens to messages that come while the agent is busy in the same conversation.
    pub queue: QueueSection,
    /// For rooms of every channel.
    pub group_chat: GroupChat,
    /// The emoji that is put under a message while its answer is made, on platforms with reactions; empty for none.
    pub ack_reaction: String,
    /// Where it is used.
    pub ack_reaction_scope: AckReactionScope,
    /// What every answer begins with: text with `{identity.name}`, `{identity.emoji}`, `{agentId}`; `auto` is
    /// `[{identity.name}]`.
    pub response_prefix: Option<String>,
}

impl Default for MessagesSection {
    fn default() -> Self {
        Self {
            queue: QueueSection::default(),
            group_chat: GroupChat::default(),
            ack_reaction: "👀".to_owned(),
            ack_reaction_scope: AckReactionScope::default(),
            response_prefix: None,
        }
    }
}

/// `messages.ackReactionScope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AckReactionScope {
    /// In rooms, under messages that are to the bot.
    #[default]
    GroupMentions,
    /// In rooms.
    GroupAll,
    /// In direct chats.
    Direct,
    /// Everywhere.
    All,
    /// Nowhere.
    #[serde(alias = "none")]
    #[schemars(extend("x-aliases" = ["none"]))]
    Off,
}

/// `messages.queue`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueSection {
    /// What becomes of waiting messages.
    pub mode: QueueMode,
    /// Another mode for some channels, by channel.
    pub by_channel: std::collections::BTreeMap<String, QueueMode>,
    /// Most messages that one turn takes together.
    #[schemars(range(min = 1, max = 100))]
    pub cap: u32,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self { mode: QueueMode::default(), by_channel: std::collections::BTreeMap::new(), cap: 20 }
    }
}

impl QueueSection {
    /// The mode of a channel.
    pub fn mode_of(&self, channel: &str) -> QueueMode {
        self.by_channel.get(channel).copied().unwrap_or(self.mode)
    }
}

/// What becomes of messages that come while the agent is busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueMode {
    /// They become one turn together.
    #[default]
    Collect,
    /// Each becomes a turn of its own.
    Followup,
    /// They are handed to the running turn between its steps.
    Steer,
    /// The running turn ends and the newest message is answered.
    Interrupt,
}

impl QueueMode {
    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}

/// `groupChat`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupChat {
    /// Words (`chela`) or globs (`hey chela*`) that address the agent in rooms, whatever their case. OpenClaw's regular
    /// expressions are not read.
    pub mention_patterns: Vec<String>,
}

/// `gateway`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySection {
    /// Where `chela run` listens: address and port. Anything but a loopback address needs `auth.token`.
    #[serde(deserialize_with = "socket_address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The address platforms reach us at, such as `https://chela.example.com`: what `chela channels register` tells them.
    pub public_origin: Option<String>,
    /// Who may call the API.
    pub auth: GatewayAuth,
    /// What one caller may take.
    pub limits: GatewayLimits,
}

impl Default for GatewaySection {
    fn default() -> Self {
        Self {
            // OpenClaw's port, so that its clients find it.
            listen: SocketAddr::from(([127, 0, 0, 1], 18789)),
            public_origin: None,
            auth: GatewayAuth::default(),
            limits: GatewayLimits::default(),
        }
    }
}

fn socket_address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| serde::de::Error::custom("expected an address and a port, such as \"127.0.0.1:18789\""))
}

/// `gateway.auth`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayAuth {
    /// The API key, sent as `Authorization: Bearer …`. Without it the API answers nobody.
    pub token: Option<SecretInput>,
}

/// `gateway.limits`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayLimits {
    /// Largest request body, in bytes.
    #[schemars(range(min = 1024, max = 6_291_456))]
    pub body_bytes: u32,
    /// Most messages of one sender that are answered in a minute; 0 is no limit.
    pub messages_per_minute: u32,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self { body_bytes: 1024 * 1024, messages_per_minute: 30 }
    }
}

/// `tools`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolsSection {
    /// What agents begin with: `minimal`, `coding`, `messaging` or `full`; everything if left out. See docs/tools.md.
    pub profile: Option<Profile>,
    /// Tools that may be used: names, groups such as `group:fs`, and `*` for any characters; all of the profile if left
    /// out, none if it is empty.
    pub allow: Option<Vec<String>>,
    /// Tools beside those of the profile and of `allow`.
    pub also_allow: Vec<String>,
    /// Tools that may not be used, whatever else says.
    pub deny: Vec<String>,
    /// Tools while the models of some provider, or one model, speak: by `provider` or `provider/model`.
    pub by_provider: BTreeMap<String, ModelToolRules>,
    /// Tools in turns of some senders: by `channel:<channel>:<id>`, `id:<id>`, `e164:<number>`, and `"*"` for everybody
    /// else.
    pub tools_by_sender: BTreeMap<String, ToolRules>,
    /// The tools of sub-agents.
    pub subagents: SubagentTools,
    /// The tools for other conversations.
    pub sessions: SessionTools,
    /// Which calls need the owner's consent.
    pub exec: ExecTools,
    /// What turns files of messages into words.
    pub media: MediaTools,
    /// Pages and searches.
    pub web: WebTools,
    /// A browser for the owner.
    pub browser: BrowserTool,
    /// Messages beside replies.
    pub message: MessageTool,
    /// Schedules that agents make.
    pub cron: CronTool,
}

/// `logging`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LoggingSection {
    /// The least important lines that are written. Bodies of messages never are.
    pub level: LogLevel,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing is written.
    Silent,
    /// What somebody must look at.
    Error,
    /// What somebody may want to look at.
    Warn,
    /// One line per turn.
    #[default]
    Info,
    /// One line per step.
    Debug,
    /// Everything.
    Trace,
}
