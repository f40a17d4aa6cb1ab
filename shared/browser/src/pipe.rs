//! The DevTools protocol over two pipes: <https://chromedevtools.github.io/devtools-protocol/>. No port is open for it, and
//! whoever holds the pipes is the only one who can use them.
//!
//! Nothing runs beside the calls: what the browser tells is heard while an answer is awaited.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::{Duration, Instant};

/// Largest message: the tree of a large page.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Longest wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum CdpError {
    /// The browser is gone, and with it its pages.
    Lost(String),
    /// The browser refuses this call; others may work.
    Refused(String),
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

/// A browser's two pipes.
pub(crate) struct Pipe {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// The message that is being read: a wait that is given up loses nothing of it.
    half: Vec<u8>,
    /// Whether a message is being written. One that was given up in the middle leaves the pipe of no use.
    writing: bool,
    last: u64,
}

enum Said {
    Answer(u64, Result<Value, String>),
    Event(Event),
}

impl Pipe {
    pub(crate) fn new(to: ChildStdin, from: ChildStdout) -> Self {
        Self { to, from: BufReader::with_capacity(64 * 1024, from), half: Vec::new(), writing: false, last: 0 }
    }

    /// Says something and awaits no answer: the number of the call.
    pub(crate) async fn tell(&mut self, session: &str, method: &str, params: Value) -> Result<u64, CdpError> {
        if self.writing {
            return Err(CdpError::Lost("it did not listen".to_owned()));
        }
        self.last = self.last.saturating_add(1);
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !session.is_empty()
            && let Some(fields) = message.as_object_mut()
        {
            fields.insert("sessionId".to_owned(), session.into());
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.writing = true;
        self.to.write_all(&bytes).await.map_err(|error| CdpError::Lost(error.to_string()))?;
        self.writing = false;
        Ok(self.last)
    }

    /// What is told next: an event, or the answer to `awaited`. Answers to other calls are passed over.
    pub(crate) async fn next(&mut self, awaited: u64, deadline: Instant) -> Result<Heard, CdpError> {
        loop {
            let Ok(message) = tokio::time::timeout_at(deadline, self.message()).await else {
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

    async fn message(&mut self) -> Result<Vec<u8>, CdpError> {
        loop {
            let lost = |error: std::io::Error| CdpError::Lost(error.to_string());
            let piece = self.from.fill_buf().await.map_err(lost)?;
            if piece.is_empty() {
                return Err(CdpError::Lost("it has ended".to_owned()));
            }
            let end = piece.iter().position(|byte| *byte == 0);
            self.half.extend_from_slice(piece.get(..end.unwrap_or(piece.len())).unwrap_or_default());
            let taken = end.map_or(piece.len(), |end| end.saturating_add(1));
            self.from.consume(taken);
            if self.half.len() > MESSAGE_BYTES {
                return Err(CdpError::Lost("it says too much at once".to_owned()));
            }
            if end.is_some() {
                return Ok(std::mem::take(&mut self.half));
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
