//! What people say to the account.

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};

use crate::address::Means;
use crate::event::{Event, Kind, Message, Posted, Source};
use crate::{ID, mention};

/// Reads the posts of one account.
pub(crate) struct Reader {
    /// The account's name in our configuration.
    pub(crate) account: String,
    /// Whether answers may use reply tokens.
    pub(crate) reply_tokens: bool,
}

impl Reader {
    pub(crate) fn parse(&self, request: &RawRequest) -> Result<Parsed, Rejected> {
        let posted: Posted =
            serde_json::from_slice(&request.body).map_err(|_| Rejected::Malformed("the body has no list of events"))?;
        let mut messages = Vec::new();
        for event in posted.events {
            let kind = Kind::deserialize_from(&event)?;
            if kind.mode == "standby" {
                continue;
            }
            let kind = match kind.name.as_str() {
                "message" => InboundKind::Message,
                "messageEdited" => InboundKind::Edited,
                "postback" => InboundKind::Button,
                _ => continue,
            };
            let event: Event = serde_json::from_value(event)
                .map_err(|_| Rejected::Malformed("an event is not as the Messaging API documents it"))?;
            messages.extend(self.read(event, kind, request.received_at)?);
        }
        Ok(Parsed::said(messages, Ack::empty()))
    }

    /// What the event says to us, if it says anything.
    fn read(&self, event: Event, kind: InboundKind, arrived: Millis) -> Result<Option<Inbound>, Rejected> {
        if event.webhook_event_id.is_empty() {
            return Err(Rejected::Malformed("an event has no id"));
        }
        let Some((peer, sender)) = event.source.and_then(place) else { return Ok(None) };
        let said = match (&event.message, event.postback) {
            (_, Some(postback)) if kind == InboundKind::Button => {
                Said { text: postback.data, to_us: true, media: Vec::new() }
            }
            (Some(message), _) if kind != InboundKind::Button => match content(message)? {
                Some(said) => said,
                None => return Ok(None),
            },
            _ => return Err(Rejected::Malformed("an event lacks what it is about")),
        };
        let sent_at = Millis(event.timestamp);
        let direct = peer.kind == PeerKind::Direct;
        let mut means = Means {
            reply: event.reply_token.filter(|_| self.reply_tokens).map(|token| (sent_at, token)),
            // Alone with us, a person sees what an answer belongs to.
            quote: event.message.as_ref().and_then(|message| message.quote_token.clone()).filter(|_| !direct),
        };
        // Of a redelivery: no attempt will ever use it, so that no part can be in doubt because of it.
        if means.young_reply(arrived).is_none() {
            means.reply = None;
        }
        Ok(Some(Inbound {
            channel: ID.to_owned(),
            account: self.account.clone(),
            event_id: event.webhook_event_id,
            reply_to: ReplyAddress {
                channel: ID.to_owned(),
                account: self.account.clone(),
                to: peer.id.clone(),
                thread: None,
                message: means.written(),
            },
            addressed: direct || said.to_us,
            peer,
            parent_peer: None,
            thread: None,
            sender: Sender { id: sender, name: None },
            message_id: event.message.map(|message| message.id),
            text: said.text,
            kind,
            media: said.media,
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at,
        }))
    }
}

impl Kind {
    fn deserialize_from(event: &serde_json::Value) -> Result<Self, Rejected> {
        serde::Deserialize::deserialize(event).map_err(|_| Rejected::Malformed("an event has no type"))
    }
}

/// The conversation, and the id of who spoke; `None` for places nobody has heard of. Who lets no account know them is
/// the room they spoke in.
fn place(source: Source) -> Option<(Peer, String)> {
    let (kind, id) = match source.kind.as_str() {
        "user" => (PeerKind::Direct, source.user_id.clone()),
        "group" => (PeerKind::Group, source.group_id),
        "room" => (PeerKind::Group, source.room_id),
        _ => return None,
    };
    let id = id.filter(|id| !id.is_empty())?;
    let sender = source.user_id.filter(|user| !user.is_empty()).unwrap_or_else(|| id.clone());
    Some((Peer { kind, id }, sender))
}

/// What a message says.
struct Said {
    text: String,
    to_us: bool,
    media: Vec<Media>,
}

/// The content of a message; `None` for kinds nobody has heard of.
fn content(message: &Message) -> Result<Option<Said>, Rejected> {
    if message.id.is_empty() {
        return Err(Rejected::Malformed("a message has no id"));
    }
    let plain = |text: String| Some(Said { text, to_us: false, media: Vec::new() });
    Ok(match message.kind.as_str() {
        "text" => {
            let text = message.text.as_deref().ok_or(Rejected::Malformed("a text message has no text"))?;
            let mentionees = message.mention.as_ref().map(|mention| mention.mentionees.as_slice());
            let (text, to_us) = mention::read(text, mentionees.unwrap_or_default());
            Some(Said { text, to_us, media: Vec::new() })
        }
        "image" | "video" | "audio" | "file" => match external(message) {
            // Kept by somebody else, whose server we ask nothing of our own accord.
            Some(url) => plain(format!("[{}: {url}]", message.kind)),
            None => Some(Said { text: String::new(), to_us: false, media: vec![media(message)] }),
        },
        "sticker" => plain(sticker(message)),
        "location" => plain(location(message)),
        _ => None,
    })
}

/// Where a file is that LINE does not keep: a web app of its sender does.
fn external(message: &Message) -> Option<&str> {
    let provider = message.content_provider.as_ref().filter(|provider| provider.kind == "external")?;
    provider.original_content_url.as_deref()
}

fn media(message: &Message) -> Media {
    // LINE says only the kind, and keeps each kind in one format, but for files.
    let content_type = match message.kind.as_str() {
        "image" => Some("image/jpeg"),
        "video" => Some("video/mp4"),
        "audio" => Some("audio/x-m4a"),
        _ => None,
    };
    Media {
        missing: None,
        reference: message.id.clone(),
        content_type: content_type.map(str::to_owned),
        name: message.file_name.clone(),
        size: message.file_size,
    }
}

/// What the sender wrote on it, else what it shows.
fn sticker(message: &Message) -> String {
    match message.text.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => format!("[sticker: {text}]"),
        None if message.keywords.is_empty() => "[sticker]".to_owned(),
        None => format!("[sticker: {}]", message.keywords.join(", ")),
    }
}

fn location(message: &Message) -> String {
    let at = message.latitude.zip(message.longitude).map(|(latitude, longitude)| format!("{latitude}, {longitude}"));
    let words = [message.title.clone(), message.address.clone(), at];
    format!("[location: {}]", words.into_iter().flatten().collect::<Vec<_>>().join("; "))
}
