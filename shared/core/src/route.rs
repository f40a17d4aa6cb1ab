//! Which agent answers a message, and in which session. The first match wins, in tiers from the narrowest to
//! the widest: peer, parent peer, any peer of a kind, guild and roles, guild, team, account, channel, default.

mod config;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

pub use self::config::{
    AgentDefaults, AgentEntry, AgentsConfig, Binding, BindingMatch, BindingPeer, BindingSession, RoutingConfig,
    SessionConfig, SystemAgent,
};
use self::config::{optional_id_text, role_ids};
use crate::agent_id::{AgentId, DEFAULT_AGENT_ID, fold, js_trim, normalize_account_id, normalize_agent_id};
use crate::session_key::{DmScope, GroupScope, Parts, Peer, PeerKind, SessionKey, main_session_key};

/// The bindings, agents and session rules of one configuration, prepared for routing.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    rules: Vec<Rule>,
    agents: Vec<String>,
    fallback: Option<String>,
    session: SessionConfig,
}

/// What routing wants to know of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteInput {
    /// The channel it came through.
    #[serde(deserialize_with = "optional_id_text")]
    pub channel: Option<String>,
    /// Our account there; `default` where absent.
    pub account_id: Option<String>,
    /// The agent for messages that no binding claims; the configuration's own where absent.
    pub default_agent_id: Option<String>,
    /// The human or room on the other side.
    pub peer: Option<Peer>,
    /// The room around a thread.
    pub parent_peer: Option<Peer>,
    /// The guild (Discord).
    #[serde(deserialize_with = "optional_id_text")]
    pub guild_id: Option<String>,
    /// The team or workspace (Slack, Teams).
    #[serde(deserialize_with = "optional_id_text")]
    pub team_id: Option<String>,
    /// The sender's roles in the guild.
    #[serde(deserialize_with = "role_ids")]
    pub member_role_ids: Option<Vec<String>>,
    /// Overrides `session.dmScope`, below a binding's own.
    pub dm_scope: Option<DmScope>,
    /// Overrides `session.groupScope`, below a binding's own.
    pub group_scope: Option<GroupScope>,
    /// The text of the message, for bindings with a text pattern.
    pub text: Option<String>,
}

/// Which agent answers, and in which session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The agent.
    pub agent_id: AgentId,
    /// The channel in lower case.
    pub channel: String,
    /// Our account in its normal form.
    pub account_id: String,
    /// How direct messages of this route are grouped.
    pub dm_scope: DmScope,
    /// How groups of this route are grouped.
    pub group_scope: GroupScope,
    /// The conversation.
    pub session_key: SessionKey,
    /// The agent's main session.
    pub main_session_key: SessionKey,
    /// Where the agent's answers to nobody in particular go from now on.
    pub last_route_policy: LastRoutePolicy,
    /// The tier that decided.
    pub matched_by: MatchedBy,
    /// What of the message's text was for routing alone, see [`Route::text_of`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl Route {
    /// The text the agent reads. A message that was nothing but the prefix stays as it is.
    #[must_use]
    pub fn text_of<'t>(&self, text: &'t str) -> &'t str {
        let Some(prefix) = &self.prefix else { return text };
        let (begin, chars) = (text.trim_start(), prefix.chars().count());
        let end = begin.char_indices().nth(chars).map_or(begin.len(), |(end, _)| end);
        let (head, rest) = begin.split_at_checked(end).unwrap_or((begin, ""));
        if fold(head) == fold(prefix) && !rest.trim().is_empty() { rest.trim_start() } else { text }
    }
}

/// Whose "last route" a message updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastRoutePolicy {
    /// The agent's main session: the message belongs to it.
    Main,
    /// The message's own session.
    Session,
}

/// The tier of bindings that decided, in the order in which tiers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MatchedBy {
    /// The human or room itself.
    #[serde(rename = "binding.peer")]
    Peer,
    /// The room around the thread.
    #[serde(rename = "binding.peer.parent")]
    ParentPeer,
    /// Any peer of the kind.
    #[serde(rename = "binding.peer.wildcard")]
    PeerWildcard,
    /// The guild, and a role of the sender.
    #[serde(rename = "binding.guild+roles")]
    GuildRoles,
    /// The guild.
    #[serde(rename = "binding.guild")]
    Guild,
    /// The team or workspace.
    #[serde(rename = "binding.team")]
    Team,
    /// One account of ours.
    #[serde(rename = "binding.account")]
    Account,
    /// The channel, on any account.
    #[serde(rename = "binding.channel")]
    Channel,
    /// No binding.
    #[serde(rename = "default")]
    Default,
}

impl MatchedBy {
    const BINDINGS: [Self; 8] = [
        Self::Peer,
        Self::ParentPeer,
        Self::PeerWildcard,
        Self::GuildRoles,
        Self::Guild,
        Self::Team,
        Self::Account,
        Self::Channel,
    ];
}

/// Why no agent answers. Routing never guesses one: the message might be none of its business.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A matching binding, or the caller, names an agent that is not configured.
    #[error("{by} names the agent \"{agent}\", which is not one of: {}. Add it under agents, or correct the name.", .known.join(", "))]
    UnknownAgent {
        /// Who named it.
        by: String,
        /// The name as written.
        agent: String,
        /// The configured agents.
        known: Vec<String>,
    },
    /// Several agents are configured and nothing says which one answers.
    #[error("No binding of {channel} matches and none of the agents {} is the default. Add a binding for {channel}, or mark one agent with default: true.", .known.join(", "))]
    NoDefault {
        /// The message's channel.
        channel: String,
        /// The configured agents.
        known: Vec<String>,
    },
    /// The roster is there and empty.
    #[error("No agent is configured. Add one under agents.entries.")]
    NoAgents,
}

/// One binding, prepared.
#[derive(Clone, Debug)]
struct Rule {
    index: usize,
    agent: String,
    channel: String,
    /// `None` for every account.
    account: Option<String>,
    tier: MatchedBy,
    /// `None` as id for every peer of the kind.
    peer: Option<(PeerKind, Option<String>)>,
    guild: Option<String>,
    team: Option<String>,
    roles: Vec<String>,
    text: Option<WildMatch>,
    /// What of the text the agent is spared.
    prefix: Option<String>,
    dm_scope: Option<DmScope>,
    group_scope: Option<GroupScope>,
    priority: i64,
}

impl RoutingTable {
    /// Prepares a configuration. Bindings that can never match are left out; a binding to an agent that does
    /// not exist fails only when it matches, so that one mistake does not silence every other conversation.
    #[must_use]
    pub fn new(config: &RoutingConfig) -> Self {
        let mut rules: Vec<Rule> =
            config.bindings.iter().enumerate().filter_map(|(index, binding)| Rule::new(index, binding)).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
        Self {
            rules,
            agents: config.agents.nameable_ids(),
            fallback: config.agents.fallback().or_else(|| config.agents.sole()),
            session: config.session.clone(),
        }
    }

    /// The agents that can be named, in normal form.
    #[must_use]
    pub fn agents(&self) -> &[String] {
        &self.agents
    }
}

/// Routes a message.
///
/// # Errors
/// [`RouteError`] when the agent that should answer does not exist or is not determined.
pub fn resolve_route(table: &RoutingTable, input: &RouteInput) -> Result<Route, RouteError> {
    let scope = Scope::new(input);
    table.route(&scope, table.decide(&scope)).map(|(route, _)| route)
}

/// Routes a message and says in one sentence why it goes there.
///
/// # Errors
/// As [`resolve_route`].
pub fn explain_route(table: &RoutingTable, input: &RouteInput) -> Result<(Route, String), RouteError> {
    let scope = Scope::new(input);
    let decision = table.decide(&scope);
    let (route, named_by) = table.route(&scope, decision)?;
    let reason = match decision {
        Some((rule, tier)) => format!("bindings[{}] matches {}", rule.index, rule.describe(tier, &scope)),
        None => {
            format!("no binding of {} matches, so {named_by}, {}, answers", name_of(&scope.channel), route.agent_id)
        }
    };
    Ok((route, reason))
}

impl RoutingTable {
    /// The rule that decides, and by which tier.
    fn decide(&self, scope: &Scope<'_>) -> Option<(&Rule, MatchedBy)> {
        MatchedBy::BINDINGS.iter().find_map(|tier| {
            let rule = self.rules.iter().find(|rule| rule.matches(*tier, scope))?;
            Some((rule, *tier))
        })
    }

    fn route(
        &self,
        scope: &Scope<'_>,
        decision: Option<(&Rule, MatchedBy)>,
    ) -> Result<(Route, &'static str), RouteError> {
        let (agent, named_by) = match decision {
            Some((rule, _)) => self.named_agent(&rule.agent, || format!("bindings[{}]", rule.index), scope)?,
            None => self.named_agent(&scope.default_agent, || "defaultAgentId".to_owned(), scope)?,
        };
        let rule = decision.map(|(rule, _)| rule);
        let session = &self.session;
        let dm_scope =
            rule.and_then(|rule| rule.dm_scope).or(scope.input.dm_scope).or(session.dm_scope).unwrap_or_default();
        let group_scope = rule
            .and_then(|rule| rule.group_scope)
            .or(scope.input.group_scope)
            .or(session.group_scope)
            .unwrap_or_default();
        let main_key = session.main_key.as_deref();
        let session_key = Parts {
            agent: Some(&agent),
            main_key,
            channel: &scope.channel,
            account: Some(&scope.account),
            peer: scope.input.peer.as_ref(),
            dm_scope,
            group_scope,
            links: session.identity_links.as_ref(),
        }
        .key();
        let main_session_key = main_session_key(Some(&agent), main_key);
        let last_route_policy =
            if session_key == main_session_key { LastRoutePolicy::Main } else { LastRoutePolicy::Session };
        let route = Route {
            agent_id: AgentId::new(&agent),
            channel: scope.channel.clone(),
            account_id: scope.account.clone(),
            dm_scope,
            group_scope,
            session_key,
            main_session_key,
            last_route_policy,
            matched_by: decision.map_or(MatchedBy::Default, |(_, tier)| tier),
            prefix: rule.and_then(|rule| rule.prefix.clone()),
        };
        Ok((route, named_by))
    }

    /// The agent behind a name, or the default agent where there is no name. `main` always exists, and where
    /// no agent is configured every agent does.
    fn named_agent(
        &self,
        name: &str,
        by: impl FnOnce() -> String,
        scope: &Scope<'_>,
    ) -> Result<(String, &'static str), RouteError> {
        let name = js_trim(name);
        if name.is_empty() {
            let fallback = self.fallback.clone().ok_or_else(|| self.no_default(scope))?;
            return Ok((fallback, "the default agent"));
        }
        let agent = normalize_agent_id(Some(name));
        if agent == DEFAULT_AGENT_ID || self.agents.is_empty() || self.agents.contains(&agent) {
            return Ok((agent, "the agent the caller asked for"));
        }
        Err(RouteError::UnknownAgent { by: by(), agent: name.to_owned(), known: self.agents.clone() })
    }

    fn no_default(&self, scope: &Scope<'_>) -> RouteError {
        if self.agents.is_empty() {
            return RouteError::NoAgents;
        }
        RouteError::NoDefault { channel: name_of(&scope.channel).to_owned(), known: self.agents.clone() }
    }
}

/// A message in the form in which rules are compared with it.
struct Scope<'a> {
    input: &'a RouteInput,
    channel: String,
    account: String,
    default_agent: String,
    guild: &'a str,
    team: &'a str,
    roles: &'a [String],
}

impl<'a> Scope<'a> {
    fn new(input: &'a RouteInput) -> Self {
        Self {
            input,
            channel: fold(input.channel.as_deref().unwrap_or_default()),
            account: normalize_account_id(input.account_id.as_deref()),
            default_agent: fold(input.default_agent_id.as_deref().unwrap_or_default()),
            guild: js_trim(input.guild_id.as_deref().unwrap_or_default()),
            team: js_trim(input.team_id.as_deref().unwrap_or_default()),
            roles: input.member_role_ids.as_deref().unwrap_or_default(),
        }
    }
}

impl Rule {
    fn new(index: usize, binding: &Binding) -> Option<Self> {
        if !binding.routes() {
            return None;
        }
        let matches = &binding.matches;
        let peer = match &matches.peer {
            None => None,
            Some(peer) => {
                let (kind, id) = peer.valid()?;
                Some((kind, (id != "*").then(|| id.to_owned())))
            }
        };
        let trimmed = |id: &Option<String>| Some(js_trim(id.as_deref()?).to_owned()).filter(|id| !id.is_empty());
        let account = trimmed(&matches.account_id);
        let session = binding.session.clone().unwrap_or_default();
        let literal = |text: &String| js_trim(text).split(['*', '?']).next().map(|prefix| js_trim(prefix).to_owned());
        let prefix = matches.text.as_ref().filter(|_| binding.strip_prefix == Some(true)).and_then(literal);
        let mut rule = Self {
            index,
            agent: binding.agent_id.clone().unwrap_or_default(),
            channel: fold(&matches.channel),
            account: (account.as_deref() != Some("*")).then(|| normalize_account_id(account.as_deref())),
            tier: MatchedBy::Channel,
            peer,
            guild: trimmed(&matches.guild_id),
            team: trimmed(&matches.team_id),
            roles: matches.roles.clone().unwrap_or_default(),
            text: matches.text.as_deref().map(js_trim).map(WildMatch::new_case_insensitive),
            prefix: prefix.filter(|prefix| !prefix.is_empty()),
            dm_scope: session.dm_scope,
            group_scope: session.group_scope,
            priority: binding.priority.unwrap_or_default(),
        };
        rule.tier = rule.own_tier();
        Some(rule)
    }

    /// The narrowest condition decides in which tier a rule is asked; its other conditions must hold as well.
    fn own_tier(&self) -> MatchedBy {
        match (&self.peer, &self.guild, &self.team, &self.account) {
            (Some((_, Some(_))), ..) => MatchedBy::Peer,
            (Some((_, None)), ..) => MatchedBy::PeerWildcard,
            (_, Some(_), ..) if !self.roles.is_empty() => MatchedBy::GuildRoles,
            (_, Some(_), ..) => MatchedBy::Guild,
            (_, _, Some(_), _) => MatchedBy::Team,
            (.., Some(_)) => MatchedBy::Account,
            _ => MatchedBy::Channel,
        }
    }

    fn matches(&self, tier: MatchedBy, scope: &Scope<'_>) -> bool {
        let (own_tier, peer) = match tier {
            MatchedBy::ParentPeer => (MatchedBy::Peer, scope.input.parent_peer.as_ref()),
            _ => (tier, scope.input.peer.as_ref()),
        };
        let has = |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
        self.tier == own_tier
            && self.channel == scope.channel
            && self.account.as_ref().is_none_or(|account| *account == scope.account)
            && self.covers(peer)
            && has(&self.guild, scope.guild)
            && has(&self.team, scope.team)
            && (self.roles.is_empty() || self.roles.iter().any(|role| scope.roles.contains(role)))
            && self.accepts(scope.input.text.as_deref())
    }

    fn covers(&self, peer: Option<&Peer>) -> bool {
        let Some((kind, id)) = &self.peer else { return true };
        peer.is_some_and(|peer| kind.covers(peer.kind) && id.as_deref().is_none_or(|id| id == js_trim(&peer.id)))
    }

    fn accepts(&self, text: Option<&str>) -> bool {
        self.text.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.matches(js_trim(text))))
    }

    /// What of the message the rule matches: `peer group:-100 of telegram`.
    fn describe(&self, tier: MatchedBy, scope: &Scope<'_>) -> String {
        let guild = self.guild.as_deref().unwrap_or_default();
        let peer = self.peer.as_ref().map_or(String::new(), |(kind, id)| match id {
            Some(id) => format!("{}:{id}", kind.as_str()),
            None => format!("{} peer", kind.as_str()),
        });
        let what = match tier {
            MatchedBy::Peer => format!("peer \"{peer}\""),
            MatchedBy::ParentPeer => format!("parent peer \"{peer}\""),
            MatchedBy::PeerWildcard => format!("every {peer}"),
            MatchedBy::GuildRoles => format!("guild \"{guild}\" and a role of the sender"),
            MatchedBy::Guild => format!("guild \"{guild}\""),
            MatchedBy::Team => format!("team \"{}\"", self.team.as_deref().unwrap_or_default()),
            MatchedBy::Account => format!("account \"{}\"", scope.account),
            MatchedBy::Channel | MatchedBy::Default => "every account".to_owned(),
        };
        let text = self.text.as_ref().map_or(String::new(), |text| format!(" and the text \"{text}\""));
        format!("{what} of {}{text}", name_of(&scope.channel))
    }
}

fn name_of(channel: &str) -> &str {
    if channel.is_empty() { "an unnamed channel" } else { channel }
}

#[cfg(test)]
mod tests;
