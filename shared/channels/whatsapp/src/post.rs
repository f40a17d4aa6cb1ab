//! The parts of a post that are read. Everything else may change as Meta likes.
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages>

use chela_meta::failure::GraphError;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(crate) struct Post<'a> {
    pub(crate) object: String,
    #[serde(default, borrow)]
    pub(crate) entry: Vec<Entry<'a>>,
}

/// What happened to one WhatsApp Business Account.
#[derive(Deserialize)]
pub(crate) struct Entry<'a> {
    #[serde(default, borrow)]
    pub(crate) changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct Change<'a> {
    #[serde(default)]
    pub(crate) field: String,
    #[serde(borrow)]
    pub(crate) value: Option<&'a RawValue>,
}

/// The value of the field `messages`.
#[derive(Deserialize)]
pub(crate) struct Messages<'a> {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) contacts: Vec<Contact>,
    /// Each is read on its own, so that one that is broken takes no other with it.
    #[serde(default, borrow)]
    pub(crate) messages: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    pub(crate) statuses: Vec<&'a RawValue>,
}

/// The number that was written to.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) display_phone_number: String,
    pub(crate) phone_number_id: String,
}

/// Somebody who wrote. The digits are absent where the person goes by a username.
#[derive(Deserialize)]
pub(crate) struct Contact {
    pub(crate) profile: Option<Profile>,
    pub(crate) wa_id: Option<String>,
    pub(crate) user_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: Option<String>,
    pub(crate) username: Option<String>,
}

/// What all messages have.
#[derive(Deserialize)]
pub(crate) struct Head {
    pub(crate) id: String,
    /// Digits.
    pub(crate) from: Option<String>,
    /// The business-scoped user id, which stays when the person hides the digits.
    /// <https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids>
    pub(crate) from_user_id: Option<String>,
    pub(crate) group_id: Option<String>,
    /// Seconds.
    pub(crate) timestamp: String,
    pub(crate) context: Option<Context>,
}

/// The message that is answered, or that it is somebody else's message.
#[derive(Deserialize)]
pub(crate) struct Context {
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) forwarded: bool,
    #[serde(default)]
    pub(crate) frequently_forwarded: bool,
}

/// What became of a message we sent.
#[derive(Deserialize)]
pub(crate) struct Status {
    pub(crate) status: String,
    /// What we gave along with it.
    pub(crate) biz_opaque_callback_data: Option<String>,
    #[serde(default)]
    pub(crate) errors: Vec<GraphError>,
}
