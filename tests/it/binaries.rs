//! The binaries under test, as `cargo build` makes them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chela_http::{HostPort, HttpClient, HttpOptions, Request, Response};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::architecture::root;

/// Where the binaries are; they are built first, which takes no time when nothing has changed.
pub(crate) fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // target/debug/deps/it-… → target/debug
        let folder = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_path_buf();
        // `make test` builds everything once and says so: nextest runs each test in a process of its own.
        if std::env::var_os("CHELA_BUILT").is_some() {
            return folder;
        }
        let status = Command::new(env!("CARGO"))
            // All targets: with other features than the tests have, cargo would build every dependency a second time.
            .args(["build", "--quiet", "--workspace", "--all-targets"])
            .current_dir(root())
            .status()
            .unwrap();
        assert!(status.success(), "the binaries do not build");
        folder
    })
}

/// The `chela` command.
pub(crate) fn chela() -> Command {
    Command::new(folder().join("chela"))
}

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    process: Child,
    pub(crate) url: String,
    pub(crate) data: PathBuf,
    key: String,
    http: HttpClient,
}

impl Gateway {
    /// Starts `chela run` in this folder with `chela.json5` of the folder and waits until it is ready.
    pub(crate) async fn start(folder: &std::path::Path) -> Self {
        Self::start_with(folder, chela()).await
    }

    pub(crate) async fn start_with(folder: &std::path::Path, mut command: Command) -> Self {
        let port = free_port();
        let data = folder.join("data");
        let process = command
            .arg("run")
            .args(["--config".as_ref(), folder.join("chela.json5").as_os_str()])
            .args(["--data".as_ref(), data.as_os_str()])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("CHELA_LOG", "DEBUG")
            .stdout(std::fs::File::create(folder.join("log.json")).unwrap())
            .stderr(std::fs::File::create(folder.join("greeting.txt")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let http = client(&url);
        let mut gateway = Self { process, url, data, key: String::new(), http };
        let patience = Instant::now() + Duration::from_secs(20);
        while gateway.get("/healthz").await.is_none() {
            let greeting = std::fs::read_to_string(folder.join("greeting.txt")).unwrap_or_default();
            assert!(gateway.process.try_wait().unwrap().is_none(), "the gateway ended: {greeting}");
            assert!(Instant::now() < patience, "the gateway does not answer: {greeting}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gateway.key = std::fs::read_to_string(gateway.data.join("api-key")).unwrap();
        gateway
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Response> {
        let request = Request::get(format!("{}{path}", self.url), Duration::from_secs(5), 1 << 20);
        self.http.send(self.authorized(request)).await.ok()
    }

    /// Posts to a webhook or the API.
    pub(crate) async fn post(&self, path: &str, headers: HeaderMap, body: impl Into<bytes::Bytes>) -> Response {
        let mut request = Request::post(format!("{}{path}", self.url), body.into(), Duration::from_secs(40), 1 << 20);
        request.headers = headers;
        self.http.send(self.authorized(request)).await.unwrap()
    }

    /// The same to a gateway that may die over it: the status, if there was an answer.
    pub(crate) async fn try_post(&self, path: &str, headers: HeaderMap, body: String) -> Option<u16> {
        let mut request = Request::post(format!("{}{path}", self.url), body, Duration::from_secs(20), 1 << 20);
        request.headers = headers;
        self.http.send(self.authorized(request)).await.ok().map(|answer| answer.status.as_u16())
    }

    /// Waits until the process has ended, and says how.
    pub(crate) async fn ended(&mut self, patience: Duration) -> String {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.to_string();
            }
            if Instant::now() > until {
                return "it still runs".into();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Says something through the API and waits for the answer.
    pub(crate) async fn ask(&self, text: &str) -> String {
        let answer = self.post("/message", HeaderMap::new(), serde_json::json!({"text": text}).to_string()).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        answer["reply"].as_str().unwrap_or_else(|| panic!("no reply in {answer}")).to_owned()
    }

    /// As if the machine had lost its power.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn authorized(&self, request: Request) -> Request {
        if self.key.is_empty() {
            return request;
        }
        let value = HeaderValue::from_str(&format!("Bearer {}", self.key)).unwrap();
        request.header(HeaderName::from_static("authorization"), value)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that may talk to this one place on this machine.
pub(crate) fn client(url: &str) -> HttpClient {
    HttpClient::new(HttpOptions {
        allow_hosts: vec![HostPort::of_url(url).unwrap()],
        user_agent: "chela-tests".into(),
        extra_roots: None,
    })
    .unwrap()
}

/// A port nobody uses at this moment.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
