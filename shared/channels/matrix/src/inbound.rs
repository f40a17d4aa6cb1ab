//! What people say where the bot is.

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use http::StatusCode;
use serde_json::json;

use crate::event::{Content, Event, events};
use crate::media;
use crate::text::{self, Read};
use crate::verify::Endpoint;
use crate::{ID, Matrix};

pub(crate) fn parse(request: &RawRequest, matrix: &Matrix) -> Result<Parsed, Rejected> {
    Ok(match Endpoint::of(&request.path) {
        Endpoint::Transaction => transaction(request, matrix)?,
        Endpoint::Ping => Parsed::answered(done()),
        Endpoint::User(id) if id == matrix.settings.me.user_id => Parsed::answered(done()),
        Endpoint::User(_) | Endpoint::Lookup => Parsed::answered(not_found("M_NOT_FOUND")),
        Endpoint::Unknown => Parsed::answered(not_found("M_UNRECOGNIZED")),
    })
}

fn done() -> Ack {
    Ack::json(&json!({}))
}

fn not_found(errcode: &str) -> Ack {
    Ack {
        status: StatusCode::NOT_FOUND,
        ..Ack::json(&json!({ "errcode": errcode, "error": "there is no such thing" }))
    }
}

fn transaction(request: &RawRequest, matrix: &Matrix) -> Result<Parsed, Rejected> {
    let mut messages = Vec::new();
    for raw in events(&request.body)? {
        let Some(event) = Event::read(raw) else { continue };
        for missed in matrix.rooms.missed(&event.event_id) {
            messages.extend(Event::read(&missed).and_then(|event| said(&event, matrix, request.received_at)));
        }
        messages.extend(said(&event, matrix, request.received_at));
    }
    Ok(Parsed::said(messages, done()))
}

/// Whether somebody else wrote this, lately, into a room: what may be a message for us.
pub(crate) fn is_heard(event: &Event, matrix: &Matrix, now: Millis) -> bool {
    let old = matrix.settings.max_age.is_some_and(|most| now.since(Millis(event.origin_server_ts)) > most);
    let spoken = matches!(event.kind.as_str(), "m.room.message" | "m.sticker");
    spoken && event.state_key.is_none() && !matrix.settings.me.owns(&event.sender) && !old
}

/// A message, unless there is nothing in it for us.
fn said(event: &Event, matrix: &Matrix, now: Millis) -> Option<Inbound> {
    if !is_heard(event, matrix, now) {
        return None;
    }
    let outer: Content = event.content()?;
    let relation = outer.relates_to.as_ref();
    let replaced = relation.filter(|relation| relation.rel_type == "m.replace").map(|relation| &relation.event_id);
    let thread = relation.filter(|relation| relation.rel_type == "m.thread").map(|relation| relation.event_id.clone());
    let thread = thread.filter(|root| !root.is_empty());
    let edited = if replaced.is_some() { Some(outer.changed()?) } else { None };
    let content = edited.as_ref().unwrap_or(&outer);
    let sticker = event.kind == "m.sticker";
    match content.msgtype.as_deref() {
        // Bots speak in notices, and nobody answers them: https://spec.matrix.org/v1.16/client-server-api/#mnotice
        Some("m.notice") => return None,
        // The text says that the client is too old for it.
        Some("m.key.verification.request") => return None,
        // Redacted, or nothing we know.
        None if !sticker => return None,
        _ => {}
    }
    let media: Vec<Media> = media::of(content).into_iter().collect();
    let us = &matrix.settings.me;
    let Read { text, to_us } = text::read(content, us, matrix.rooms.name(&event.room_id, &us.user_id).as_deref());
    // Where there is a name beside it, the body is the caption, else it is the name:
    // https://spec.matrix.org/v1.16/client-server-api/#media-captions
    let is_caption = content.filename.as_ref().is_some_and(|name| *name != content.body);
    let text = if media.is_empty() || is_caption { text } else { String::new() };
    if text.is_empty() && media.is_empty() {
        return None;
    }
    let direct = matrix.settings.direct_rooms.contains(&event.room_id)
        || matrix.rooms.is_direct(&event.room_id, &us.user_id, &event.sender, now);
    let peer = if direct {
        Peer::new(PeerKind::Direct, event.sender.clone())
    } else {
        Peer::new(PeerKind::Group, event.room_id.clone())
    };
    // Alone with us, a person sees what an answer belongs to. In a room it answers the message and tells its author.
    let answered = match (direct, &thread) {
        (true, None) => None,
        (true, Some(_)) => Some(event.event_id.clone()),
        (false, _) => Some(format!("{} {}", event.event_id, event.sender)),
    };
    Some(Inbound {
        channel: ID.to_owned(),
        account: matrix.settings.account.clone(),
        event_id: event.event_id.clone(),
        peer,
        parent_peer: None,
        thread: thread.clone(),
        sender: Sender { id: event.sender.clone(), name: matrix.rooms.name(&event.room_id, &event.sender) },
        message_id: Some(replaced.unwrap_or(&event.event_id).clone()).filter(|id| !id.is_empty()),
        text,
        kind: if replaced.is_some() { InboundKind::Edited } else { InboundKind::Message },
        addressed: direct || to_us,
        media,
        guild: None,
        team: None,
        roles: Vec::new(),
        sent_at: Millis(event.origin_server_ts),
        reply_to: ReplyAddress {
            channel: ID.to_owned(),
            account: matrix.settings.account.clone(),
            to: event.room_id.clone(),
            thread,
            message: answered,
        },
    })
}
