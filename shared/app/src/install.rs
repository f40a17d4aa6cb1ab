//! Opens what a configuration names: accounts, models, agents. What cannot be opened is reported and left out; the rest
//! works.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chela_agent::{
    AgentSettings, ApprovalRules, Blocks, CommandRules, CompactionSettings, ContextSettings, FlushSettings,
    Installation, MediaSettings, Outlet, PruningSettings, SeenScope,
};
use chela_channel_kit::{AccountSettings, ChannelDescriptor};
use chela_config::{
    Account, AckReactionScope, AgentDefaults, BlockStreamingBreak, ChannelKeys, ChunkMode, CompactionMode, Config,
    Destination, ExecHost, MessagesSection, PruningMode, QueueMode, SecretInput, SecretKey, StreamingMode,
    UnconfirmedPolicy,
};
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::channel::Unconfirmed;
use chela_core::clock::{Clock, Millis};
use chela_core::message::ReplyAddress;
use chela_core::route::RoutingTable;
use chela_core::secret::{Secret, SecretRef, SecretSource, SecretStore};
use chela_core::tool::{TOOL_SEARCH, Tool};
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_memory::Memory;
use chela_skills::Shelf;
use chela_tools::{CronSettings, ExecSettings, ToolSettings, workspace};

use crate::house;
use crate::knowledge::equip;
use crate::live::{Built, Commands, Ground, Heartbeat, OpenAccount};
use crate::usage;
use crate::{gateway, media, memory, models, web};

/// Model calls in one turn: room for work with two dozen steps. What repeats itself is stopped long before
/// (`shared/agent/src/repeats.rs`), and what it costs by `spend.limits`.
const MAX_STEPS: u16 = 32;

/// What a process opens: a function holds only what its role lets it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All accounts and models: the agent, the gateway.
    Everything,
    /// The accounts of one channel: a webhook function.
    Channel(String),
    /// No account, no model, but the key of the API.
    Api,
    /// Only what stands in the configuration itself: a heartbeat.
    Nothing,
}

/// What each channel reads, for the check of the configuration.
pub fn channel_keys() -> Vec<ChannelKeys> {
    let keys = |descriptor: &ChannelDescriptor| ChannelKeys {
        id: descriptor.id.to_owned(),
        secrets: descriptor
            .secrets
            .iter()
            .map(|spec| SecretKey { key: spec.key.to_owned(), env: spec.env.to_owned(), required: spec.required })
            .collect(),
        options: descriptor.options.iter().map(|spec| spec.key.to_owned()).collect(),
    };
    chela_channel_registry::descriptors().iter().map(keys).collect()
}

/// Opens one version of the configuration.
pub(crate) async fn open(config: Arc<Config>, ground: &Ground) -> Built {
    let (secrets, clock, scope) = (ground.secrets.as_ref(), &ground.clock, &ground.scope);
    let mut problems = Vec::new();
    let mut accounts = HashMap::new();
    let mut outlets = HashMap::new();
    let http = http_client(&config, &mut problems);
    if let Some(http) = &http {
        for account in config.accounts().into_iter().filter(|account| wanted(scope, account)) {
            match open_account(&account, secrets, clock, http).await {
                Ok(open) => {
                    let key = (account.channel.clone(), account.id.clone());
                    outlets.insert(key.clone(), outlet(&account, &open, &config));
                    accounts.insert(key, open);
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    let mut agents = HashMap::new();
    let mut for_media = MediaSettings::default();
    let memory = match (scope, &http) {
        (Scope::Everything | Scope::Api, Some(http)) => memory::open(&config, secrets, http, &mut problems).await,
        _ => Arc::default(),
    };
    if let (Scope::Everything, Some(http)) = (scope, &http) {
        let media::Media { settings, tools: of_media } = media::open(&config, secrets, http, &mut problems).await;
        for_media = settings;
        let mut outside = of_media;
        outside.extend(web::open(&config, secrets, http, &mut problems).await);
        outside.extend(web::browser(&config, secrets, &ground.commands, http, &mut problems).await);
        let mut opener = models::Opener::new(&config, secrets, http);
        for id in config.agents.ids() {
            let agent = AgentId::new(&id);
            let models = opener.models_of(&id, &mut problems).await;
            let further_models = opener.further_models_of(&id, &mut problems).await;
            let own = own_tools(&config, &id, ground, &memory, &mut problems);
            let tools = tools(&config, &agent, &id, &own, &outside);
            let mut settings = AgentSettings {
                models,
                further_models,
                thinking: config.agents.thinking_of(&id),
                tools,
                timezone: zone(&config).into(),
                max_steps: MAX_STEPS,
                archive_after: archive_after(&config),
                longest_turn: Some(Duration::from_secs(u64::from(config.agents.defaults.timeout_seconds))),
                voice: house::voice(&config, &id),
                context: context_settings(&config.agents.defaults),
                approvals: approval_rules(&config, &id),
                ..AgentSettings::default()
            };
            settings.tools.extend(gateway::tool(ground, &config, &outlets, &settings));
            agents.insert(agent, settings);
        }
    }
    let api_key = match (scope, &config.gateway.auth.token) {
        (Scope::Everything | Scope::Api, Some(token)) => {
            resolve(token, secrets, "gateway.auth.token", &mut problems).await
        }
        _ => None,
    };
    Built {
        routing: RoutingTable::new(&config.routing),
        heartbeats: heartbeats(&config),
        accounts,
        installation: Installation {
            outlets,
            agents,
            commands: command_rules(&config),
            tools: Arc::new(config.tool_policy()),
            spend: usage::rules(&config),
            media: for_media,
        },
        api_key,
        memory,
        mcp: Arc::default(),
        problems,
        config,
    }
}

/// All there is for an agent to use; which of it a turn may use is decided in the turn.
fn tools(
    config: &Config,
    agent: &AgentId,
    id: &str,
    settings: &ToolSettings,
    outside: &[Arc<dyn Tool>],
) -> Vec<Arc<dyn Tool>> {
    let tools = chela_tools::all(settings).into_iter().chain(outside.iter().cloned());
    tools.chain(house::tools(config, agent, id)).collect()
}

/// What an agent's own tools are made with.
fn own_tools(
    config: &Config,
    id: &str,
    ground: &Ground,
    memory: &Arc<Memory>,
    problems: &mut Vec<String>,
) -> ToolSettings {
    ToolSettings {
        memory: memory.clone(),
        exec: exec_settings(config, id, &ground.commands, problems),
        written_to: config.tools.message.allow.iter().map(address).collect(),
        cron: cron_settings(config, ground),
    }
}

/// The zone the owner lives in.
fn zone(config: &Config) -> &str {
    config.agents.defaults.user_timezone.as_deref().unwrap_or("UTC")
}

/// Schedules of agents' making, where there is a scheduler.
fn cron_settings(config: &Config, ground: &Ground) -> Option<CronSettings> {
    let limits = &config.tools.cron;
    Some(CronSettings {
        schedules: ground.inside.schedules.clone()?,
        min_interval_minutes: limits.min_interval_minutes,
        max_jobs: limits.max_jobs as usize,
        timezone: zone(config).to_owned(),
        enabled: config.cron.enabled,
    })
}

/// Where an agent's commands run; `None` where none ever do.
fn exec_settings(
    config: &Config,
    agent: &str,
    commands: &Commands,
    problems: &mut Vec<String>,
) -> Option<ExecSettings> {
    let host = config.exec_host(agent);
    let sandbox = match host {
        ExecHost::Gateway => commands.gateway.clone().map(Ok),
        ExecHost::Auto | ExecHost::Sandbox => commands.sandbox.clone(),
    };
    let why = match &sandbox {
        Some(Ok(_)) => None,
        Some(Err(why)) => Some(why.as_str()),
        None => Some("commands do not run in this place"),
    };
    if let (Some(why), ExecHost::Gateway | ExecHost::Sandbox) = (why, host) {
        problems.push(format!("tools.exec.host of {agent}: {why}, so there are no commands"));
    }
    Some(ExecSettings { sandbox: sandbox?, runs: commands.runs.clone() })
}

fn command_rules(config: &Config) -> CommandRules {
    let section = &config.commands;
    CommandRules {
        typed: section.text,
        disabled: section.disabled.clone(),
        owners_named: section.owner_allow_from.is_some(),
    }
}

fn address(to: &Destination) -> ReplyAddress {
    ReplyAddress {
        channel: to.channel.clone(),
        account: to.account.clone().unwrap_or_else(|| "default".to_owned()),
        to: to.to.clone(),
        thread: to.thread.clone(),
        message: None,
    }
}

/// Which calls of an agent need consent, and where the owner is asked.
fn approval_rules(config: &Config, agent: &str) -> ApprovalRules {
    let section = &config.approvals.exec;
    ApprovalRules {
        policy: config.consent_of(agent),
        places: section.targets.iter().map(address).collect(),
        valid_ms: u64::from(section.timeout_seconds).saturating_mul(1000),
    }
}

/// What becomes of long conversations.
fn context_settings(defaults: &AgentDefaults) -> ContextSettings {
    let (compaction, pruning) = (&defaults.compaction, &defaults.context_pruning);
    let flush = &compaction.memory_flush;
    ContextSettings {
        compaction: CompactionSettings {
            by_model: compaction.mode != CompactionMode::Off,
            reserve_tokens: compaction.reserve_tokens_floor.into(),
            keep_recent_tokens: compaction.keep_recent_tokens.into(),
            flush: (flush.enabled && compaction.mode != CompactionMode::Off).then(|| FlushSettings {
                soft_threshold_tokens: flush.soft_threshold_tokens.into(),
                prompt: flush.prompt.as_deref().map(Arc::from),
            }),
        },
        pruning: (pruning.mode != PruningMode::Off).then(|| PruningSettings {
            soft_ratio: pruning.soft_trim_ratio,
            hard_ratio: pruning.hard_clear_ratio,
            keep_last_assistants: pruning.keep_last_assistants as usize,
            max_chars: pruning.soft_trim.max_chars as usize,
            head_chars: pruning.soft_trim.head_chars as usize,
            tail_chars: pruning.soft_trim.tail_chars as usize,
            placeholder: pruning.hard_clear.enabled.then(|| pruning.hard_clear.placeholder.as_str().into()),
        }),
    }
}

/// Makes the workspace of an agent that has none yet. Where it cannot be made, the prompt says what is missing.
pub(crate) async fn seed_workspace(files: &dyn BlobStore, agent: &AgentId) {
    let has_soul = files.get(&format!("agents/{agent}/SOUL.md")).await;
    if let Ok(None) = has_soul
        && let Err(error) = workspace::seed(files, agent).await
    {
        tracing::warn!(%agent, %error, "the workspace cannot be seeded");
    }
}

/// The installation with a fresh prompt for one agent. An unreadable workspace leaves the agent without it, and the
/// agent says so.
pub(crate) async fn with_prompt(
    built: &Built,
    files: &dyn BlobStore,
    shelf: &Arc<Shelf>,
    agent: &AgentId,
    now: Millis,
) -> Installation {
    let mut installation = built.installation.clone();
    let policy = installation.tools.clone();
    if let Some(settings) = installation.agents.get_mut(agent) {
        let defaults = &built.config.agents.defaults;
        let limits = workspace::Limits {
            per_file: defaults.bootstrap_max_chars as usize,
            total: defaults.bootstrap_total_max_chars as usize,
        };
        let zone = defaults.user_timezone.as_deref().unwrap_or("UTC");
        let prompts = prompts(files, agent, &limits, now, zone).await;
        let persona = built.config.persona_of(agent.as_str());
        let with_persona = |prompt: String| match &persona {
            Some(persona) => format!("{persona}\n\n{prompt}"),
            None => prompt,
        };
        settings.system = with_persona(prompts.owner).into();
        settings.system_for_guests = with_persona(prompts.guests).into();
        crate::mcp::equip(settings, &policy, &built.mcp, agent).await;
        if policy.ever(agent, TOOL_SEARCH) {
            settings.tools = chela_tools::on_demand::offered(std::mem::take(&mut settings.tools), &policy, agent);
        }
        equip(settings, &built.config, &policy, files, shelf, agent, now).await;
    }
    installation
}

/// What the workspace says, or that it cannot be read: a store that fails must not silence the agent.
async fn prompts(
    files: &dyn BlobStore,
    agent: &AgentId,
    limits: &workspace::Limits,
    now: Millis,
    zone: &str,
) -> workspace::Prompts {
    let today = |context| format!("{context}\n\nToday is {}.", today(now, zone));
    match workspace::context(files, agent, limits).await {
        Ok(prompts) => workspace::Prompts { owner: today(prompts.owner), guests: today(prompts.guests) },
        Err(error) => {
            let text = format!(
                "Your workspace files cannot be read at the moment ({error}). Answer without them, and say so if it matters."
            );
            workspace::Prompts { owner: text.clone(), guests: text }
        }
    }
}

/// The day, not the time: a prompt that changes once a day can be cached by the provider.
fn today(now: Millis, zone: &str) -> String {
    date(now, zone).strftime("%A, %Y-%m-%d").to_string()
}

/// The day in this zone.
pub(crate) fn date(now: Millis, zone: &str) -> jiff::civil::Date {
    let instant =
        i64::try_from(now.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    instant.to_zoned(zone).date()
}

fn wanted(scope: &Scope, account: &Account) -> bool {
    account.gate.enabled
        && match scope {
            Scope::Everything => true,
            Scope::Channel(channel) => account.channel == *channel,
            Scope::Api | Scope::Nothing => false,
        }
}

async fn open_account(
    account: &Account,
    secrets: &dyn SecretStore,
    clock: &Arc<dyn Clock>,
    http: &HttpClient,
) -> Result<OpenAccount, String> {
    let Some(descriptor) = chela_channel_registry::find(&account.channel) else {
        return Err(format!("channels.{}: there is no such channel here", account.channel));
    };
    let settings = AccountSettings {
        account: account.id.clone(),
        options: account.own.options(&descriptor.secrets.iter().map(|spec| spec.key).collect::<Vec<_>>()),
        secrets: account_secrets(account, descriptor, secrets).await?,
        http: http.clone(),
        clock: clock.clone(),
    };
    let channel = descriptor.open(&settings).map_err(|error| error.to_string())?;
    Ok(OpenAccount { channel, gate: account.gate.clone() })
}

/// The account's secrets. One that is written nowhere is looked for in the environment under the channel's usual name.
pub async fn account_secrets(
    account: &Account,
    descriptor: &ChannelDescriptor,
    secrets: &dyn SecretStore,
) -> Result<BTreeMap<String, Secret>, String> {
    let mut resolved = BTreeMap::new();
    for spec in descriptor.secrets {
        let value = match account.own.secret(spec.key) {
            Some(SecretInput::Value(secret)) => Some(secret),
            Some(SecretInput::Ref(reference)) => Some(
                secrets
                    .get(&reference)
                    .await
                    .map_err(|error| format!("channels.{}.{}: {error}", account.channel, spec.key))?,
            ),
            None => {
                let reference = SecretRef { source: SecretSource::Env, id: spec.env.to_owned() };
                secrets.get(&reference).await.ok()
            }
        };
        resolved.extend(value.map(|secret| (spec.key.to_owned(), secret)));
    }
    Ok(resolved)
}

fn outlet(account: &Account, open: &OpenAccount, config: &Config) -> Outlet {
    Outlet {
        channel: open.channel.clone(),
        text_limit: account.text_chunk_limit.map(|limit| limit as usize),
        chunk_mode: match account.streaming.chunk_mode {
            ChunkMode::Length => chela_core::chunk::ChunkMode::Length,
            ChunkMode::Newline => chela_core::chunk::ChunkMode::Newline,
        },
        streaming: account.streaming.mode != StreamingMode::Off,
        blocks: blocks(account, config),
        media_bytes: (account.media_max_mb as usize).saturating_mul(1024 * 1024),
        seen: seen(&config.messages),
        wished: account.unconfirmed.map(|policy| match policy {
            UnconfirmedPolicy::Flag => Unconfirmed::Flag,
            UnconfirmedPolicy::Resend => Unconfirmed::Resend,
        }),
        steered: config.messages.queue.mode_of(&account.channel) == QueueMode::Steer,
    }
}

/// How what is said on the way to an answer is sent, if it is.
fn blocks(account: &Account, config: &Config) -> Option<Blocks> {
    let block = &account.streaming.block;
    block.enabled.then(|| {
        let (least, most) = (block.coalesce.min_chars as usize, block.coalesce.max_chars as usize);
        Blocks {
            least,
            most: most.max(least),
            idle: Duration::from_millis(u64::from(block.coalesce.idle_ms)),
            growing: config.agents.defaults.block_streaming_break == BlockStreamingBreak::TextEnd,
        }
    })
}

/// How long sub-agents that have ended are listed.
pub(crate) fn archive_after(config: &Config) -> Option<Duration> {
    let minutes = config.agents.defaults.subagents.archive_after_minutes;
    (minutes > 0).then(|| Duration::from_secs(u64::from(minutes).saturating_mul(60)))
}

fn seen(messages: &MessagesSection) -> Option<(String, SeenScope)> {
    let scope = match messages.ack_reaction_scope {
        AckReactionScope::GroupMentions => SeenScope::GroupMentions,
        AckReactionScope::GroupAll => SeenScope::GroupAll,
        AckReactionScope::Direct => SeenScope::Direct,
        AckReactionScope::All => SeenScope::All,
        AckReactionScope::Off => return None,
    };
    let emoji = messages.ack_reaction.trim();
    (!emoji.is_empty()).then(|| (emoji.to_owned(), scope))
}

/// A secret of the configuration; a failure becomes a problem under its key.
pub(crate) async fn resolve(
    input: &SecretInput,
    secrets: &dyn SecretStore,
    key: &str,
    problems: &mut Vec<String>,
) -> Option<Secret> {
    match input {
        SecretInput::Value(secret) => Some(secret.clone()),
        SecretInput::Ref(reference) => match secrets.get(reference).await {
            Ok(secret) => Some(secret),
            Err(error) => {
                problems.push(format!("{key}: {error}"));
                None
            }
        },
    }
}

/// The way out for channels and models. Base URLs that the owner configured may be private; nothing else may.
fn http_client(config: &Config, problems: &mut Vec<String>) -> Option<HttpClient> {
    let of_channels = config.accounts().into_iter().flat_map(|account| {
        let options = account.own.options(&[]);
        let urls = chela_channel_registry::find(&account.channel).map(|found| found.configured_urls(&options));
        urls.unwrap_or_default().into_iter().map(str::to_owned).collect::<Vec<_>>()
    });
    let of_models = models::base_urls(config);
    let allow_hosts = of_channels
        .chain(of_models)
        .chain(media::base_urls(config))
        .chain(memory::base_url(config))
        .chain(web::base_urls(config))
        .filter_map(|url| HostPort::of_url(&url).ok())
        .collect();
    let options = HttpOptions {
        allow_hosts,
        user_agent: concat!("Chela/", env!("CARGO_PKG_VERSION")).to_owned(),
        extra_roots: None,
    };
    HttpClient::new(options).map_err(|error| problems.push(error.to_string())).ok()
}

fn heartbeats(config: &Config) -> Vec<Heartbeat> {
    let fallback = config.agents.ids().first().map(|id| AgentId::new(id)).unwrap_or_default();
    config
        .plan()
        .into_iter()
        .map(|planned| Heartbeat {
            schedule: planned.schedule,
            prompt: planned.prompt,
            agent: planned.agent.as_deref().map_or_else(|| fallback.clone(), AgentId::new),
            deliver_to: planned.deliver_to.as_ref().map(address),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use chela_core::blob::{Blob, BlobError, Listed, Precondition};

    use super::*;

    /// A store that is out of reach.
    struct Away;

    fn away<T>() -> Result<T, BlobError> {
        Err(BlobError::Unavailable("503 Slow Down".into()))
    }

    #[async_trait]
    impl BlobStore for Away {
        async fn get(&self, _: &str) -> Result<Option<Blob>, BlobError> {
            away()
        }

        async fn get_if_changed(&self, _: &str, _: &str) -> Result<Option<Blob>, BlobError> {
            away()
        }

        async fn put(&self, _: &str, _: Bytes, _: Precondition) -> Result<String, BlobError> {
            away()
        }

        async fn delete(&self, _: &str, _: Option<&str>) -> Result<(), BlobError> {
            away()
        }

        async fn list(&self, _: &str, _: usize) -> Result<Vec<Listed>, BlobError> {
            away()
        }
    }

    #[tokio::test]
    async fn an_agent_whose_files_are_out_of_reach_answers_and_says_so() {
        let limits = workspace::Limits { per_file: 1_000, total: 1_000 };
        let prompts = prompts(&Away, &AgentId::new("main"), &limits, Millis(0), "UTC").await;
        for prompt in [prompts.owner, prompts.guests] {
            assert!(prompt.contains("cannot be read") && prompt.contains("503"), "{prompt}");
        }
    }
}
