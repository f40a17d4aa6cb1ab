//! Telegram, Slack, a webhook's receiver and a model provider on this machine: they take what is sent and remember it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

/// One request a platform got.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

/// The platforms.
#[derive(Clone, Default)]
pub(crate) struct Platforms {
    sent: Arc<Mutex<Vec<Sent>>>,
    refusals: Arc<Mutex<VecDeque<(u16, Value)>>>,
    refused: Arc<Mutex<Vec<Sent>>>,
    pub(crate) url: String,
}

impl Platforms {
    /// Opens for business on a free port.
    pub(crate) async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platforms = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let router = Router::new().fallback(serve).with_state(platforms.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        platforms
    }

    /// The next requests are answered like this instead.
    pub(crate) fn will_refuse(&self, refusals: impl IntoIterator<Item = (u16, Value)>) {
        self.refusals.lock().unwrap().extend(refusals);
    }

    /// They are answered as ever from now on.
    pub(crate) fn will_refuse_no_more(&self) {
        self.refusals.lock().unwrap().clear();
    }

    /// What was refused.
    pub(crate) fn refused(&self) -> Vec<Sent> {
        self.refused.lock().unwrap().clone()
    }

    /// Everything that was sent to paths that end like this.
    pub(crate) fn sent_to(&self, path: &str) -> Vec<Sent> {
        self.sent.lock().unwrap().iter().filter(|sent| sent.path.ends_with(path)).cloned().collect()
    }

    /// Waits until so many were sent there.
    pub(crate) async fn wait_for(&self, path: &str, count: usize, patience: Duration) -> Vec<Sent> {
        let until = Instant::now() + patience;
        loop {
            let sent = self.sent_to(path);
            if sent.len() >= count {
                return sent;
            }
            let all: Vec<String> = self.sent.lock().unwrap().iter().map(|sent| sent.path.clone()).collect();
            assert!(Instant::now() < until, "{} of {count} were sent to {path}; in all: {all:?}", sent.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn serve(State(platforms): State<Platforms>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let value = serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into()));
    let messages =
        ["sendMessage", "chat.postMessage", "completions", "/messages"].iter().any(|end| path.ends_with(end));
    let refusal = if messages { platforms.refusals.lock().unwrap().pop_front() } else { None };
    let number = {
        let mut sent = platforms.sent.lock().unwrap();
        let this = Sent { path: path.clone(), headers: parts.headers, body: value.clone() };
        if refusal.is_none() {
            sent.push(this)
        } else {
            platforms.refused.lock().unwrap().push(this)
        }
        sent.len()
    };
    if let Some((status, body)) = refusal {
        return Response::builder().status(status).body(Body::from(body.to_string())).unwrap();
    }
    if path.ends_with("/chat/completions") {
        if last_text(&value).contains("slowly") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        return Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from(model_says(&value)))
            .unwrap();
    }
    let answer = match path.as_str() {
        path if path.ends_with("chat.postMessage") => json!({"ok": true, "channel": "C1", "ts": format!("1.{number}")}),
        path if path.starts_with("/bot") => {
            json!({"ok": true, "result": {"message_id": number, "date": 1, "chat": {"id": 1, "type": "private"}}})
        }
        // WhatsApp, Amazon SES, Discord.
        _ => {
            json!({"ok": true, "messages": [{"id": format!("wamid.{number}")}], "MessageId": "1", "id": number.to_string()})
        }
    };
    Response::builder().header("content-type", "application/json").body(Body::from(answer.to_string())).unwrap()
}

/// Whoever asks to remember something, or to hand something on, gets a call of the tool for it, and then an answer; as a
/// model without a memory or hands of its own does.
fn model_says(request: &Value) -> String {
    let last = last_text(request);
    let rest = |begin: &str| last.split_once(begin).map(|(_, rest)| rest.trim_matches('"').to_owned());
    let call = |name: &str, arguments: Value| {
        let function = json!({"name": name, "arguments": arguments.to_string()});
        let call = json!({"index": 0, "id": "call_1", "type": "function", "function": function});
        streamed(&json!({"tool_calls": [call]}), "tool_calls")
    };
    match (rest("please remember that "), rest("please hand on: ")) {
        (Some(fact), _) => call("memory_save", json!({"text": fact})),
        (_, Some(task)) => call("sessions_spawn", json!({"task": task})),
        _ if last.starts_with("\"[Task ") => streamed(&json!({"content": "From the sub-agent."}), "stop"),
        _ => streamed(&json!({"content": "From the model."}), "stop"),
    }
}

/// What the user said last; nothing if a tool's result comes after it.
fn last_text(request: &Value) -> String {
    let last = request["messages"].as_array().and_then(|messages| messages.last()).cloned().unwrap_or_default();
    if last["role"] == "user" { last["content"].to_string() } else { String::new() }
}

/// A streamed answer as OpenAI-compatible servers write it.
fn streamed(delta: &Value, finish: &str) -> String {
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let usage = json!({"id": "1", "object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}});
    [
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(delta.clone(), Value::Null),
        chunk(json!({}), json!(finish)),
        format!("data: {usage}\n\ndata: [DONE]\n\n"),
    ]
    .concat()
}
