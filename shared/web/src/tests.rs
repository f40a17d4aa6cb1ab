//! The tools against servers of this machine that answer as the real ones are documented to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::queue::Authority;
use chela_core::session_key::SessionKey;
use chela_core::tool::{Caller, Tool, ToolAnswer, ToolCall};
use chela_embedded::{Embedded, FolderBlobs};
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::purse::Till;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

mod fetch;
mod search;

/// What a call needs beside its input.
pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) files: FolderBlobs,
    pub(crate) clock: ManualClock,
    pub(crate) caller: Caller,
    pub(crate) till: Till,
    elsewhere: Embedded,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Embedded::open(&folder.path().join("store"), Arc::new(ManualClock::at(Millis(5)))).unwrap();
        let files = FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap();
        let caller = Caller { authority: Authority::Owner, ..Caller::default() };
        Self {
            _folder: folder,
            files,
            clock: ManualClock::at(Millis(1_772_667_000_000)),
            caller,
            till: Till::full(),
            elsewhere,
        }
    }

    pub(crate) async fn call(&self, tool: &dyn Tool, input: Value) -> ToolAnswer {
        let call = ToolCall {
            again: false,
            post: &chela_core::post::Nowhere,
            input: &input,
            idempotency_key: "key",
            agent: &AgentId::new("main"),
            session: &SessionKey::from_stored("agent:main:main"),
            caller: &self.caller,
            files: &self.files,
            sessions: self.elsewhere.sessions.as_ref(),
            directory: self.elsewhere.sessions.as_ref(),
            queue: self.elsewhere.queue.as_ref(),
            purse: &self.till,
            clock: &self.clock,
            status: &json!({}),
        };
        tool.run(call).await
    }

    /// The answer of a call that must succeed.
    pub(crate) async fn ok(&self, tool: &dyn Tool, input: Value) -> String {
        let ToolAnswer { text, is_error, .. } = self.call(tool, input).await;
        assert!(!is_error, "{text}");
        text
    }

    /// The answer of a call that must fail.
    pub(crate) async fn err(&self, tool: &dyn Tool, input: Value) -> String {
        let ToolAnswer { text, is_error, .. } = self.call(tool, input).await;
        assert!(is_error, "{text}");
        text
    }
}

/// A client that may reach these places of this machine.
pub(crate) fn client(allowed: &[&str]) -> HttpClient {
    let allow_hosts = allowed.iter().map(|url| HostPort::of_url(url).unwrap()).collect();
    HttpClient::new(HttpOptions { allow_hosts, user_agent: "Chela/test".into(), extra_roots: None }).unwrap()
}

/// A server that answers each path with fixed bytes, and remembers what it was asked.
pub(crate) struct Site {
    pub(crate) url: String,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, asked) =
            (Arc::<Mutex<HashMap<String, Vec<u8>>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (of_server, seen) = (answers.clone(), asked.clone());
        tokio::spawn(async move {
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let (answers, asked) = (of_server.clone(), seen.clone());
                tokio::spawn(async move {
                    let request = whole_request(&mut socket).await;
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    let plain = path.split('?').next().unwrap_or_default().to_owned();
                    asked.lock().unwrap().push(request);
                    let answer = answers.lock().unwrap().get(&plain).cloned();
                    let answer = answer.unwrap_or_else(|| response(404, "text/plain", b"nothing here"));
                    let _ = socket.write_all(&answer).await; // The other side may have heard enough.
                    let _ = socket.shutdown().await;
                });
            }
        });
        Self { url, answers, asked }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) fn serve(&self, path: &str, answer: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn whole_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = socket.read(&mut buffer).await.unwrap_or_default();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return text;
            }
            continue;
        };
        let length = head
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next().and_then(|digits| digits.parse::<usize>().ok()));
        if read == 0 || body.len() >= length.unwrap_or_default() {
            return text;
        }
    }
}

pub(crate) fn response(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    with_headers(status, &[("content-type", content_type)], body)
}

pub(crate) fn with_headers(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}
