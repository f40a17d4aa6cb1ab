//! A provider on 127.0.0.1, and a turn that calls tools.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::Millis;
use chela_core::purse::{Service, Tariff};
use chela_core::secret::Secret;
use chela_core::session_key::SessionKey;
use chela_core::tool::{Caller, Tool, ToolAnswer, ToolCall};
use chela_embedded::Embedded;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_media::Provider;
use chela_testkit::clock::ManualClock;
use chela_testkit::purse::Till;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The key every test uses; it must appear nowhere but in its header.
pub(crate) const KEY: &str = "sk-proj-abcdefghijkl";

/// What the provider was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The request line.
    pub(crate) line: String,
    /// The headers, their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The parts of a form: the head of each and its bytes.
    pub(crate) fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let boundary = self.header("content-type").unwrap().split_once("boundary=").unwrap().1;
        let marker = format!("--{boundary}");
        let mut parts = Vec::new();
        let mut rest = self.body.strip_prefix(marker.as_bytes()).unwrap();
        while let Some(part) = rest.strip_prefix(b"\r\n") {
            let end = format!("\r\n{marker}");
            let at = find(part, end.as_bytes()).unwrap();
            let head = find(part, b"\r\n\r\n").unwrap();
            parts.push((String::from_utf8(part[..head].to_vec()).unwrap(), part[head + 4..at].to_vec()));
            rest = &part[at + end.len()..];
        }
        assert_eq!(rest, b"--\r\n", "the form ends");
        parts
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<Vec<u8>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A provider with a script of whole HTTP replies; without a reply left it hangs.
pub(crate) struct Server {
    pub(crate) base_url: String,
    script: Script,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let script = Script { replies: Arc::new(Mutex::new(replies.into_iter().collect())), ..Script::default() };
        let serving = script.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, serving.clone()));
            }
        });
        Self { base_url, script }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    pub(crate) fn provider(&self, id: &str) -> Provider {
        Provider {
            id: id.to_owned(),
            base_url: self.base_url.clone(),
            key: Some(Secret::new(KEY)),
            http: http(&[&self.base_url]),
            timeout: Duration::from_millis(800),
        }
    }
}

async fn serve(mut socket: TcpStream, script: Script) {
    while let Some(asked) = read_request(&mut socket).await {
        script.asked.lock().unwrap().push(asked);
        let reply = script.replies.lock().unwrap().pop_front();
        let Some(reply) = reply else { return std::future::pending().await };
        if socket.write_all(&reply).await.is_err() {
            return;
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = find(&bytes, b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let mut lines = head.lines();
            let line = lines.next()?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, v)| v.parse().unwrap());
            let body = &bytes[at + 4..];
            if body.len() >= length.unwrap_or(0) {
                return Some(Asked { line, headers, body: body.to_vec() });
            }
        }
        let mut piece = [0; 65536];
        match socket.read(&mut piece).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

pub(crate) fn reply(status: u16, media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn json_reply(status: u16, body: &Value) -> Vec<u8> {
    reply(status, "application/json", body.to_string().as_bytes())
}

pub(crate) fn http(base_urls: &[&str]) -> HttpClient {
    let allow_hosts = base_urls.iter().map(|url| HostPort::of_url(url).unwrap()).collect();
    HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela-test".into(), extra_roots: None }).unwrap()
}

/// A nano dollar for each unit.
pub(crate) fn tariff(service: Service) -> Tariff {
    Tariff { service, name: "somebody/something".into(), price: Some(1_000) }
}

/// The head of an MP3, and nothing behind it.
pub(crate) fn mp3() -> Vec<u8> {
    [b"ID3\x04\0\0\0\0\0\0".to_vec(), vec![0; 3000]].concat()
}

/// The head of a PNG.
pub(crate) fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x06\0\0\0".to_vec()
}

/// A turn in which tools are called, on the embedded store.
pub(crate) struct Turn {
    pub(crate) till: Till,
    pub(crate) embedded: Embedded,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self::paying(Till::full())
    }

    pub(crate) fn paying(till: Till) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let embedded = Embedded::open(folder.path(), clock.clone()).unwrap();
        Self { till, embedded, clock, _folder: folder }
    }

    pub(crate) async fn call(&self, tool: &dyn Tool, input: Value, key: &str) -> ToolAnswer {
        let (agent, session) = (AgentId::new("main"), SessionKey::from_stored("agent:main:main"));
        let (caller, status) = (Caller::default(), Value::Null);
        tool.run(ToolCall {
            again: false,
            post: &chela_core::post::Nowhere,
            input: &input,
            idempotency_key: key,
            agent: &agent,
            session: &session,
            caller: &caller,
            files: self.embedded.blobs.as_ref(),
            sessions: self.embedded.sessions.as_ref(),
            directory: self.embedded.sessions.as_ref(),
            queue: self.embedded.queue.as_ref(),
            purse: &self.till,
            clock: self.clock.as_ref(),
            status: &status,
        })
        .await
    }

    /// The file that an answer says can be sent.
    pub(crate) async fn file(&self, answer: &ToolAnswer) -> (String, Bytes) {
        let path = answer.text.lines().find_map(|line| line.strip_prefix("MEDIA:")).unwrap();
        let blob = self.embedded.blobs.get(&format!("agents/main/{path}")).await.unwrap().unwrap();
        (path.to_owned(), blob.bytes)
    }
}
