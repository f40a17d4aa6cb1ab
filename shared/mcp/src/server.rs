//! The servers of an installation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chela_core::blob::BlobStore;
use chela_core::clock::{Clock, Millis};
use chela_core::model::ToolSpec;
use chela_core::secret::SecretStore;
use chela_core::tool::Tool;
use chela_http::{HostPort, HttpClient, HttpOptions};
use futures_util::future::join_all;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use crate::catalog::{Catalog, Listed, MOST_TOOLS};
use crate::connection::{Connection, Question};
use crate::error::McpError;
use crate::http::Http;
use crate::oauth::Keeper;
use crate::settings::{Launcher, Program, ServerSettings, Way};
use crate::tool::McpTool;
use crate::transport::Transport;
use crate::vet;

/// Longest wait for a list of tools, all its pages together: a turn waits for it once an hour.
const LIST_WITHIN: Duration = Duration::from_secs(15);

/// How long a server that did not answer is left in peace.
const PEACE_MS: u64 = 60_000;

/// How long a process believes what it has read in the file store: another may have found a change, or the owner agreed.
const READ_MS: u64 = 60_000;

/// Most pages of a list.
const MOST_PAGES: usize = 16;

/// What servers stand on.
#[derive(Clone)]
pub struct Ground {
    /// Where lists of tools are kept.
    pub files: Arc<dyn BlobStore>,
    /// Secrets that the settings refer to.
    pub secrets: Arc<dyn SecretStore>,
    /// Time and names.
    pub clock: Arc<dyn Clock>,
    /// What starts programs; `None` where none may be started.
    pub launcher: Option<Launcher>,
}

/// All servers.
#[derive(Default)]
pub struct Servers {
    servers: Vec<Arc<Server>>,
}

impl Servers {
    /// Takes what the owner says; nothing is asked and nothing started.
    pub fn new(settings: Vec<ServerSettings>, ground: &Ground) -> Self {
        let server = |settings| Arc::new(Server::new(settings, ground.clone()));
        Self { servers: settings.into_iter().map(server).collect() }
    }

    /// The server of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.settings.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.servers.iter()
    }

    /// Their tools, in the order of servers and as each server lists them, and what is wrong with some. A server that
    /// does not answer has those that it had. They wait to be found if there is a search (`waits`).
    pub async fn tools(&self, waits: bool) -> (Vec<Arc<dyn Tool>>, Vec<String>) {
        let asked = join_all(self.servers.iter().map(|server| async move { (server, server.catalog(false).await) }));
        let (mut tools, mut problems): (Vec<McpTool>, Vec<String>) = (Vec::new(), Vec::new());
        for (server, (catalog, problem)) in asked.await {
            let name = &server.settings.name;
            problems.extend(problem.map(|problem| format!("mcp.servers.{name}: {problem}")));
            for listed in &catalog.tools {
                match server.tool(&catalog, listed, waits) {
                    Ok(tool) => tools.extend(tool),
                    Err(why) => {
                        problems.push(format!("mcp.servers.{name}: the tool \"{}\" is off: {why}", listed.name))
                    }
                }
            }
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for tool in &tools {
            let count = names.entry(tool.spec.name.clone()).or_default();
            *count = count.saturating_add(1);
        }
        // Which of two was meant nobody can tell, and the second may have been made to be mistaken for the first.
        let twice: Vec<&String> = names.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name).collect();
        problems.extend(twice.iter().map(|name| format!("mcp: two tools would be called \"{name}\"; both are off")));
        tools.retain(|tool| !twice.contains(&&tool.spec.name));
        (tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect(), problems)
    }
}

/// One server.
pub struct Server {
    /// What the owner says about it.
    pub settings: ServerSettings,
    ground: Ground,
    connection: OnceCell<Connection>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is kept in the file store, and when it was read there.
    catalog: Option<(Millis, Catalog)>,
    /// When it did not answer, and what was wrong.
    failed: Option<(Millis, String)>,
}

impl Server {
    fn new(settings: ServerSettings, ground: Ground) -> Self {
        Self { settings, ground, connection: OnceCell::new(), state: Mutex::default() }
    }

    /// A digest of where it is.
    fn place(&self) -> String {
        let place = match &self.settings.way {
            Way::Http { url, .. } => url.clone(),
            Way::Stdio { command, args, .. } => format!("{command}\0{}", args.join("\0")),
        };
        hex::encode(Sha256::digest(place))
    }

    async fn connection(&self) -> Result<&Connection, McpError> {
        self.connection.get_or_try_init(|| async { Ok(Connection::new(self.transport().await?)) }).await
    }

    async fn transport(&self) -> Result<Arc<dyn Transport>, McpError> {
        let ServerSettings { name, way, .. } = &self.settings;
        match way {
            Way::Http { url, headers, grant } => {
                let http = client(url)?;
                let keeper = grant.clone().map(|grant| Keeper::new(name, url, grant, http.clone(), &self.ground));
                let (url, headers, secrets) = (url.clone(), headers.clone(), self.ground.secrets.clone());
                Ok(Arc::new(Http { server: name.clone(), url, http, headers, secrets, keeper }))
            }
            Way::Stdio { command, args, env } => {
                let Some(launcher) = &self.ground.launcher else {
                    let text = "it is a program, and programs run only beside `chela run`: use url here";
                    return Err(McpError::Setup(text.to_owned()));
                };
                let mut values = Vec::new();
                for (variable, value) in env {
                    let value = value.read(self.ground.secrets.as_ref()).await;
                    values.push((variable.clone(), value.map_err(|error| McpError::Setup(error.to_string()))?));
                }
                Ok(launcher(Program { command: command.clone(), args: args.clone(), env: values }))
            }
        }
    }

    /// What it offers, and what went wrong in finding out. It is asked if what is kept is old, or if `now` says so.
    pub async fn catalog(&self, now: bool) -> (Catalog, Option<String>) {
        let (files, clock) = (self.ground.files.as_ref(), self.ground.clock.as_ref());
        let mut state = self.state.lock().await;
        if let (Some((read_at, catalog)), false) = (&state.catalog, now)
            && catalog.is_fresh(clock.now())
            && clock.now().since(*read_at) < READ_MS
        {
            return (catalog.clone(), None);
        }
        if let (Some((at, why)), false) = (&state.failed, now)
            && clock.now().since(*at) < PEACE_MS
        {
            let catalog = state.catalog.as_ref().map(|(_, catalog)| catalog.clone()).unwrap_or_default();
            return (catalog, Some(why.clone()));
        }
        let (mut catalog, etag) = match Catalog::load(files, &self.settings.name, &self.place()).await {
            Ok(kept) => kept,
            // Without the pins nothing can be trusted.
            Err(error) => return (Catalog::default(), Some(error)),
        };
        if now || !catalog.is_fresh(clock.now()) {
            match self.list(catalog.version.as_deref()).await {
                Ok((tools, version)) => {
                    catalog.take(tools, clock.now());
                    catalog.version = version;
                    state.failed = None;
                    // If somebody else was first, what they kept holds the next time.
                    if let Err(error) = catalog.save(files, &self.settings.name, etag).await {
                        tracing::warn!(server = self.settings.name, error, "a list of tools is not kept");
                    }
                }
                Err(error) => {
                    state.failed = Some((clock.now(), error.to_string()));
                    state.catalog = Some((clock.now(), catalog.clone()));
                    return (catalog, Some(error.to_string()));
                }
            }
        }
        state.catalog = Some((clock.now(), catalog.clone()));
        (catalog, None)
    }

    /// Trusts a tool as it is defined now. `false` if there is none of this name.
    pub async fn agree(&self, tool: &str) -> Result<bool, String> {
        let files = self.ground.files.as_ref();
        let (mut catalog, etag) = Catalog::load(files, &self.settings.name, &self.place()).await?;
        if !catalog.agree(tool) {
            return Ok(false);
        }
        catalog.save(files, &self.settings.name, etag).await?;
        self.state.lock().await.catalog = None;
        Ok(true)
    }

    /// The tool as it is offered; nothing if the owner leaves it out, or why it is off.
    fn tool(self: &Arc<Self>, catalog: &Catalog, listed: &Listed, waits: bool) -> Result<Option<McpTool>, String> {
        let rules = &self.settings.tools;
        if !rules.allows(&listed.name) {
            return Ok(None);
        }
        let input_schema = listed.schema.clone()?;
        if !catalog.trusts(listed, rules) {
            let (name, why) = (&self.settings.name, catalog.distrust(listed));
            return Err(format!("{why}; look at it with `chela mcp tools {name}`"));
        }
        let name = vet::name(&self.settings.name, &listed.name);
        let spec = ToolSpec { name, description: listed.description.clone(), input_schema };
        let risk = listed.risk(rules, self.settings.risk);
        Ok(Some(McpTool { server: self.clone(), spec, listed: listed.clone(), risk, waits }))
    }

    async fn list(&self, known: Option<&str>) -> Result<(Vec<Listed>, Option<String>), McpError> {
        let connection = self.connection().await?;
        let mut tools = Vec::new();
        let mut cursor: Option<Value> = None;
        let until = Instant::now() + LIST_WITHIN;
        for _ in 0..MOST_PAGES {
            let params: Map<String, Value> =
                cursor.take().map(|cursor| ("cursor".to_owned(), cursor)).into_iter().collect();
            let timeout = self.settings.timeout.min(until.saturating_duration_since(Instant::now()));
            let question = Question { method: "tools/list", params, headers: Vec::new(), known, timeout };
            let page = connection.ask(&question).await?;
            let given = page.get("tools").and_then(Value::as_array);
            tools.extend(given.into_iter().flatten().filter_map(|tool| Listed::read(&self.settings.name, tool)));
            cursor = page.get("nextCursor").filter(|cursor| cursor.is_string()).cloned();
            if cursor.is_none() || tools.len() >= MOST_TOOLS {
                break;
            }
        }
        tools.truncate(MOST_TOOLS);
        Ok((tools, connection.version().await))
    }

    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: &Value,
        headers: Vec<(String, String)>,
    ) -> Result<Value, McpError> {
        let known = self.state.lock().await.catalog.as_ref().and_then(|(_, catalog)| catalog.version.clone());
        let params = [("name".to_owned(), Value::from(tool)), ("arguments".to_owned(), arguments.clone())];
        let question = Question {
            method: "tools/call",
            params: params.into_iter().collect(),
            headers,
            known: known.as_deref(),
            timeout: self.settings.timeout,
        };
        self.connection().await?.ask(&question).await
    }
}

/// A way out to one server: only its own host may be private.
pub(crate) fn client(url: &str) -> Result<HttpClient, McpError> {
    let place = HostPort::of_url(url).map_err(|error| McpError::Setup(error.to_string()))?;
    let options = HttpOptions {
        allow_hosts: vec![place],
        user_agent: concat!("Chela/", env!("CARGO_PKG_VERSION")).to_owned(),
        extra_roots: None,
    };
    HttpClient::new(options).map_err(|error| McpError::Setup(error.to_string()))
}
