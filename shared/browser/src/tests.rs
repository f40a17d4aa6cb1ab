//! The tool with real Chromium against pages of this machine, which the tests allow by name. What was seen red is named at
//! the tests.
//!
//! Needs Chromium (`tools/bootstrap browser`) and user namespaces; a machine without them cannot pass.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::Millis;
use chela_core::post::Nowhere;
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

use crate::{Browser, Launch, find_chromium};

mod ends;
mod frames;
mod guard;
mod pages;
mod remote;

/// What a call needs beside its input.
struct World {
    _folder: tempfile::TempDir,
    files: FolderBlobs,
    clock: ManualClock,
    caller: Caller,
    session: SessionKey,
    till: Till,
    elsewhere: Embedded,
}

impl World {
    fn new() -> Self {
        Self::of("agent:main:main")
    }

    /// The world of one conversation.
    fn of(session: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Embedded::open(&folder.path().join("store"), Arc::new(ManualClock::at(Millis(5)))).unwrap();
        let files = FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap();
        Self {
            _folder: folder,
            files,
            clock: ManualClock::at(Millis(1_772_667_000_000)),
            caller: Caller { authority: Authority::Owner, ..Caller::default() },
            session: SessionKey::from_stored(session),
            till: Till::full(),
            elsewhere,
        }
    }

    async fn call(&self, tool: &Browser, input: Value) -> ToolAnswer {
        let call = ToolCall {
            input: &input,
            idempotency_key: "key",
            again: false,
            agent: &AgentId::new("main"),
            session: &self.session,
            caller: &self.caller,
            files: &self.files,
            sessions: self.elsewhere.sessions.as_ref(),
            directory: self.elsewhere.sessions.as_ref(),
            queue: self.elsewhere.queue.as_ref(),
            post: &Nowhere,
            purse: &self.till,
            clock: &self.clock,
            status: &json!({}),
        };
        tool.run(call).await
    }

    async fn ok(&self, tool: &Browser, input: Value) -> String {
        let ToolAnswer { text, is_error, .. } = self.call(tool, input).await;
        assert!(!is_error, "{text}");
        text
    }

    async fn err(&self, tool: &Browser, input: Value) -> String {
        let ToolAnswer { text, is_error, .. } = self.call(tool, input).await;
        assert!(is_error, "{text}");
        text
    }

    async fn open(&self, tool: &Browser, url: &str) -> String {
        self.ok(tool, json!({ "action": "navigate", "url": url })).await
    }

    async fn click(&self, tool: &Browser, element: &str) -> String {
        self.ok(tool, json!({ "action": "click", "ref": element })).await
    }
}

/// A server that answers each path with fixed bytes, remembers what it was asked, and counts whoever connects.
struct Site {
    url: String,
    port: u16,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Site {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            answers: Arc::default(),
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let (answers, asked, connections) = (site.answers.clone(), site.asked.clone(), site.connections.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (answers, asked) = (answers.clone(), asked.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                        if socket.read_buf(&mut request).await.unwrap_or_default() == 0 {
                            break;
                        }
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let path = request.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
                    asked.lock().unwrap().push(request);
                    let answer = answers.lock().unwrap().get(&path).cloned();
                    let answer = answer.unwrap_or_else(|| response(404, &[], b"nothing here"));
                    let _ = socket.write_all(&answer).await; // The other side may have heard enough.
                    let _ = socket.shutdown().await;
                });
            }
        });
        site
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn serve(&self, path: &str, answer: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn html(&self, path: &str, page: &str) {
        self.serve(path, response(200, &[("content-type", "text/html; charset=utf-8")], page.as_bytes()));
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn client() -> HttpClient {
    HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "Chela/test".into(), extra_roots: None }).unwrap()
}

fn launch() -> Launch {
    let path = std::env::var("PATH").unwrap();
    let executable = find_chromium(None, &path).expect("Chromium; tools/bootstrap browser installs it");
    Launch { executable, headless: true, no_sandbox: false }
}

/// A browser whose pages may reach these places of this machine.
fn browser(private: &[&Site]) -> Browser {
    Browser::local(launch(), &client(), private.iter().map(|site| HostPort::of_url(&site.url).unwrap()).collect())
}

/// The ref of the first line with these words.
fn reference(answer: &str, words: &str) -> String {
    let line = answer.lines().find(|line| line.contains(words) && line.contains("[ref="));
    let line = line.unwrap_or_else(|| panic!("{words}: {answer}"));
    line.split("[ref=").nth(1).unwrap().split(']').next().unwrap().to_owned()
}

/// What is between the marks of the quote.
fn inside(answer: &str) -> &str {
    answer.split_once("⟧\n").unwrap().1.split_once("\n⟦end of outside").unwrap().0
}
