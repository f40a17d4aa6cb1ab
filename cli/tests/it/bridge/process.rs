//! `chela bridge irc`, as a process that can be killed.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use chela_channel_bridge::DESCRIPTOR;
use chela_channel_kit::AccountSettings;
use chela_clock::SystemClock;
use chela_core::channel::Channel;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};

use super::PATIENCE;
use super::server::{Server, free_port};

const SECRET: &str = "a-secret-of-this-test";

pub(crate) struct Process {
    process: Child,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
}

impl Process {
    pub(crate) async fn start(server: &Server, gateway: &str, more: &[&str]) -> Self {
        Self::start_with(server, gateway, more, "").await
    }

    pub(crate) async fn start_with(server: &Server, gateway: &str, more: &[&str], secrets: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        std::fs::write(folder.path().join("secrets"), format!("BRIDGE_SECRET={SECRET}\n{secrets}")).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (server, listen) = (format!("127.0.0.1:{}", server.port), format!("127.0.0.1:{port}"));
        let arguments = ["bridge", "irc", "--plain", "--nick", "agentbot", "--channel", "#lobby", "--server", &server]
            .into_iter()
            .chain(["--to", gateway, "--listen", &listen, "--state", &path("state"), "--secrets", &path("secrets")])
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect();
        let process = run(&folder, &arguments);
        let started = Self { process, folder, port, arguments };
        started.listens().await;
        started
    }

    /// Starts the same bridge anew, on the same state.
    pub(crate) async fn restart(&mut self) {
        self.process = run(&self.folder, &self.arguments);
        self.listens().await;
    }

    async fn listens(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
            let said = std::fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
            assert!(Instant::now() < until, "the bridge does not listen: {said}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// As if the machine had lost its power.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// As a service manager does it; tells how it ended.
    pub(crate) async fn stop(&mut self) -> String {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.to_string();
            }
            assert!(Instant::now() < until, "it does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The account whose bridge this is.
    pub(crate) fn channel(&self) -> Arc<dyn Channel> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let options = json!({"bridgeUrl": url, "features": ["typing", "attach"], "textLimit": 1500});
        let http = HttpOptions {
            allow_hosts: vec![HostPort::of_url(&url).unwrap()],
            user_agent: "chela".to_owned(),
            extra_roots: None,
        };
        let settings = AccountSettings {
            account: "main".to_owned(),
            options: options.as_object().unwrap().clone(),
            secrets: [("bridgeSecret".to_owned(), Secret::new(SECRET))].into(),
            http: HttpClient::new(http).unwrap(),
            clock: Arc::new(SystemClock),
        };
        DESCRIPTOR.open(&settings).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("the bridge's log:\n{log}");
        }
    }
}

fn run(folder: &TempDir, arguments: &Vec<String>) -> Child {
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::File::options().create(true).append(true).open(path).unwrap()
    };
    Command::new(env!("CARGO_BIN_EXE_chela"))
        .args(arguments)
        .env("CHELA_LOG", "DEBUG")
        .stdin(Stdio::null())
        .stdout(file("log"))
        .stderr(file("errors"))
        .spawn()
        .unwrap()
}
