//! What people write to the page or the account. There are direct messages only.

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Page;
use super::event::{Attachment, Edit, Entry, Envelope, Kinds, Message, Post, Postback};
use crate::hosts::is_metas;

const UNREADABLE: Rejected = Rejected::Malformed("an event is not as the webhook reference documents it");

/// What Meta's examples answer.
/// <https://developers.facebook.com/docs/messenger-platform/webhooks#event-notifications>
pub fn event_received() -> Ack {
    Ack { body: "EVENT_RECEIVED".into(), ..Ack::empty() }
}

/// What one event says, before it has an address.
struct Said {
    event_id: String,
    message_id: Option<String>,
    kind: InboundKind,
    text: String,
    media: Vec<Media>,
}

impl Page {
    pub(super) fn events(&self, request: &RawRequest) -> Result<Parsed, Rejected> {
        let post: Post<'_> = serde_json::from_slice(&request.body)
            .map_err(|_| Rejected::Malformed("the body is no post as the webhook reference documents it"))?;
        let mut messages = Vec::new();
        let mut broken = false;
        let entries = post.entry.iter().filter(|entry| post.object == self.traits.object && self.is_ours(&entry.id));
        for (entry, event) in entries.flat_map(|entry| entry.messaging.iter().map(move |event| (entry, event))) {
            match self.event(entry, event, request.received_at) {
                Ok(inbound) => messages.extend(inbound),
                Err(_) => broken = true,
            }
        }
        // A post that is refused comes again, with all that was good in it.
        if broken && messages.is_empty() {
            return Err(UNREADABLE);
        }
        Ok(Parsed::said(messages, event_received()))
    }

    /// One app may be subscribed to several pages; without an id of our own we take all.
    fn is_ours(&self, entry_id: &str) -> bool {
        self.own_id.as_deref().is_none_or(|own| own == entry_id)
    }

    fn event(&self, entry: &Entry<'_>, event: &RawValue, at: Millis) -> Result<Option<Inbound>, Rejected> {
        let kinds: Kinds<'_> = read(event)?;
        let envelope = || read::<Envelope>(event);
        let (envelope, said) = match kinds {
            Kinds { message: Some(message), .. } => (envelope()?, self.message(read(message)?)?),
            Kinds { postback: Some(postback), .. } => {
                let envelope = envelope()?;
                let said = pressed(read(postback)?, &envelope);
                (envelope, said)
            }
            Kinds { message_edit: Some(edit), .. } => {
                let envelope = envelope()?;
                let said = edited(read(edit)?, &envelope)?;
                (envelope, said)
            }
            // Deliveries, reads, reactions, opt-ins, referrals, and what comes next year.
            _ => return Ok(None),
        };
        let sender = envelope.sender.id;
        // Our own echo, also where it is not marked.
        if sender == entry.id || self.own_id.as_ref() == Some(&sender) {
            return Ok(None);
        }
        if sender.is_empty() {
            return Err(UNREADABLE);
        }
        Ok(said.map(|said| self.addressed(said, sender, envelope.timestamp.map_or(at, Millis))))
    }

    fn message(&self, message: Message) -> Result<Option<Said>, Rejected> {
        let id = named(message.mid)?;
        if message.is_echo || message.is_deleted || message.is_unsupported {
            return Ok(None);
        }
        if let Some(payload) = message.quick_reply.and_then(|reply| reply.payload).filter(|value| !value.is_empty()) {
            return Ok(Some(Said { kind: InboundKind::Button, text: payload, ..Said::new(id) }));
        }
        let mut said = Said { text: message.text.unwrap_or_default(), ..Said::new(id) };
        for attachment in message.attachments {
            self.attach_to(&mut said, attachment);
        }
        Ok(Some(said).filter(|said| !said.text.trim().is_empty() || !said.media.is_empty()))
    }

    /// A file of Meta's is a file to us; what lies elsewhere is a link somebody shared.
    fn attach_to(&self, said: &mut Said, attachment: Attachment) {
        let Attachment { kind, title, payload: Some(payload) } = attachment else { return };
        let title = payload.title.or(title);
        let line = match (payload.coordinates, payload.url) {
            (Some(place), _) => format!("geo:{},{}", place.lat, place.long),
            (None, Some(url)) if kind != "fallback" && is_metas(&url, self.graph.base_url()) => {
                said.media.push(Media { name: title.or_else(|| file_name(&url)), reference: url, ..unnamed() });
                return;
            }
            (None, Some(url)) if said.text.contains(&url) => return,
            (None, Some(url)) => url,
            (None, None) => return,
        };
        let line = title.map_or(line.clone(), |title| format!("{title}: {line}"));
        let gap = if said.text.is_empty() { "" } else { "\n" };
        said.text.push_str(&format!("{gap}{line}"));
    }

    fn addressed(&self, said: Said, sender: String, sent_at: Millis) -> Inbound {
        let Said { event_id, message_id, kind, text, media } = said;
        let channel = self.traits.channel.to_owned();
        Inbound {
            channel: channel.clone(),
            account: self.account.clone(),
            event_id,
            peer: Peer { kind: PeerKind::Direct, id: sender.clone() },
            parent_peer: None,
            thread: None,
            sender: Sender { id: sender.clone(), name: None },
            message_id: message_id.clone(),
            text,
            kind,
            addressed: true,
            media,
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at,
            reply_to: ReplyAddress {
                channel,
                account: self.account.clone(),
                to: sender,
                thread: None,
                message: message_id,
            },
        }
    }
}

impl Said {
    /// A message that says nothing yet.
    fn new(mid: String) -> Self {
        Self {
            event_id: mid.clone(),
            message_id: Some(mid),
            kind: InboundKind::Message,
            text: String::new(),
            media: Vec::new(),
        }
    }
}

/// A button of a template, a menu entry or an ice breaker.
fn pressed(postback: Postback, envelope: &Envelope) -> Option<Said> {
    let payload = postback.payload.filter(|payload| !payload.is_empty())?;
    let mid = postback.mid.filter(|mid| !mid.is_empty());
    // Two buttons pressed at once are two events.
    let pressed = || format!("postback:{}:{}:{payload}", envelope.sender.id, envelope.timestamp.unwrap_or_default());
    let event_id = mid.clone().unwrap_or_else(pressed);
    Some(Said { message_id: mid, kind: InboundKind::Button, text: payload, ..Said::new(event_id) })
}

/// The message keeps its id, so the event is named by the number of the edit.
fn edited(edit: Edit, envelope: &Envelope) -> Result<Option<Said>, Rejected> {
    let mid = named(edit.mid)?;
    let number = edit.num_edit.or(envelope.timestamp).unwrap_or_default();
    let said =
        |text| Said { event_id: format!("{mid}:edit:{number}"), kind: InboundKind::Edited, text, ..Said::new(mid) };
    Ok(edit.text.filter(|text| !text.trim().is_empty()).map(said))
}

fn named(id: String) -> Result<String, Rejected> {
    if id.is_empty() { Err(UNREADABLE) } else { Ok(id) }
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Rejected> {
    serde_json::from_str(raw.get()).map_err(|_| UNREADABLE)
}

/// The last part of the path, if it looks like a file's name.
fn file_name(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let name = url.path_segments()?.next_back()?;
    name.contains('.').then(|| name.to_owned())
}

fn unnamed() -> Media {
    Media { missing: None, reference: String::new(), content_type: None, name: None, size: None }
}
