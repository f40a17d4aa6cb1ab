//! Clients of the official SDK, which nobody here wrote, ask a gateway that runs as a process: over HTTP, and through
//! `chela mcp serve`. `tools/bootstrap mcp mcp-v1` installs them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chela_http::{HostPort, HttpClient, HttpOptions, Request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "a-key-of-this-test-only";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk_client.py");
const NOTE: &str = "The crab is called Karl.\n";

struct Gateway {
    process: Child,
    folder: TempDir,
    url: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Gateway {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = json!({ "gateway": { "listen": format!("127.0.0.1:{port}"), "auth": { "token": KEY } } });
        std::fs::write(folder.path().join("chela.json5"), config.to_string()).unwrap();
        let memory = folder.path().join("data/files/agents/main/memory");
        std::fs::create_dir_all(&memory).unwrap();
        std::fs::write(memory.join("2026-03-04.md"), NOTE).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_chela"))
            .arg("run")
            .args(place(&folder))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let gateway = Self { process, folder, url: format!("http://127.0.0.1:{port}") };
        let until = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let said = std::fs::read_to_string(gateway.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the gateway does not listen: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        gateway
    }

    async fn post(&self, body: &Value, headers: &[(&'static str, &str)]) -> (u16, Value) {
        let allow_hosts = vec![HostPort::of_url(&self.url).unwrap()];
        let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "test".into(), extra_roots: None }).unwrap();
        let url = format!("{}/mcp", self.url);
        let mut request = Request::post(url, body.to_string(), Duration::from_secs(30), 1_000_000);
        request.headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect::<HeaderMap>();
        let answer = http.send(request).await.unwrap();
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
    }
}

fn place(folder: &TempDir) -> [String; 4] {
    let path = |name: &str| folder.path().join(name).display().to_string();
    ["--config".into(), path("chela.json5"), "--data".into(), path("data")]
}

fn python(group: &str) -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools").join(group).join("bin/python");
    assert!(python.exists(), "{} is missing; run: tools/bootstrap {group}", python.display());
    python
}

async fn finds_everything(group: &str, arguments: Vec<String>) {
    let mut client = tokio::process::Command::new(python(group));
    let output = client.arg(SCRIPT).args(arguments).env("CHELA_API_KEY", KEY).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{group}: {said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tools = ["sessions_list", "session_history", "memory_search", "memory_get", "send_message"];
    assert_eq!(found["tools"], json!(tools), "{group}");
    assert!(found["reply"].as_str().unwrap().contains("Hello from the SDK"), "{found}");
    assert_eq!((&found["same"], &found["sessions"]), (&json!(true), &json!(1)));
    assert_eq!(found["entries"], json!(["Hello from the SDK"]), "said once: {found}");
    assert_eq!(found["found"][0], "memory/2026-03-04.md");
    assert_eq!(found["note"], NOTE);
    assert!(found["missing"]["error"].as_str().unwrap().contains("there is no note"), "{found}");
    assert_eq!(found["resource"], json!(["chela://main/memory/2026-03-04.md", NOTE]));
}

#[tokio::test]
async fn clients_of_both_eras_read_and_write_over_http() {
    for (group, mode) in [("mcp", "auto"), ("mcp", "2026-07-28"), ("mcp", "legacy"), ("mcp-v1", "")] {
        let gateway = Gateway::start().await;
        let url = format!("{}/mcp", gateway.url);
        finds_everything(group, vec!["http".into(), url, KEY.into(), mode.into()]).await;
    }
}

#[tokio::test]
async fn clients_of_both_eras_read_and_write_through_the_command() {
    for group in ["mcp", "mcp-v1"] {
        let gateway = Gateway::start().await;
        let serve = ["stdio", env!("CARGO_BIN_EXE_chela"), "mcp", "serve", "--key", KEY].map(str::to_owned);
        finds_everything(group, serve.into_iter().chain(place(&gateway.folder)).collect()).await;
    }
}

#[tokio::test]
async fn only_who_has_the_key_is_answered_and_no_page_of_elsewhere() {
    let gateway = Gateway::start().await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let key = ("authorization", "Bearer a-key-of-this-test-only");
    assert_eq!(gateway.post(&list, &[]).await.0, 401);
    assert_eq!(gateway.post(&list, &[("authorization", "Bearer other")]).await.0, 401);
    assert_eq!(gateway.post(&list, &[key]).await.0, 200);
    for (origin, status) in
        [("http://localhost:3000", 200), ("http://127.0.0.1", 200), ("https://evil.example", 403), ("null", 403)]
    {
        assert_eq!(gateway.post(&list, &[key, ("origin", origin)]).await.0, status, "{origin}");
    }
}

#[tokio::test]
async fn versions_are_agreed_on_and_what_headers_and_body_say_must_agree() {
    let gateway = Gateway::start().await;
    let key = ("authorization", "Bearer a-key-of-this-test-only");
    for (wanted, given) in [("2025-06-18", "2025-06-18"), ("2099-01-01", "2025-11-25")] {
        let params =
            json!({"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        assert_eq!(gateway.post(&hello, &[key]).await.1["result"]["protocolVersion"], given);
    }
    let of = |version: &str| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}});
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "memory_get", "_meta": meta}})
    };
    const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(&str, Headers, i64); 5] = [
        ("2099-01-01", &[("mcp-protocol-version", "2099-01-01")], -32022),
        ("2026-07-28", &[("mcp-protocol-version", "2025-11-25")], -32020),
        ("2026-07-28", &[MODERN, ("mcp-method", "tools/list")], -32020),
        ("2026-07-28", &[MODERN, ("mcp-name", "send_message")], -32020),
        ("2026-07-28", &[MODERN, ("mcp-name", "=?base64?!?=")], -32020),
    ];
    for (version, headers, code) in cases {
        let all: Vec<(&'static str, &str)> = headers.iter().copied().chain([key]).collect();
        let (status, answer) = gateway.post(&of(version), &all).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(code)), "{headers:?}: {answer}");
    }
    let unknown = json!({"jsonrpc": "2.0", "id": 7, "method": "resources/subscribe"});
    assert_eq!(gateway.post(&unknown, &[key]).await.1["error"]["code"], -32601);
    for nonsense in [json!([]), json!("text"), json!({"id": 1})] {
        assert_eq!(gateway.post(&nonsense, &[key]).await.0, 400, "{nonsense}");
    }
}
