//! How a stream is cut into events.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::{HeaderValue, Message};
use bytes::{Buf as _, BytesMut};
use chela_http::sse::Events;

/// Longest event taken that is not one of server-sent events, which have their own limit.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// The wire of one answer.
pub(crate) enum Framing {
    /// Server-sent events.
    Sse(Events),
    /// A JSON object on each line.
    Lines(Vec<u8>),
    /// AWS event streams: <https://smithy.io/2.0/aws/amazon-eventstream.html>. An event becomes `{"<its type>": …}`.
    Aws(BytesMut),
}

/// The bytes are none of this framing, or an event never ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled(pub(crate) &'static str);

impl Framing {
    pub(crate) fn sse() -> Self {
        Self::Sse(Events::default())
    }

    /// What the request accepts.
    pub(crate) fn accepts(&self) -> &'static str {
        match self {
            Self::Sse(_) => "text/event-stream",
            Self::Lines(_) => "application/x-ndjson",
            Self::Aws(_) => "application/vnd.amazon.eventstream",
        }
    }

    /// The events that these bytes complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, Garbled> {
        const ENDLESS: Garbled = Garbled("it sends an endless event");
        match self {
            Self::Sse(events) => events.push(bytes).map_err(|_| ENDLESS),
            Self::Lines(open) => {
                open.extend_from_slice(bytes);
                let mut events = Vec::new();
                while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
                    let rest = open.split_off(end.saturating_add(1));
                    events.extend(line(&std::mem::replace(open, rest)));
                }
                if open.len() > MAX_EVENT { Err(ENDLESS) } else { Ok(events) }
            }
            Self::Aws(open) => {
                open.extend_from_slice(bytes);
                let mut events = Vec::new();
                while let Some(event) = next_message(open)? {
                    events.push(event);
                }
                if open.len() > MAX_EVENT { Err(ENDLESS) } else { Ok(events) }
            }
        }
    }

    /// What the end of the stream completes.
    pub(crate) fn finish(&mut self) -> Option<String> {
        match self {
            Self::Sse(events) => events.finish(),
            Self::Lines(open) => line(&std::mem::take(open)),
            Self::Aws(_) => None,
        }
    }
}

fn line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn next_message(open: &mut BytesMut) -> Result<Option<String>, Garbled> {
    const TORN: Garbled = Garbled("its event stream is garbled");
    // The decoder takes what it cannot use yet out of the buffer, so it looks at a whole message or at none.
    let Some(length) = open.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)) else { return Ok(None) };
    let length = usize::try_from(length).map_err(|_| TORN)?;
    if length > MAX_EVENT {
        return Err(TORN);
    }
    let Some(message) = open.get(..length) else { return Ok(None) };
    let decoded = MessageFrameDecoder::new().decode_frame(message).map_err(|_| TORN)?;
    open.advance(length);
    let DecodedFrame::Complete(message) = decoded else { return Err(TORN) };
    Ok(Some(event_of(&message)))
}

/// `{"contentBlockDelta": {…}}`, or `{"exception": {"type": "throttlingException", "message": "…"}}`.
fn event_of(message: &Message) -> String {
    let header = |name: &str| {
        let found = message.headers().iter().find(|header| header.name().as_str() == name).map(|header| header.value());
        match found {
            Some(HeaderValue::String(text)) => text.as_str().to_owned(),
            _ => String::new(),
        }
    };
    let payload = String::from_utf8_lossy(message.payload());
    if header(":message-type") == "event" {
        let payload = if payload.trim().is_empty() { "{}".into() } else { payload };
        return format!("{{{}:{payload}}}", serde_json::Value::from(header(":event-type")));
    }
    let said = serde_json::from_str::<serde_json::Value>(&payload).unwrap_or_default();
    let words = said.get("message").and_then(serde_json::Value::as_str).map(str::to_owned);
    let kind = [header(":exception-type"), header(":error-code")].concat();
    let words = words.unwrap_or_else(|| header(":error-message"));
    serde_json::json!({"exception": {"type": kind, "message": words}}).to_string()
}
