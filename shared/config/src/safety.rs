//! What is allowed and yet probably not meant, and what must not be: rules that look at several keys at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chela_core::agent_id::{AgentId, normalize_agent_id};
use chela_core::gate::{DmPolicy, GroupPolicy};

use crate::agents::folder;
use crate::approvals::ExecHost;
use crate::auth::AuthMode;
use crate::broadcast::MOST_AGENTS;
use crate::channels::{Account, ChannelConfig, DEFAULT_ACCOUNT};
use crate::check::Surroundings;
use crate::path::Path;
use crate::schedules::{Destination, expression_problem, rate_of};
use crate::secrets::SecretInput;
use crate::settings::Config;
use crate::shape::{Misfit, SecretKey};
use crate::variables::MissingVariable;

/// Channels whose ids of people are numbers.
const NUMBERED: [&str; 2] = ["discord", "telegram"];

/// Shortest API key that does not earn a warning: so many characters of base 16 or more are beyond guessing over a network.
pub const KEY_CHARS: usize = 24;

/// Everything that is unsafe or contradicts itself.
pub(crate) fn inspect(config: &Config, surroundings: &Surroundings<'_>) -> Vec<Misfit> {
    let mut inspection = Inspection { config, surroundings, misfits: Vec::new() };
    inspection.gateway();
    inspection.agents();
    inspection.credentials();
    inspection.bindings();
    inspection.broadcast();
    for (id, channel) in &config.channels.by_id {
        inspection.channel(id, channel);
    }
    inspection.schedules();
    inspection.prompts();
    inspection.commands();
    inspection.exec();
    inspection.misfits.extend(crate::media::inspect(config));
    inspection.misfits.extend(crate::mcp::inspect(config));
    inspection.misfits.extend(crate::spend::inspect(config));
    inspection.misfits.extend(crate::tools::inspect(config));
    inspection.misfits.extend(crate::web::inspect(config));
    inspection.misfits
}

struct Inspection<'a> {
    config: &'a Config,
    surroundings: &'a Surroundings<'a>,
    misfits: Vec<Misfit>,
}

impl Inspection<'_> {
    fn error(&mut self, path: Path, message: impl Into<String>, fix: impl Into<String>) {
        self.misfits.push(Misfit { path, at_key: false, warning: false, message: message.into(), fix: fix.into() });
    }

    fn warn(&mut self, path: Path, message: impl Into<String>, fix: impl Into<String>) {
        self.misfits.push(Misfit { path, at_key: false, warning: true, message: message.into(), fix: fix.into() });
    }

    fn exec(&mut self) {
        let ids = self.config.agents.ids();
        if ids.iter().any(|id| self.config.exec_host(id) == ExecHost::Gateway) {
            self.warn(
                Path::of(&["tools", "exec", "host"]),
                "commands that a model chose run without walls, with all that the gateway's user may do",
                "install bubblewrap and write \"sandbox\"",
            );
        }
    }

    fn gateway(&mut self) {
        let gateway = &self.config.gateway;
        let token = gateway.auth.token.as_ref().filter(|token| !token.is_blank());
        let at = Path::of(&["gateway", "auth", "token"]);
        let local = match gateway.listen.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        match token {
            None if !local => self.error(
                Path::of(&["gateway", "listen"]),
                "the API would be reachable from other machines without a key",
                "set gateway.auth.token, or listen on 127.0.0.1",
            ),
            Some(SecretInput::Value(secret)) if secret.expose().chars().count() < KEY_CHARS => {
                self.warn(
                    at,
                    "the API key is short enough to be guessed",
                    format!("use at least {KEY_CHARS} random characters: openssl rand -hex 24"),
                );
            }
            _ => {}
        }
        let origin = gateway.public_origin.as_deref();
        if origin.is_some_and(|origin| !is_http_url(origin)) {
            let fix = "write it as https://chela.example.com";
            self.error(Path::of(&["gateway", "publicOrigin"]), "is not a web address", fix);
        }
    }

    /// An id of which nothing can be kept would be `main`'s.
    fn ids_of_agents(&mut self) {
        let agents = &self.config.agents;
        let entries = agents.entries.keys().map(|id| (Path::of(&["agents", "entries", id]), id.as_str()));
        let list = agents.list.iter().enumerate();
        let list = list
            .filter_map(|(at, agent)| Some((Path::of(&["agents", "list"]).index(at).key("id"), agent.id.as_deref()?)));
        for (path, id) in entries.chain(list).collect::<Vec<_>>() {
            if let Err(error) = AgentId::parse(id) {
                self.error(path, "no agent can be called so", error.to_string());
            }
        }
    }

    fn agents(&mut self) {
        self.ids_of_agents();
        let defaults = &self.config.agents.defaults;
        self.zone(Path::of(&["agents", "defaults", "userTimezone"]), defaults.user_timezone.as_deref());
        let mut heartbeats = vec![(Path::of(&["agents", "defaults", "heartbeat"]), defaults.heartbeat.as_ref())];
        let mut models = vec![(Path::of(&["agents", "defaults", "model"]), defaults.model.as_ref())];
        let entries =
            self.config.agents.entries.iter().map(|(id, agent)| (Path::of(&["agents", "entries", id]), agent));
        let list = self.config.agents.list.iter().enumerate();
        let list = list.map(|(at, agent)| (Path::of(&["agents", "list"]).index(at), agent));
        self.allowed_agents(&Path::of(&["agents", "defaults"]), Some(&defaults.subagents.allow_agents));
        for (path, agent) in entries.chain(list) {
            self.allowed_agents(&path, agent.subagents.allow_agents.as_ref());
            if agent.workspace.as_deref().is_some_and(|workspace| folder(workspace).is_none()) {
                let fix = "name a folder with letters or digits, as in \"work\"";
                self.error(path.key("workspace"), "no folder of the file store can be called so", fix);
            }
            heartbeats.push((path.key("heartbeat"), agent.heartbeat.as_ref()));
            models.push((path.key("model"), agent.model.as_ref()));
        }
        for (path, heartbeat) in heartbeats {
            let Some(heartbeat) = heartbeat else { continue };
            if heartbeat.every.as_deref().is_some_and(|every| rate_of(every).is_none()) {
                self.error(path.key("every"), "is not an interval", "write it as \"30m\", \"2h\" or \"1d\"");
            }
            self.destination(&path.key("deliverTo"), heartbeat.deliver_to.as_ref());
        }
        for (path, model) in models {
            let names = model.map(|model| model.primary.iter().chain(&model.fallbacks)).into_iter().flatten();
            if names.into_iter().any(|name| !name.contains('/')) {
                self.error(path, "a model is named without its provider", "write it as \"provider/model\"");
            }
        }
    }

    /// Credentials that are never asked although somebody wrote them down.
    fn credentials(&mut self) {
        let auth = &self.config.auth;
        for (id, profile) in &auth.profiles {
            let path = Path::of(&["auth", "profiles", id]);
            if profile.provider.is_empty() {
                self.error(path, "the provider of this credential is missing", "add provider: \"anthropic\"");
            } else if profile.mode != AuthMode::ApiKey {
                let fix = "use mode \"api_key\" with apiKey, or leave it for OpenClaw";
                self.warn(path.key("mode"), "Chela reads keys only: this credential is never asked", fix);
            } else if profile.api_key.as_ref().is_none_or(SecretInput::is_blank) {
                let fix = "add apiKey: \"${NAME}\", or a secret reference such as { source: \"ssm\", id: \"…\" }";
                self.warn(path, "this credential has no apiKey and is never asked", fix);
            }
        }
        for (provider, order) in &auth.order {
            let path = Path::of(&["auth", "order", provider]);
            for (at, id) in order.iter().enumerate() {
                if auth.profiles.get(id).is_none_or(|profile| profile.provider != *provider) {
                    let message = format!("there is no credential of {provider} with this id");
                    self.error(path.index(at), message, "name one of auth.profiles, or add it there");
                }
            }
        }
    }

    fn zone(&mut self, path: Path, zone: Option<&str>) {
        if zone.is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            self.error(path, "is not a time zone", "write it as \"Europe/Berlin\" or \"UTC\"");
        }
    }

    fn bindings(&mut self) {
        let agents: BTreeSet<String> = self.config.agents.ids().into_iter().collect();
        for (at, binding) in self.config.bindings.iter().enumerate() {
            let path = Path::of(&["bindings"]).index(at);
            let id = binding.agent_id.as_deref().map(|id| normalize_agent_id(Some(id)));
            if id.is_some_and(|id| !agents.contains(&id)) {
                self.warn(path.key("agentId"), "there is no such agent", "name one of agents.entries, or add it there");
            }
            let channel = binding.matches.channel.as_str();
            if channel.is_empty() {
                self.error(path.key("match"), "a binding without a channel matches nothing", "add match.channel");
            } else if !self.config.channels.by_id.contains_key(channel) {
                self.warn(
                    path.key("match").key("channel"),
                    "this channel is not configured",
                    "add it to channels, or remove the binding",
                );
            }
        }
    }

    fn broadcast(&mut self) {
        let broadcast = &self.config.broadcast;
        let known = self.config.agents.ids();
        for (peer, group) in &broadcast.by_peer {
            let path = Path::of(&["broadcast", peer]);
            if group.agents.is_empty() || group.agents.len() > MOST_AGENTS {
                let message = format!("names {} agents", group.agents.len());
                self.error(path.clone(), message, format!("name 1 to {MOST_AGENTS} agents"));
            }
            for id in group.agents.iter().filter(|id| !known.contains(&normalize_agent_id(Some(id)))) {
                let message = format!("there is no agent \"{}\"", normalize_agent_id(Some(id)));
                self.error(path.clone(), message, format!("name some of: {}", known.join(", ")));
            }
        }
    }

    /// Agents that are to be given work and do not exist: probably misspelt.
    fn allowed_agents(&mut self, path: &Path, allowed: Option<&Vec<String>>) {
        let known = self.config.agents.ids();
        let unknown = |id: &&String| *id != "*" && !known.contains(&normalize_agent_id(Some(id)));
        for (at, _) in allowed.into_iter().flatten().enumerate().filter(|(_, id)| unknown(id)) {
            let fix = format!("name some of: {}, or \"*\"", known.join(", "));
            self.warn(path.key("subagents").key("allowAgents").index(at), "there is no such agent", fix);
        }
    }

    fn channel(&mut self, id: &str, channel: &ChannelConfig) {
        let base = Path::of(&["channels", id]);
        for (name, account) in channel.accounts.iter().flatten() {
            let path = base.key("accounts").key(name);
            if account.accounts.is_some() {
                self.error(
                    path.key("accounts"),
                    "an account cannot have accounts",
                    "move them to the channel's accounts",
                );
            }
            let anybody = |list: &Option<Vec<String>>| list.as_deref().map(|ids| ids.iter().any(|id| id.trim() == "*"));
            if anybody(&account.allow_from) == Some(true) && anybody(&channel.allow_from) == Some(false) {
                let fix = "remove \"*\" here, or add it to the channel's allowFrom too, to say that it is meant";
                self.warn(
                    path.key("allowFrom"),
                    "this account opens to everybody what its channel keeps to a list",
                    fix,
                );
            }
        }
        for name in channel.account_ids() {
            let Some(account) = self.config.account(id, &name) else { continue };
            if !account.gate.enabled {
                continue;
            }
            let own = channel.accounts.as_ref().and_then(|accounts| accounts.get(&name));
            let path = if own.is_some() { base.key("accounts").key(&name) } else { base.clone() };
            let scope = Scope { base: &base, path: &path, own };
            self.direct(&scope, &account);
            self.rooms(&scope, &account);
            self.patterns(&scope, &account);
            self.secrets(&scope, &account);
        }
    }

    fn direct(&mut self, scope: &Scope<'_>, account: &Account) {
        let gate = &account.gate;
        let anybody = gate.allow_from.iter().any(|id| id.trim() == "*");
        let policy = scope.at("dmPolicy", |own| own.dm_policy.is_some());
        let list = scope.at("allowFrom", |own| own.allow_from.is_some());
        match gate.dm_policy {
            DmPolicy::Open if !anybody => self.error(
                policy,
                "\"open\" lets everybody in, and allowFrom does not say so",
                "add allowFrom: [\"*\"] if everybody may spend your money, else use \"pairing\"",
            ),
            DmPolicy::Allowlist if gate.allow_from.is_empty() => {
                self.warn(
                    policy,
                    "the list of senders is empty: nobody is heard",
                    "add sender ids to allowFrom, or use \"pairing\"",
                );
            }
            DmPolicy::Open | DmPolicy::Pairing | DmPolicy::Allowlist if anybody => {
                self.warn(
                    list.clone(),
                    "anybody can write directly and spend your money",
                    "name the senders, unless this is meant",
                );
            }
            _ => {}
        }
        self.names(&list, Some(&account.channel), &gate.allow_from);
    }

    fn rooms(&mut self, scope: &Scope<'_>, account: &Account) {
        let gate = &account.gate;
        let list = scope.at("groupAllowFrom", |own| own.group_allow_from.is_some());
        self.names(&list, Some(&account.channel), gate.group_allow_from.as_deref().unwrap_or_default());
        let groups = scope.at("groups", |own| own.groups.is_some());
        for (room, rule) in &gate.groups {
            let path = groups.key(room).key("allowFrom");
            self.names(&path, Some(&account.channel), rule.allow_from.as_deref().unwrap_or_default());
        }
        let deaf = gate.groups.values().any(|rule| {
            let mode = rule.group_policy.unwrap_or(gate.group_policy);
            let senders = rule.allow_from.as_ref().or(gate.group_allow_from.as_ref()).unwrap_or(&gate.allow_from);
            mode == GroupPolicy::Allowlist && senders.is_empty() && rule.enabled != Some(false)
        });
        if deaf && gate.group_policy != GroupPolicy::Disabled {
            let fix = "add sender ids to groupAllowFrom, or \"*\" for every member of the listed rooms";
            self.warn(groups, "rooms are listed, but no sender is heard in some of them", fix);
        }
    }

    /// Entries that can never be an id.
    fn names(&mut self, path: &Path, channel: Option<&str>, ids: &[String]) {
        let numbers = channel.is_some_and(|channel| NUMBERED.contains(&channel));
        for id in ids {
            let id = id.trim();
            let bare = id.split_once(':').map_or(id, |(_, bare)| bare.trim_start());
            let no_number = numbers && id != "*" && bare.trim_start_matches('-').parse::<u64>().is_err();
            // Ids of Matrix begin with @ too, and always name a server.
            let name = (id.starts_with('@') || id.starts_with('#')) && !id.contains(':');
            if name || no_number || id.is_empty() || id.contains(char::is_whitespace) || id.starts_with("accessGroup:")
            {
                let fix = "write the platform's id of the sender: names can be taken by anyone, so they never match";
                return self.warn(path.clone(), "an entry of this list is no id and matches nobody", fix);
            }
        }
    }

    /// Templates must be callable, and context must say something.
    fn prompts(&mut self) {
        for (name, template) in &self.config.prompts {
            let path = Path::of(&["prompts", name]);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
            if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
                let message = "it could not be called by this name";
                self.error(path, message, "name it with 1 to 32 lower-case letters, digits, `_` or `-`");
            } else if template.text.trim().is_empty() {
                self.error(path, "it says nothing", "set text");
            }
        }
        let agents = &self.config.agents;
        let own = agents.ids().into_iter().filter_map(|id| agents.entry(&id).map(|agent| (id, &agent.context)));
        let lists = std::iter::once((String::new(), &agents.defaults.context)).chain(own);
        let empty: Vec<String> = lists
            .filter(|(_, rules)| rules.iter().any(|rule| rule.text.is_none() && rule.file.is_none()))
            .map(|(id, _)| id)
            .collect();
        for id in empty {
            let path = if id.is_empty() {
                Path::of(&["agents", "defaults", "context"])
            } else {
                Path::of(&["agents", "entries", &id, "context"])
            };
            self.error(path, "one of its rules says nothing", "set text or file in every rule");
        }
    }

    fn patterns(&mut self, scope: &Scope<'_>, account: &Account) {
        if account.gate.mention_patterns.iter().any(|pattern| pattern.contains(['\\', '(', '[', '^', '$', '|', '+'])) {
            let path = scope.at("mentionPatterns", |own| own.mention_patterns.is_some());
            self.warn(
                path,
                "a pattern looks like a regular expression, which is not read here",
                "write a word, or a glob with * and ?",
            );
        }
    }

    /// Secrets an account cannot be without: above all the one that proves who calls its webhook.
    fn secrets(&mut self, scope: &Scope<'_>, account: &Account) {
        let Surroundings { channels, variables, missing } = self.surroundings;
        let Some(keys) = channels.iter().find(|keys| keys.id == account.channel) else { return };
        for SecretKey { key, env, required } in &keys.secrets {
            let path = scope.at(key, |own| own.own.secret(key).is_some());
            let written = account.own.secret(key);
            let message = match &written {
                Some(value) if value.is_blank() => format!("{key} is empty"),
                // The variable stands in for the default account alone, as in OpenClaw.
                None if *required
                    && (account.id != DEFAULT_ACCOUNT
                        || (variables)(env).is_none_or(|value| value.trim().is_empty())) =>
                {
                    format!(
                        "{key} is missing: nobody could tell the platform's requests from forged ones, or answer them"
                    )
                }
                _ => continue,
            };
            let fix =
                format!("write {key}: \"${{{env}}}\", or a secret reference such as {{ source: \"ssm\", id: \"…\" }}");
            // A function that is given only the secrets it uses cannot judge those of other channels.
            if *missing == MissingVariable::Defer && written.is_none() {
                self.warn(path, message, fix);
            } else {
                self.error(path, message, fix);
            }
        }
    }

    fn schedules(&mut self) {
        let mut names = BTreeSet::new();
        for (at, job) in self.config.cron.jobs.iter().enumerate() {
            let path = Path::of(&["cron", "jobs"]).index(at);
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if job.name.is_empty() || job.name.len() > 64 || !job.name.chars().all(plain) {
                self.error(
                    path.key("name"),
                    "is not a name of a schedule",
                    "use up to 64 letters, digits, '-', '_' and '.'",
                );
            } else if job.name.starts_with(chela_core::schedule::MADE) {
                let fix = "choose another beginning";
                self.error(path.key("name"), "begins like the names of schedules that agents make", fix);
            } else if !names.insert(job.name.to_ascii_lowercase()) {
                self.error(path.key("name"), "another schedule has this name", "choose another name");
            }
            if let Some(problem) = expression_problem(&job.expression) {
                let fix = "write rate(30 minutes), cron(0 8 * * ? *) or at(2026-12-24T18:00:00)";
                self.error(path.key("expression"), problem, fix);
            }
            self.zone(path.key("timezone"), job.timezone.as_deref());
            let agents = self.config.agents.ids();
            if job.agent.as_deref().is_some_and(|id| !agents.contains(&normalize_agent_id(Some(id)))) {
                self.error(path.key("agent"), "there is no such agent", "name one of agents.entries, or add it there");
            }
            self.destination(&path.key("deliverTo"), job.deliver_to.as_ref());
        }
        for (at, place) in self.config.tools.message.allow.iter().enumerate() {
            self.destination(&Path::of(&["tools", "message", "allow"]).index(at), Some(place));
        }
    }

    fn commands(&mut self) {
        let path = Path::of(&["commands", "ownerAllowFrom"]);
        let config = self.config;
        if let Some(owners) = &config.commands.owner_allow_from {
            if owners.iter().any(|id| id.trim() == "*") {
                let fix = "name the owners by their ids; /whoami shows them";
                self.error(path.clone(), "\"*\" would make an owner of everybody who is answered", fix);
            } else if owners.is_empty() {
                self.warn(path.clone(), "nobody is an owner", "name the owners by their ids, or leave it out");
            }
            self.names(&path, None, owners);
        }
        for (at, word) in config.commands.disabled.iter().enumerate() {
            if chela_core::command::named(word).is_none() {
                let path = Path::of(&["commands", "disabled"]).index(at);
                self.error(path, "there is no such command", "write a word of docs/commands.md without its slash");
            }
        }
    }

    fn destination(&mut self, path: &Path, destination: Option<&Destination>) {
        let Some(to) = destination else { return };
        match self.config.channels.by_id.get(&to.channel) {
            None => self.error(path.key("channel"), "this channel is not configured", "add it to channels"),
            Some(channel) => {
                let account = to.account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
                if !channel.account_ids().iter().any(|id| id == account) {
                    let fix = format!("name one of: {}", channel.account_ids().join(", "));
                    self.error(path.key("account"), "the channel has no such account", fix);
                }
            }
        }
        if to.to.trim().is_empty() {
            self.error(path.key("to"), "is empty", "name the chat, room or person as the platform does");
        }
    }
}

/// Where the keys of an account may stand.
struct Scope<'a> {
    base: &'a Path,
    path: &'a Path,
    own: Option<&'a ChannelConfig>,
}

impl Scope<'_> {
    /// The path of a key: in the account if it says it itself, else in the channel.
    fn at(&self, key: &str, says: impl Fn(&ChannelConfig) -> bool) -> Path {
        if self.own.is_some_and(says) { self.path.key(key) } else { self.base.key(key) }
    }
}

pub(crate) fn is_http_url(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace))
}
