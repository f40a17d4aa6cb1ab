//! `gateway`: how the house is, and what its configuration says, for its owner. It changes nothing: the configuration is
//! its owner's, who changes it with an editor or a deploy, so that nothing a model reads can talk it into another one.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use chela_agent::{AgentSettings, Outlet, SpendRules};
use chela_config::Config;
use chela_core::blob::BlobStore;
use chela_core::job;
use chela_core::model::ToolSpec;
use chela_core::queue::{Authority, Lane};
use chela_core::spend::Scope;
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::live::{Ground, Records};
use crate::usage;

/// Sections that can be shown. All others are how the house is guarded and whom it trusts with what: credentials,
/// accounts, doors.
const SHOWN: &[&str] =
    &["agents", "bindings", "broadcast", "commands", "cron", "logging", "messages", "session", "spend", "tools"];

/// What a key has in its name whose value is not shown, whatever it is.
const HIDDEN: &[&str] = &["key", "token", "secret", "pass", "auth", "cred", "header", "cookie", "env", "url"];

const INSTEAD: &str = "(not shown)";

/// Most flagged parts that are counted.
const FLAGGED: usize = 100;

/// The tool.
pub(crate) struct Gateway {
    records: Records,
    config: Arc<Config>,
    config_files: Arc<dyn BlobStore>,
    config_key: String,
    /// Channels and accounts that are open.
    accounts: Vec<(String, String)>,
    spend: SpendRules,
    models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    action: Action,
    #[serde(default)]
    path: String,
}

#[derive(Clone, Copy, Deserialize)]
enum Action {
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "config.get")]
    ConfigGet,
}

/// The tool of an agent with these settings, where the house keeps records.
pub(crate) fn tool(
    ground: &Ground,
    config: &Arc<Config>,
    outlets: &HashMap<(String, String), Outlet>,
    agent: &AgentSettings,
) -> Option<Arc<dyn Tool>> {
    let mut accounts: Vec<_> = outlets.keys().cloned().collect();
    accounts.sort();
    let gateway = Gateway {
        records: ground.inside.records.clone()?,
        config: config.clone(),
        config_files: ground.config_files.clone(),
        config_key: ground.config_key.clone(),
        accounts,
        spend: usage::rules(config),
        models: agent.models.iter().map(|choice| choice.name.clone()).collect(),
    };
    Some(Arc::new(gateway))
}

#[async_trait]
impl Tool for Gateway {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "gateway".into(),
            description: "How your own installation is (status: version, channels, models, spending, schedules), and what \
                          its configuration says (config.get with a path such as agents.defaults.model). Changes nothing."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": { "type": "string", "enum": ["status", "config.get"] },
                    "path": { "type": "string", "description": "keys and numbers, separated by dots" },
                },
                "required": ["action"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority == Authority::Owner && caller.depth == 0
    }

    fn on_demand(&self) -> bool {
        true
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        if !self.offered(call.caller) {
            return ToolAnswer::error("That is the owner's.");
        }
        let arguments = Arguments::deserialize(call.input).map_err(|error| {
            format!("The arguments do not fit: {error}. The configuration is changed by its owner, not by a tool.")
        });
        let answer = match arguments {
            Ok(Arguments { action: Action::Status, .. }) => self.status(&call).await,
            Ok(Arguments { action: Action::ConfigGet, path }) => self.get(&path).await,
            Err(error) => Err(error),
        };
        answer.map_or_else(ToolAnswer::error, |value| ToolAnswer::ok(value.to_string()))
    }
}

impl Gateway {
    async fn status(&self, call: &ToolCall<'_>) -> Result<Value, String> {
        let (records, now) = (&self.records, call.clock.now());
        let away = |error: chela_core::session::StoreError| format!("The records cannot be read now ({error}).");
        let activities = records.channels.activities().await.map_err(away)?;
        let channel = |(channel, account): &(String, String)| {
            let activity = activities.iter().find(|it| it.channel == *channel && it.account == *account);
            json!({ "channel": channel, "account": account, "last": activity })
        };
        let resting = records.cooldowns.cooldowns().await.map_err(away)?;
        let resting: Map<String, Value> = resting
            .into_iter()
            .filter(|(_, rest)| rest.until > now)
            .map(|(profile, rest)| (profile, json!({ "seconds": rest.until.since(now) / 1000, "why": rest.trouble })))
            .collect();
        let spent = usage::read(records.spend.as_ref(), &self.spend, now, 1).await.map_err(away)?;
        let today = spent.days.first();
        let all = today.and_then(|day| day.scopes.iter().find(|scope| scope.scope == Scope::All));
        let dollars = |nano: u64| nano as f64 / 1e9;
        let jobs = job::book(call.files, call.agent).await.map_err(|error| error.to_string())?.jobs;
        let flagged = call.sessions.flagged(FLAGGED).await.map_err(away)?.len();
        let mut queues = Map::new();
        for lane in Lane::ALL {
            let depth =
                call.queue.depth(lane).await.map_err(|error| format!("The queues are silent now ({error})."))?;
            queues.insert(lane.name().to_owned(), json!(depth));
        }
        let configured: Vec<Value> = self
            .config
            .plan()
            .into_iter()
            .map(|plan| json!({ "name": plan.schedule.name, "when": plan.schedule.expression.0, "enabled": plan.schedule.enabled }))
            .collect();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "runs": records.place,
            "upSeconds": now.since(records.since) / 1000,
            "agents": self.config.agents.ids(),
            "channels": self.accounts.iter().map(channel).collect::<Vec<_>>(),
            "models": { "asked": self.models, "resting": resting },
            "spentToday": {
                "dollars": all.map_or(0.0, |all| dollars(all.spending.spent)),
                "limit": all.and_then(|all| all.limit).or(self.spend.limit(&Scope::All)).map(dollars),
                "halted": spent.halted,
            },
            "schedules": { "configured": configured, "own": jobs.len() },
            "queues": queues,
            "partsInDoubt": flagged,
        }))
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let mut steps = path.split('.').filter(|step| !step.is_empty());
        let section = steps.next().unwrap_or_default();
        if !SHOWN.contains(&section) {
            return Err(format!("Only these can be shown: {}.", SHOWN.join(", ")));
        }
        let file = self.config_files.get(&self.config_key).await;
        let file = file.map_err(|error| format!("The configuration cannot be read now ({error})."))?;
        let text = file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default();
        // As it is written: variables and references stand for themselves.
        let written = chela_config::written(&text).unwrap_or_default();
        let unset = || format!("\"{path}\" is not set: what holds then is in docs/configuration.md.");
        let mut value = written.get(section).ok_or_else(unset)?;
        let mut hidden = false;
        for step in steps {
            hidden |= is_hidden(step);
            let at = step.parse::<usize>().ok().and_then(|at| value.get(at));
            value = value.get(step).or(at).ok_or_else(unset)?;
        }
        Ok(if hidden { json!(INSTEAD) } else { redacted(value) })
    }
}

fn is_hidden(key: &str) -> bool {
    let key = key.to_lowercase();
    HIDDEN.iter().any(|word| key.contains(word))
}

/// Without what may be a secret: by the name of its key, at any depth.
fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                (key.clone(), if is_hidden(key) { json!(INSTEAD) } else { redacted(value) })
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Array(items) => items.iter().map(redacted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
