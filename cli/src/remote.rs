//! A gateway or an `api` function, over HTTP.

use std::time::Duration;

use anyhow::Context as _;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions, Request, Response};
use clap::Args;
use serde_json::Value;

use crate::gateway::read_key;
use crate::place::Place;

/// Longest wait for an answer: the API itself waits up to 28 s.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Most bytes of an answer.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Where the gateway is.
#[derive(Debug, Args)]
pub(crate) struct RemoteOptions {
    /// The gateway, or the URL of the api function; the local one if left out
    #[arg(long, global = true, env = "CHELA_URL")]
    url: Option<String>,
    /// The API key; the local gateway's own if left out
    #[arg(long, global = true, env = "CHELA_API_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// An API to talk to.
pub(crate) struct Remote {
    url: String,
    key: Option<Secret>,
    http: HttpClient,
}

impl RemoteOptions {
    /// Whether a place was named, so that no other will do.
    pub(crate) fn is_given(&self) -> bool {
        self.url.is_some()
    }

    pub(crate) async fn open(&self, place: &Place) -> anyhow::Result<Remote> {
        let config = place.live().await?.current().await.config.clone();
        let url = self.url.clone().unwrap_or_else(|| format!("http://{}", config.gateway.listen));
        let key = match &self.key {
            Some(key) => Some(Secret::new(key.clone())),
            None => read_key(&place.data)?,
        };
        Remote::new(&url, key)
    }
}

impl Remote {
    pub(crate) fn new(url: &str, key: Option<Secret>) -> anyhow::Result<Self> {
        let options = HttpOptions {
            allow_hosts: vec![HostPort::of_url(url).with_context(|| format!("\"{url}\" is not a URL"))?],
            user_agent: concat!("chela/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: None,
        };
        Ok(Self { url: url.trim_end_matches('/').to_owned(), key, http: HttpClient::new(options)? })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether anything that looks like a gateway answers.
    pub(crate) async fn answers(&self) -> bool {
        let request = Request::get(format!("{}/healthz", self.url), Duration::from_secs(2), MAX_BYTES);
        self.http.send(request).await.is_ok_and(|answer| answer.status.is_success())
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Request::get(format!("{}{path}", self.url), TIMEOUT, MAX_BYTES)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Request::post(format!("{}{path}", self.url), body.to_string(), TIMEOUT, MAX_BYTES)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let mut request = Request::get(format!("{}{path}", self.url), TIMEOUT, MAX_BYTES);
        request.method = http::Method::DELETE;
        self.call(request).await
    }

    /// Posts a text with further headers; any status is an answer if its body is JSON.
    pub(crate) async fn exchange(&self, path: &str, body: String, headers: http::HeaderMap) -> anyhow::Result<Value> {
        let mut request = Request::post(format!("{}{path}", self.url), body, TIMEOUT, MAX_BYTES);
        request.headers = headers;
        let answer = self.send(request).await?;
        let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
        // What is JSON-RPC says itself what is wrong; the rest is the gateway's.
        match value.filter(|value| value.get("jsonrpc").is_some()) {
            Some(value) => Ok(value),
            None if answer.status.is_success() => Ok(Value::Null),
            None => anyhow::bail!("{} answers {}", self.url, answer.status),
        }
    }

    async fn call(&self, request: Request) -> anyhow::Result<Value> {
        let answer = self.send(request).await?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            return Ok(value);
        }
        let why = value.get("error").and_then(Value::as_str).unwrap_or("no reason given");
        anyhow::bail!("{} answers {}: {why}", self.url, answer.status)
    }

    async fn send(&self, mut request: Request) -> anyhow::Result<Response> {
        if let Some(key) = &self.key {
            let value = http::HeaderValue::from_str(&format!("Bearer {}", key.expose()));
            request
                .headers
                .insert(http::header::AUTHORIZATION, value.context("the API key has characters no header takes")?);
        }
        self.http.send(request).await.with_context(|| format!("{} does not answer", self.url))
    }
}
