//! The configuration: one JSON5 file in OpenClaw's key names. See docs/configuration.md.

mod agents;
mod approvals;
mod auth;
mod broadcast;
mod channels;
mod check;
mod commands;
mod context;
mod document;
mod edit;
mod excerpt;
mod identity;
mod include;
mod live;
mod mcp;
mod media;
mod memory;
mod openclaw;
mod path;
mod providers;
#[cfg(test)]
mod reference;
mod report;
mod safety;
mod schedules;
mod schema;
mod secrets;
mod settings;
mod shape;
mod skills;
mod spend;
mod subagents;
mod tools;
mod variables;
mod web;
mod writing;

pub use agents::{Agent, AgentDefaults, AgentsSection, Heartbeat, ModelChoice, Ownership, SystemAgent};
pub use approvals::{ApprovalsSection, Ask, ExecApprovals, ExecHost, ExecTools, Security};
pub use auth::{AuthMode, AuthProfile, AuthSection};
pub use broadcast::{BroadcastGroup, BroadcastSection, BroadcastStrategy, Choir};
pub use channels::{
    Account, BlockStreamingBreak, ChannelConfig, ChannelDefaults, ChannelsSection, ChunkMode, DEFAULT_ACCOUNT, OwnKeys,
    Streaming, StreamingMode, UnconfirmedPolicy,
};
pub use check::{Checked, Surroundings, check, schema};
pub use commands::{Auto, CommandsSection, NativeCommands};
pub use context::{Compaction, CompactionMode, ContextPruning, HardClear, MemoryFlush, PruningMode, SoftTrim};
pub use document::written;
pub use edit::edit;
pub use identity::Identity;
pub use live::{LiveConfig, LoadError, Refreshed};
pub use mcp::{McpAuth, McpOauth, McpRisk, McpSection, McpServer, McpTools};
pub use media::{MediaAudio, MediaCapability, MediaModel, MediaModels, MediaTools, Tts, TtsAuto, TtsProvider};
pub use memory::{
    MemoryChunking, MemoryDecay, MemoryHybrid, MemoryMmr, MemoryQuery, MemoryRemote, MemorySearch, MemorySection,
};
pub use providers::{MaxTokensField, Model, ModelCompat, ModelCost, ModelInput, ModelsSection, Provider, ProviderApi};
pub use report::{Finding, Report, Severity};
pub use safety::KEY_CHARS;
pub use schedules::{CronSection, Destination, HEARTBEAT_PROMPT, Job, Planned};
pub use secrets::SecretInput;
pub use settings::{
    AckReactionScope, Config, GatewayAuth, GatewayLimits, GatewaySection, GroupChat, LogLevel, LoggingSection,
    MessagesSection, QueueMode, QueueSection, ToolsSection,
};
pub use shape::{ChannelKeys, SecretKey};
pub use skills::{ContextRule, PromptTemplate, SkillEntry, SkillsSection};
pub use spend::{SpendLimits, SpendPrices, SpendSection};
pub use subagents::{SessionTools, SessionVisibility, SubagentDefaults, Subagents};
pub use tools::{AgentTools, SubagentTools};
pub use variables::{MissingVariable, SecretUse};
pub use web::{BrowserTool, SearchProvider, WebFetch, WebSearch, WebTools};
pub use writing::{CronTool, MessageTool};

/// The reference manual: every key with its default, as a configuration that changes nothing.
pub const DEFAULT_TEXT: &str = include_str!("../chela.default.json5");
