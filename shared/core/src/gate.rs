//! The gate: may this sender have an answer, here, now? Decided from configuration in memory, before anything is
//! queued or paid for. It fails closed: what no rule allows is ignored.
//!
//! Lists hold immutable platform ids, never names: anyone can choose any name (CVE-2026-28480 and its kin were lists
//! of names). An empty list allows nobody (CVE-2026-22170), and a sender without an id is nobody (CVE-2026-28446).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::message::{Inbound, InboundKind};
use crate::queue::{Authority, Standing};
use crate::session_key::PeerKind;
use crate::tool_policy::ToolRules;

/// Who may write to us directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DmPolicy {
    /// Those in `allowFrom`; anybody else gets a code which the owner can approve.
    #[default]
    Pairing,
    /// Those in `allowFrom`, nobody else.
    Allowlist,
    /// Everybody, if `allowFrom` says so with `"*"`.
    Open,
    /// Nobody.
    Disabled,
}

/// Whose messages in rooms are heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupPolicy {
    /// Only listed rooms, and in them only listed senders.
    #[default]
    Allowlist,
    /// Any sender, in any room, or in the listed rooms if some are listed.
    Open,
    /// No room.
    Disabled,
}

/// What one room changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupRule {
    /// `false` shuts the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether only messages addressed to the agent are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_mention: Option<bool>,
    /// The policy of this room, instead of the channel's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_policy: Option<GroupPolicy>,
    /// Ids of the senders who are heard in this room, instead of `groupAllowFrom`; `"*"` is everybody.
    /// Slack's name for it is `users`.
    #[serde(default, alias = "users", skip_serializing_if = "Option::is_none", deserialize_with = "some_ids")]
    #[schemars(with = "Option<Vec<SenderId>>", extend("x-aliases" = ["users"]))]
    pub allow_from: Option<Vec<String>>,
    /// Which tools may be used in this room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolRules>,
    /// Which tools may be used for some of its senders, instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools_by_sender: BTreeMap<String, ToolRules>,
}

/// An id as people write it: ids that are numbers need no quotes.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SenderId {
    /// Text.
    Text(String),
    /// A number, such as a Telegram id.
    Number(i64),
}

impl From<SenderId> for String {
    fn from(id: SenderId) -> Self {
        match id {
            SenderId::Text(text) => text,
            SenderId::Number(number) => number.to_string(),
        }
    }
}

/// Reads a list of ids that may be written as numbers.
pub fn some_ids<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let ids = Option::<Vec<SenderId>>::deserialize(from)?;
    Ok(ids.map(|ids| ids.into_iter().map(String::from).collect()))
}

/// The rules of one account of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePolicy {
    /// `false` drops everything.
    pub enabled: bool,
    /// For direct messages.
    pub dm_policy: DmPolicy,
    /// Ids of senders who are always heard directly.
    pub allow_from: Vec<String>,
    /// For rooms.
    pub group_policy: GroupPolicy,
    /// Ids of senders who are heard in rooms; `allow_from` if absent. Approved pairings never count in rooms.
    pub group_allow_from: Option<Vec<String>>,
    /// Rules by room id; `"*"` stands for every other room.
    pub groups: BTreeMap<String, GroupRule>,
    /// Whether messages in rooms must be addressed to the agent, where the room does not say.
    pub require_mention: bool,
    /// Words (`chela`) or globs (`hey chela*`) that address the agent in rooms, whatever their case.
    pub mention_patterns: Vec<String>,
    /// Ids of the owners, instead of those `allow_from` names.
    pub owners: Option<Vec<String>>,
}

impl Default for GatePolicy {
    /// Nobody is heard without pairing, and nobody in rooms.
    fn default() -> Self {
        Self {
            enabled: true,
            dm_policy: DmPolicy::default(),
            allow_from: Vec::new(),
            group_policy: GroupPolicy::default(),
            group_allow_from: None,
            groups: BTreeMap::new(),
            require_mention: true,
            mention_patterns: Vec::new(),
            owners: None,
        }
    }
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Go on, with this standing.
    Allow(Standing),
    /// Acknowledge and forget.
    Ignore(Ignored),
}

/// Why a message is not answered. The text is for the owner's log and for `chela explain`; it holds no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// `enabled: false`.
    #[error("the channel is disabled")]
    ChannelDisabled,
    /// The platform did not say who wrote.
    #[error("the message has no sender id")]
    NoSender,
    /// A changed message is not asked a second time.
    #[error("edits of earlier messages are not answered")]
    Edited,
    /// `dmPolicy: "disabled"`.
    #[error("direct messages are disabled (dmPolicy)")]
    DmDisabled,
    /// Not in `allowFrom`.
    #[error("the sender is not in allowFrom")]
    DmSenderNotListed,
    /// `groupPolicy: "disabled"`.
    #[error("rooms are disabled (groupPolicy)")]
    GroupsDisabled,
    /// Not in `groups`.
    #[error("the room is not listed in groups")]
    RoomNotListed,
    /// `groups.<id>.enabled: false`.
    #[error("the room is disabled in groups")]
    RoomDisabled,
    /// Not in `groupAllowFrom`, or the room's `allowFrom`.
    #[error("the sender is not in groupAllowFrom, nor in allowFrom of the room")]
    GroupSenderNotListed,
    /// Nobody addressed the agent.
    #[error("the message does not mention the agent (requireMention)")]
    NotMentioned,
}

/// Decides about one message. Pure, so that `chela explain` and the webhook cannot disagree.
pub fn decide(policy: &GatePolicy, inbound: &Inbound) -> Gate {
    if !policy.enabled {
        return Gate::Ignore(Ignored::ChannelDisabled);
    }
    if inbound.sender.id.trim().is_empty() {
        return Gate::Ignore(Ignored::NoSender);
    }
    if inbound.kind == InboundKind::Edited {
        return Gate::Ignore(Ignored::Edited);
    }
    match inbound.peer.kind {
        PeerKind::Direct => decide_direct(policy, inbound),
        PeerKind::Group | PeerKind::Channel => match decide_room(policy, inbound) {
            Ok(()) => Gate::Allow(Standing::Allowed),
            Err(reason) => Gate::Ignore(reason),
        },
    }
}

/// The decision about a message whose conversation wished to be answered always (`Some(true)`) or only when addressed
/// (`Some(false)`). A wish opens nothing that is shut for another reason.
pub fn decide_wished(policy: &GatePolicy, inbound: &Inbound, answer_all: Option<bool>) -> Gate {
    match (decide(policy, inbound), answer_all) {
        // It is asked last: everything else was in order.
        (Gate::Ignore(Ignored::NotMentioned), Some(true)) => Gate::Allow(Standing::Allowed),
        (Gate::Allow(_), Some(false)) if inbound.peer.kind != PeerKind::Direct && !addressed(policy, inbound) => {
            Gate::Ignore(Ignored::NotMentioned)
        }
        (decision, _) => decision,
    }
}

/// What a sender may do who passed the gate. If `owners` is set it alone decides; else the owner is whoever `allowFrom`
/// names by id, wherever they write. `"*"` names nobody, and neither do lists of rooms.
pub fn authority(policy: &GatePolicy, inbound: &Inbound) -> Authority {
    let owner = !speaks_as_room(inbound) && is_owner(policy, &inbound.channel, &inbound.sender.id);
    if owner { Authority::Owner } else { Authority::Guest }
}

/// Whether somebody on a channel is an owner by name, wherever they write.
pub fn is_owner(policy: &GatePolicy, channel: &str, sender: &str) -> bool {
    let ids = policy.owners.as_ref().unwrap_or(&policy.allow_from);
    let named = |id: &str| id != "*" && bare_id(id, channel) == sender;
    !sender.trim().is_empty() && ids.iter().any(|id| named(id.trim()))
}

fn decide_direct(policy: &GatePolicy, inbound: &Inbound) -> Gate {
    let listed = lists(&policy.allow_from, inbound);
    match policy.dm_policy {
        DmPolicy::Disabled => Gate::Ignore(Ignored::DmDisabled),
        _ if listed => Gate::Allow(Standing::Allowed),
        DmPolicy::Pairing => Gate::Allow(Standing::IfPaired),
        // `open` opens by `"*"` alone, as in OpenClaw, so that nothing is opened by one word.
        DmPolicy::Allowlist | DmPolicy::Open => Gate::Ignore(Ignored::DmSenderNotListed),
    }
}

fn decide_room(policy: &GatePolicy, inbound: &Inbound) -> Result<(), Ignored> {
    // A thread that is a room of its own is in the room around it, unless it has a rule itself.
    let parent = inbound.parent_peer.as_ref().and_then(|parent| policy.groups.get(&parent.id));
    let own = policy.groups.get(&inbound.peer.id).or(parent);
    let any = policy.groups.get("*");
    let rule = own.or(any);
    let mode = rule.and_then(|rule| rule.group_policy).unwrap_or(policy.group_policy);
    if policy.group_policy == GroupPolicy::Disabled || mode == GroupPolicy::Disabled {
        return Err(Ignored::GroupsDisabled);
    }
    if rule.is_none() {
        // Without a list of rooms, `allowlist` still admits the senders it lists by `groupAllowFrom` itself; a fallback
        // to `allowFrom` is not enough to open every room there is.
        let senders_guard = policy.group_allow_from.as_ref().is_some_and(|ids| !ids.is_empty());
        if !policy.groups.is_empty() || (mode == GroupPolicy::Allowlist && !senders_guard) {
            return Err(Ignored::RoomNotListed);
        }
    }
    if rule.and_then(|rule| rule.enabled) == Some(false) {
        return Err(Ignored::RoomDisabled);
    }
    let room_senders = rule.and_then(|rule| rule.allow_from.as_ref());
    let heard = match (mode, room_senders) {
        (_, Some(ids)) => lists(ids, inbound),
        (GroupPolicy::Open, None) => true,
        (_, None) => lists(policy.group_allow_from.as_ref().unwrap_or(&policy.allow_from), inbound),
    };
    if !heard {
        return Err(Ignored::GroupSenderNotListed);
    }
    let setting = |rule: Option<&GroupRule>| rule.and_then(|rule| rule.require_mention);
    let required = setting(own).or(setting(any)).unwrap_or(policy.require_mention);
    if required && !addressed(policy, inbound) {
        return Err(Ignored::NotMentioned);
    }
    Ok(())
}

/// Whether a list holds the sender, by id. `"*"` holds everybody; an entry may carry the channel's name
/// (`telegram:123`, `tg:123`) as OpenClaw writes it.
fn lists(ids: &[String], inbound: &Inbound) -> bool {
    let person = !speaks_as_room(inbound);
    let named = |id: &str| person && bare_id(id, &inbound.channel) == inbound.sender.id;
    ids.iter().map(|id| id.trim()).any(|id| id == "*" || named(id))
}

/// Whether the sender is the room itself, as Telegram says of its anonymous administrators. Whoever lists a room does not
/// list all those who may speak as it (GHSA-2ch6-x3g4-7759).
fn speaks_as_room(inbound: &Inbound) -> bool {
    let rooms = [Some(&inbound.peer), inbound.parent_peer.as_ref()];
    rooms.into_iter().flatten().any(|room| room.kind != PeerKind::Direct && room.id == inbound.sender.id)
}

/// An entry without its channel's name. Names are compared without case, ids with it.
fn bare_id<'a>(entry: &'a str, channel: &str) -> &'a str {
    let Some((prefix, id)) = entry.split_once(':') else { return entry };
    let names = prefix.eq_ignore_ascii_case(channel) || (channel == "telegram" && prefix.eq_ignore_ascii_case("tg"));
    if names { id.trim_start() } else { entry }
}

/// Whether a message in a room is meant for the agent: the platform says so, it is a native command or a press on our
/// own button, or the text matches a pattern. A text that merely begins with `/` is not a command.
fn addressed(policy: &GatePolicy, inbound: &Inbound) -> bool {
    inbound.addressed
        || matches!(inbound.kind, InboundKind::Command | InboundKind::Button)
        || policy.mention_patterns.iter().any(|pattern| mentions(&inbound.text, pattern))
}

/// Whether a text holds a word, or fits a glob, whatever their case.
pub fn mentions(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.trim().to_lowercase());
    if pattern.is_empty() {
        return false;
    }
    if pattern.contains(['*', '?']) {
        return WildMatch::new(&pattern).matches(&text);
    }
    text.match_indices(&pattern).any(|(at, found)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at.saturating_add(found.len())..).and_then(|tail| tail.chars().next());
        let inside_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !inside_word(before) && !inside_word(after)
    })
}

#[cfg(test)]
mod tests;
