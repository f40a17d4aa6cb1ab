//! An interaction event, in both forms: that of Chat apps, and that of Google Workspace add-ons which extend Chat.
//! <https://developers.google.com/workspace/chat/api/reference/rest/v1/Event>,
//! <https://developers.google.com/workspace/add-ons/concepts/event-objects#chat-event-object>
//!
//! Add-ons write whole numbers as fractions (`14.0`), so no number is read as an integer.

use std::collections::BTreeMap;

use chela_core::channel::Rejected;
use serde::Deserialize;
use serde_json::Value;

/// What happened, whatever form it came in.
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) time: Option<String>,
    pub(crate) user: Option<User>,
    pub(crate) space: Option<Space>,
    pub(crate) message: Option<Message>,
    /// The parameters of a pressed button.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The function a pressed button names.
    pub(crate) function: Option<String>,
    /// The id of a command without a message.
    pub(crate) command: Option<String>,
}

/// Kinds of events that are read; of a message also that by which the app was added to a space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Click,
    Command,
    /// Added, removed, a widget, …
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Classic {
    #[serde(rename = "type")]
    kind: String,
    event_time: Option<String>,
    user: Option<User>,
    space: Option<Space>,
    message: Option<Message>,
    action: Option<Action>,
    common: Option<Common>,
    app_command_metadata: Option<CommandMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddOn {
    chat: Chat,
    common_event_object: Option<Common>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    user: Option<User>,
    event_time: Option<String>,
    message_payload: Option<Payload>,
    added_to_space_payload: Option<Payload>,
    button_clicked_payload: Option<Payload>,
    app_command_payload: Option<Payload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    space: Option<Space>,
    message: Option<Message>,
    app_command_metadata: Option<CommandMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    action_method_name: Option<String>,
    parameters: Option<Vec<Parameter>>,
}

#[derive(Deserialize)]
struct Parameter {
    key: Option<String>,
    value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    invoked_function: Option<String>,
    parameters: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommandMetadata {
    app_command_id: Option<Value>,
}

/// Somebody, or an app.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) display_name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
}

/// A room, or a direct chat.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Space {
    pub(crate) name: String,
    pub(crate) space_type: Option<String>,
    /// The older form of the same: `DM` or `ROOM`.
    #[serde(rename = "type")]
    pub(crate) old_type: Option<String>,
    pub(crate) space_threading_state: Option<String>,
}

/// A message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) sender: Option<User>,
    pub(crate) create_time: Option<String>,
    pub(crate) text: Option<String>,
    /// The text without mentions of us and without the command.
    pub(crate) argument_text: Option<String>,
    pub(crate) thread: Option<Thread>,
    pub(crate) thread_reply: Option<bool>,
    pub(crate) space: Option<Space>,
    pub(crate) annotations: Option<Vec<Annotation>>,
    pub(crate) attachment: Option<Vec<Attachment>>,
}

/// A thread.
#[derive(Deserialize)]
pub(crate) struct Thread {
    pub(crate) name: Option<String>,
}

/// A mention or a command in the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Annotation {
    pub(crate) user_mention: Option<UserMention>,
    pub(crate) slash_command: Option<SlashCommand>,
}

/// Who is mentioned.
#[derive(Deserialize)]
pub(crate) struct UserMention {
    pub(crate) user: Option<User>,
}

/// Which command is given.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlashCommand {
    pub(crate) command_name: Option<String>,
}

/// A file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attachment {
    pub(crate) content_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) attachment_data_ref: Option<DataRef>,
    pub(crate) drive_data_ref: Option<DriveRef>,
}

/// A file that was uploaded to Chat.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataRef {
    pub(crate) resource_name: Option<String>,
}

/// A file in Drive.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriveRef {
    pub(crate) drive_file_id: Option<String>,
}

impl Event {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Rejected> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Rejected::Malformed("the body is not JSON"))?;
        let odd = |_| Rejected::Malformed("the body is no event as Google Chat documents it");
        if body.get("chat").is_some() {
            return serde_json::from_value(body).map(Self::of_add_on).map_err(odd);
        }
        // Other kinds have other fields, so the kind is read first.
        match body.get("type").and_then(Value::as_str) {
            Some("MESSAGE" | "ADDED_TO_SPACE" | "CARD_CLICKED" | "APP_COMMAND") => {
                serde_json::from_value(body).map(Self::of_app).map_err(odd)
            }
            Some(_) => Ok(Self::nothing()),
            None => Err(Rejected::Malformed("the body is no event as Google Chat documents it")),
        }
    }

    fn nothing() -> Self {
        let (time, user, space, message, function, command) = (None, None, None, None, None, None);
        Self { kind: Kind::Other, time, user, space, message, parameters: BTreeMap::new(), function, command }
    }

    fn of_app(event: Classic) -> Self {
        let kind = match event.kind.as_str() {
            "CARD_CLICKED" => Kind::Click,
            "APP_COMMAND" => Kind::Command,
            _ => Kind::Message,
        };
        let (invoked, mut parameters) = event.common.map(Common::read).unwrap_or_default();
        let mut function = None;
        if let Some(action) = event.action {
            function = action.action_method_name;
            parameters.extend(action.parameters.into_iter().flatten().filter_map(Parameter::read));
        }
        Self {
            kind,
            time: event.event_time,
            user: event.user,
            space: event.space,
            message: event.message,
            parameters,
            function: function.or(invoked),
            command: event.app_command_metadata.and_then(CommandMetadata::id),
        }
    }

    fn of_add_on(event: AddOn) -> Self {
        let Chat { user, event_time, .. } = event.chat;
        let (function, parameters) = event.common_event_object.map(Common::read).unwrap_or_default();
        let message = event.chat.message_payload.or(event.chat.added_to_space_payload);
        let (kind, payload) = match (message, event.chat.button_clicked_payload, event.chat.app_command_payload) {
            (Some(payload), _, _) => (Kind::Message, payload),
            (None, Some(payload), _) => (Kind::Click, payload),
            (None, None, Some(payload)) => (Kind::Command, payload),
            (None, None, None) => return Self::nothing(),
        };
        let command = payload.app_command_metadata.and_then(CommandMetadata::id);
        let (space, message) = (payload.space, payload.message);
        Self { kind, time: event_time, user, space, message, parameters, function, command }
    }
}

impl Common {
    fn read(self) -> (Option<String>, BTreeMap<String, String>) {
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        (self.invoked_function, self.parameters.into_iter().flatten().filter_map(text).collect())
    }
}

impl Parameter {
    fn read(self) -> Option<(String, String)> {
        Some((self.key?, self.value?.as_str()?.to_owned()))
    }
}

impl CommandMetadata {
    /// The id, which is written as a number, as a fraction or as a text.
    fn id(self) -> Option<String> {
        match self.app_command_id? {
            Value::String(id) => Some(id),
            Value::Number(id) => Some(id.to_string().trim_end_matches(".0").to_owned()),
            _ => None,
        }
    }
}
