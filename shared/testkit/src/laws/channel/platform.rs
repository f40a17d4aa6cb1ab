//! A platform's HTTP server, as a channel meets it: it answers as told and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::net::TcpListener;

/// Most bytes a channel may ever post.
const MOST_BYTES: usize = 1024 * 1024;

/// A request the platform got.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Seen {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the platform answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, headers and a body.
    Http(u16, Vec<(&'static str, String)>, String),
    /// Nothing, ever.
    Silence,
    /// The answer to what a channel asks on its way, such as an access token: it comes in time whatever
    /// [`Platform::next`] says, and the question is in [`Platform::take_asides`]. For manners only.
    Aside(Box<Answer>),
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Http(status, vec![("content-type", "application/json".to_owned())], body.to_string())
    }

    /// A status with a text that is no JSON, as proxies answer.
    pub fn text(status: u16, body: &str) -> Self {
        Self::Http(status, Vec::new(), body.to_owned())
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Http(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Http(status, headers, body)
            }
            Self::Silence => Self::Silence,
            Self::Aside(answer) => answer.header(name, value).aside(),
        }
    }

    /// The same as [`Answer::Aside`].
    #[must_use]
    pub fn aside(self) -> Self {
        Self::Aside(Box::new(self))
    }
}

/// How the platform answers when all is well.
pub type Manners = fn(&Seen) -> Answer;

/// The server. It ends with the test's runtime.
pub struct Platform {
    url: String,
    state: Arc<Shared>,
}

struct Shared {
    manners: Manners,
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
    asides: Mutex<Vec<Seen>>,
}

impl Platform {
    /// Starts a server on a free port of this machine.
    pub async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state =
            Arc::new(Shared { manners, script: Mutex::default(), seen: Mutex::default(), asides: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// Its base URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next request gets this answer, then the next one; afterwards all is well again.
    pub fn next(&self, answer: Answer) {
        self.state.script.lock().unwrap().push_back(answer);
    }

    /// What it was asked since it was last asked for this.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }

    /// What it was asked on the way to that, see [`Answer::Aside`].
    pub fn take_asides(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.asides.lock().unwrap())
    }
}

/// A base URL of this machine where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn answer(State(state): State<Arc<Shared>>, request: Request) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST_BYTES).await.unwrap();
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let seen = Seen { method: parts.method, path, headers: parts.headers, body };
    match (state.manners)(&seen) {
        Answer::Aside(answer) => {
            state.asides.lock().unwrap().push(seen);
            given(*answer).await
        }
        usual => {
            let scripted = state.script.lock().unwrap().pop_front();
            state.seen.lock().unwrap().push(seen);
            given(scripted.unwrap_or(usual)).await
        }
    }
}

async fn given(answer: Answer) -> http::Response<Body> {
    match answer {
        Answer::Http(status, headers, body) => {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Answer::Silence | Answer::Aside(_) => std::future::pending().await,
    }
}
