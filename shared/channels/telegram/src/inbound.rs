//! What people say to the bot.

use chela_channel_kit::passed_on::passed_on;
use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use serde_json::json;

use crate::ID;
use crate::buttons::value;
use crate::mention::{self, Addressed, Me};
use crate::update::{CallbackQuery, Chat, ChatKind, File, Message, Origin, Update, User};

pub(crate) fn parse(request: &RawRequest, account: &str, me: &Me) -> Result<Parsed, Rejected> {
    let update: Update = serde_json::from_slice(&request.body)
        .map_err(|_| Rejected::Malformed("the body is no Update as the Bot API documents it"))?;
    let envelope = Envelope { event_id: update.update_id.to_string(), account, me };
    if let Some(query) = update.callback_query {
        return Ok(envelope.pressed(query, request.received_at));
    }
    let (message, kind) = match update {
        Update { message: Some(message), .. } | Update { channel_post: Some(message), .. } => {
            (message, InboundKind::Message)
        }
        Update { edited_message: Some(message), .. } | Update { edited_channel_post: Some(message), .. } => {
            (message, InboundKind::Edited)
        }
        _ => return Ok(Parsed::nothing()),
    };
    Ok(match envelope.said(message, kind) {
        Some(inbound) => Parsed::said(vec![inbound], Ack::empty()),
        None => Parsed::nothing(),
    })
}

struct Envelope<'a> {
    event_id: String,
    account: &'a str,
    me: &'a Me,
}

impl Envelope<'_> {
    /// A message, unless a bot wrote it or there is nothing in it for us.
    fn said(self, message: Message, kind: InboundKind) -> Option<Inbound> {
        // A post of a channel that Telegram copies into the channel's discussion group: perhaps our own.
        if message.is_automatic_forward {
            return None;
        }
        let media = media_of(&message);
        let (text, entities) = match (&message.text, &message.caption) {
            (Some(text), _) => (text.as_str(), message.entities.as_slice()),
            (None, Some(caption)) => (caption.as_str(), message.caption_entities.as_slice()),
            // Who joined, what was pinned, where the group moved to: nobody said anything.
            (None, None) if media.is_empty() => return None,
            (None, None) => ("", [].as_slice()),
        };
        let topic = message.message_thread_id.filter(|_| message.is_topic_message);
        let mut inbound = self.empty(&message.chat, topic, sender_of(&message)?)?;
        let Addressed { text, to_us, command } = match others(&message) {
            // Whoever wrote it spoke to somebody else.
            Some(author) => Addressed { text: passed_on(author.as_deref(), text), ..Addressed::default() },
            None => mention::read(text, entities, self.me),
        };
        let replied = message.reply_to_message.and_then(|replied| replied.from);
        inbound.addressed |= to_us || replied.is_some_and(|author| author.id == self.me.id);
        inbound.text = text;
        inbound.media = media;
        inbound.kind = if command && kind == InboundKind::Message { InboundKind::Command } else { kind };
        inbound.sent_at = Millis(message.edit_date.unwrap_or(message.date).saturating_mul(1000));
        inbound.message_id = Some(message.message_id.to_string());
        // Alone with us, a person sees what an answer belongs to; quoting every message would only be noise.
        if inbound.peer.kind != PeerKind::Direct {
            inbound.reply_to.message = Some(message.message_id.to_string());
        }
        Some(inbound)
    }

    /// A button under one of our messages.
    fn pressed(self, query: CallbackQuery, at: Millis) -> Parsed {
        // Ends the button's spinner without a request of its own: a Bot API call may be the answer to an update.
        // https://core.telegram.org/bots/api#making-requests-when-getting-updates
        let ack = Ack::json(&json!({ "method": "answerCallbackQuery", "callback_query_id": query.id }));
        let (Some(message), Some(data), false) = (query.message, query.data, query.from.is_bot) else {
            return Parsed::answered(ack);
        };
        // A value that was too long for the button is not known any more where its message is too old to be shown.
        let Some(text) = value(data, message.reply_markup.as_ref()) else { return Parsed::answered(ack) };
        let sender = Sender { id: query.from.id.to_string(), name: query.from.name() };
        let topic = message.message_thread_id.filter(|_| message.is_topic_message);
        let pressed = self.empty(&message.chat, topic, sender).map(|mut inbound| {
            inbound.text = text;
            inbound.kind = InboundKind::Button;
            inbound.addressed = true;
            inbound.sent_at = at;
            inbound.message_id = Some(message.message_id.to_string());
            inbound.reply_to.message.clone_from(&inbound.message_id);
            inbound
        });
        Parsed::said(pressed.into_iter().collect(), ack)
    }

    /// A message in this place that says nothing yet; `None` for kinds of chats nobody has heard of.
    fn empty(&self, chat: &Chat, topic: Option<i64>, sender: Sender) -> Option<Inbound> {
        let peer = match chat.kind {
            ChatKind::Private => Peer { kind: PeerKind::Direct, id: sender.id.clone() },
            ChatKind::Group | ChatKind::Supergroup => Peer { kind: PeerKind::Group, id: chat.id.to_string() },
            ChatKind::Channel => Peer { kind: PeerKind::Channel, id: chat.id.to_string() },
            ChatKind::Unknown => return None,
        };
        let thread = topic.map(|topic| topic.to_string());
        let reply_to = ReplyAddress {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            to: chat.id.to_string(),
            thread: thread.clone(),
            message: None,
        };
        Some(Inbound {
            channel: ID.to_owned(),
            account: self.account.to_owned(),
            event_id: self.event_id.clone(),
            addressed: peer.kind == PeerKind::Direct,
            peer,
            parent_peer: None,
            thread,
            sender,
            message_id: None,
            text: String::new(),
            kind: InboundKind::Message,
            media: Vec::new(),
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at: Millis(0),
            reply_to,
        })
    }
}

/// Who wrote it; `None` for bots. Whoever speaks for a chat is that chat: Telegram then names a bot of its own in `from`.
fn sender_of(message: &Message) -> Option<Sender> {
    if let Some(chat) = &message.sender_chat {
        return Some(Sender { id: chat.id.to_string(), name: chat.title.clone() });
    }
    match &message.from {
        Some(user) if user.is_bot => None,
        Some(user) => Some(Sender { id: user.id.to_string(), name: user.name() }),
        None => Some(Sender { id: message.chat.id.to_string(), name: message.chat.title.clone() }),
    }
}

/// The author of words that the sender passes on; `Some(None)` where nobody says who that is.
fn others(message: &Message) -> Option<Option<String>> {
    let bot = message.via_bot.as_ref().map(User::name);
    message.forward_origin.as_ref().map(Origin::name).or(bot)
}

/// The files of a message; of a photo its largest size. What a voice or a sticker is called, Telegram does not say.
fn media_of(message: &Message) -> Vec<Media> {
    let photo = message.photo.iter().max_by_key(|size| size.width.saturating_mul(size.height));
    // An animation is also sent as a document, for programs that know only these.
    let document = message.document.as_ref().filter(|_| message.animation.is_none());
    let files =
        [&message.animation, &message.audio, &message.sticker, &message.video, &message.video_note, &message.voice];
    photo.into_iter().chain(document).chain(files.into_iter().flatten()).map(media).collect()
}

fn media(file: &File) -> Media {
    Media {
        missing: None,
        reference: file.file_id.clone(),
        content_type: file.mime_type.clone(),
        name: file.file_name.clone(),
        size: file.file_size,
    }
}
