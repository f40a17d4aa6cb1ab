//! What people say to the bot: interactions, which Discord posts, and messages, which a bridge posts.

mod bridged;
mod interaction;

use chela_core::channel::{Ack, Parsed, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::ID;

/// The command whose text is a message like any other.
pub(crate) const ASK: &str = "ask";

/// Most characters that a button can give back.
/// <https://docs.discord.com/developers/components/reference#anatomy-of-a-component-custom-id>
pub(crate) const LONGEST_VALUE: usize = 100;

/// Begins the `custom_id` of a button whose value is too long for one: its label comes back instead.
pub(crate) const LABELLED: &str = "label#";

/// Shown to the sender alone. <https://docs.discord.com/developers/resources/message#message-object-message-flags>
const EPHEMERAL: u32 = 1 << 6;

/// What a sender reads who is not let in.
const NOT_LET_IN: &str = "I am not allowed to answer you here.";

/// Types of interactions.
/// <https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-interaction-type>
const PING: i64 = 1;
const COMMAND: i64 = 2;
const COMPONENT: i64 = 3;
const AUTOCOMPLETE: i64 = 4;
const MODAL: i64 = 5;

/// Types of answers.
/// <https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object-interaction-callback-type>
const PONG: u8 = 1;
const MESSAGE: u8 = 4;
const DEFERRED_MESSAGE: u8 = 5;
const DEFERRED_UPDATE: u8 = 6;
const CHOICES: u8 = 8;

/// One account's view of what comes in.
pub(crate) struct Reader<'a> {
    /// The account's name.
    pub(crate) account: &'a str,
    /// The bot's user, where it is known.
    pub(crate) bot: Option<&'a str>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: i64,
    /// Webhook events have one, and types of their own.
    event: Option<IgnoredAny>,
}

/// What all that comes in has in common once it is read.
struct Arrived {
    event_id: String,
    peer: Peer,
    parent: Option<Peer>,
    sender: Sender,
    message_id: Option<String>,
    text: String,
    kind: InboundKind,
    addressed: bool,
    media: Vec<Media>,
    guild: Option<String>,
    roles: Vec<String>,
    sent_at: Millis,
    to: String,
    answers: Option<String>,
}

impl Reader<'_> {
    /// Reads what Discord posted.
    pub(crate) fn posted(&self, body: &[u8]) -> Result<Parsed, Rejected> {
        let head: Head = serde_json::from_slice(body)
            .map_err(|_| Rejected::Malformed("the body is no interaction as Discord documents it"))?;
        match (head.kind, &head.event) {
            // Nobody subscribes us to webhook events; whoever did all the same gets the 204 they want.
            // https://docs.discord.com/developers/events/webhook-events#responding-to-events
            (0, None) | (_, Some(_)) => Ok(Parsed::answered(Ack { status: StatusCode::NO_CONTENT, ..Ack::empty() })),
            (PING, None) => Ok(Parsed::answered(answer(PONG, None))),
            (COMMAND | COMPONENT | MODAL, None) => self.interaction(head.kind, body),
            (AUTOCOMPLETE, None) => Ok(Parsed::answered(answer(CHOICES, Some(json!({ "choices": [] }))))),
            _ => Ok(Parsed::nothing()),
        }
    }

    fn inbound(&self, arrived: Arrived) -> Inbound {
        Inbound {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            event_id: arrived.event_id,
            peer: arrived.peer,
            parent_peer: arrived.parent,
            thread: None,
            sender: arrived.sender,
            message_id: arrived.message_id,
            text: arrived.text,
            kind: arrived.kind,
            addressed: arrived.addressed,
            media: arrived.media,
            guild: arrived.guild,
            team: None,
            roles: arrived.roles,
            sent_at: arrived.sent_at,
            reply_to: ReplyAddress {
                channel: ID.to_owned(),
                account: self.account.to_owned(),
                to: arrived.to,
                thread: None,
                message: arrived.answers,
            },
        }
    }
}

/// The channel of a server, or a group of people without one. The same for both ways in.
fn room(id: &str, guild: Option<&String>) -> Peer {
    let kind = if guild.is_some() { PeerKind::Channel } else { PeerKind::Group };
    Peer { kind, id: id.to_owned() }
}

fn answer(kind: u8, data: Option<Value>) -> Ack {
    match data {
        Some(data) => Ack::json(&json!({ "type": kind, "data": data })),
        None => Ack::json(&json!({ "type": kind })),
    }
}

/// What is said at once to somebody who is not let in.
fn turned_away() -> Ack {
    let data = json!({ "content": NOT_LET_IN, "flags": EPHEMERAL, "allowed_mentions": { "parse": [] } });
    answer(MESSAGE, Some(data))
}
