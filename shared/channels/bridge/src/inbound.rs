//! What a bridge heard.

use chela_channel_kit::bridge::{self, BridgeChatKind, BridgeFile, BridgeMessage};
use chela_core::channel::{Ack, Parsed, Rejected, Verified};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind, names_another};
use serde::Deserialize;

use crate::ID;

/// Bodies of another type than messages may come one day; the ones without a type are messages.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type", default = "message")]
    kind: String,
}

fn message() -> String {
    "message".to_owned()
}

pub(crate) fn parse(verified: &Verified, account: &str) -> Result<Parsed, Rejected> {
    let kind: Kind = serde_json::from_slice(&verified.request().body).map_err(|_| {
        Rejected::Malformed("the body is no JSON object with a type as the bridge contract documents it")
    })?;
    if kind.kind != "message" {
        return Ok(Parsed::nothing());
    }
    let message = bridge::read(verified)?;
    if message.from.is_self || message.from.is_bot {
        return Ok(Parsed::nothing());
    }
    check(&message)?;
    Ok(Parsed::said(vec![inbound(message, account)], Ack::empty()))
}

/// Ids become keys and addresses: a blank or invisible one would be shared by many.
fn check(message: &BridgeMessage) -> Result<(), Rejected> {
    let unfit = |id: &str| id.is_empty() || id.chars().any(char::is_control);
    let optional = [&message.thread, &message.parent, &message.message_id, &message.guild];
    if [&message.id, &message.chat.id, &message.from.id]
        .into_iter()
        .chain(optional.into_iter().flatten())
        .any(|id| unfit(id))
    {
        return Err(Rejected::Malformed("an id is empty or has control characters"));
    }
    if [&message.chat.id, &message.from.id].into_iter().any(|id| names_another(id)) {
        return Err(Rejected::Malformed("an id has spaces around it or reads like a thread of another chat"));
    }
    if message.ts_ms == 0 {
        return Err(Rejected::Malformed("ts_ms is 0"));
    }
    Ok(())
}

fn inbound(message: BridgeMessage, account: &str) -> Inbound {
    let kind = match message.chat.kind {
        BridgeChatKind::Dm => PeerKind::Direct,
        BridgeChatKind::Group => PeerKind::Group,
        BridgeChatKind::Channel => PeerKind::Channel,
    };
    // A direct chat is the person, whatever the bridge calls the chat.
    let peer = if kind == PeerKind::Direct { message.from.id.clone() } else { message.chat.id.clone() };
    let message_id = message.message_id.unwrap_or_else(|| message.id.clone());
    Inbound {
        channel: ID.to_owned(),
        account: account.to_owned(),
        event_id: message.id,
        peer: Peer { kind, id: peer },
        parent_peer: message.parent.map(|id| Peer { kind, id }),
        thread: message.thread.clone(),
        sender: Sender { id: message.from.id, name: message.from.name },
        message_id: Some(message_id.clone()),
        text: message.text,
        kind: if message.edited { InboundKind::Edited } else { InboundKind::Message },
        addressed: kind == PeerKind::Direct || message.mentions_bot,
        media: message.attachments.into_iter().map(media).collect(),
        guild: message.guild,
        team: None,
        roles: message.roles,
        sent_at: Millis(message.ts_ms),
        reply_to: ReplyAddress {
            channel: ID.to_owned(),
            account: account.to_owned(),
            to: message.chat.id,
            thread: message.thread,
            message: Some(message_id),
        },
    }
}

fn media(file: BridgeFile) -> Media {
    Media { missing: None, reference: file.url, content_type: file.mime, name: file.name, size: file.size }
}
