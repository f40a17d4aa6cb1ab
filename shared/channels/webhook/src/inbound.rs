//! What the other side says: `{"type":"message","timestamp":…,"data":{…}}`.

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind, names_another};
use serde::Deserialize;

use crate::setup::Callbacks;
use crate::verify::{ID_HEADER, TIMESTAMP_HEADER};
use crate::{ID, outbound};

/// Only what is read: unknown fields are the other side's business.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    data: Option<Box<serde_json::value::RawValue>>,
}

#[derive(Deserialize)]
struct Message {
    message_id: Option<String>,
    sender: Author,
    chat: Option<Chat>,
    thread_id: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    mentioned: bool,
    #[serde(default)]
    attachments: Vec<Attachment>,
    callback_url: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    id: String,
    name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct Chat {
    id: String,
    #[serde(rename = "type")]
    kind: ChatKind,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ChatKind {
    Dm,
    Group,
}

#[derive(Deserialize)]
struct Attachment {
    url: String,
    content_type: Option<String>,
    name: Option<String>,
    size: Option<u64>,
}

pub(crate) fn parse(request: &RawRequest, account: &str, callbacks: &Callbacks) -> Result<Parsed, Rejected> {
    let event: Event =
        serde_json::from_slice(&request.body).map_err(|_| Rejected::Malformed("the body is no JSON event"))?;
    let kind = match event.kind.as_str() {
        "message" => InboundKind::Message,
        "message.edited" => InboundKind::Edited,
        // Also our own "reply", should somebody send it back.
        _ => return Ok(Parsed::nothing()),
    };
    let data = event.data.ok_or(Rejected::Malformed("data is missing"))?;
    let message: Message = serde_json::from_str(data.get())
        .map_err(|_| Rejected::Malformed("data lacks sender.id, or a field of it has another type than documented"))?;
    if message.sender.bot {
        return Ok(Parsed::nothing());
    }
    let event_id = request.single_header(ID_HEADER)?.to_owned();
    let sent_at = written_at(event.timestamp.as_deref(), request)?;
    let (peer, chat) = peer_of(&message);
    if [&peer.id, &chat, &message.sender.id].iter().any(|id| id.is_empty() || id.chars().any(char::is_control)) {
        return Err(Rejected::Malformed("an id is empty or has control characters"));
    }
    if names_another(&peer.id) {
        return Err(Rejected::Malformed("an id has spaces around it or reads like a thread of another chat"));
    }
    if message.callback_url.is_some() {
        callbacks.place(message.callback_url.as_deref()).map_err(Rejected::Malformed)?;
    }
    let reply_to = ReplyAddress {
        channel: ID.to_owned(),
        account: account.to_owned(),
        to: outbound::address(&chat, message.callback_url.as_deref()),
        thread: message.thread_id.clone(),
        message: message.message_id,
    };
    let inbound = Inbound {
        message_id: None,
        channel: ID.to_owned(),
        account: account.to_owned(),
        event_id,
        addressed: peer.kind == PeerKind::Direct || message.mentioned,
        peer,
        parent_peer: None,
        thread: message.thread_id,
        sender: Sender { id: message.sender.id, name: message.sender.name },
        text: message.text,
        kind,
        media: message.attachments.into_iter().map(media).collect(),
        guild: None,
        team: None,
        roles: Vec::new(),
        sent_at,
        reply_to,
    };
    Ok(Parsed::said(vec![inbound], Ack::empty()))
}

/// A direct chat is the person, whatever the other side calls the chat; a message without a chat is direct.
fn peer_of(message: &Message) -> (Peer, String) {
    let sender = &message.sender.id;
    match &message.chat {
        Some(chat) if chat.kind == ChatKind::Group => {
            (Peer { kind: PeerKind::Group, id: chat.id.clone() }, chat.id.clone())
        }
        chat => {
            let chat = chat.as_ref().map_or(sender, |chat| &chat.id);
            (Peer { kind: PeerKind::Direct, id: sender.clone() }, chat.clone())
        }
    }
}

/// The event's own time; where it has none, the time of this attempt.
fn written_at(timestamp: Option<&str>, request: &RawRequest) -> Result<Millis, Rejected> {
    if let Some(text) = timestamp {
        let time: jiff::Timestamp = text.parse().map_err(|_| Rejected::Malformed("timestamp is not RFC 3339"))?;
        return Ok(Millis(u64::try_from(time.as_millisecond()).unwrap_or(0)));
    }
    let seconds: u64 = request.single_header(TIMESTAMP_HEADER)?.parse().unwrap_or(0);
    Ok(Millis(seconds.saturating_mul(1000)))
}

fn media(attachment: Attachment) -> Media {
    Media {
        missing: None,
        reference: attachment.url,
        content_type: attachment.content_type,
        name: attachment.name,
        size: attachment.size,
    }
}
