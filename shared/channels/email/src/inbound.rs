//! A message of a person, read; everything else is acknowledged and dropped.

use chela_core::channel::{Ack, Parsed, Rejected, Verified};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use mail_parser::{Message, MessageParser};
use sha2::{Digest as _, Sha256};

use crate::address::{author, plain, written};
use crate::forward::{Delivery, Verdict, delivery};
use crate::thread::{self, Conversation};
use crate::{Email, ID, body, files, loops};

impl Email {
    pub(crate) fn read(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        let request = verified.request();
        let delivery = delivery(request)?;
        let message = MessageParser::default().parse(&request.body);
        let message = message.ok_or(Rejected::Malformed("the body is no message"))?;
        if written(&message, "from").next().is_none() {
            return Err(Rejected::Malformed("the message has no From"));
        }
        // Who cannot be told for certain is nobody: an answer to a forged author would go to its victim.
        let Some((from, name)) = author(&message) else { return Ok(Parsed::nothing()) };
        // Nobody's option makes a proven forgery genuine.
        let genuine = match delivery.verdict {
            Verdict::Pass => true,
            Verdict::None => self.settings.trust_unauthenticated,
            Verdict::Fail => false,
        };
        if !genuine || loops::automatic(&message, &from, &self.settings.address).is_some() {
            return Ok(Parsed::nothing());
        }
        Ok(self.said(&message, &delivery, from, name, request.received_at))
    }

    fn said(
        &self,
        message: &Message<'_>,
        delivery: &Delivery<'_>,
        from: String,
        name: Option<String>,
        received_at: Millis,
    ) -> Parsed {
        let event_id = event_id(message, delivery, &from);
        let (media, inline) = files::of(message, &event_id, &self.keys);
        let subject = message.subject().map(plain).unwrap_or_default();
        let text = body::text(message, &subject, !media.is_empty());
        if text.is_empty() && media.is_empty() {
            return Parsed::nothing();
        }
        let root = thread::root(message, delivery.recipient);
        let inbound = Inbound {
            channel: ID.to_owned(),
            account: self.account.clone(),
            event_id,
            peer: Peer::new(PeerKind::Direct, from.clone()),
            parent_peer: None,
            thread: root.as_deref().map(|root| thread::name(&from, root)),
            sender: Sender { id: from.clone(), name },
            message_id: thread::own_id(message),
            text,
            kind: InboundKind::Message,
            addressed: true,
            media,
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at: sent_at(message, received_at),
            reply_to: ReplyAddress {
                channel: ID.to_owned(),
                account: self.account.clone(),
                to: from,
                thread: root,
                message: Conversation::of(message).to_text(),
            },
        };
        Parsed { files: inline, ..Parsed::said(vec![inbound], Ack::empty()) }
    }
}

/// The same for the same message of the same author, however often and by whichever of our addresses it arrives; where
/// it has no id of its own, for the same delivery. The author belongs to it, so that nobody can use up the id of
/// somebody else's message.
fn event_id(message: &Message<'_>, delivery: &Delivery<'_>, from: &str) -> String {
    let mut hash = Sha256::new();
    let own = thread::own_id(message);
    let (kind, id) = own.as_deref().map_or(("delivery", delivery.id), |id| ("message", id));
    for part in [kind, id, from] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = hex::encode(hash.finalize());
    id.truncate(32);
    id
}

/// When its author says; a clock that is ahead is not believed.
fn sent_at(message: &Message<'_>, received_at: Millis) -> Millis {
    let date = message.date().filter(|date| date.is_valid()).map(mail_parser::DateTime::to_timestamp);
    let seconds = date.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    seconds.map_or(received_at, |seconds| Millis(seconds.saturating_mul(1000)).min(received_at))
}
