//! Cases of the corpus whose surface is HTTP, against `chela run` with every channel there is. A request is written byte
//! by byte: a client that is meant well would put right what the attack is about.

mod owner;
mod proofs;
mod senders;
mod webhooks;

use std::collections::BTreeMap;
use std::path::Path;

use chela_channel_kit::Simulator;
use chela_core::clock::Clock as _;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::architecture::root;
use crate::binaries::Gateway;
use crate::platform::Platforms;

/// Samples of what we said ourselves and of what other bots say.
const ECHOES: [&str; 8] = ["bot", "echo", "other-app", "other-bot", "own-echo", "own-ghost", "own-reply", "phone-echo"];

/// A house with every channel.
struct House {
    platforms: Platforms,
    gateway: Gateway,
    folder: TempDir,
}

/// An answer: status and body.
type Answer = (u16, String);

fn everybody() -> Value {
    json!({"dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open"})
}

fn nobody() -> Value {
    let ids = ["somebody-else"];
    json!({"dmPolicy": "allowlist", "allowFrom": ids, "groupPolicy": "allowlist", "groupAllowFrom": ids, "groups": {"*": {}}})
}

/// The channels, as their platforms are played.
fn simulators() -> impl Iterator<Item = &'static Simulator> {
    chela_channel_registry::descriptors().iter().filter_map(|channel| chela_channel_registry::simulator(channel.id))
}

/// The bodies that a channel's platform was seen to post, by name.
fn samples(channel: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = root().join("shared/channels").join(channel).join("events");
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (name(&path), std::fs::read(path).unwrap())).collect()
}

fn text_of(channel: &str) -> Vec<u8> {
    samples(channel).remove("text").unwrap()
}

/// Where a channel's platform posts to.
fn door(simulator: &Simulator) -> String {
    match simulator.path {
        "" => format!("/webhook/{}", simulator.channel),
        path => format!("/webhook/{}/default/{path}", simulator.channel),
    }
}

/// An account of a channel with its public test secrets and this policy. Replies are sent as they are, and samples are as
/// good as new.
fn account(simulator: &Simulator, url: &str, policy: &Value) -> Value {
    let mut account = policy.as_object().unwrap().clone();
    account.insert("unconfirmed".to_owned(), json!("flag"));
    if simulator.channel == "matrix" {
        account.insert("maxAgeHours".to_owned(), json!(0));
    }
    account.extend(simulator.secrets.iter().map(|(key, secret)| ((*key).to_owned(), json!(secret))));
    account.extend((simulator.options)(url).as_object().unwrap().clone());
    account.into()
}

fn signed(simulator: &Simulator, body: &[u8]) -> HeaderMap {
    (simulator.sign_sample)(body, &simulator.test_secrets(), chela_clock::SystemClock.now())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

impl House {
    /// Every channel with the same policy, and this beside it.
    async fn open(policy: &Value, more: Value) -> Self {
        let platforms = Platforms::open().await;
        let of = |simulator: &Simulator| (simulator.channel.to_owned(), account(simulator, &platforms.url, policy));
        let channels: serde_json::Map<String, Value> = simulators().map(of).collect();
        let limits = json!({"limits": {"messagesPerMinute": 0}});
        let mut config = json!({"channels": channels, "gateway": limits, "session": {"dmScope": "per-channel-peer"}});
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        Self::with(platforms, &config).await
    }

    async fn with(platforms: Platforms, config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chela.json5"), config.to_string()).unwrap();
        let gateway = Gateway::start(folder.path()).await;
        Self { platforms, gateway, folder }
    }

    /// The key of the API.
    fn word(&self) -> String {
        std::fs::read_to_string(self.gateway.data.join("api-key")).unwrap()
    }

    /// The same as it is sent.
    fn key(&self) -> String {
        format!("Bearer {}", self.word())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log.json")).unwrap()
    }

    /// Every byte that is kept, but for the locks of those who read.
    fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        let mut kept = BTreeMap::new();
        collect(&self.gateway.data, &mut kept);
        kept
    }

    /// Waits until nothing is being written any more.
    async fn settled(&self) -> BTreeMap<String, Vec<u8>> {
        let mut before = self.kept();
        for _ in 0..100 {
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            let now = self.kept();
            if now == before {
                return now;
            }
            before = now;
        }
        panic!("the house never rests");
    }

    /// What a platform posts, with its proof.
    async fn says(&self, simulator: &Simulator, body: &[u8]) -> Answer {
        self.send(&simulator.method, &door(simulator), &signed(simulator, body), body).await
    }

    async fn get(&self, target: &str, headers: &HeaderMap) -> Answer {
        self.send(&Method::GET, target, headers, b"").await
    }

    /// With the key of the API.
    async fn owner(&self, method: Method, target: &str, body: &str) -> Answer {
        self.send(&method, target, &headers(&[("authorization", &self.key())]), body.as_bytes()).await
    }

    /// Exactly this request.
    async fn send(&self, method: &Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
        let address = self.gateway.url.strip_prefix("http://").unwrap();
        let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.contains_key("host") {
            head.push_str(&format!("host: {address}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
        line.write_all(&[head.as_bytes(), b"\r\n", body].concat()).await.unwrap();
        let mut answer = Vec::new();
        line.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

fn collect(folder: &Path, kept: &mut BTreeMap<String, Vec<u8>>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, kept);
        } else if !path.to_string_lossy().ends_with("-shm") {
            // A journal may be gone by now.
            kept.insert(path.display().to_string(), std::fs::read(&path).unwrap_or_default());
        }
    }
}
