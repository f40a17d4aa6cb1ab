//! The parts of a post that are read. Everything else may change as Meta likes.
//! <https://developers.facebook.com/docs/messenger-platform/reference/webhook-events>

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Post<'a> {
    pub(super) object: String,
    #[serde(default, borrow)]
    pub(super) entry: Vec<Entry<'a>>,
}

/// What happened to one page or account. `standby` holds what another app answers, `changes` what was commented.
#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(default)]
    pub(super) id: String,
    /// Each is read on its own, so that one that is broken takes no other with it.
    #[serde(default, borrow)]
    pub(super) messaging: Vec<&'a RawValue>,
}

/// The kinds of events that are read; of the others nothing is.
#[derive(Deserialize)]
pub(super) struct Kinds<'a> {
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) postback: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message_edit: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Envelope {
    pub(super) sender: Party,
    /// Milliseconds.
    pub(super) timestamp: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Party {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) mid: String,
    #[serde(default)]
    pub(super) is_echo: bool,
    #[serde(default)]
    pub(super) is_deleted: bool,
    #[serde(default)]
    pub(super) is_unsupported: bool,
    pub(super) text: Option<String>,
    pub(super) quick_reply: Option<QuickReply>,
    #[serde(default)]
    pub(super) attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
pub(super) struct QuickReply {
    pub(super) payload: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Attachment {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) title: Option<String>,
    pub(super) payload: Option<Payload>,
}

#[derive(Deserialize)]
pub(super) struct Payload {
    pub(super) url: Option<String>,
    pub(super) title: Option<String>,
    pub(super) coordinates: Option<Coordinates>,
}

#[derive(Deserialize)]
pub(super) struct Coordinates {
    pub(super) lat: f64,
    pub(super) long: f64,
}

#[derive(Deserialize)]
pub(super) struct Postback {
    pub(super) mid: Option<String>,
    pub(super) payload: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Edit {
    pub(super) mid: String,
    pub(super) text: Option<String>,
    pub(super) num_edit: Option<u64>,
}
