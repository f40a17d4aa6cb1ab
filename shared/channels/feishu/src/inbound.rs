//! Events of schema 2.0, and the handshake.
//! <https://open.feishu.cn/document/server-docs/im-v1/message/events/receive>

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::card::Pressed;
use crate::content::{self, Mention, Said};
use crate::encryption::opened;
use crate::settings::Settings;
use crate::{ID, PERSON, is_id};

/// The type of the handshake.
pub(crate) const URL_VERIFICATION: &str = "url_verification";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    challenge: Option<String>,
    header: Option<Header>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Header {
    event_id: Option<String>,
    event_type: Option<String>,
}

#[derive(Deserialize)]
struct Received {
    sender: Author,
    message: Message,
}

#[derive(Deserialize)]
struct Author {
    sender_id: Option<Ids>,
    sender_type: Option<String>,
}

#[derive(Deserialize)]
struct Ids {
    open_id: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    message_id: String,
    root_id: Option<String>,
    thread_id: Option<String>,
    create_time: Option<String>,
    chat_id: String,
    chat_type: Option<String>,
    message_type: Option<String>,
    content: Option<String>,
    mentions: Option<Vec<Mention>>,
}

#[derive(Deserialize)]
struct CardAction {
    operator: Ids,
    action: Option<Action>,
    context: Option<Context>,
}

#[derive(Deserialize)]
struct Action {
    value: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Context {
    open_message_id: Option<String>,
    open_chat_id: Option<String>,
}

/// Reads a post. Events of other types are acknowledged.
pub(crate) fn parse(account: &str, settings: &Settings, request: &RawRequest) -> Result<Parsed, Rejected> {
    let body = opened(&request.body, settings.proof.encrypt_keys.as_ref())
        .ok_or(Rejected::Malformed("the body is no JSON object, or encrypted with another key"))?;
    let envelope: Envelope<'_> =
        serde_json::from_slice(&body).map_err(|_| Rejected::Malformed("the body is not an event of Feishu"))?;
    if envelope.kind.as_deref() == Some(URL_VERIFICATION) {
        let challenge = envelope.challenge.ok_or(Rejected::Malformed("the handshake has no challenge"))?;
        return Ok(Parsed::answered(Ack::json(&json!({ "challenge": challenge }))));
    }
    let Some(Header { event_id, event_type: Some(kind) }) = envelope.header else {
        // Schema 1.0, which new apps cannot subscribe to.
        return Ok(Parsed::answered(taken()));
    };
    let reader = Reader { account, settings, now: request.received_at };
    let event = || {
        let event_id = event_id.filter(|id| !id.is_empty()).ok_or(Rejected::Malformed("the event has no id"))?;
        Ok((event_id, envelope.event.ok_or(Rejected::Malformed("the event says nothing"))?.get()))
    };
    match kind.as_str() {
        "im.message.receive_v1" => {
            let (event_id, event) = event()?;
            Ok(Parsed::said(reader.message(event_id, event)?.into_iter().collect(), taken()))
        }
        "card.action.trigger" => {
            let (event_id, event) = event()?;
            // An empty object leaves the card as it is.
            Ok(Parsed::said(reader.button(event_id, event)?.into_iter().collect(), Ack::json(&json!({}))))
        }
        _ => Ok(Parsed::answered(taken())),
    }
}

/// What Feishu's own SDKs answer to an event.
fn taken() -> Ack {
    Ack::json(&json!({ "msg": "success" }))
}

struct Reader<'a> {
    account: &'a str,
    settings: &'a Settings,
    now: Millis,
}

impl Reader<'_> {
    fn message(&self, event_id: String, event: &str) -> Result<Option<Inbound>, Rejected> {
        let Received { sender, message } =
            serde_json::from_str(event).map_err(|_| Rejected::Malformed("the message is not what Feishu documents"))?;
        // Apps, our own among them, and the system.
        if sender.sender_type.as_deref() != Some("user") {
            return Ok(None);
        }
        let author = identity(sender.sender_id)?;
        if !is_id(&message.message_id) || !is_id(&message.chat_id) {
            return Err(Rejected::Malformed("the message has no id, or no chat"));
        }
        let mentions = message.mentions.unwrap_or_default();
        let us = self.settings.bot_open_id.as_deref();
        let (kind, content) = (message.message_type.unwrap_or_default(), message.content.unwrap_or_default());
        let Some(Said { text, media, mentions_us }) =
            content::read(&message.message_id, &kind, &content, &mentions, us)?
        else {
            return Ok(None);
        };
        let direct = message.chat_type.as_deref() == Some("p2p");
        // A reply goes to a message, so a thread is known here by its first one. A reply outside of a thread has a first
        // message too, but its chat is no conversation of its own.
        let root = message.root_id.filter(|root| is_id(root)).unwrap_or_else(|| message.message_id.clone());
        let thread = message.thread_id.filter(|thread| !thread.is_empty()).map(|_| root);
        let reply_to = ReplyAddress {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            to: if direct { author.clone() } else { message.chat_id.clone() },
            thread: thread.clone(),
            message: (!direct).then(|| message.message_id.clone()),
        };
        Ok(Some(Inbound {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            event_id,
            peer: peer(direct, &author, &message.chat_id),
            parent_peer: None,
            thread: thread.filter(|_| !direct),
            sender: Sender { id: author, name: None },
            message_id: Some(message.message_id),
            text,
            kind: InboundKind::Message,
            addressed: direct || mentions_us,
            media,
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at: millis(message.create_time.as_deref()).unwrap_or(self.now),
            reply_to,
        }))
    }

    /// A pressed button of a card of ours. Feishu does not tell what kind of chat it is in; the button does, and holds only
    /// for the person or in the chat it was made for.
    fn button(&self, event_id: String, event: &str) -> Result<Option<Inbound>, Rejected> {
        let CardAction { operator, action, context } =
            serde_json::from_str(event).map_err(|_| Rejected::Malformed("the action is not what Feishu documents"))?;
        let Some(pressed) = action.and_then(|action| action.value).and_then(|value| Pressed::read(&value)) else {
            return Ok(None);
        };
        let thread = pressed.thread.filter(|root| is_id(root));
        let person = identity(Some(operator))?;
        let context = context.ok_or(Rejected::Malformed("the action has no context"))?;
        let chat = context.open_chat_id.filter(|chat| is_id(chat));
        let chat = chat.ok_or(Rejected::Malformed("the action was done in no chat"))?;
        let direct = pressed.to.starts_with(PERSON);
        if pressed.to != if direct { person.as_str() } else { chat.as_str() } {
            return Err(Rejected::Malformed("the button is for another chat"));
        }
        let card = context.open_message_id.filter(|id| is_id(id));
        let reply_to = ReplyAddress {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            to: pressed.to,
            thread: thread.clone(),
            message: card.clone().filter(|_| !direct),
        };
        Ok(Some(Inbound {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            event_id,
            peer: peer(direct, &person, &chat),
            parent_peer: None,
            thread: thread.filter(|_| !direct),
            sender: Sender { id: person, name: None },
            message_id: card,
            text: pressed.value,
            kind: InboundKind::Button,
            addressed: true,
            media: Vec::new(),
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at: self.now,
            reply_to,
        }))
    }
}

fn peer(direct: bool, person: &str, chat: &str) -> Peer {
    if direct { Peer::new(PeerKind::Direct, person) } else { Peer::new(PeerKind::Group, chat) }
}

fn identity(ids: Option<Ids>) -> Result<String, Rejected> {
    let id = ids.and_then(|ids| ids.open_id).filter(|id| is_id(id));
    id.ok_or(Rejected::Malformed("somebody without an open_id"))
}

fn millis(text: Option<&str>) -> Option<Millis> {
    text?.parse().ok().filter(|at| *at > 0).map(Millis)
}
