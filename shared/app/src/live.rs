//! What is configured right now. The file is looked at again every half minute, secrets every minute; a change is live
//! without a deploy, a broken change leaves what was there and is reported.

use std::collections::HashMap;
use std::sync::Arc;

use chela_agent::Installation;
use chela_config::{
    BrowserTool, ChannelKeys, Config, LiveConfig, LoadError, MissingVariable, Refreshed, Report, Surroundings,
};
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::channel::Channel;
use chela_core::channel_log::ChannelLog;
use chela_core::clock::{Clock, Millis};
use chela_core::cooldown::CooldownStore;
use chela_core::gate::GatePolicy;
use chela_core::message::ReplyAddress;
use chela_core::route::RoutingTable;
use chela_core::sandbox::Sandbox;
use chela_core::schedule::{Schedule, Schedules};
use chela_core::secret::{Secret, SecretStore};
use chela_core::spend::SpendStore;
use chela_core::tool::Tool;
use chela_http::HttpClient;
use chela_mcp::Servers;
use chela_memory::Memory;
use chela_skills::Shelf;
use chela_tools::Runs;
use tokio::sync::Mutex;

use crate::install::{self, Scope};
use crate::mcp::{self, McpHome};
use crate::rotation::Watched;
use crate::workspaces::Workspaces;

/// How long a workspace's prompt is kept; a changed SOUL.md speaks at the latest then.
const PROMPT_FOR_MS: u64 = 30_000;

/// What a [`Live`] stands on.
pub struct Ground {
    /// Where the configuration file is.
    pub config_files: Arc<dyn BlobStore>,
    /// Its key there.
    pub config_key: String,
    /// Workspaces.
    pub files: Arc<dyn BlobStore>,
    /// Secrets the configuration refers to.
    pub secrets: Arc<dyn SecretStore>,
    /// Values of `${VAR}`.
    pub variables: Variables,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where commands can run.
    pub commands: Commands,
    /// What this process opens.
    pub scope: Scope,
    /// What it knows of servers of the Model Context Protocol.
    pub mcp: McpHome,
    /// What tools for the house itself work on; nothing where no turns are made.
    pub inside: Inside,
}

/// What tools for the house itself work on.
#[derive(Clone, Default)]
pub struct Inside {
    /// What fires schedules of agents' making.
    pub schedules: Option<Arc<dyn Schedules>>,
    /// What was noted of accounts, models and money.
    pub records: Option<Records>,
}

/// What was noted of accounts, models and money.
#[derive(Clone)]
pub struct Records {
    /// Of accounts.
    pub channels: Arc<dyn ChannelLog>,
    /// Of credentials that rest.
    pub cooldowns: Arc<dyn CooldownStore>,
    /// Of money.
    pub spend: Arc<dyn SpendStore>,
    /// Where the house runs, in words.
    pub place: &'static str,
    /// Since when.
    pub since: Millis,
}

/// Which programs can be started here: commands, and a browser; the configuration chooses.
#[derive(Clone, Default)]
pub struct Commands {
    /// With walls around them; or why there are none and how to get them. `None` where no commands ever run.
    pub sandbox: Option<Result<Arc<dyn Sandbox>, String>>,
    /// Without.
    pub gateway: Option<Arc<dyn Sandbox>>,
    /// Those that were begun in the background.
    pub runs: Arc<Runs>,
    /// A browser of this machine. `None` where none ever runs: a function starts no program.
    pub browser: Option<OpenBrowser>,
}

/// Opens the browser of this machine as the configuration wants it: the tool, `None` if there is no such program here, or
/// what is wrong.
pub type OpenBrowser = Arc<dyn Fn(&BrowserTool, &HttpClient) -> Result<Option<Arc<dyn Tool>>, String> + Send + Sync>;

/// Looks up a variable of the environment.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The key of the configuration in a bucket.
pub const CONFIG_KEY: &str = "config/chela.json5";

/// Keeps what is configured.
pub struct Live {
    ground: Ground,
    config: LiveConfig,
    channels: Vec<ChannelKeys>,
    secrets: Arc<Watched>,
    shelf: Arc<Shelf>,
    workspaces: Arc<Workspaces>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    built: Option<Arc<Built>>,
    /// By agent: the installation with a fresh prompt for it, and when the prompt was read.
    prompted: HashMap<AgentId, (Millis, Arc<Installation>)>,
}

/// One version of the configuration, opened.
pub struct Built {
    /// As written.
    pub config: Arc<Config>,
    /// Prepared for routing.
    pub routing: RoutingTable,
    /// Accounts by channel and name.
    pub accounts: HashMap<(String, String), OpenAccount>,
    /// Agents and outlets; prompts are still empty.
    pub installation: Installation,
    /// Schedules.
    pub heartbeats: Vec<Heartbeat>,
    /// The key of the API; without one it answers nobody.
    pub api_key: Option<Secret>,
    /// How notes are searched.
    pub memory: Arc<Memory>,
    /// Servers whose tools agents may use.
    pub mcp: Arc<Servers>,
    /// What could not be opened, for people. No secret is in it.
    pub problems: Vec<String>,
}

/// One account that can receive and send.
pub struct OpenAccount {
    /// The account.
    pub channel: Arc<dyn Channel>,
    /// Who is heard.
    pub gate: GatePolicy,
}

/// One schedule with its turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// When.
    pub schedule: Schedule,
    /// What is asked.
    pub prompt: String,
    /// Who is asked.
    pub agent: AgentId,
    /// Where the answer goes.
    pub deliver_to: Option<ReplyAddress>,
}

impl Built {
    /// An account that is configured and could be opened.
    pub fn account(&self, channel: &str, account: &str) -> Option<&OpenAccount> {
        self.accounts.get(&(channel.to_owned(), account.to_owned()))
    }

    /// A schedule by name.
    pub fn heartbeat(&self, name: &str) -> Option<&Heartbeat> {
        self.heartbeats.iter().find(|heartbeat| heartbeat.schedule.name == name)
    }
}

impl Live {
    /// Reads the configuration and opens what the scope asks for. A broken configuration is an error here; later it only
    /// keeps the last good one.
    pub async fn open(mut ground: Ground) -> Result<Self, LoadError> {
        let workspaces = Arc::new(Workspaces::new(ground.files.clone()));
        ground.files = workspaces.clone();
        let secrets = Arc::new(Watched::new(ground.secrets));
        ground.secrets = secrets.clone();
        let channels = install::channel_keys();
        let now = ground.clock.now();
        let (config, report) =
            LiveConfig::load(&ground.config_key, ground.config_files.as_ref(), &surroundings(&ground, &channels), now)
                .await?;
        warn_of(&report);
        let shelf = Arc::new(Shelf::new(ground.files.clone()));
        let live = Self { ground, config, channels, secrets, shelf, workspaces, state: Mutex::default() };
        live.current().await;
        Ok(live)
    }

    /// The newest good version.
    pub async fn current(&self) -> Arc<Built> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await
    }

    /// The newest good version with the prompt of `agent`.
    pub async fn installation(&self, agent: &AgentId) -> Arc<Installation> {
        let (files, now) = (self.ground.files.as_ref(), self.ground.clock.now());
        let (built, known) = {
            let mut state = self.state.lock().await;
            let built = self.refresh(&mut state).await;
            (built, state.prompted.get(agent).cloned())
        };
        match &known {
            Some((read_at, installation)) if now.since(*read_at) < PROMPT_FOR_MS => return installation.clone(),
            Some(_) => {}
            None => install::seed_workspace(files, agent).await,
        }
        // A server of tools that is slow to answer keeps nobody else waiting. Two who ask at once both look.
        let installation = Arc::new(install::with_prompt(&built, files, &self.shelf, agent, now).await);
        let mut state = self.state.lock().await;
        if state.built.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, &built)) {
            state.prompted.insert(agent.clone(), (now, installation.clone()));
        }
        installation
    }

    /// What tools keep open for further calls is given back: the process may be halted now, for any time or for good.
    pub async fn rest(&self) {
        let built = self.state.lock().await.built.clone();
        for tool in built.iter().flat_map(|built| built.installation.agents.values()).flat_map(|agent| &agent.tools) {
            tool.rest().await;
        }
    }

    /// The file store with the workspaces where configuration has them: for everything that asks for an agent's files.
    pub fn files(&self) -> &Arc<dyn BlobStore> {
        &self.ground.files
    }

    async fn refresh(&self, state: &mut State) -> Arc<Built> {
        let surroundings = surroundings(&self.ground, &self.channels);
        let config_files = self.ground.config_files.as_ref();
        match self.config.refresh(config_files, &surroundings, self.ground.clock.now()).await {
            Refreshed::Same => {}
            Refreshed::Changed(report) => warn_of(&report),
            Refreshed::Broken(report) => {
                tracing::error!(findings = %report.render(), "the changed configuration is broken; the one before it stays");
            }
            Refreshed::Unreachable(error) => tracing::warn!(%error, "the configuration cannot be looked at"),
        }
        let config = self.config.current();
        if let Some(built) = &state.built
            && Arc::ptr_eq(&built.config, &config)
            && !self.secrets.changed(self.ground.clock.now()).await
        {
            return built.clone();
        }
        self.secrets.forget(self.ground.clock.now());
        self.workspaces.assign(config.agents.workspaces());
        let ground = &self.ground;
        let mut built = install::open(config, ground).await;
        if ground.scope == Scope::Everything {
            built.mcp = Arc::new(mcp::open(&built.config, ground, &mut built.problems));
        }
        let built = Arc::new(built);
        state.prompted.clear();
        state.built = Some(built.clone());
        built
    }
}

fn surroundings<'a>(ground: &'a Ground, channels: &'a [ChannelKeys]) -> Surroundings<'a> {
    // A function holds only its own platform's secrets, so that variables of others are rightly missing there.
    let missing = match ground.scope {
        Scope::Everything => MissingVariable::Refuse,
        Scope::Channel(_) | Scope::Api | Scope::Nothing => MissingVariable::Defer,
    };
    Surroundings { variables: ground.variables.as_ref(), missing, channels }
}

fn warn_of(report: &Report) {
    for warning in &report.warnings {
        tracing::warn!(
            path = warning.path,
            line = warning.line,
            fix = warning.fix,
            "configuration: {}",
            warning.message
        );
    }
}
