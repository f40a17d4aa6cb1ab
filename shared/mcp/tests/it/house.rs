//! What servers stand on in tests, and servers of the official SDK as processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_clock::SystemClock;
use chela_core::agent_id::AgentId;
use chela_core::clock::Clock;
use chela_core::purse::Shut;
use chela_core::queue::Authority;
use chela_core::session_key::SessionKey;
use chela_core::tool::{Caller, Tool, ToolAnswer, ToolCall};
use chela_embedded::{Embedded, LocalSecrets};
use chela_mcp::{Ground, Risk, ServerSettings, Servers, ToolRules, Way};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// A store in a folder of its own.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) store: Embedded,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap();
        Self { folder, store }
    }

    pub(crate) fn servers(&self, settings: Vec<ServerSettings>) -> Servers {
        self.servers_at(settings, Arc::new(SystemClock))
    }

    /// The same with a clock of the test.
    pub(crate) fn servers_at(&self, settings: Vec<ServerSettings>, clock: Arc<dyn Clock>) -> Servers {
        let ground = Ground {
            files: self.store.blobs.clone(),
            secrets: Arc::new(LocalSecrets::new(|_| None)),
            clock,
            launcher: Some(chela_mcp::stdio::launcher(|name| match name {
                "PATH" => std::env::var(name).ok(),
                "HOME" => Some("/nowhere".into()),
                _ => Some("not to be seen".into()),
            })),
        };
        Servers::new(settings, &ground)
    }

    /// Calls a tool for the owner.
    pub(crate) async fn call(&self, tool: &Arc<dyn Tool>, input: Value) -> ToolAnswer {
        let caller = owner();
        let (agent, session) = (AgentId::new("main"), SessionKey::from_stored("agent:main:main"));
        tool.run(ToolCall {
            again: false,
            post: &chela_core::post::Nowhere,
            input: &input,
            idempotency_key: "key",
            agent: &agent,
            session: &session,
            caller: &caller,
            files: self.store.blobs.as_ref(),
            sessions: self.store.sessions.as_ref(),
            directory: self.store.sessions.as_ref(),
            queue: self.store.queue.as_ref(),
            clock: &SystemClock,
            status: &Value::Null,
            purse: &Shut,
        })
        .await
    }
}

pub(crate) fn owner() -> Caller {
    Caller { authority: Authority::Owner, ..Caller::default() }
}

/// Settings of a server called `sdk`.
pub(crate) fn at(way: Way) -> ServerSettings {
    ServerSettings {
        name: "sdk".into(),
        way,
        tools: ToolRules::default(),
        risk: Risk::Read,
        ask: true,
        timeout: Duration::from_secs(30),
    }
}

pub(crate) fn http(url: &str) -> ServerSettings {
    at(Way::Http { url: url.into(), headers: vec![], grant: None })
}

/// The tool of this name.
pub(crate) fn named(tools: &[Arc<dyn Tool>], name: &str) -> Arc<dyn Tool> {
    let found = tools.iter().find(|tool| tool.spec().name == name);
    found.unwrap_or_else(|| panic!("no {name} among {:?}", names(tools))).clone()
}

pub(crate) fn names(tools: &[Arc<dyn Tool>]) -> Vec<String> {
    tools.iter().map(|tool| tool.spec().name).collect()
}

/// The Python of a group of `tools/bootstrap`.
pub(crate) fn python(group: &str) -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools").join(group).join("bin/python");
    assert!(python.exists(), "{} is missing; run: tools/bootstrap {group}", python.display());
    python
}

pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk_server.py");

/// A server over HTTP.
pub(crate) struct Sdk {
    child: Child,
    pub(crate) origin: String,
}

impl Drop for Sdk {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Sdk {
    /// `group` is that of `tools/bootstrap`, and with it the era.
    pub(crate) async fn start(group: &str, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let (mode, rest) = arguments.split_first().unwrap();
        let child = Command::new(python(group))
            .args([SCRIPT, mode, &port.to_string()])
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, origin: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let gone = server.child.try_wait().unwrap().is_some() || started.elapsed() > Duration::from_secs(120);
            assert!(!gone, "the server of {group} did not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }
}
