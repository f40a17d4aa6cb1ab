//! An account of ours, and a Slack to talk to.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use chela_channel_kit::AccountSettings;
use chela_channel_slack::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::{Channel, OutboundPart, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use http::Method;
use serde_json::{Value, json};

/// The time samples are signed at.
pub(crate) const NOW: Millis = Millis(1_767_377_400_000);

/// Our bot user in the samples.
pub(crate) const BOT: &str = "U0LAN0Z89";

/// The account "default" with these options and, besides those of the simulator, these secrets.
pub(crate) fn settings(options: Value, secrets: &[(&str, &str)]) -> AccountSettings {
    let options = options.as_object().unwrap().clone();
    let allow_hosts = DESCRIPTOR.configured_urls(&options).iter().map(|url| HostPort::of_url(url).unwrap()).collect();
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela-test".into(), extra_roots: None });
    let mut all = SIMULATOR.test_secrets();
    all.extend(secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))));
    let clock = Arc::new(ManualClock::at(NOW));
    AccountSettings { account: "default".into(), options, secrets: all, http: http.unwrap(), clock }
}

/// That account, opened.
pub(crate) fn open(options: Value, secrets: &[(&str, &str)]) -> Arc<dyn Channel> {
    DESCRIPTOR.open(&settings(options, secrets)).unwrap()
}

/// The files in `events/`, by name.
pub(crate) fn samples() -> Vec<(String, Bytes)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), Bytes::from(std::fs::read(path).unwrap()))
        })
        .collect();
    samples.sort();
    assert!(!samples.is_empty());
    samples
}

/// A body as Slack posts it.
pub(crate) fn posted(body: impl Into<Bytes>) -> RawRequest {
    let body = body.into();
    let headers = (SIMULATOR.sign_sample)(&body, &SIMULATOR.test_secrets(), NOW);
    RawRequest { method: Method::POST, query: String::new(), headers, body, received_at: NOW }
}

/// What becomes of a body.
pub(crate) fn receive(channel: &dyn Channel, body: impl Into<Bytes>) -> Result<Parsed, Rejected> {
    channel.parse(&channel.verify(posted(body))?)
}

/// One call that our code made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

type Answer = (u16, Vec<(&'static str, &'static str)>, String);

#[derive(Default)]
struct Log {
    calls: Mutex<Vec<Call>>,
    answers: Mutex<VecDeque<Answer>>,
}

/// A local Slack Web API that answers what it was told to and remembers what it was asked.
pub(crate) struct FakeSlack {
    pub(crate) url: String,
    log: Arc<Log>,
}

impl FakeSlack {
    pub(crate) async fn start() -> Self {
        let log = Arc::<Log>::default();
        let router = Router::new().route("/api/{method}", post(answer)).with_state(log.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, log }
    }

    /// The next call is answered with this JSON.
    pub(crate) fn answers(&self, body: Value) -> &Self {
        self.answers_with(200, vec![("content-type", "application/json")], &body.to_string())
    }

    /// The next call is answered like this.
    pub(crate) fn answers_with(&self, status: u16, headers: Vec<(&'static str, &'static str)>, body: &str) -> &Self {
        self.log.answers.lock().unwrap().push_back((status, headers, body.to_owned()));
        self
    }

    /// All calls, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.log.calls.lock().unwrap().clone()
    }

    /// An account that talks to this Slack.
    pub(crate) fn account(&self) -> Arc<dyn Channel> {
        open(json!({ "apiBaseUrl": self.url, "botUserId": BOT }), &[])
    }
}

async fn answer(State(log): State<Arc<Log>>, Path(method): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    let body = serde_json::from_slice(&body).unwrap();
    log.calls.lock().unwrap().push(Call { method, authorization, body });
    let (status, headers, body) = log.answers.lock().unwrap().pop_front().expect("an answer for every call");
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Where an answer goes.
pub(crate) fn address(to: &str, thread: Option<&str>) -> ReplyAddress {
    ReplyAddress {
        channel: "slack".into(),
        account: "default".into(),
        to: to.into(),
        thread: thread.map(str::to_owned),
        message: None,
    }
}

/// A part of an answer.
pub(crate) fn part<'a>(to: &'a ReplyAddress, markdown: &'a str) -> OutboundPart<'a> {
    OutboundPart { to, markdown, idempotency_key: "key-1", timeout: Duration::from_secs(10) }
}
