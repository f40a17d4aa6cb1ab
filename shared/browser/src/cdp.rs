//! The DevTools protocol: <https://chromedevtools.github.io/devtools-protocol/>.
//!
//! Nothing runs beside the calls: what the browser tells is heard while an answer is awaited.

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

/// Longest wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Largest message: the tree of a large page.
pub(crate) const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum CdpError {
    /// The browser is gone, and with it its pages.
    Lost(String),
    /// The browser refuses this call; others may work.
    Refused(String),
}

/// A connection with a browser that has nobody else's pages of ours. What was opened on it ends with it.
#[async_trait]
pub(crate) trait Wire: Send {
    /// Says one message.
    async fn send(&mut self, message: String) -> Result<(), CdpError>;

    /// The next message. A wait that is given up loses nothing of it.
    async fn receive(&mut self) -> Result<Vec<u8>, CdpError>;

    /// What a browser that was lost said itself, if it said something.
    fn complaint(&self) -> Option<String>;

    /// Ends it, and the browser with it if it is ours.
    async fn end(self: Box<Self>);
}

/// What the browser tells unasked.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
    /// Of which page.
    pub(crate) session: String,
}

/// What came.
pub(crate) enum Heard {
    Answer(Value),
    Event(Event),
    /// Nothing in time.
    Nothing,
}

/// Calls and answers on a wire.
pub(crate) struct Talk {
    pub(crate) wire: Box<dyn Wire>,
    last: u64,
}

enum Said {
    Answer(u64, Result<Value, String>),
    Event(Event),
}

impl Talk {
    pub(crate) fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire, last: 0 }
    }

    /// Says something and awaits no answer: the number of the call.
    pub(crate) async fn tell(&mut self, session: &str, method: &str, params: Value) -> Result<u64, CdpError> {
        self.last = self.last.saturating_add(1);
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !session.is_empty()
            && let Some(fields) = message.as_object_mut()
        {
            fields.insert("sessionId".to_owned(), session.into());
        }
        self.wire.send(message.to_string()).await?;
        Ok(self.last)
    }

    /// What is told next: an event, or the answer to `awaited`. Answers to other calls are passed over. A wait that is given
    /// up loses nothing.
    pub(crate) async fn next(&mut self, awaited: u64, deadline: Instant) -> Result<Heard, CdpError> {
        loop {
            let Ok(message) = tokio::time::timeout_at(deadline, self.wire.receive()).await else {
                return Ok(Heard::Nothing);
            };
            match read(&message?) {
                Some(Said::Event(event)) => return Ok(Heard::Event(event)),
                Some(Said::Answer(id, answer)) if id == awaited => {
                    return answer.map(Heard::Answer).map_err(CdpError::Refused);
                }
                Some(Said::Answer(..)) | None => {}
            }
        }
    }

    /// When an answer would be too late.
    pub(crate) fn deadline() -> Instant {
        Instant::now() + ANSWER_WITHIN
    }
}

fn read(message: &[u8]) -> Option<Said> {
    let mut message: Value = serde_json::from_slice(message).ok()?;
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
