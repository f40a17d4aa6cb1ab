//! Providers of models on this machine: each answers what a story wrote down, in its dialect, and keeps what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::dialect;
use crate::local::PATIENCE;

/// How a provider writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Anthropic,
    OpenAiChat,
    OpenAiResponses,
    Gemini,
    /// No model: it hears, speaks or paints.
    Nothing,
}

impl Speaks {
    /// `models.providers.<id>.api`.
    pub(crate) fn api(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("anthropic-messages"),
            Self::OpenAiChat => Some("openai-completions"),
            Self::OpenAiResponses => Some("openai-responses"),
            Self::Gemini => Some("google-generative-ai"),
            Self::Nothing => None,
        }
    }
}

/// What a provider was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    /// As it came.
    pub(crate) bytes: Bytes,
    /// As JSON, if it is.
    pub(crate) body: Value,
}

impl Asked {
    /// Everything it was told, as text.
    pub(crate) fn told(&self) -> String {
        self.body.to_string()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The names of the tools it may call; of Anthropic and OpenAI.
    pub(crate) fn tools(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().cloned().unwrap_or_default();
        let name = |tool: &Value| Some(tool["name"].as_str().or(tool["function"]["name"].as_str())?.to_owned());
        tools.iter().filter_map(name).collect()
    }

    /// Whether its last word is the result of a tool, and which; of Anthropic.
    pub(crate) fn result(&self) -> Option<String> {
        let last = self.body["messages"].as_array()?.last()?;
        let block = last["content"].as_array()?.iter().find(|block| block["type"] == "tool_result")?;
        let parts = block["content"].as_array().map_or(&[][..], |parts| parts);
        let words = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        Some(block["content"].as_str().map_or(words, str::to_owned))
    }
}

/// A status, headers, a body.
type Instead = (u16, Vec<(&'static str, String)>, Bytes);

/// One answer of a provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// What it thought, and the seal on it.
    pub(crate) thought: Option<(String, String)>,
    /// What it says, piece by piece; between two pieces it waits for [`Provider::go_on`].
    pub(crate) pieces: Vec<String>,
    /// What it calls: id, tool, arguments as it writes them.
    pub(crate) calls: Vec<(String, String, String)>,
    pub(crate) counted: Counted,
    /// It says no more, and does not hang up.
    hangs: bool,
    /// Something else than an answer.
    instead: Option<Instead>,
}

/// Tokens of one call: fresh, read from the cache, answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) fresh: u64,
    pub(crate) cached: u64,
    pub(crate) answered: u64,
}

impl Default for Counted {
    fn default() -> Self {
        Self { fresh: 10, cached: 0, answered: 5 }
    }
}

pub(crate) fn says(text: &str) -> Line {
    Line { pieces: vec![text.to_owned()], ..Line::default() }
}

/// Says this in pieces, waiting between them.
pub(crate) fn says_slowly(pieces: &[&str]) -> Line {
    Line { pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(), ..Line::default() }
}

pub(crate) fn calls(id: &str, tool: &str, arguments: &Value) -> Line {
    Line::default().and_calls(id, tool, &arguments.to_string())
}

/// A whole answer of an endpoint that does not stream.
pub(crate) fn gives(content_type: &str, body: impl Into<Bytes>) -> Line {
    Line { instead: Some((200, vec![("content-type", content_type.to_owned())], body.into())), ..Line::default() }
}

pub(crate) fn refuses(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Line {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Line { instead: Some((status, headers, body.to_string().into())), ..Line::default() }
}

/// 429, and when to come again.
pub(crate) fn asks_to_wait(seconds: u32) -> Line {
    let body = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    refuses(429, &[("retry-after", &seconds.to_string())], &body)
}

impl Line {
    pub(crate) fn thinking(self, thought: &str, seal: &str) -> Self {
        Self { thought: Some((thought.to_owned(), seal.to_owned())), ..self }
    }

    pub(crate) fn and_calls(mut self, id: &str, tool: &str, arguments: &str) -> Self {
        self.calls.push((id.to_owned(), tool.to_owned(), arguments.to_owned()));
        self
    }

    pub(crate) fn counting(self, fresh: u64, cached: u64, answered: u64) -> Self {
        Self { counted: Counted { fresh, cached, answered }, ..self }
    }

    /// Never comes to an end.
    pub(crate) fn and_hangs(self) -> Self {
        Self { hangs: true, ..self }
    }
}

type Wit = dyn Fn(&Asked) -> Line + Send + Sync;

/// A provider. What nobody wrote down it answers with `(end of script)`.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) speaks: Speaks,
    pub(crate) url: String,
    lines: Arc<Mutex<VecDeque<Line>>>,
    otherwise: Arc<Mutex<Arc<Wit>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    turns: Arc<Semaphore>,
}

impl Provider {
    pub(crate) async fn open(speaks: Speaks) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            speaks,
            url: format!("http://{}", listener.local_addr().unwrap()),
            lines: Arc::default(),
            otherwise: Arc::new(Mutex::new(Arc::new(|_: &Asked| says("(end of script)")))),
            asked: Arc::default(),
            turns: Arc::new(Semaphore::new(0)),
        };
        let router = Router::new().fallback(serve).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// The next answers.
    pub(crate) fn will(&self, lines: impl IntoIterator<Item = Line>) {
        self.lines.lock().unwrap().extend(lines);
    }

    /// What is written down and was not said is not said any more.
    pub(crate) fn forget(&self) {
        self.lines.lock().unwrap().clear();
    }

    /// What it answers when nothing is written down.
    pub(crate) fn otherwise(&self, wit: impl Fn(&Asked) -> Line + Send + Sync + 'static) {
        *self.otherwise.lock().unwrap() = Arc::new(wit);
    }

    /// Says the next piece.
    pub(crate) fn go_on(&self) {
        self.turns.add_permits(1);
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().unwrap()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn was_asked(&self, times: usize) -> Vec<Asked> {
        let until = Instant::now() + PATIENCE;
        loop {
            let asked = self.asked();
            if asked.len() >= times {
                return asked;
            }
            assert!(Instant::now() < until, "asked {} of {times} times", asked.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn answer(&self, asked: &Asked) -> Line {
        let line = self.lines.lock().unwrap().pop_front();
        let otherwise = self.otherwise.lock().unwrap().clone();
        line.unwrap_or_else(|| otherwise(asked))
    }
}

async fn serve(State(provider): State<Provider>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 8 << 20).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let asked = Asked { path: parts.uri.path().to_owned(), headers: parts.headers, bytes, body };
    let line = provider.answer(&asked);
    provider.asked.lock().unwrap().push(asked);
    if let Some((status, headers, body)) = line.instead {
        let answer = Response::builder().status(status);
        let answer = headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
        return answer.body(Body::from(body)).unwrap();
    }
    let (sender, receiver) = mpsc::unbounded_channel::<Result<Bytes, Infallible>>();
    tokio::spawn(async move {
        for (number, event) in dialect::stream(provider.speaks, &line).into_iter().enumerate() {
            if number > 0 {
                provider.turns.acquire().await.unwrap().forget();
            }
            // The reader may have gone.
            let _ = sender.send(Ok(event.into()));
        }
        if line.hangs {
            sender.closed().await;
        }
    });
    let pieces = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let stream = Response::builder().header("content-type", "text/event-stream");
    stream.body(Body::from_stream(pieces)).unwrap()
}

impl Line {
    /// Whether the end of the stream is written too.
    pub(crate) fn ends(&self) -> bool {
        !self.hangs
    }
}
