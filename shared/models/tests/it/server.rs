//! A provider on 127.0.0.1.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelMessage, ModelRequest, Role};
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_models::{Api, ProviderConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The key every test uses; it must appear nowhere but in its header.
pub(crate) const KEY: &str = "sk-proj-abcdefghijkl";

/// What the provider was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Request line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
    /// Head and body as they came.
    pub(crate) exact: (String, String),
}

impl Asked {
    /// The path as it came.
    pub(crate) fn path(&self) -> &str {
        self.exact.0.split(' ').nth(1).unwrap()
    }

    /// The value of a header as it came.
    pub(crate) fn line(&self, name: &str) -> &str {
        let named = |line: &'_ str| line.split_once(": ").is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        self.exact.0.lines().find(|line| named(line)).and_then(|line| line.split_once(": ")).unwrap().1
    }
}

/// What stands after this in a reply is sent a little later.
const LATER: &str = "(later)";

#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<String>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
}

/// A provider with a script of whole HTTP replies; a reply without end (`content-length` too high) is cut off.
pub(crate) struct Provider {
    pub(crate) base_url: String,
    script: Script,
}

impl Provider {
    pub(crate) async fn start(replies: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let script = Script { replies: Arc::new(Mutex::new(replies.into_iter().collect())), ..Script::default() };
        let serving = script.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(socket, serving.clone()));
            }
        });
        Self { base_url, script }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::Relaxed)
    }

    /// The model, as the configuration opens it.
    pub(crate) fn model(&self, id: &str, api: Api) -> Arc<dyn Model> {
        let config = ProviderConfig { api: Some(api), base_url: Some(self.base_url.clone()), ..ProviderConfig::of(id) };
        chela_models::open(&config, Some(Secret::new(KEY)), http(&[&self.base_url])).unwrap()
    }

    pub(crate) fn anthropic(&self) -> Arc<dyn Model> {
        self.model("anthropic", Api::AnthropicMessages)
    }

    pub(crate) fn openai(&self) -> Arc<dyn Model> {
        self.model("somebody", Api::OpenaiCompletions)
    }
}

async fn serve(mut socket: TcpStream, script: Script) {
    while let Some(asked) = read_request(&mut socket).await {
        script.asked.lock().unwrap().push(asked);
        let Some(reply) = script.replies.lock().unwrap().pop_front() else { return };
        let cut_off = reply.contains("content-length: 999999\r\n");
        let (head, tail) = reply.split_once(LATER).unwrap_or((&reply, ""));
        if socket.write_all(head.as_bytes()).await.is_err() || cut_off {
            return;
        }
        if !tail.is_empty() {
            // The client has the first part in its hands before the second one leaves.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            socket.write_all(tail.as_bytes()).await.ok();
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let exact = (head.to_owned(), body.to_owned());
            let head = head.to_ascii_lowercase();
            let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
            if body.len() >= length {
                let ours = head.contains("user-agent: chela-test");
                assert!(!ours || !body.contains("\n") && !body.contains("\": "), "bodies are not pretty-printed");
                return Some(Asked { head, body: serde_json::from_str(body).unwrap(), exact });
            }
        }
        let mut piece = [0; 8192];
        match socket.read(&mut piece).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

/// A 200 that streams.
pub(crate) fn sse(wire: &str) -> String {
    reply(200, "text/event-stream; charset=utf-8", "", wire)
}

/// A 200 that streams in chunks, with the end of the body arriving on its own.
pub(crate) fn chunked(wire: &str) -> String {
    let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    format!("{head}{:x}\r\n{wire}\r\n{LATER}0\r\n\r\n", wire.len())
}

/// A stream that the network cuts off.
pub(crate) fn torn(wire: &str) -> String {
    format!("HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ncontent-length: 999999\r\n\r\n{wire}")
}

pub(crate) fn reply(status: u16, media_type: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

pub(crate) fn http(base_urls: &[&str]) -> HttpClient {
    let allow_hosts = base_urls.iter().map(|url| HostPort::of_url(url).unwrap()).collect();
    HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela-test".into(), extra_roots: None }).unwrap()
}

pub(crate) fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

pub(crate) fn user(blocks: Vec<Block>) -> ModelMessage {
    ModelMessage { role: Role::User, blocks }
}

pub(crate) fn assistant(blocks: Vec<Block>) -> ModelMessage {
    ModelMessage { role: Role::Assistant, blocks }
}

pub(crate) fn request(messages: Vec<ModelMessage>) -> ModelRequest {
    ModelRequest {
        model: "some-model".into(),
        system: "Be kind.".into(),
        messages,
        tools: vec![],
        max_tokens: 100,
        timeout: Duration::from_secs(10),
        ..ModelRequest::default()
    }
}

pub(crate) fn hello() -> ModelRequest {
    request(vec![user(vec![text("hello")])])
}

/// Calls, and gives what was shown along the way too.
pub(crate) async fn call(model: &dyn Model, request: &ModelRequest) -> (Result<ModelAnswer, ModelError>, Vec<String>) {
    let mut shown = Vec::new();
    let result = model
        .call(request, &mut |delta: &Delta| {
            let Delta::Text(text) = delta;
            shown.push(text.clone());
        })
        .await;
    (result, shown)
}
