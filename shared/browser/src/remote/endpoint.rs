//! Where a browser elsewhere is spoken with.

use std::fmt;
use std::time::Duration;

use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, Request};
use serde_json::Value;
use tokio_websockets::{ClientBuilder, Error, Limits, upgrade};

use super::socket::Socket;
use crate::cdp::{MESSAGE_BYTES, Wire};

/// Where a Chromium says which of its addresses is the browser's:
/// <https://chromedevtools.github.io/devtools-protocol/#endpoints>.
const DISCOVERY: &str = "/json/version";

/// Largest answer from there.
const DISCOVERY_BYTES: usize = 64 * 1024;

/// Longest way to a browser. A service may have to start one first.
const WITHIN: Duration = Duration::from_secs(15);

/// The address of a browser's DevTools. Path and query may hold a token: neither is ever shown.
pub struct Endpoint {
    /// Scheme, as requests have it, host and port.
    origin: String,
    place: HostPort,
    path: Secret,
    query: Secret,
    /// Whether the browser's own path has to be asked for.
    asks: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Endpoint({})", self.origin)
    }
}

impl Endpoint {
    /// Reads `ws://` and `wss://`, which are the browser itself, and `http://` and `https://`, where it is asked for. The error
    /// says what is wrong, and nothing of the address.
    pub fn read(url: &Secret) -> Result<Self, String> {
        let text = url.expose().trim();
        let (scheme, rest) = text.split_once("://").ok_or("it must begin with wss://, ws://, https:// or http://")?;
        let (scheme, asks) = match scheme.to_ascii_lowercase().as_str() {
            "ws" => ("http", false),
            "wss" => ("https", false),
            "http" => ("http", true),
            "https" => ("https", true),
            _ => return Err("it must begin with wss://, ws://, https:// or http://".to_owned()),
        };
        if text.contains('#') {
            return Err("nothing may stand behind a #".to_owned());
        }
        let (authority, path, query) = parts(rest);
        let origin = format!("{scheme}://{authority}");
        let place = HostPort::of_url(&origin).map_err(|error| error.to_string())?;
        Ok(Self { origin, place, path: Secret::new(path), query: Secret::new(query), asks })
    }

    /// The host and port that are spoken to, and no others.
    pub(crate) fn place(&self) -> &HostPort {
        &self.place
    }

    /// Connects. `http` may reach this place.
    pub(crate) async fn connect(&self, http: &HttpClient) -> Result<Box<dyn Wire>, String> {
        let target = if self.asks { self.discovered(http).await? } else { self.target(self.path.expose(), "") };
        let open = async {
            let line = http.dial(&self.origin).await.map_err(|error| format!("{error}."))?;
            let builder = ClientBuilder::new().uri(target.expose());
            let builder = builder.map_err(|_| self.says("has a malformed address"))?;
            let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES));
            let opened = builder.limits(limits).connect_on(line).await;
            opened.map_err(|error| self.says(&declined(&error)))
        };
        match tokio::time::timeout(WITHIN, open).await {
            Ok(opened) => Ok(Box::new(Socket::new(opened?.0))),
            Err(_) => Err(self.says("does not answer in time")),
        }
    }

    /// The browser's own address, as the endpoint tells it. Of that only the path is taken: a browser behind a port that is
    /// mapped calls itself 127.0.0.1, and one that lies would lead us into our own network.
    async fn discovered(&self, http: &HttpClient) -> Result<Secret, String> {
        let (path, query) = (self.path.expose().trim_end_matches('/'), self.query.expose());
        let path = path.strip_suffix(DISCOVERY).unwrap_or(path);
        let ask = if query.is_empty() { String::new() } else { format!("?{query}") };
        let url = format!("{}{path}{DISCOVERY}{ask}", self.origin);
        let answer =
            http.send(Request::get(url, WITHIN, DISCOVERY_BYTES)).await.map_err(|error| format!("{error}."))?;
        if !answer.status.is_success() {
            return Err(self.says(&format!("answers {} to {DISCOVERY}", answer.status.as_u16())));
        }
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let url = told.get("webSocketDebuggerUrl").and_then(Value::as_str).unwrap_or_default();
        let (_, rest) = url.split_once("://").ok_or_else(|| self.says("tells no webSocketDebuggerUrl"))?;
        let (_, path, query) = parts(rest);
        Ok(self.target(&path, &query))
    }

    /// A path here as a WebSocket. What the configured query holds comes behind its own.
    fn target(&self, path: &str, query: &str) -> Secret {
        let scheme = if self.origin.starts_with("https") { "wss" } else { "ws" };
        let (_, authority) = self.origin.split_once("://").unwrap_or_default();
        let queries: Vec<&str> = [query, self.query.expose()].into_iter().filter(|query| !query.is_empty()).collect();
        let ask = if queries.is_empty() { String::new() } else { format!("?{}", queries.join("&")) };
        Secret::new(format!("{scheme}://{authority}/{}{ask}", path.trim_start_matches('/')))
    }

    fn says(&self, what: &str) -> String {
        format!("The browser at {} {what}.", self.origin)
    }
}

/// Host with port, path and query of what stands behind a scheme.
fn parts(rest: &str) -> (&str, String, String) {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let tail = rest.strip_prefix(authority).unwrap_or_default();
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    (authority, path.to_owned(), query.to_owned())
}

fn declined(error: &Error) -> String {
    match error {
        Error::Upgrade(upgrade::Error::DidNotSwitchProtocols(status)) => {
            format!("answers {status} instead of a connection; is the token right?")
        }
        _ => "opens no connection for DevTools".to_owned(),
    }
}
