//! Messages, which Discord tells only over its gateway: a bridge holds that connection and posts them here.

use chela_channel_kit::bridge::{self, BridgeChatKind, BridgeMessage};
use chela_core::channel::{Ack, Parsed, Rejected, Verified};
use chela_core::clock::Millis;
use chela_core::message::{InboundKind, Media, Sender};
use chela_core::session_key::{Peer, PeerKind};

use super::{Arrived, Reader, room};
use crate::place::is_snowflake;

impl Reader<'_> {
    /// Reads what a bridge posted: one message, unless a bot wrote it or there is nothing in it.
    pub(crate) fn bridged(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        let message = bridge::read(verified)?;
        if message.id.is_empty() {
            return Err(Rejected::Malformed("the message has no id"));
        }
        let ids = [Some(&message.chat.id), Some(&message.from.id), message.thread.as_ref(), message.parent.as_ref()];
        if !ids.into_iter().flatten().all(|id| is_snowflake(id)) {
            return Err(Rejected::Malformed("an id is no snowflake"));
        }
        let silent = message.text.trim().is_empty() && message.attachments.is_empty() && !message.mentions_bot;
        if message.from.is_self || message.from.is_bot || silent {
            return Ok(Parsed::nothing());
        }
        let (text, mentioned) = self.without_us(&message.text);
        let direct = message.chat.kind == BridgeChatKind::Dm;
        let addressed = direct || mentioned || message.mentions_bot;
        let (peer, parent) = place(&message, direct);
        let to = message.thread.as_ref().unwrap_or(&message.chat.id).clone();
        let message_id = Some(message.message_id.unwrap_or_else(|| message.id.clone())).filter(|id| is_snowflake(id));
        let kind = match addressed && is_command(&text) {
            _ if message.edited => InboundKind::Edited,
            true => InboundKind::Command,
            false => InboundKind::Message,
        };
        let media = message.attachments.into_iter().map(|file| Media {
            missing: None,
            reference: file.url,
            content_type: file.mime,
            name: file.name,
            size: file.size,
        });
        let inbound = self.inbound(Arrived {
            event_id: format!("bridge:{}", message.id),
            peer,
            parent,
            sender: Sender { id: message.from.id, name: message.from.name.filter(|name| !name.is_empty()) },
            // Alone with us, a person sees what an answer belongs to.
            answers: message_id.clone().filter(|_| !direct),
            message_id,
            text,
            kind,
            addressed,
            media: media.collect(),
            guild: message.guild,
            roles: message.roles,
            sent_at: Millis(message.ts_ms),
            to,
        });
        Ok(Parsed::said(vec![inbound], Ack::empty()))
    }

    /// The text without our own mention, and whether it was there.
    fn without_us(&self, text: &str) -> (String, bool) {
        let Some(bot) = self.bot else { return (text.trim().to_owned(), false) };
        let mut left = text.to_owned();
        for mention in [format!("<@{bot}>"), format!("<@!{bot}>")] {
            left = left.replace(&format!("{mention} "), "").replace(&mention, "");
        }
        (left.trim().to_owned(), left != text)
    }
}

/// A thread is a room of its own, inside another.
fn place(message: &BridgeMessage, direct: bool) -> (Peer, Option<Peer>) {
    if direct {
        return (Peer { kind: PeerKind::Direct, id: message.from.id.clone() }, None);
    }
    let guild = message.guild.as_ref();
    match &message.thread {
        Some(thread) if *thread != message.chat.id => (room(thread, guild), Some(room(&message.chat.id, guild))),
        _ => (room(&message.chat.id, guild), message.parent.as_ref().map(|parent| room(parent, guild))),
    }
}

fn is_command(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}
