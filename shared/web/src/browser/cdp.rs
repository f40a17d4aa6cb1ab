//! The DevTools protocol over one WebSocket: <https://chromedevtools.github.io/devtools-protocol/>.
//!
//! Nothing runs beside the calls: what the browser tells is heard while an answer is awaited.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Uri;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_websockets::{ClientBuilder, Limits, Message, WebSocketStream};

use crate::browser::dial::{Line, dial};

/// Largest message: a screenshot of a large page.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Longest wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum CdpError {
    /// The connection is gone, and with it the page.
    Lost(String),
    /// The browser refuses this call; others may work.
    Refused(String),
}

/// What the browser tells unasked.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
    /// Of which page or frame.
    pub(crate) session: String,
}

/// A connection to a browser.
pub(crate) struct Cdp {
    socket: WebSocketStream<Line>,
    last: u64,
}

enum Said {
    Answer(u64, Result<Value, String>),
    Event(Event),
}

impl Cdp {
    /// Connects to a browser of this machine.
    pub(crate) async fn local(door: &(SocketAddr, String)) -> Result<Self, String> {
        let (address, path) = door;
        let cannot = |error: &dyn std::fmt::Display| format!("Chromium does not answer: {error}.");
        let uri: Uri = format!("ws://{address}{path}").parse().map_err(|error| cannot(&error))?;
        let socket = TcpStream::connect(address).await.map_err(|error| cannot(&error))?;
        let socket: Line = Box::new(socket);
        let builder = ClientBuilder::from_uri(uri).limits(Limits::default().max_payload_len(Some(MESSAGE_BYTES)));
        let (socket, _) = builder.connect_on(socket).await.map_err(|error| cannot(&error))?;
        Ok(Self { socket, last: 0 })
    }

    /// Connects to a browser elsewhere.
    pub(crate) async fn remote(http: &chela_http::HttpClient, url: &str, nonce: &str) -> Result<Self, String> {
        let line = dial(http, url, nonce).await?;
        let builder = ClientBuilder::new().limits(Limits::default().max_payload_len(Some(MESSAGE_BYTES)));
        Ok(Self { socket: builder.take_over(line), last: 0 })
    }

    /// Says something and awaits no answer.
    pub(crate) async fn tell(&mut self, session: &str, method: &str, params: Value) -> Result<u64, CdpError> {
        self.last = self.last.saturating_add(1);
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !session.is_empty()
            && let Some(fields) = message.as_object_mut()
        {
            fields.insert("sessionId".to_owned(), session.into());
        }
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .map_err(|error| CdpError::Lost(error.to_string()))?;
        Ok(self.last)
    }

    /// What is told next: an event, or the answer to `awaited`; answers that nobody awaits are passed over.
    pub(crate) async fn next(&mut self, awaited: u64, deadline: Instant) -> Result<Heard, CdpError> {
        loop {
            let Ok(message) = tokio::time::timeout_at(deadline, self.socket.next()).await else {
                return Ok(Heard::Nothing);
            };
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(CdpError::Lost(error.to_string())),
                None => return Err(CdpError::Lost("it has closed the connection".to_owned())),
            };
            match message.as_text().and_then(read) {
                Some(Said::Event(event)) => return Ok(Heard::Event(event)),
                Some(Said::Answer(id, answer)) if id == awaited => {
                    return answer.map(Heard::Answer).map_err(CdpError::Refused);
                }
                _ => {}
            }
        }
    }

    /// When an answer would be too late.
    pub(crate) fn deadline() -> Instant {
        Instant::now() + ANSWER_WITHIN
    }
}

/// What came.
pub(crate) enum Heard {
    Answer(Value),
    Event(Event),
    /// Nothing in time.
    Nothing,
}

fn read(text: &str) -> Option<Said> {
    let mut message: Value = serde_json::from_str(text).ok()?;
    let mut take = |key: &str| message.get_mut(key).map(Value::take);
    if let Some(id) = take("id").and_then(|id| id.as_u64()) {
        let answer = match take("error") {
            Some(error) => Err(error.get("message").and_then(Value::as_str).unwrap_or("no reason").to_owned()),
            None => Ok(take("result").unwrap_or_default()),
        };
        return Some(Said::Answer(id, answer));
    }
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let method = text(take("method"));
    let session = text(take("sessionId"));
    Some(Said::Event(Event { method, params: take("params").unwrap_or_default(), session }))
}
