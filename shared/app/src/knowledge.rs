//! What an agent knows beside its own files: skills of its shelf, templates, texts that messages call up.

use std::collections::BTreeSet;
use std::sync::Arc;

use chela_agent::{Addition, AgentSettings, Knowledge};
use chela_config::{Config, ContextRule};
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::Millis;
use chela_core::tool_policy::ToolPolicy;
use chela_skills::{Ground, Shelf, ShelfSettings, SkillTool, Template, listing};

/// Fills in what the agent knows, and appends its list of skills to the prompt. A shelf or a file that cannot be read
/// leaves the agent without it, and the log says so.
pub(crate) async fn equip(
    settings: &mut AgentSettings,
    config: &Config,
    policy: &ToolPolicy,
    files: &dyn BlobStore,
    shelf: &Arc<Shelf>,
    agent: &AgentId,
    now: Millis,
) {
    let mut wanted = shelf_settings(config, agent);
    let names = settings.tools.iter().map(|tool| tool.spec().name);
    wanted.ground.tools = names.filter(|name| policy.ever(agent, name)).collect();
    let stock = match shelf.stock(agent, &wanted, now).await {
        Ok((stock, problems)) => {
            for problem in problems {
                tracing::warn!(%agent, problem, "a skill is left out");
            }
            stock
        }
        Err(error) => {
            tracing::warn!(%agent, %error, "the skills cannot be read");
            Vec::new()
        }
    };
    let list = listing(&stock);
    // The tool is paid for with every call: only an agent with skills is offered it.
    if !list.is_empty() && policy.ever(agent, "skill") {
        settings.system = format!("{}\n\n{list}", settings.system).into();
        settings.system_for_guests = format!("{}\n\n{list}", settings.system_for_guests).into();
        settings.tools.push(Arc::new(SkillTool { shelf: shelf.clone(), settings: wanted }));
    }
    let templates = config.prompts.iter().map(|(name, it)| Template { name: name.clone(), text: it.text.clone() });
    let mut additions = Vec::new();
    for rule in config.agents.context_of(agent.as_str()) {
        additions.extend(addition(rule, files, agent).await);
    }
    settings.knowledge =
        Knowledge { templates: templates.collect(), skills: stock.into(), additions: additions.into() };
}

async fn addition(rule: &ContextRule, files: &dyn BlobStore, agent: &AgentId) -> Option<Addition> {
    let mut text = rule.text.clone().unwrap_or_default();
    if let Some(file) = &rule.file {
        match files.get(&format!("agents/{}/{file}", agent.as_str())).await {
            Ok(Some(blob)) => text = format!("{text}\n{}", String::from_utf8_lossy(&blob.bytes)),
            Ok(None) => tracing::warn!(%agent, file, "a file of agents.….context is not in the workspace"),
            Err(error) => tracing::warn!(%agent, file, %error, "a file of agents.….context cannot be read"),
        }
    }
    (!text.trim().is_empty()).then(|| Addition { when: rule.when.clone(), text })
}

/// What configuration says about the skills of an agent. `ground.tools` are left to whoever knows them.
pub fn shelf_settings(config: &Config, agent: &AgentId) -> ShelfSettings {
    let entries = &config.skills.entries;
    let env = entries.values().flat_map(|entry| entry.env.keys().cloned());
    let off = entries.iter().filter(|(_, entry)| entry.enabled == Some(false));
    let keyed = entries.iter().filter(|(_, entry)| entry.api_key.is_some());
    let ground = Ground {
        // Programs run in the sandbox, which is Linux everywhere.
        os: "linux".to_owned(),
        bins: config.skills.bins.iter().cloned().collect(),
        env: env.collect(),
        keyed: keyed.map(|(name, _)| name.clone()).collect(),
        config: keys(config),
        tools: BTreeSet::new(),
    };
    ShelfSettings {
        ground,
        disabled: off.map(|(name, _)| name.clone()).collect(),
        allowed: config.agents.skills_of(agent.as_str()).map(|names| names.iter().cloned().collect()),
    }
}

/// Keys that skills may ask for: channels that are configured, and entries of skills that are switched on.
fn keys(config: &Config) -> BTreeSet<String> {
    let channels = config.accounts().into_iter().map(|account| format!("channels.{}", account.channel));
    let on = config.skills.entries.iter().filter(|(_, entry)| entry.enabled == Some(true));
    channels.chain(on.map(|(name, _)| format!("skills.entries.{name}.enabled"))).collect()
}
