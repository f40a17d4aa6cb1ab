//! The name of a conversation, in OpenClaw's grammar. The key decides which transcript a message joins, so it
//! is made here from verified facts and never taken from a client.

mod identity_links;
mod parse;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

pub use self::identity_links::IdentityLinks;
pub use self::parse::{
    ParsedSessionKey, ThreadSuffix, agent_id_of, is_acp, is_cron, is_incognito, is_subagent, parse_agent_session_key,
    parse_thread_suffix,
};
use crate::agent_id::{AgentId, fold, js_trim, normalize_account_id, normalize_agent_id};

/// The last segment of an agent's main session where the configuration names no other.
pub const DEFAULT_MAIN_KEY: &str = "main";

/// What a key calls a channel or a peer that has no name.
const UNKNOWN: &str = "unknown";

/// The longest message group SQS accepts.
const QUEUE_GROUP_MAX: usize = 128;

/// The name of one conversation with one agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SessionKey(String);

impl SessionKey {
    /// A key that this house made earlier and stored. Never pass what a client sent.
    #[must_use]
    pub fn from_stored(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same conversation with another agent; a key of no agent stays as it is.
    #[must_use]
    pub fn with_agent(&self, agent: &AgentId) -> Self {
        let rest = self.0.strip_prefix("agent:").and_then(|rest| rest.split_once(':'));
        rest.map_or_else(|| self.clone(), |(_, rest)| Self(format!("agent:{agent}:{rest}")))
    }

    /// The SQS message group of the conversation: the key itself, so that an operator can read it, or a hash
    /// of it where SQS would refuse the key.
    #[must_use]
    pub fn queue_group(&self) -> String {
        let fits = !self.0.is_empty()
            && self.0.len() <= QUEUE_GROUP_MAX
            && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b.is_ascii_punctuation());
        if fits { self.0.clone() } else { format!("h:{}", hex::encode(Sha256::digest(self.0.as_bytes()))) }
    }
}

impl std::fmt::Display for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How direct messages are grouped into sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DmScope {
    /// All direct messages of an agent share its main session.
    #[default]
    Main,
    /// One session per person, whatever the channel.
    PerPeer,
    /// One session per person and channel.
    PerChannelPeer,
    /// One session per person, channel and account of ours.
    PerAccountChannelPeer,
}

/// How messages in groups and channels are grouped into sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupScope {
    /// Every group joins the agent's main session.
    Main,
    /// One session per group.
    #[default]
    PerGroup,
}

/// What is on the other side of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind {
    /// One human.
    Direct,
    /// A closed room.
    Group,
    /// A room anyone may join or follow.
    Channel,
}

impl PeerKind {
    /// The kind as a session key spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Channel => "channel",
        }
    }

    /// The kind a word stands for; `dm` is another word for `direct`.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        match fold(label).as_str() {
            "direct" | "dm" => Some(Self::Direct),
            "group" => Some(Self::Group),
            "channel" => Some(Self::Channel),
            _ => None,
        }
    }

    /// Whether a binding for `self` covers a peer of the kind `other`: platforms disagree on what is a group
    /// and what a channel, so either covers both.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self == other || (self != Self::Direct && other != Self::Direct)
    }
}

impl<'de> Deserialize<'de> for PeerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        Self::from_label(&label)
            .ok_or_else(|| serde::de::Error::unknown_variant(&label, &["direct", "group", "channel"]))
    }
}

/// The human or room on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    /// Human or room.
    pub kind: PeerKind,
    /// The platform's id of it; a bare number is taken for its digits.
    #[serde(default, deserialize_with = "id_text")]
    pub id: String,
}

impl Peer {
    /// A peer of the given kind.
    #[must_use]
    pub fn new(kind: PeerKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// Everything a session key is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionKeyInput {
    /// The agent; `main` where absent.
    pub agent_id: Option<String>,
    /// The last segment of the agent's main session; `main` where absent.
    pub main_key: Option<String>,
    /// The channel; `unknown` where absent.
    pub channel: Option<String>,
    /// Our account on the channel; `default` where absent.
    pub account_id: Option<String>,
    /// The other side; without one the key is the agent's main session.
    pub peer: Option<Peer>,
    /// How direct messages are grouped.
    pub dm_scope: Option<DmScope>,
    /// How groups are grouped.
    pub group_scope: Option<GroupScope>,
    /// Who is who across channels.
    pub identity_links: Option<IdentityLinks>,
}

/// The session key of a conversation.
#[must_use]
pub fn build_session_key(input: &SessionKeyInput) -> SessionKey {
    Parts {
        agent: input.agent_id.as_deref(),
        main_key: input.main_key.as_deref(),
        channel: input.channel.as_deref().unwrap_or_default(),
        account: input.account_id.as_deref(),
        peer: input.peer.as_ref(),
        dm_scope: input.dm_scope.unwrap_or_default(),
        group_scope: input.group_scope.unwrap_or_default(),
        links: input.identity_links.as_ref(),
    }
    .key()
}

/// The key of an agent's main session: `agent:<agent>:<main key>`.
#[must_use]
pub fn main_session_key(agent: Option<&str>, main_key: Option<&str>) -> SessionKey {
    let main_key = or_else(fold(main_key.unwrap_or_default()), DEFAULT_MAIN_KEY);
    SessionKey(format!("agent:{}:{main_key}", normalize_agent_id(agent)))
}

/// The key of a thread inside a conversation: `<base>:thread:<id>`. A blank thread is the conversation itself.
#[must_use]
pub fn thread_session_key(base: &SessionKey, thread: &str) -> SessionKey {
    let thread = fold(thread);
    if thread.is_empty() { base.clone() } else { SessionKey(format!("{base}:thread:{thread}")) }
}

/// Whether an id that anybody may have chosen would lead into the conversation of another: keys are made without spaces
/// around ids, and `ada:thread:7` is the thread 7 of `ada`.
#[must_use]
pub fn names_another(id: &str) -> bool {
    js_trim(id) != id || fold(id).contains(":thread:")
}

/// The peer id of a Telegram forum topic: `<chat>:topic:<id>`. Telegram's topics are peers of their own, whose
/// parent peer is the chat.
#[must_use]
pub fn topic_peer_id(chat: &str, topic: &str) -> String {
    let (chat, topic) = (js_trim(chat), js_trim(topic));
    if topic.is_empty() { chat.to_owned() } else { format!("{chat}:topic:{topic}") }
}

/// The key of a named schedule: `cron:<name>`.
#[must_use]
pub fn cron_session_key(name: &str) -> SessionKey {
    SessionKey(format!("cron:{}", fold(name)))
}

/// The key of a sub-agent's conversation: `agent:<agent>:subagent:<id>`.
#[must_use]
pub fn subagent_session_key(agent: &AgentId, id: &str) -> SessionKey {
    SessionKey(format!("agent:{agent}:subagent:{}", fold(id)))
}

/// Borrowed ingredients of a key, so that routing a message copies no table of identities.
pub(crate) struct Parts<'a> {
    pub(crate) agent: Option<&'a str>,
    pub(crate) main_key: Option<&'a str>,
    pub(crate) channel: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) peer: Option<&'a Peer>,
    pub(crate) dm_scope: DmScope,
    pub(crate) group_scope: GroupScope,
    pub(crate) links: Option<&'a IdentityLinks>,
}

impl Parts<'_> {
    pub(crate) fn key(&self) -> SessionKey {
        let main = || main_session_key(self.agent, self.main_key);
        let Some(peer) = self.peer else { return main() };
        let agent = normalize_agent_id(self.agent);
        let channel = or_else(fold(self.channel), UNKNOWN);
        let id = or_else(js_trim(&peer.id).to_owned(), UNKNOWN);
        if peer.kind != PeerKind::Direct {
            if self.group_scope == GroupScope::Main {
                return main();
            }
            let id = if keeps_case(&channel, peer.kind) { id } else { fold(&id) };
            return SessionKey(format!("agent:{agent}:{channel}:{}:{id}", peer.kind.as_str()));
        }
        let person = || fold(self.links.and_then(|links| links.canonical(&channel, &id)).unwrap_or(&id));
        match self.dm_scope {
            DmScope::Main => main(),
            DmScope::PerPeer => SessionKey(format!("agent:{agent}:direct:{}", person())),
            DmScope::PerChannelPeer => SessionKey(format!("agent:{agent}:{channel}:direct:{}", person())),
            DmScope::PerAccountChannelPeer => {
                let account = normalize_account_id(self.account);
                SessionKey(format!("agent:{agent}:{channel}:{account}:direct:{}", person()))
            }
        }
    }
}

/// Room ids that differ only by case are different rooms on these two; everywhere else ids are folded.
fn keeps_case(channel: &str, kind: PeerKind) -> bool {
    match channel {
        "signal" => kind == PeerKind::Group,
        "matrix" => kind != PeerKind::Direct,
        _ => false,
    }
}

fn or_else(text: String, fallback: &str) -> String {
    if text.is_empty() { fallback.to_owned() } else { text }
}

/// Reads an id that people also write as a bare number; anything else counts as absent.
pub(crate) fn id_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(value_text(serde_json::Value::deserialize(deserializer)?).unwrap_or_default())
}

pub(crate) fn value_text(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => {
            Some(number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.to_string(), |n| n.to_string()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(id: &str, scope: DmScope) -> SessionKeyInput {
        SessionKeyInput {
            channel: Some("telegram".into()),
            peer: Some(Peer::new(PeerKind::Direct, id)),
            dm_scope: Some(scope),
            ..SessionKeyInput::default()
        }
    }

    #[test]
    fn each_scope_of_direct_messages_has_its_shape() {
        let key = |scope| build_session_key(&direct("U7", scope)).0;
        assert_eq!(key(DmScope::Main), "agent:main:main");
        assert_eq!(key(DmScope::PerPeer), "agent:main:direct:u7");
        assert_eq!(key(DmScope::PerChannelPeer), "agent:main:telegram:direct:u7");
        assert_eq!(key(DmScope::PerAccountChannelPeer), "agent:main:telegram:default:direct:u7");
    }

    #[test]
    fn one_person_on_two_channels_is_one_session() {
        let links: IdentityLinks = serde_json::from_str(r#"{"Alice":["telegram:U7","discord:9"]}"#).unwrap();
        let mut input = SessionKeyInput { identity_links: Some(links), ..direct("u7", DmScope::PerPeer) };
        assert_eq!(build_session_key(&input).as_str(), "agent:main:direct:alice");
        input.channel = Some("discord".into());
        input.peer = Some(Peer::new(PeerKind::Direct, "9"));
        assert_eq!(build_session_key(&input).as_str(), "agent:main:direct:alice");
    }

    #[test]
    fn rooms_of_matrix_and_signal_keep_their_case() {
        for (channel, id) in [("Matrix", "!Room:srv"), ("signal", "aB=="), ("slack", "C1")] {
            let input = SessionKeyInput {
                channel: Some(channel.into()),
                peer: Some(Peer::new(PeerKind::Group, id)),
                ..SessionKeyInput::default()
            };
            let kept = build_session_key(&input).as_str().ends_with(id);
            assert_eq!(kept, channel != "slack", "{channel}");
        }
    }

    #[test]
    fn a_thread_extends_the_key_of_its_conversation() {
        let base = SessionKey::from_stored("agent:main:slack:channel:c1");
        assert_eq!(thread_session_key(&base, " 17.AB ").as_str(), "agent:main:slack:channel:c1:thread:17.ab");
        assert_eq!(thread_session_key(&base, "  "), base);
        assert_eq!(topic_peer_id("-100", "42"), "-100:topic:42");
    }

    #[test]
    fn an_id_that_leads_into_another_conversation_is_known() {
        let key = |id: &str| build_session_key(&direct(id, DmScope::PerChannelPeer));
        for (id, other) in [
            ("ada:thread:7", thread_session_key(&key("ada"), "7")),
            ("ada:Thread:7", thread_session_key(&key("ada"), "7")),
            (" ada", key("ada")),
            ("ada\u{a0}", key("ada")),
        ] {
            assert!(key(id) == other && names_another(id), "{id}");
        }
        for id in ["ada", "@ada:hs.local", "thread:7", "ada:thread", "a b"] {
            assert!(!names_another(id), "{id}");
        }
    }

    #[test]
    fn a_conversation_is_had_with_another_agent_too() {
        let work = AgentId::new("work");
        let key = |key: &str| SessionKey::from_stored(key).with_agent(&work).0;
        assert_eq!(key("agent:main:telegram:group:-1:thread:2"), "agent:work:telegram:group:-1:thread:2");
        assert_eq!(key("cron:daily"), "cron:daily");
        assert_eq!(subagent_session_key(&work, "A1").as_str(), "agent:work:subagent:a1");
        assert!(is_subagent("agent:work:subagent:a1"));
    }

    #[test]
    fn a_key_that_sqs_refuses_is_hashed() {
        let readable = SessionKey::from_stored("agent:main:matrix:group:!a:b.c");
        assert_eq!(readable.queue_group(), readable.as_str());
        for key in ["agent:main:direct:a b", "agent:main:direct:é", "", &"x".repeat(129)] {
            let group = SessionKey::from_stored(key).queue_group();
            assert_eq!((group.len(), group.starts_with("h:")), (66, true), "{key:?}");
        }
        assert_eq!(SessionKey::from_stored("x".repeat(128)).queue_group().len(), 128);
    }
}
