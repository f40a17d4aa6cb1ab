//! Our end: an HTTP server that hands every request to the channel as the receiver does, and remembers what came.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use chela_core::channel::{Channel, RawRequest};
use chela_core::clock::Millis;
use chela_core::message::{EventKey, Inbound};
use http::StatusCode;
use tokio::net::TcpListener;

const PREFIX: &str = "/webhook/matrix/main/";

const WAIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Shared {
    channel: OnceLock<Arc<dyn Channel>>,
    down: AtomicBool,
    seen: Mutex<Vec<(String, String)>>,
    keys: Mutex<BTreeSet<EventKey>>,
    heard: Mutex<Vec<Inbound>>,
}

/// It ends with the test's runtime.
pub(crate) struct Gateway {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}{PREFIX}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// From now on requests are for this channel.
    pub(crate) fn serves(&self, channel: Arc<dyn Channel>) {
        assert!(self.shared.channel.set(channel).is_ok());
    }

    /// While it is down every request is answered 503.
    pub(crate) fn is_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// Waits for the message with this text, and takes it out.
    pub(crate) async fn hears(&self, text: &str) -> Inbound {
        let began = Instant::now();
        loop {
            {
                let mut heard = self.shared.heard.lock().unwrap();
                if let Some(at) = heard.iter().position(|message| message.text == text) {
                    return heard.remove(at);
                }
                assert!(began.elapsed() < WAIT, "nobody said {text:?}; heard was {heard:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for so many requests with this in their path, or their body.
    pub(crate) async fn sees(&self, times: usize, word: &str) {
        let began = Instant::now();
        while self.seen().iter().filter(|(path, body)| path.contains(word) || body.contains(word)).count() < times {
            assert!(began.elapsed() < WAIT, "no request has {word:?}: {:?}", self.seen());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All requests: path and body.
    pub(crate) fn seen(&self) -> Vec<(String, String)> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// What was heard and taken out by nobody.
    pub(crate) fn left(&self) -> Vec<Inbound> {
        self.shared.heard.lock().unwrap().clone()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 8 * 1024 * 1024).await.unwrap();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap().to_owned();
    shared.seen.lock().unwrap().push((path.clone(), String::from_utf8_lossy(&body).into_owned()));
    let status = |status: StatusCode| http::Response::builder().status(status).body(Body::empty()).unwrap();
    if shared.down.load(Ordering::SeqCst) {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    let request = RawRequest {
        method: parts.method,
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        received_at: Millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()),
    };
    let channel = shared.channel.get().unwrap();
    let verified = match channel.verify(request) {
        Ok(verified) => verified,
        Err(_) => return status(StatusCode::UNAUTHORIZED),
    };
    if channel.attend(&verified).await.is_err() {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    let parsed = match channel.parse(&verified) {
        Ok(parsed) => parsed,
        Err(_) => return status(StatusCode::BAD_REQUEST),
    };
    for message in parsed.messages {
        // As the queue does it: an event is taken once.
        if shared.keys.lock().unwrap().insert(message.event_key()) {
            shared.heard.lock().unwrap().push(message);
        }
    }
    let ack = parsed.ack;
    let answer = http::Response::builder().status(ack.status).header("content-type", ack.content_type);
    answer.body(Body::from(ack.body)).unwrap()
}
