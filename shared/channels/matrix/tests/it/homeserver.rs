//! A real Synapse on a free port, the people on it, and our end of its application service API.

pub(crate) mod gateway;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chela_http::{HostPort, HttpClient, HttpOptions, Request};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(30);

/// Ends with its value, and its folder too.
pub(crate) struct Synapse {
    folder: TempDir,
    process: Child,
    pub(crate) url: String,
    http: HttpClient,
}

/// A port nobody listens on at the moment.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Synapse {
    /// Starts a homeserver called `hs.local` that knows one application service.
    pub(crate) async fn start(port: u16, registration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // A key for signatures between servers; there is no other server.
        std::fs::write(at("signing.key"), format!("ed25519 a_test {}\n", "A".repeat(43))).unwrap();
        std::fs::write(at("appservice.yaml"), registration).unwrap();
        std::fs::write(at("log.yaml"), LOGGING).unwrap();
        std::fs::write(at("homeserver.yaml"), configuration(folder.path(), port)).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let options = HttpOptions {
            allow_hosts: vec![HostPort::of_url(&url).unwrap()],
            user_agent: "test".to_owned(),
            extra_roots: None,
        };
        let process = run(folder.path());
        let synapse = Self { folder, process, url, http: HttpClient::new(options).unwrap() };
        synapse.is_up().await;
        synapse
    }

    /// Kills it like a power cut and starts it again on what it wrote.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.start_again().await;
    }

    /// Kills it; nothing more comes from it.
    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        self.process = run(self.folder.path());
        self.is_up().await;
    }

    async fn is_up(&self) {
        let began = Instant::now();
        while self.try_call(Method::GET, "/_matrix/client/versions", "", Bytes::new()).await.is_none() {
            assert!(began.elapsed() < WAIT, "Synapse does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("synapse.log")).unwrap_or_default()
    }

    async fn try_call(&self, method: Method, path: &str, token: &str, body: Bytes) -> Option<(u16, Bytes)> {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        if !token.is_empty() {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        }
        let mut request = Request::get(format!("{}{path}", self.url), WAIT, 4 * 1024 * 1024);
        (request.method, request.headers, request.body) = (method, headers, body);
        self.http.send(request).await.ok().map(|response| (response.status.as_u16(), response.body))
    }

    /// Calls the client API as somebody; anything but 200 is the test's end.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: &Value) -> Value {
        let body = if method == Method::GET { Bytes::new() } else { Bytes::from(body.to_string()) };
        serde_json::from_slice(&self.bytes(method, path, token, body).await).unwrap()
    }

    /// The same with bytes.
    pub(crate) async fn bytes(&self, method: Method, path: &str, token: &str, body: Bytes) -> Bytes {
        let (status, body) = self.try_call(method, path, token, body).await.expect("Synapse answers");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        body
    }

    /// Makes an account.
    pub(crate) async fn person(&self, name: &str) -> Person<'_> {
        let body = json!({"username": name, "password": "correct horse", "auth": {"type": "m.login.dummy"}});
        let made = self.call(Method::POST, "/_matrix/client/v3/register", "", &body).await;
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        Person { synapse: self, id: text("user_id"), token: text("access_token") }
    }

    /// The person again, after a restart.
    pub(crate) fn again(&self, id: &str, token: &str) -> Person<'_> {
        Person { synapse: self, id: id.to_owned(), token: token.to_owned() }
    }
}

impl Drop for Synapse {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("Synapse said at last:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Somebody with a client.
pub(crate) struct Person<'s> {
    synapse: &'s Synapse,
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Person<'_> {
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.synapse.call(Method::POST, &format!("/_matrix/client/{path}"), &self.token, &body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        self.synapse.call(Method::PUT, &format!("/_matrix/client/{path}"), &self.token, &body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.synapse.call(Method::GET, &format!("/_matrix/client/{path}"), &self.token, &Value::Null).await
    }

    /// Makes a room and gives its id.
    pub(crate) async fn room(&self, body: Value) -> String {
        self.post("v3/createRoom", body).await["room_id"].as_str().unwrap().to_owned()
    }

    /// Says something and gives its id.
    pub(crate) async fn says(&self, room: &str, content: Value) -> String {
        // A client's own number for it: any will do that it did not use.
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let key = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let sent = self.put(&format!("v3/rooms/{room}/send/m.room.message/c{key}"), content).await;
        sent["event_id"].as_str().unwrap().to_owned()
    }

    /// Says a text.
    pub(crate) async fn writes(&self, room: &str, body: &str) -> String {
        self.says(room, json!({"msgtype": "m.text", "body": body})).await
    }

    /// The content of an event as this person's client gets it.
    pub(crate) async fn sees(&self, room: &str, event: &str) -> Value {
        self.get(&format!("v3/rooms/{room}/event/{event}")).await
    }

    /// All that was said in a room, the oldest first.
    pub(crate) async fn reads(&self, room: &str) -> Vec<Value> {
        let page = self.get(&format!("v3/rooms/{room}/messages?dir=b&limit=100")).await;
        let mut events = page["chunk"].as_array().unwrap().clone();
        events.reverse();
        events.retain(|event| event["type"] == "m.room.message");
        events
    }
}

fn run(folder: &Path) -> Child {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.tools/synapse/bin/python");
    let python = std::env::var_os("CHELA_SYNAPSE_PYTHON").map_or_else(installed, PathBuf::from);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("synapse.log")).unwrap();
    let started = Command::new(&python)
        .args(["-m", "synapse.app.homeserver", "-c", "homeserver.yaml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    started.unwrap_or_else(|error| {
        panic!("{} does not run Synapse ({error}); run: tools/bootstrap synapse", python.display())
    })
}

const LOGGING: &str = "\
version: 1
handlers: {console: {class: logging.StreamHandler}}
root: {level: WARNING, handlers: [console]}
disable_existing_loggers: false
";

fn configuration(folder: &Path, port: u16) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let unlimited = json!({"per_second": 1000, "burst_count": 1000});
    // JSON is YAML.
    let configuration = json!({
        "server_name": "hs.local",
        "pid_file": at("homeserver.pid"),
        "listeners": [{
            "port": port, "bind_addresses": ["127.0.0.1"], "tls": false, "type": "http",
            "resources": [{"names": ["client"], "compress": false}],
        }],
        "database": {"name": "sqlite3", "args": {"database": at("homeserver.db")}},
        "log_config": at("log.yaml"),
        "media_store_path": at("media"),
        "signing_key_path": at("signing.key"),
        "macaroon_secret_key": "test",
        "form_secret": "test",
        "report_stats": false,
        "trusted_key_servers": [],
        "suppress_key_server_warning": true,
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "bcrypt_rounds": 4,
        "app_service_config_files": [at("appservice.yaml")],
        "federation_domain_whitelist": [],
        "rc_message": unlimited,
        "rc_registration": unlimited,
        "rc_invites": {"per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited},
    });
    configuration.to_string()
}
