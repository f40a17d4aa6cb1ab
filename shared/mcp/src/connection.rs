//! Agreeing with a server on a version, and asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::McpError;
use crate::protocol::{
    HANDSHAKE, METHOD_HEADER, MODERN, NAME_HEADER, UNSUPPORTED_VERSION, header_text, implementation, request,
};
use crate::transport::{Outgoing, Transport};

/// Longest wait for the answer to `server/discover`: a server of before it may say nothing at all.
const DISCOVER_WITHIN: Duration = Duration::from_secs(5);

/// What was agreed on.
#[derive(Clone, Debug, PartialEq)]
struct Link {
    version: String,
    session: Option<String>,
}

impl Link {
    fn is_modern(&self) -> bool {
        self.version == MODERN
    }
}

/// A way to a server, and what was agreed on with it. Nothing runs behind it: between two requests there are two texts.
pub(crate) struct Connection {
    transport: Arc<dyn Transport>,
    link: Mutex<Option<Link>>,
    next: AtomicU64,
}

/// One question.
pub(crate) struct Question<'a> {
    pub(crate) method: &'a str,
    pub(crate) params: Map<String, Value>,
    /// Arguments that are repeated in headers.
    pub(crate) headers: Vec<(String, String)>,
    /// The version that the server is known to speak.
    pub(crate) known: Option<&'a str>,
    /// Longest wait for the answer, with all that has to be agreed on before.
    pub(crate) timeout: Duration,
}

impl Connection {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, link: Mutex::new(None), next: AtomicU64::new(1) }
    }

    /// The version that was agreed on, if the server was asked yet.
    pub(crate) async fn version(&self) -> Option<String> {
        self.link.lock().await.as_ref().map(|link| link.version.clone())
    }

    /// Asks. What a server has certainly not done because it forgot the session, or speaks another version by now, is
    /// asked once more after a new agreement.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Value, McpError> {
        let until = Instant::now() + question.timeout;
        let link = self.link(question.known, until).await?;
        let stale = match self.once(&link, question, until).await {
            Err(McpError::SessionGone) => true,
            Err(McpError::Refused(refusal)) if refusal.code == UNSUPPORTED_VERSION => true,
            other => return other,
        };
        let mut agreed = self.link.lock().await;
        if stale && agreed.as_ref() == Some(&link) {
            *agreed = None;
        }
        drop(agreed);
        let link = self.link(None, until).await?;
        self.once(&link, question, until).await
    }

    async fn once(&self, link: &Link, question: &Question<'_>, until: Instant) -> Result<Value, McpError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let body = request(id, question.method, question.params.clone(), link.is_modern());
        let mut headers = Vec::new();
        if link.is_modern() {
            headers.push((METHOD_HEADER.to_owned(), question.method.to_owned()));
            let name = question.params.get("name").or_else(|| question.params.get("uri")).and_then(Value::as_str);
            headers.extend(name.map(|name| (NAME_HEADER.to_owned(), header_text(name))));
            headers.extend(question.headers.iter().cloned());
        }
        self.send(&body, Some(id), link, &headers, left(until)).await.map(|(result, _)| result)
    }

    async fn link(&self, known: Option<&str>, until: Instant) -> Result<Link, McpError> {
        let mut agreed = self.link.lock().await;
        if let Some(link) = agreed.as_ref() {
            return Ok(link.clone());
        }
        let modern = Link { version: MODERN.to_owned(), session: None };
        let link = match known {
            Some(MODERN) => modern,
            None if self.discovers(&modern, left(until)).await? => modern,
            _ => match self.initialize(until).await {
                // A program that starts slowly reads the question that was given up on, and is of that era from then on.
                Err(McpError::Refused(refusal))
                    if refusal.code == UNSUPPORTED_VERSION
                        && refusal.supported.iter().any(|version| version == MODERN) =>
                {
                    modern
                }
                other => other?,
            },
        };
        *agreed = Some(link.clone());
        Ok(link)
    }

    /// Whether the server speaks [`MODERN`]. Every answer that is not a clear yes is a no, as the official clients do it;
    /// a server that cannot be reached or wants a login is neither.
    async fn discovers(&self, modern: &Link, timeout: Duration) -> Result<bool, McpError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let body = request(id, "server/discover", Map::new(), true);
        let headers = [(METHOD_HEADER.to_owned(), "server/discover".to_owned())];
        let asked = self.send(&body, Some(id), modern, &headers, timeout.min(DISCOVER_WITHIN)).await;
        match asked {
            Ok((result, _)) => {
                let versions = result.get("supportedVersions").and_then(Value::as_array);
                Ok(versions.into_iter().flatten().any(|version| version == MODERN))
            }
            Err(error @ (McpError::Unreachable(_) | McpError::Login { .. } | McpError::Setup(_))) => Err(error),
            Err(McpError::Refused(refusal))
                if refusal.code == UNSUPPORTED_VERSION
                    && !refusal.supported.is_empty()
                    && !refusal.supported.iter().any(|version| HANDSHAKE.contains(&version.as_str())) =>
            {
                Err(McpError::Broken(format!("it speaks only {}", refusal.supported.join(", "))))
            }
            Err(_) => Ok(false),
        }
    }

    async fn initialize(&self, until: Instant) -> Result<Link, McpError> {
        let wanted = HANDSHAKE.first().copied().unwrap_or_default();
        let params = json!({ "protocolVersion": wanted, "capabilities": {}, "clientInfo": implementation() });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let body = request(id, "initialize", params.as_object().cloned().unwrap_or_default(), false);
        let outgoing =
            Outgoing { body: &body, id: Some(id), version: None, session: None, headers: &[], timeout: left(until) };
        let reply = self.transport.send(outgoing).await?;
        let version = reply.result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !HANDSHAKE.contains(&version.as_str()) {
            let version = crate::outside::line(&version, 40);
            return Err(McpError::Broken(format!(
                "it wants version \"{version}\"; known are {}",
                HANDSHAKE.join(", ")
            )));
        }
        let link = Link { version, session: reply.session };
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.send(&ready, None, &link, &[], left(until)).await?;
        Ok(link)
    }

    async fn send(
        &self,
        body: &Value,
        id: Option<u64>,
        link: &Link,
        headers: &[(String, String)],
        timeout: Duration,
    ) -> Result<(Value, Option<String>), McpError> {
        let (version, session) = (Some(link.version.as_str()), link.session.as_deref());
        let reply = self.transport.send(Outgoing { body, id, version, session, headers, timeout }).await?;
        Ok((reply.result, reply.session))
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
