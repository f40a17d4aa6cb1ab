//! The parts of an Update that are read. Everything else may change as Telegram likes.
//! <https://core.telegram.org/bots/api#update>

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Update {
    pub(crate) update_id: i64,
    pub(crate) message: Option<Message>,
    pub(crate) edited_message: Option<Message>,
    pub(crate) channel_post: Option<Message>,
    pub(crate) edited_channel_post: Option<Message>,
    pub(crate) callback_query: Option<CallbackQuery>,
}

#[derive(Deserialize)]
pub(crate) struct Message {
    pub(crate) message_id: i64,
    pub(crate) date: u64,
    pub(crate) edit_date: Option<u64>,
    pub(crate) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(crate) is_topic_message: bool,
    #[serde(default)]
    pub(crate) is_automatic_forward: bool,
    pub(crate) from: Option<User>,
    /// On whose behalf it was sent: a channel, or a group by an admin who stays anonymous.
    pub(crate) sender_chat: Option<Chat>,
    pub(crate) forward_origin: Option<Origin>,
    /// The bot whose words somebody sent as their own, by its inline mode.
    pub(crate) via_bot: Option<User>,
    pub(crate) chat: Chat,
    pub(crate) reply_to_message: Option<RepliedTo>,
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) entities: Vec<Entity>,
    pub(crate) caption: Option<String>,
    #[serde(default)]
    pub(crate) caption_entities: Vec<Entity>,
    #[serde(default)]
    pub(crate) photo: Vec<File>,
    pub(crate) animation: Option<File>,
    pub(crate) audio: Option<File>,
    pub(crate) document: Option<File>,
    pub(crate) sticker: Option<File>,
    pub(crate) video: Option<File>,
    pub(crate) video_note: Option<File>,
    pub(crate) voice: Option<File>,
}

/// Of a message that was answered only its author matters.
#[derive(Deserialize)]
pub(crate) struct RepliedTo {
    pub(crate) from: Option<User>,
}

/// Whose words are passed on. <https://core.telegram.org/bots/api#messageorigin>
#[derive(Deserialize)]
pub(crate) struct Origin {
    sender_user: Option<User>,
    /// Of somebody who does not want to be found.
    sender_user_name: Option<String>,
    sender_chat: Option<Chat>,
    chat: Option<Chat>,
}

impl Origin {
    pub(crate) fn name(&self) -> Option<String> {
        let user = || self.sender_user.as_ref().and_then(User::name);
        let chat = || self.sender_chat.as_ref().or(self.chat.as_ref()).and_then(|chat| chat.title.clone());
        user().or_else(|| self.sender_user_name.clone()).or_else(chat)
    }
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) is_bot: bool,
    #[serde(default)]
    pub(crate) first_name: String,
    pub(crate) last_name: Option<String>,
}

impl User {
    pub(crate) fn name(&self) -> Option<String> {
        let parts = [Some(self.first_name.as_str()), self.last_name.as_deref()];
        let name = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        Some(name).filter(|name| !name.is_empty())
    }
}

#[derive(Deserialize)]
pub(crate) struct Chat {
    /// Up to 52 significant bits, negative for rooms.
    pub(crate) id: i64,
    #[serde(rename = "type", default)]
    pub(crate) kind: ChatKind,
    pub(crate) title: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChatKind {
    Private,
    Group,
    Supergroup,
    Channel,
    #[default]
    #[serde(other)]
    Unknown,
}

/// A stretch of text with a meaning. Offset and length count UTF-16 units.
#[derive(Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) user: Option<User>,
}

#[derive(Deserialize)]
pub(crate) struct File {
    pub(crate) file_id: String,
    pub(crate) file_size: Option<u64>,
    pub(crate) mime_type: Option<String>,
    pub(crate) file_name: Option<String>,
    #[serde(default)]
    pub(crate) width: u64,
    #[serde(default)]
    pub(crate) height: u64,
}

#[derive(Deserialize)]
pub(crate) struct CallbackQuery {
    pub(crate) id: String,
    pub(crate) from: User,
    /// Absent for buttons of messages that were sent through inline mode: they have no chat we could answer in.
    pub(crate) message: Option<ButtonMessage>,
    pub(crate) data: Option<String>,
}

/// The message that carries the button; an old one has little more than this.
#[derive(Deserialize)]
pub(crate) struct ButtonMessage {
    pub(crate) message_id: i64,
    pub(crate) chat: Chat,
    pub(crate) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(crate) is_topic_message: bool,
    pub(crate) reply_markup: Option<Keyboard>,
}

#[derive(Deserialize)]
pub(crate) struct Keyboard {
    #[serde(default)]
    pub(crate) inline_keyboard: Vec<Vec<Button>>,
}

#[derive(Deserialize)]
pub(crate) struct Button {
    #[serde(default)]
    pub(crate) text: String,
    pub(crate) callback_data: Option<String>,
}
