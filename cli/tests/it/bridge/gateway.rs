//! The gateway, as a bridge meets it. It can be away, broken or slow, and it remembers what was posted.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use chela_clock::SystemClock;
use chela_core::channel::{Channel, RawRequest};
use chela_core::clock::Clock as _;
use chela_core::message::Inbound;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant, sleep};

use super::PATIENCE;
use super::server::free_port;

#[derive(Default)]
struct Memory {
    /// 0 is no answer at all.
    status: u16,
    /// A text that is refused for good.
    refused: Option<String>,
    /// Requests, and how each was answered.
    seen: Vec<(RawRequest, u16)>,
}

pub(crate) struct Gateway {
    pub(crate) url: String,
    port: u16,
    memory: Arc<Mutex<Memory>>,
}

impl Gateway {
    /// One that takes everything.
    pub(crate) async fn open() -> Self {
        let gateway = Self::reserved().await;
        gateway.answers(200);
        gateway.come().await
    }

    /// One that is not there yet.
    pub(crate) async fn reserved() -> Self {
        let port = free_port();
        Self { url: format!("http://127.0.0.1:{port}/webhook/bridge/main"), port, memory: Arc::default() }
    }

    /// Begins to listen.
    pub(crate) async fn come(self) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let router = Router::new().fallback(answer).with_state(self.memory.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        self
    }

    pub(crate) fn answers(&self, status: u16) {
        self.memory.lock().unwrap().status = status;
    }

    /// Takes the request and says nothing.
    pub(crate) fn hangs(&self) {
        self.answers(0);
    }

    pub(crate) fn refuses(&self, text: &str) {
        self.memory.lock().unwrap().refused = Some(text.to_owned());
    }

    /// The next so many posts, whatever they were answered, each proven and read by the channel.
    pub(crate) async fn next(&self, channel: &dyn Channel, count: usize) -> Vec<Inbound> {
        self.posts(channel, count, |_| true).await
    }

    /// The next so many posts that were taken, or refused for good and then not given.
    pub(crate) async fn taken(&self, channel: &dyn Channel, count: usize) -> Vec<Inbound> {
        self.posts(channel, count, |status| status == 200).await
    }

    async fn posts(&self, channel: &dyn Channel, count: usize, wanted: impl Fn(u16) -> bool) -> Vec<Inbound> {
        let (until, mut messages) = (Instant::now() + PATIENCE, Vec::new());
        while messages.len() < count {
            assert!(Instant::now() < until, "only {messages:?}");
            sleep(Duration::from_millis(10)).await;
            let seen = std::mem::take(&mut self.memory.lock().unwrap().seen);
            for (request, status) in seen {
                let parsed = channel.parse(&channel.verify(request).unwrap()).unwrap();
                messages.extend(parsed.messages.into_iter().filter(|_| wanted(status)));
            }
        }
        messages
    }

    /// Nothing comes for a while.
    pub(crate) async fn is_silent(&self, channel: &dyn Channel) {
        sleep(Duration::from_millis(700)).await;
        let seen = std::mem::take(&mut self.memory.lock().unwrap().seen);
        let told: Vec<_> =
            seen.into_iter().map(|(request, _)| channel.parse(&channel.verify(request).unwrap())).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}

async fn answer(State(memory): State<Arc<Mutex<Memory>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, 1 << 20).await.unwrap();
    let status = {
        let mut memory = memory.lock().unwrap();
        let refused = memory.refused.as_ref().is_some_and(|text| String::from_utf8_lossy(&body).contains(text));
        let status = if refused { 400 } else { memory.status };
        let (path, query, received_at) = (String::new(), String::new(), SystemClock.now());
        let raw = RawRequest { method: parts.method, path, query, headers: parts.headers, body, received_at };
        memory.seen.push((raw, status));
        status
    };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    Response::builder().status(status).body(Body::empty()).unwrap()
}
