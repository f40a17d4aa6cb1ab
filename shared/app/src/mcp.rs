//! The servers of the Model Context Protocol that a configuration names.

use std::path::PathBuf;
use std::time::Duration;

use chela_agent::AgentSettings;
use chela_config::{Config, McpAuth, McpRisk, McpServer, SecretInput};
use chela_core::agent_id::AgentId;
use chela_core::secret::{SecretRef, SecretSource};
use chela_core::tool::TOOL_SEARCH;
use chela_core::tool_policy::ToolPolicy;
use chela_mcp::{Hidden, Launcher, Risk, ServerSettings, Servers, ToolRules, Way};

use crate::live::Ground;

/// What a process knows of servers beside the configuration.
#[derive(Clone, Default)]
pub struct McpHome {
    /// What starts programs; a function has none.
    pub launcher: Option<Launcher>,
    /// Where logins are kept, unless the configuration says it.
    pub grants: Grants,
}

/// Where logins are kept.
#[derive(Clone, Debug, Default)]
pub enum Grants {
    /// Where the configuration says.
    #[default]
    Said,
    /// As files of this folder.
    Folder(PathBuf),
    /// As parameters under this name.
    Parameters(String),
}

impl Grants {
    /// Where the login of a server is kept.
    pub fn of(&self, server: &str) -> Option<SecretRef> {
        let (source, id) = match self {
            Self::Said => return None,
            Self::Folder(folder) => (SecretSource::File, folder.join(format!("{server}.json")).display().to_string()),
            Self::Parameters(prefix) => (SecretSource::Ssm, format!("{prefix}/{server}")),
        };
        Some(SecretRef { source, id })
    }
}

/// Takes down where the servers are. Nothing is asked and nothing started.
pub(crate) fn open(config: &Config, ground: &Ground, problems: &mut Vec<String>) -> Servers {
    let enabled = config.mcp.servers.iter().filter(|(_, server)| server.enabled);
    let mut settings = Vec::new();
    for (name, server) in enabled {
        match server_settings(name, server, &ground.mcp) {
            Ok(one) => settings.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    let ground = chela_mcp::Ground {
        files: ground.files.clone(),
        secrets: ground.secrets.clone(),
        clock: ground.clock.clone(),
        launcher: ground.mcp.launcher.clone(),
    };
    Servers::new(settings, &ground)
}

/// Gives an agent the tools of the servers. With a search among its tools they wait to be found.
pub(crate) async fn equip(settings: &mut AgentSettings, policy: &ToolPolicy, servers: &Servers, agent: &AgentId) {
    let (tools, problems) = servers.tools(policy.ever(agent, TOOL_SEARCH)).await;
    for problem in problems {
        tracing::warn!(%agent, problem, "a tool of an MCP server is not there");
    }
    settings.tools.extend(tools);
}

fn server_settings(name: &str, server: &McpServer, home: &McpHome) -> Result<ServerSettings, String> {
    let hidden = |input: &SecretInput| match input {
        SecretInput::Value(secret) => Hidden::Here(secret.clone()),
        SecretInput::Ref(reference) => Hidden::There(reference.clone()),
    };
    let all = |values: &std::collections::BTreeMap<String, SecretInput>| {
        values.iter().map(|(name, value)| (name.clone(), hidden(value))).collect()
    };
    let way = match (&server.url, &server.command) {
        (Some(url), _) => {
            let grant = match server.auth {
                None => None,
                Some(McpAuth::Oauth) => {
                    let said = server.oauth.grant.as_ref().map(hidden);
                    let kept = said.or_else(|| home.grants.of(name).map(Hidden::There));
                    let missing = || format!("mcp.servers.{name}.oauth.grant: say where the login is kept");
                    Some(kept.ok_or_else(missing)?)
                }
            };
            Way::Http { url: url.clone(), headers: all(&server.headers), grant }
        }
        (None, Some(command)) if home.launcher.is_some() => {
            Way::Stdio { command: command.clone(), args: server.args.clone(), env: all(&server.env) }
        }
        (None, Some(_)) => {
            return Err(format!("mcp.servers.{name}: it is a program, and programs run beside `chela run` only"));
        }
        (None, None) => return Err(format!("mcp.servers.{name}: it has neither url nor command")),
    };
    let rules = &server.tools;
    Ok(ServerSettings {
        name: name.to_owned(),
        way,
        tools: ToolRules {
            allow: rules.allow.clone(),
            deny: rules.deny.clone(),
            risk: rules.risk.iter().map(|(tool, risk)| (tool.clone(), risk_of(*risk))).collect(),
            pins: rules.pins.clone(),
        },
        risk: risk_of(server.risk),
        ask: server.ask,
        timeout: Duration::from_secs(u64::from(server.timeout_seconds)),
    })
}

fn risk_of(risk: McpRisk) -> Risk {
    match risk {
        McpRisk::Read => Risk::Read,
        McpRisk::Write => Risk::Write,
        McpRisk::External => Risk::External,
    }
}
