//! What LINE posts: <https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects>. Only what is used.

use serde::Deserialize;
use serde_json::Value;

/// A post: several events, none when the console's button "Verify" is pressed.
#[derive(Deserialize)]
pub(crate) struct Posted {
    /// Read one by one: kinds we do not know have fields we do not know.
    pub(crate) events: Vec<Value>,
}

/// What every event has.
#[derive(Deserialize)]
pub(crate) struct Kind {
    #[serde(rename = "type")]
    pub(crate) name: String,
    /// `standby` while another module of the account answers.
    #[serde(default)]
    pub(crate) mode: String,
}

/// An event that says something.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// The same in redeliveries.
    pub(crate) webhook_event_id: String,
    /// When it happened, in milliseconds.
    pub(crate) timestamp: u64,
    pub(crate) reply_token: Option<String>,
    pub(crate) source: Option<Source>,
    pub(crate) message: Option<Message>,
    pub(crate) postback: Option<Postback>,
}

/// Where it happened.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Source {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Absent in rooms where the person lets no account know their profile.
    pub(crate) user_id: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) room_id: Option<String>,
}

/// A message of whatever kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Of a text, or what was written on a sticker.
    pub(crate) text: Option<String>,
    pub(crate) mention: Option<Mention>,
    pub(crate) quote_token: Option<String>,
    pub(crate) content_provider: Option<ContentProvider>,
    pub(crate) file_name: Option<String>,
    pub(crate) file_size: Option<u64>,
    /// What a sticker shows.
    #[serde(default)]
    pub(crate) keywords: Vec<String>,
    pub(crate) title: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
}

/// Who is mentioned in a text.
#[derive(Deserialize)]
pub(crate) struct Mention {
    #[serde(default)]
    pub(crate) mentionees: Vec<Mentionee>,
}

/// One mention.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mentionee {
    pub(crate) index: usize,
    pub(crate) length: usize,
    #[serde(default)]
    pub(crate) is_self: bool,
}

/// Who keeps a file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentProvider {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) original_content_url: Option<String>,
}

/// A pressed button.
#[derive(Deserialize)]
pub(crate) struct Postback {
    pub(crate) data: String,
}
