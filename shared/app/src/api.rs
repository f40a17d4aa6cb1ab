//! The HTTP API: health, readiness, `POST /message`, pairing, approvals, audit log, channels, sessions, dead letters,
//! usage, memory, what is stored of a person, `/mcp`, metrics.

mod approvals;
mod audit;
mod dead_letters;
mod forget;
mod mcp;
mod memory;
mod origin;
mod pairing;
mod sessions;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::proof::is_secret;
use chela_core::access::AccessStore;
use chela_core::approval::ApprovalStore;
use chela_core::audit::AuditLog;
use chela_core::channel::Ack;
use chela_core::channel_log::ChannelLog;
use chela_core::clock::Clock;
use chela_core::directory::Directory;
use chela_core::erasure::Erasure;
use chela_core::message::{EventKey, Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::queue::{Authority, DeadLetters, Lane, Queue, QueueError, Standing};
use chela_core::secret::Secret;
use chela_core::session::{EntryBody, SessionStore, StoreError};
use chela_core::session_key::{Peer, PeerKind, SessionKey};
use chela_core::spend::SpendStore;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::live::Live;
use crate::metrics::Metrics;
use crate::receive::{Routed, envelope, route};

/// The channel of messages that come through the API; its answers are collected, not sent.
pub const API_CHANNEL: &str = "api";

/// Longest wait for an answer; under the 30 s after which many HTTP clients give up.
const MAX_WAIT: Duration = Duration::from_secs(28);

/// Longest message.
const MAX_TEXT: usize = 32 * 1024;

/// Serves the API.
pub struct Api {
    /// Where turns begin.
    pub queue: Arc<dyn Queue>,
    /// What became of messages that could not be handled.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Where answers are found.
    pub sessions: Arc<dyn SessionStore>,
    /// Which conversations there are.
    pub directory: Arc<dyn Directory>,
    /// What removes what is stored of a person.
    pub erasure: Arc<dyn Erasure>,
    /// Who was let in.
    pub access: Arc<dyn AccessStore>,
    /// What happened on accounts, and which parts platforms confirmed late.
    pub channels: Arc<dyn ChannelLog>,
    /// What was spent.
    pub spend: Arc<dyn SpendStore>,
    /// Calls that wait for consent, and what is allowed for ever.
    pub approvals: Arc<dyn ApprovalStore>,
    /// Who agreed to what.
    pub audit: Arc<dyn AuditLog>,
    /// What is configured.
    pub live: Arc<Live>,
    /// Time and names.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The key where the configuration has none: a gateway on a laptop makes one for itself.
    pub own_key: Option<Secret>,
    /// How often an answer is looked for: short beside an embedded store, longer where each look is billed.
    pub poll_every: Duration,
}

/// `POST /message`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ask {
    /// What is said.
    text: String,
    /// Who says it: one name, one conversation.
    #[serde(default)]
    peer: Option<String>,
    /// Seconds to wait for the answer; 0 answers at once with the event to ask for later.
    #[serde(default)]
    wait: Option<u64>,
}

impl Api {
    /// Answers one request. `path` has no query.
    pub async fn handle(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &Bytes) -> Ack {
        let dead_letters = path == dead_letters::PATH || path.starts_with("/deadletters/");
        match path {
            "/healthz" if method == Method::GET => return json_ack(StatusCode::OK, &json!({"status": "ok"})),
            "/readyz" if method == Method::GET => return self.ready(headers).await,
            "/metrics" | "/message" | "/pairing" | "/channels" | "/sessions" | "/usage" | "/usage/halt"
            | "/approvals" | "/approvals/forget" | "/audit" | "/forget" => {}
            _ if dead_letters || memory::PATHS.contains(&path) || path == mcp::PATH => {}
            "/healthz" | "/readyz" => return problem(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here"),
            _ => {
                let paths = "paths: /healthz, /readyz, /metrics, /message, /pairing, /channels, /sessions, /usage, /deadletters, \
                             /memory, /approvals, /audit, /forget, /mcp";
                return problem(StatusCode::NOT_FOUND, paths);
            }
        }
        if !self.origin_allowed(headers).await {
            return problem(StatusCode::FORBIDDEN, "pages of other origins may not speak to this API");
        }
        if !self.authorized(headers).await {
            let fix = "send the key of gateway.auth.token as \"authorization: Bearer <key>\"";
            return problem(StatusCode::UNAUTHORIZED, fix);
        }
        match (method, path) {
            (&Method::GET, "/metrics") => Ack {
                status: StatusCode::OK,
                content_type: "text/plain; version=0.0.4",
                body: Bytes::from(self.metrics.render()),
            },
            (&Method::POST, "/message") => self.message(headers, body).await,
            (&Method::GET, "/message") => self.collect(query).await,
            (&Method::POST, "/pairing") => self.approve_pairing(body).await,
            (&Method::GET, "/pairing") => self.pending_pairings().await,
            (&Method::GET, "/approvals") => self.open_approvals().await,
            (&Method::POST, "/approvals") => self.decide_approval(body).await,
            (&Method::POST, "/approvals/forget") => self.forget_approval(body).await,
            (&Method::POST, "/forget") => self.forget(body).await,
            (&Method::GET, "/audit") => self.audit_log(query).await,
            (&Method::GET, "/channels") => self.activities().await,
            (&Method::GET, "/usage") => self.usage(query).await,
            (&Method::POST, "/usage/halt") => self.halt(body).await,
            (&Method::GET, "/sessions") => self.conversations(query).await,
            (_, mcp::PATH) => self.mcp(method, headers, body).await,
            _ if dead_letters => self.dead_letters(method, path, body).await,
            _ if memory::PATHS.contains(&path) => self.memory(method, path, query).await,
            _ => problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method"),
        }
    }

    /// Without any key nobody is let in.
    async fn authorized(&self, headers: &HeaderMap) -> bool {
        let configured = self.live.current().await.api_key.clone();
        configured.or_else(|| self.own_key.clone()).is_some_and(|expected| bearer_matches(headers, &expected))
    }

    /// Whether all works; what does not is told to the owner alone, for it names channels, keys and servers.
    async fn ready(&self, headers: &HeaderMap) -> Ack {
        let built = self.live.current().await;
        let store = self.sessions.head(&SessionKey::from_stored("readiness")).await;
        let mut problems: Vec<String> = built.problems.clone();
        if let Err(error) = store {
            problems.push(error.to_string());
        }
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut told = json!({"ready": problems.is_empty()});
        if self.authorized(headers).await
            && let Some(told) = told.as_object_mut()
        {
            told.insert("problems".into(), problems.into());
        }
        json_ack(status, &told)
    }

    /// What happened last on each account.
    async fn activities(&self) -> Ack {
        match self.channels.activities().await {
            Ok(accounts) => json_ack(StatusCode::OK, &json!({ "accounts": accounts })),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    async fn message(&self, headers: &HeaderMap, body: &Bytes) -> Ack {
        let ask: Ask = match serde_json::from_slice(body) {
            Ok(ask) => ask,
            Err(error) => {
                let shape = r#"{"text": "hello", "peer": "ada", "wait": 20}"#;
                return problem(StatusCode::BAD_REQUEST, &format!("the body must be JSON like {shape}: {error}"));
            }
        };
        if ask.text.trim().is_empty() || ask.text.len() > MAX_TEXT {
            return problem(StatusCode::BAD_REQUEST, &format!("text must have 1 to {MAX_TEXT} bytes"));
        }
        let event_id = match headers.get("idempotency-key").map(|key| key.to_str()) {
            None => self.clock.unique(),
            Some(Ok(key)) if !key.is_empty() && key.len() <= 200 => key.to_owned(),
            Some(_) => {
                return problem(StatusCode::BAD_REQUEST, "idempotency-key must be 1 to 200 printable characters");
            }
        };
        let built = self.live.current().await;
        let mut inbound = self.inbound(&ask, event_id);
        let Routed { agent, session, text } = match route(&built, &inbound) {
            Ok(routed) => routed,
            Err(error) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        };
        inbound.text = text;
        // Whoever has the key of the API is the owner.
        let envelope = envelope(agent, session, inbound, Standing::Allowed, Authority::Owner, self.clock.now());
        if let Err(error) = self.queue.push(Lane::Live, &envelope).await {
            let status = match error {
                QueueError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                QueueError::Expired | QueueError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            return problem(status, &error.to_string());
        }
        let wait = ask.wait.map_or(MAX_WAIT, Duration::from_secs).min(MAX_WAIT);
        self.wait_for(&envelope.session, &envelope.event, wait).await
    }

    fn inbound(&self, ask: &Ask, event_id: String) -> Inbound {
        let peer = ask.peer.clone().filter(|peer| !peer.trim().is_empty()).unwrap_or_else(|| "owner".to_owned());
        Inbound {
            message_id: None,
            channel: API_CHANNEL.into(),
            account: "default".into(),
            event_id,
            peer: Peer::new(PeerKind::Direct, peer.clone()),
            parent_peer: None,
            thread: None,
            sender: Sender { id: peer.clone(), name: None },
            text: ask.text.clone(),
            kind: InboundKind::Message,
            addressed: true,
            media: vec![],
            guild: None,
            team: None,
            roles: vec![],
            sent_at: self.clock.now(),
            reply_to: ReplyAddress {
                channel: API_CHANNEL.into(),
                account: "default".into(),
                to: peer,
                thread: None,
                message: None,
            },
        }
    }

    /// `GET /message?session=…&event=…`: the answer to an earlier message.
    async fn collect(&self, query: &str) -> Ack {
        let value = |name: &str| {
            url_query(query).find_map(|(key, value)| (key == name).then_some(value)).filter(|value| !value.is_empty())
        };
        let (Some(session), Some(event)) = (value("session"), value("event")) else {
            return problem(StatusCode::BAD_REQUEST, "ask with ?session=…&event=… as POST /message answered them");
        };
        let Ok(event) = serde_json::from_value::<EventKey>(Value::String(event)) else {
            return problem(StatusCode::BAD_REQUEST, "that is not an event");
        };
        self.wait_for(&SessionKey::from_stored(session), &event, Duration::ZERO).await
    }

    async fn wait_for(&self, session: &SessionKey, event: &EventKey, wait: Duration) -> Ack {
        let ids = json!({"session": session.as_str(), "event": event.as_str()});
        let looked = tokio::time::timeout(wait.max(Duration::from_millis(1)), async {
            loop {
                match self.answer(session, event).await {
                    Ok(Some(answer)) => return Ok(Some(answer)),
                    Ok(None) if wait.is_zero() => return Ok(None),
                    Ok(None) => tokio::time::sleep(self.poll_every).await,
                    Err(error) => return Err(error),
                }
            }
        });
        match looked.await {
            Ok(Ok(Some(reply))) => {
                let mut answer = ids;
                if let Some(answer) = answer.as_object_mut() {
                    answer.insert("reply".into(), reply.into());
                }
                json_ack(StatusCode::OK, &answer)
            }
            Ok(Ok(None)) | Err(_) => json_ack(StatusCode::ACCEPTED, &ids),
            Ok(Err(error)) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    /// The answer to an event, once its turn is finished. Silence is an empty answer.
    async fn answer(&self, session: &SessionKey, event: &EventKey) -> Result<Option<String>, StoreError> {
        let Some(head) = self.sessions.head(session).await? else { return Ok(None) };
        // Under the second name if the first was put aside.
        let again = event.again();
        let Some(event) = [event, &again].into_iter().find(|event| head.finished(event)) else { return Ok(None) };
        let Some(accepted) = self.sessions.accepted(session, event).await? else { return Ok(None) };
        let entries = self.sessions.history(session, accepted.turn.saturating_sub(1), 200).await?;
        let parts = entries.iter().filter(|entry| entry.turn == accepted.turn).find_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) => answer.outbox.clone(),
            _ => None,
        });
        Ok(parts.map(|parts| parts.join("\n\n")))
    }
}

/// Whether the request carries the key, compared in constant time.
fn bearer_matches(headers: &HeaderMap, expected: &Secret) -> bool {
    let mut given = headers.get_all(http::header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return false };
    let Some(key) = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")) else { return false };
    is_secret(key, expected)
}

fn url_query(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}

fn json_ack(status: StatusCode, value: &Value) -> Ack {
    Ack { status, ..Ack::json(value) }
}

fn problem(status: StatusCode, what: &str) -> Ack {
    json_ack(status, &json!({"error": what}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(http::header::AUTHORIZATION, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_the_one_right_key_opens() {
        let key = Secret::new("k3y");
        assert!(bearer_matches(&headers(&["Bearer k3y"]), &key));
        for wrong in [&["Bearer k3"][..], &["Bearer k3yy"], &["k3y"], &["Bearer k3y", "Bearer k3y"], &[], &["Bearer "]]
        {
            assert!(!bearer_matches(&headers(wrong), &key), "{wrong:?}");
        }
        assert!(!bearer_matches(&headers(&["Bearer "]), &Secret::new("")), "an empty key opens nothing");
    }
}
