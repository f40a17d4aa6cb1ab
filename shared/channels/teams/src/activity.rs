//! An activity, as far as it is read.
//! <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#activity-object>

use serde::Deserialize;
use serde_json::Value;

/// What every activity has. Read first: other kinds have other fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) channel_id: String,
    pub(crate) service_url: String,
}

/// A message, its edit, or a pressed button.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activity {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) from: Person,
    pub(crate) recipient: Person,
    pub(crate) conversation: Conversation,
    pub(crate) text: Option<String>,
    pub(crate) entities: Option<Vec<Entity>>,
    pub(crate) attachments: Option<Vec<Attachment>>,
    pub(crate) channel_data: Option<ChannelData>,
    /// What a button carries.
    pub(crate) value: Option<Value>,
    /// What is invoked.
    pub(crate) name: Option<String>,
}

/// Somebody, or a bot.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// The person in the organisation's directory: the same in every conversation and for every bot.
    pub(crate) aad_object_id: Option<String>,
}

/// Where it was said.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) conversation_type: Option<String>,
    pub(crate) is_group: Option<bool>,
    pub(crate) tenant_id: Option<String>,
}

/// Something in the text; of its kinds only mentions are read.
#[derive(Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) mentioned: Option<Mentioned>,
}

/// Who is mentioned.
#[derive(Deserialize)]
pub(crate) struct Mentioned {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
}

/// A picture, a file, a card, or the text once more as HTML.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attachment {
    pub(crate) content_type: Option<String>,
    pub(crate) content_url: Option<String>,
    pub(crate) content: Option<Value>,
    pub(crate) name: Option<String>,
}

/// What Teams adds to the Bot Framework.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChannelData {
    pub(crate) team: Option<Named>,
    pub(crate) tenant: Option<Named>,
    pub(crate) event_type: Option<String>,
}

/// Something with an id.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) id: Option<String>,
}

impl Activity {
    /// The organisation it comes from.
    pub(crate) fn tenant(&self) -> Option<&str> {
        let tenant = self.channel_data.as_ref().and_then(|data| data.tenant.as_ref()?.id.as_deref());
        self.conversation.tenant_id.as_deref().or(tenant)
    }
}
