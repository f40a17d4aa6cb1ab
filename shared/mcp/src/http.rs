//! Streamable HTTP: one POST a message, its answer as JSON or as a stream of events.
//! <https://modelcontextprotocol.io/specification/2025-11-25/basic/transports>

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::secret::SecretStore;
use chela_http::sse::Events;
use chela_http::{HttpClient, HttpError, Request, StreamingResponse};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::error::McpError;
use crate::oauth::{Challenge, Keeper};
use crate::protocol::{METHOD_NOT_FOUND, Message, SESSION_HEADER, VERSION_HEADER};
use crate::settings::Hidden;
use crate::transport::{Outgoing, Reply, Transport};

/// Most bytes of one answer, its events included.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Longest silence within an answer. Servers ping every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// Longest session id: they are UUIDs, tokens at most.
const SESSION_BYTES: usize = 1024;

/// Headers that the configuration does not set: the protocol does.
const OURS: [&str; 7] =
    ["accept", "content-type", "content-length", "host", "connection", "transfer-encoding", "cookie"];

/// One address.
pub(crate) struct Http {
    pub(crate) server: String,
    pub(crate) url: String,
    pub(crate) http: HttpClient,
    pub(crate) headers: Vec<(String, Hidden)>,
    pub(crate) secrets: Arc<dyn SecretStore>,
    /// Who has the token, for a server that wants a login.
    pub(crate) keeper: Option<Keeper>,
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, message: Outgoing<'_>) -> Result<Reply, McpError> {
        let mut headers = self.headers(&message).await?;
        let Some(keeper) = &self.keeper else {
            return self.exchange(&message, headers).await.map_err(|failed| failed.error(&self.server));
        };
        let token = keeper.token().await?;
        headers.insert(AUTHORIZATION, bearer(token.expose())?);
        match self.exchange(&message, headers.clone()).await {
            // It was refused at the door, so that asking again with a fresh token repeats nothing.
            Err(Failed::Unauthorized(_)) => {
                let token = keeper.renewed(&token).await?;
                headers.insert(AUTHORIZATION, bearer(token.expose())?);
                self.exchange(&message, headers).await.map_err(|failed| failed.error(&self.server))
            }
            other => other.map_err(|failed| failed.error(&self.server)),
        }
    }
}

/// Why an exchange failed.
enum Failed {
    Unauthorized(Challenge),
    Other(McpError),
}

impl Failed {
    fn error(self, server: &str) -> McpError {
        match self {
            Self::Unauthorized(challenge) => McpError::Login { server: server.to_owned(), scope: challenge.scope },
            Self::Other(error) => error,
        }
    }
}

impl From<McpError> for Failed {
    fn from(error: McpError) -> Self {
        Self::Other(error)
    }
}

impl Http {
    async fn headers(&self, message: &Outgoing<'_>) -> Result<HeaderMap, McpError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let lower = name.to_ascii_lowercase();
            let own = OURS.contains(&lower.as_str()) || lower.starts_with("mcp-");
            // Without a login the owner's own key is the credential; with one it would go to waste or astray.
            if own || (self.keeper.is_some() && lower == "authorization") {
                return Err(McpError::Setup(format!("mcp.servers.{}.headers.{name} is not to be set", self.server)));
            }
            let secret = value.read(self.secrets.as_ref()).await;
            let secret = secret.map_err(|error| McpError::Setup(format!("mcp.servers.{}: {error}", self.server)))?;
            put(&mut headers, name, secret.expose())?;
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agreed = [(VERSION_HEADER, message.version), (SESSION_HEADER, message.session)];
        for (name, value) in agreed.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            put(&mut headers, name, value)?;
        }
        for (name, value) in message.headers {
            put(&mut headers, name, value)?;
        }
        Ok(headers)
    }

    /// Within the time of the message, whatever else the server wants of us meanwhile.
    async fn exchange(&self, message: &Outgoing<'_>, headers: HeaderMap) -> Result<Reply, Failed> {
        let exchanged = tokio::time::timeout(message.timeout, self.exchange_unbounded(message, headers)).await;
        let late = || McpError::Unknown(format!("it took longer than {} s", message.timeout.as_secs()));
        exchanged.unwrap_or_else(|_| Err(late().into()))
    }

    async fn exchange_unbounded(&self, message: &Outgoing<'_>, headers: HeaderMap) -> Result<Reply, Failed> {
        let mut request = Request::post(self.url.clone(), message.body.to_string(), message.timeout, MOST_BYTES);
        request.headers = headers.clone();
        // POST is never redirected, so that neither the token nor the body goes elsewhere.
        let mut answer = self.http.stream(request, SILENCE).await.map_err(unsent)?;
        let status = answer.status();
        let session = answer.headers().get(SESSION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if session.as_ref().is_some_and(|session| session.len() > SESSION_BYTES) {
            return Err(McpError::Broken("the session's id is too long".to_owned()).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(Failed::Unauthorized(Challenge::of(answer.headers())));
        }
        if status == StatusCode::FORBIDDEN {
            let challenge = Challenge::of(answer.headers());
            if challenge.insufficient_scope {
                return Err(McpError::Login { server: self.server.clone(), scope: challenge.scope }.into());
            }
        }
        if status == StatusCode::NOT_FOUND && message.session.is_some() {
            return Err(McpError::SessionGone.into());
        }
        let Some(id) = message.id else {
            return if status.is_success() { Ok(Reply::default()) } else { Err(refused(status).into()) };
        };
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let result = match kind.split(';').next().unwrap_or_default().trim() {
            "text/event-stream" if status.is_success() => self.events(&mut answer, id, headers).await?,
            "application/json" => whole(answer, status, id).await?,
            _ if !status.is_success() => return Err(refused(status).into()),
            other => {
                return Err(McpError::Broken(format!("it answers with \"{}\"", crate::outside::line(other, 60))).into());
            }
        };
        Ok(Reply { result, session })
    }

    /// Reads events until the answer comes. What the server asks meanwhile is answered: a ping, and no to the rest.
    async fn events(&self, answer: &mut StreamingResponse, id: u64, headers: HeaderMap) -> Result<Value, McpError> {
        let mut events = Events::default();
        let mut open = true;
        while open {
            let whole = match answer.chunk().await.map_err(broken_off)? {
                Some(bytes) => events.push(&bytes).map_err(|_| McpError::Broken("an event never ends".to_owned()))?,
                None => {
                    open = false;
                    events.finish().into_iter().collect()
                }
            };
            for data in whole.iter().filter(|data| !data.trim().is_empty()) {
                let message = serde_json::from_str(data)
                    .map_err(|error| McpError::Broken(format!("an event is no JSON: {error}")))?;
                match Message::read(message) {
                    Message::Result(of, result) if of == id => return Ok(result),
                    Message::Error(of, refusal) if of.is_none_or(|of| of == id) => {
                        return Err(McpError::Refused(refusal));
                    }
                    Message::Request(asked, method) => self.answer(asked, &method, headers.clone()).await,
                    _ => {}
                }
            }
        }
        Err(McpError::Unknown("the stream ended before the answer came".to_owned()))
    }

    /// A server that gets no answer goes on all the same, or gives up by itself.
    async fn answer(&self, id: Value, method: &str, headers: HeaderMap) {
        let body = match method {
            "ping" => json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
            _ => {
                let error = json!({ "code": METHOD_NOT_FOUND, "message": "this client cannot do that" });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
        };
        let mut request = Request::post(self.url.clone(), body.to_string(), Duration::from_secs(10), MOST_BYTES);
        request.headers = headers;
        let _ = self.http.send(request).await;
    }
}

async fn whole(answer: StreamingResponse, status: StatusCode, id: u64) -> Result<Value, McpError> {
    let answer = answer.collect().await.map_err(broken_off)?;
    let parsed = serde_json::from_slice(&answer.body);
    if !status.is_success() {
        return Err(match parsed.map(Message::read) {
            Ok(Message::Error(_, refusal)) => McpError::Refused(refusal),
            _ => refused(status),
        });
    }
    let value: Value = parsed.map_err(|error| McpError::Broken(format!("its answer is no JSON: {error}")))?;
    // Before 2025-06-18 answers could come in batches.
    let messages = match value {
        Value::Array(messages) => messages,
        one => vec![one],
    };
    for message in messages {
        match Message::read(message) {
            Message::Result(of, result) if of == id => return Ok(result),
            Message::Error(of, refusal) if of.is_none_or(|of| of == id) => return Err(McpError::Refused(refusal)),
            _ => {}
        }
    }
    Err(McpError::Broken("its answer belongs to another question".to_owned()))
}

/// A status below 500 is a decision; above, something may have been done before it broke.
fn refused(status: StatusCode) -> McpError {
    if status.is_server_error() {
        McpError::Unknown(format!("HTTP {}", status.as_u16()))
    } else {
        McpError::Status(status.as_u16())
    }
}

fn unsent(error: HttpError) -> Failed {
    let text = error.to_string();
    Failed::Other(if error.not_sent() { McpError::Unreachable(text) } else { McpError::Unknown(text) })
}

fn broken_off(error: HttpError) -> McpError {
    match error {
        HttpError::TooLarge { .. } => McpError::Broken(error.to_string()),
        other => McpError::Unknown(other.to_string()),
    }
}

fn bearer(token: &str) -> Result<HeaderValue, McpError> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    value.map_err(|_| McpError::Setup("the token has characters that no header takes".to_owned()))
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), McpError> {
    let bad = || McpError::Setup(format!("\"{}\" is no header, or its value is none", crate::outside::line(name, 60)));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    headers.insert(name, HeaderValue::from_str(value).map_err(|_| bad())?);
    Ok(())
}
