//! `channels`: the messaging platforms, their accounts, and who is heard there.

use std::collections::BTreeMap;
use std::fmt;

use chela_core::gate::{DmPolicy, GatePolicy, GroupPolicy, GroupRule, some_ids};
use chela_core::tool_policy::ToolRules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secrets::SecretInput;
use crate::settings::Config;

/// The account a channel has when none is named.
pub const DEFAULT_ACCOUNT: &str = "default";

/// Files up to this are fetched unless the configuration says otherwise: photos, documents, voice, short videos. The
/// agent's memory holds one while it is stored.
const MEDIA_MAX_MB: u32 = 16;

/// `channels`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ChannelsSection {
    /// What holds for every channel that does not say otherwise.
    pub defaults: ChannelDefaults,
    /// The channels by name: `telegram`, `slack`, `webhook`, …
    #[serde(flatten)]
    pub by_id: BTreeMap<String, ChannelConfig>,
}

/// `channels.defaults`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelDefaults {
    /// Whose messages in rooms are heard.
    pub group_policy: Option<GroupPolicy>,
}

/// One channel, or what one of its accounts changes. Beside these keys a channel has its own, such as `botToken`: see
/// its page.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelConfig {
    /// `false` turns it off; a channel that is turned off takes its accounts with it.
    pub enabled: Option<bool>,
    /// Who may write directly; `pairing` if left out.
    pub dm_policy: Option<DmPolicy>,
    /// Ids of senders who are always heard, numbers with or without quotes; `"*"` is everybody. Names are never read:
    /// anyone can take any name.
    #[serde(deserialize_with = "some_ids")]
    #[schemars(with = "Option<Vec<chela_core::gate::SenderId>>")]
    pub allow_from: Option<Vec<String>>,
    /// Whose messages in rooms are heard; `allowlist` if left out.
    pub group_policy: Option<GroupPolicy>,
    /// Ids of senders who are heard in rooms; `allowFrom` if left out. Approved pairings do not count in rooms.
    #[serde(deserialize_with = "some_ids")]
    #[schemars(with = "Option<Vec<chela_core::gate::SenderId>>")]
    pub group_allow_from: Option<Vec<String>>,
    /// Rooms by id, `"*"` for all others. If some are listed, no other is heard. Slack's name for it is `channels`.
    #[serde(alias = "channels")]
    #[schemars(extend("x-aliases" = ["channels"]))]
    pub groups: Option<BTreeMap<String, GroupRule>>,
    /// Whether messages in rooms must address the agent; `true` if left out.
    pub require_mention: Option<bool>,
    /// Words (`chela`) or globs (`hey chela*`) that address the agent in rooms, whatever their case.
    pub mention_patterns: Option<Vec<String>>,
    /// Most characters of one part of an answer, if less than the platform takes.
    #[schemars(range(min = 200, max = 100_000))]
    pub text_chunk_limit: Option<u32>,
    /// Largest file of a message that is fetched, in megabytes.
    #[schemars(range(min = 1, max = 100))]
    pub media_max_mb: Option<u32>,
    /// What becomes of a part of which nobody knows whether it arrived, where the platform knows no keys. Left out: where
    /// messages can be edited, a part takes the place of an empty message, so that the doubt does not arise; else `flag`.
    pub unconfirmed: Option<UnconfirmedPolicy>,
    /// Which tools agents may use for what is written there. Not in OpenClaw.
    pub tools: Option<ToolRules>,
    /// How answers grow while they are made.
    pub streaming: Option<Streaming>,
    /// What people call this account.
    pub name: Option<String>,
    /// Accounts by name. Each has the keys of the channel; what it says counts instead of what the channel says.
    pub accounts: Option<BTreeMap<String, ChannelConfig>>,
    /// The channel's own keys.
    #[serde(flatten)]
    pub own: OwnKeys,
}

/// `streaming`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Streaming {
    /// `off`: only whole answers. Anything else: the answer is edited as it grows, where the platform can.
    pub mode: StreamingMode,
    /// Where long answers are cut.
    pub chunk_mode: ChunkMode,
    /// What is said on the way to an answer.
    pub block: BlockStreaming,
}

/// `streaming.block`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockStreaming {
    /// Whether what the model says on the way to an answer is sent at once, in messages of its own: what it says before it
    /// uses a tool, and a long answer block by block, where the platform does not show it while it grows.
    pub enabled: bool,
    /// What is too short waits for more.
    pub coalesce: Coalesce,
}

/// `streaming.block.coalesce`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Coalesce {
    /// Fewest characters of such a message.
    #[schemars(range(min = 1))]
    pub min_chars: u32,
    /// Characters at which a message is full, and the answer goes on in the next one.
    #[schemars(range(min = 1))]
    pub max_chars: u32,
    /// Milliseconds a growing answer stands still before what there is of it is sent.
    #[schemars(range(min = 1))]
    pub idle_ms: u32,
}

impl Default for Coalesce {
    fn default() -> Self {
        Self { min_chars: 80, max_chars: 1_200, idle_ms: 1_000 }
    }
}

/// `agents.defaults.blockStreamingBreak`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockStreamingBreak {
    /// While the model speaks.
    #[default]
    TextEnd,
    /// Where it stops speaking: before it uses a tool, and at the end.
    MessageEnd,
}

/// `streaming.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamingMode {
    /// Only whole answers.
    Off,
    /// Edited as it grows.
    #[default]
    Partial,
    /// Read as `partial`.
    Block,
    /// Read as `partial`.
    Progress,
}

/// `streaming.chunkMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChunkMode {
    /// As late as the limit allows.
    #[default]
    Length,
    /// At ends of paragraphs.
    Newline,
}

/// `unconfirmed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnconfirmedPolicy {
    /// It is listed by `chela deadletters` and waits for a decision.
    Flag,
    /// It is sent again: it may be seen twice.
    Resend,
}

/// Keys that only the channel itself understands; some hold secrets, so nothing of them is printed.
#[derive(Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OwnKeys(Map<String, Value>);

impl fmt::Debug for OwnKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

impl OwnKeys {
    /// The secret under `key`, if there is a text or a reference.
    pub fn secret(&self, key: &str) -> Option<SecretInput> {
        self.0.get(key).and_then(SecretInput::from_json)
    }

    /// Everything but `secrets`.
    pub fn options(&self, secrets: &[&str]) -> Map<String, Value> {
        let public = self.0.iter().filter(|(key, _)| !secrets.contains(&key.as_str()));
        public.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// One account with everything filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The channel.
    pub channel: String,
    /// The account.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Which tools may be used for what is written there; what rooms say is with the gate.
    pub tools: ToolRules,
    /// Who is heard.
    pub gate: GatePolicy,
    /// Most characters of one part, if less than the platform takes.
    pub text_chunk_limit: Option<u32>,
    /// Largest file of a message that is fetched, in megabytes.
    pub media_max_mb: u32,
    /// What its owner wants of a part whose fate is unknown.
    pub unconfirmed: Option<UnconfirmedPolicy>,
    /// How answers grow.
    pub streaming: Streaming,
    /// The channel's own keys.
    pub own: OwnKeys,
}

impl ChannelConfig {
    /// This channel as one of its accounts sees it: lists and rooms are replaced as a whole, never mixed.
    fn with(&self, account: &Self) -> Self {
        let mut own = self.own.0.clone();
        own.extend(account.own.0.clone());
        Self {
            enabled: Some(self.enabled != Some(false) && account.enabled != Some(false)),
            dm_policy: account.dm_policy.or(self.dm_policy),
            allow_from: account.allow_from.clone().or_else(|| self.allow_from.clone()),
            group_policy: account.group_policy.or(self.group_policy),
            group_allow_from: account.group_allow_from.clone().or_else(|| self.group_allow_from.clone()),
            groups: account.groups.clone().or_else(|| self.groups.clone()),
            require_mention: account.require_mention.or(self.require_mention),
            mention_patterns: account.mention_patterns.clone().or_else(|| self.mention_patterns.clone()),
            text_chunk_limit: account.text_chunk_limit.or(self.text_chunk_limit),
            media_max_mb: account.media_max_mb.or(self.media_max_mb),
            unconfirmed: account.unconfirmed.or(self.unconfirmed),
            tools: account.tools.clone().or_else(|| self.tools.clone()),
            streaming: account.streaming.clone().or_else(|| self.streaming.clone()),
            name: account.name.clone().or_else(|| self.name.clone()),
            accounts: None,
            own: OwnKeys(own),
        }
    }

    /// Names of its accounts.
    pub fn account_ids(&self) -> Vec<String> {
        match &self.accounts {
            Some(accounts) if !accounts.is_empty() => accounts.keys().cloned().collect(),
            _ => vec![DEFAULT_ACCOUNT.to_owned()],
        }
    }
}

impl Config {
    /// One account, if it is configured. Its gate has the mention patterns of all rooms but of no agent: see
    /// [`Config::mention_patterns`].
    pub fn account(&self, channel: &str, account: &str) -> Option<Account> {
        let base = self.channels.by_id.get(channel)?;
        let own = match base.accounts.as_ref().filter(|accounts| !accounts.is_empty()) {
            Some(accounts) => accounts.get(account)?.clone(),
            None if account == DEFAULT_ACCOUNT => ChannelConfig::default(),
            None => return None,
        };
        let merged = base.with(&own);
        let default_policy = self.channels.defaults.group_policy.unwrap_or_default();
        let mut patterns = self.messages.group_chat.mention_patterns.clone();
        patterns.extend(merged.mention_patterns.unwrap_or_default());
        Some(Account {
            channel: channel.to_owned(),
            id: account.to_owned(),
            name: merged.name,
            gate: GatePolicy {
                enabled: merged.enabled != Some(false),
                dm_policy: merged.dm_policy.unwrap_or_default(),
                allow_from: merged.allow_from.unwrap_or_default(),
                group_policy: merged.group_policy.unwrap_or(default_policy),
                group_allow_from: merged.group_allow_from,
                groups: merged.groups.unwrap_or_default(),
                require_mention: merged.require_mention.unwrap_or(true),
                mention_patterns: patterns,
                owners: self.commands.owner_allow_from.clone(),
            },
            text_chunk_limit: merged.text_chunk_limit,
            media_max_mb: merged.media_max_mb.unwrap_or(MEDIA_MAX_MB),
            unconfirmed: merged.unconfirmed,
            tools: merged.tools.unwrap_or_default(),
            streaming: merged.streaming.unwrap_or_default(),
            own: merged.own,
        })
    }

    /// All configured accounts of all channels, those that are turned off too.
    pub fn accounts(&self) -> Vec<Account> {
        let named = |(channel, config): (&String, &ChannelConfig)| -> Vec<Account> {
            config.account_ids().iter().filter_map(|id| self.account(channel, id)).collect()
        };
        self.channels.by_id.iter().flat_map(named).collect()
    }

    /// What addresses one agent in rooms, beside what the account's gate has: added to it once the route is known.
    pub fn mention_patterns(&self, agent: &str) -> &[String] {
        self.agents.entry(agent).map_or(&[], |agent| agent.group_chat.mention_patterns.as_slice())
    }
}
