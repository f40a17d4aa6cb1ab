//! What people write to the number, and what became of what we wrote. One post may hold both, many times.

use chela_channel_kit::passed_on::passed_on;
use chela_core::channel::{Ack, Delivery, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use chela_meta::choices::cut;
use serde_json::value::RawValue;

use crate::ID;
use crate::address::{Address, Recipient, digits};
use crate::content::{self, Content};
use crate::post::{Contact, Context, Head, Messages, Metadata, Post, Status};

const UNREADABLE: Rejected = Rejected::Malformed("a message is not as the webhook reference documents it");

/// The longest explanation of a failed delivery that is kept.
const MOST_WORDS: usize = 300;

/// Reads a post. `number` is the account's own phone number id; without one, each number's messages are ours.
pub(crate) fn parse(request: &RawRequest, account: &str, number: Option<&str>) -> Result<Parsed, Rejected> {
    let post: Post<'_> = serde_json::from_slice(&request.body)
        .map_err(|_| Rejected::Malformed("the body is no post as the webhook reference documents it"))?;
    let mut parsed = Parsed::said(Vec::new(), Ack::empty());
    let mut broken = false;
    let changes = post.entry.iter().flat_map(|entry| &entry.changes);
    // Other fields tell of templates, of the account, or of what was written in the phone's own app.
    for change in changes.filter(|change| post.object == "whatsapp_business_account" && change.field == "messages") {
        let Some(value) = change.value else { continue };
        let Ok(value) = serde_json::from_str::<Messages<'_>>(value.get()) else {
            broken = true;
            continue;
        };
        if number.is_some_and(|number| number != value.metadata.phone_number_id) {
            continue;
        }
        let line = Line { account, metadata: &value.metadata, contacts: &value.contacts, of_account: number.is_some() };
        for message in &value.messages {
            match line.message(message) {
                Ok(inbound) => parsed.messages.extend(inbound),
                Err(_) => broken = true,
            }
        }
        for status in &value.statuses {
            match serde_json::from_str(status.get()) {
                Ok(status) => parsed.deliveries.extend(delivery(status)),
                Err(_) => broken = true,
            }
        }
    }
    // A post that is refused comes again for a week, with all that was good in it.
    if broken && parsed.messages.is_empty() && parsed.deliveries.is_empty() {
        return Err(UNREADABLE);
    }
    Ok(parsed)
}

/// <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages/status>
fn delivery(status: Status) -> Option<Delivery> {
    let idempotency_key = status.biz_opaque_callback_data.filter(|key| !key.is_empty())?;
    let failed = match status.status.as_str() {
        "sent" | "delivered" | "read" | "played" => None,
        "failed" => {
            let words = status.errors.first().map_or_else(|| "it failed".to_owned(), |error| error.words());
            Some(cut(&words, MOST_WORDS))
        }
        _ => return None,
    };
    Some(Delivery { idempotency_key, failed })
}

/// One number, in one post.
struct Line<'a> {
    account: &'a str,
    metadata: &'a Metadata,
    contacts: &'a [Contact],
    /// Whether the account knows its number, so that addresses need not name it.
    of_account: bool,
}

impl Line<'_> {
    fn message(&self, message: &RawValue) -> Result<Option<Inbound>, Rejected> {
        let Some(content) = content::read(message).map_err(|_| UNREADABLE)? else { return Ok(None) };
        let head: Head = serde_json::from_str(message.get()).map_err(|_| UNREADABLE)?;
        let from = head.from.as_deref().filter(|from| !from.is_empty());
        // What we sent comes back only where the number is also used in the phone's app, and in another field; still:
        if from.is_some_and(|from| self.is_us(from)) {
            return Ok(None);
        }
        let contact = self.contact(&head);
        let user_id = head.from_user_id.as_deref().or_else(|| contact?.user_id.as_deref()).filter(|id| !id.is_empty());
        let sender_id = user_id.or(from).ok_or(UNREADABLE)?;
        let seconds: u64 = head.timestamp.parse().map_err(|_| UNREADABLE)?;
        let name = contact.and_then(|contact| contact.profile.as_ref());
        let name = name.and_then(|profile| profile.name.clone().or_else(|| profile.username.clone()));
        let group = head.group_id.as_deref().filter(|group| !group.is_empty());
        let (peer, recipient) = match group {
            Some(group) => (Peer { kind: PeerKind::Group, id: group.to_owned() }, Recipient::Group(group.to_owned())),
            None => {
                // Both are understood; digits by every kind of message.
                let recipient = from
                    .map_or_else(|| Recipient::User(sender_id.to_owned()), |from| Recipient::Phone(from.to_owned()));
                (Peer { kind: PeerKind::Direct, id: sender_id.to_owned() }, recipient)
            }
        };
        if head.id.is_empty() {
            return Err(UNREADABLE);
        }
        let Content { text, media, kind, edited } = content;
        let forwarded = |context: &Context| context.forwarded || context.frequently_forwarded;
        let (text, mentioned) = match head.context.as_ref().is_some_and(forwarded) {
            true => (passed_on(None, &text), false),
            false => self.without_mention(text),
        };
        let replied = head.context.and_then(|context| context.from).is_some_and(|author| self.is_us(&author));
        let message_id = edited.unwrap_or_else(|| head.id.clone());
        Ok(Some(Inbound {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            addressed: peer.kind == PeerKind::Direct || mentioned || replied || kind == InboundKind::Button,
            peer,
            parent_peer: None,
            thread: None,
            sender: Sender { id: sender_id.to_owned(), name },
            text,
            kind,
            media,
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at: Millis(seconds.saturating_mul(1_000)),
            reply_to: self.address(recipient, message_id.clone()),
            message_id: Some(message_id),
            event_id: head.id,
        }))
    }

    fn address(&self, recipient: Recipient, message: String) -> ReplyAddress {
        let number = (!self.of_account).then(|| self.metadata.phone_number_id.clone());
        ReplyAddress {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            to: Address { recipient, number }.to_string(),
            thread: None,
            message: Some(message),
        }
    }

    /// The contact that belongs to a message: of the same id, of the same digits, or the only one, unless that is plainly
    /// somebody else.
    fn contact(&self, head: &Head) -> Option<&Contact> {
        let same = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
        let other = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some() && one != other;
        let own = |contact: &&Contact| same(&contact.user_id, &head.from_user_id) || same(&contact.wa_id, &head.from);
        self.contacts.iter().find(own).or(match self.contacts {
            [only] if !other(&only.user_id, &head.from_user_id) && !other(&only.wa_id, &head.from) => Some(only),
            _ => None,
        })
    }

    fn is_us(&self, phone: &str) -> bool {
        let ours = digits(&self.metadata.display_phone_number);
        !ours.is_empty() && digits(phone) == ours
    }

    /// The text without our number's mention at its beginning or end, and whether we were mentioned. Phones write a
    /// mention as `@` and the digits.
    fn without_mention(&self, text: String) -> (String, bool) {
        let ours = digits(&self.metadata.display_phone_number);
        let mention = format!("@{ours}");
        let whole = |after: &str| !after.starts_with(|next: char| next.is_ascii_digit());
        let found = text.match_indices(&mention).find(|(at, _)| text.get(at + mention.len()..).is_some_and(whole));
        match found {
            Some((at, _)) if !ours.is_empty() => {
                let (before, after) =
                    (text.get(..at).unwrap_or_default(), text.get(at + mention.len()..).unwrap_or_default());
                let gap = if before.trim().is_empty() || after.trim().is_empty() { "" } else { " " };
                (format!("{}{gap}{}", before.trim(), after.trim()), true)
            }
            _ => (text, false),
        }
    }
}
