//! The Send API. <https://developers.facebook.com/docs/messenger-platform/reference/send-api>

use chela_channel_kit::multipart::Form;
use chela_core::channel::{Choice, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Page;
use crate::choices::{numbered, titles};
use crate::deadline::Deadline;
use crate::failure::Failure;
use crate::graph::TYPING;
use crate::readable::readable;

/// Most quick replies of one message.
/// <https://developers.facebook.com/docs/messenger-platform/reference/buttons/quick-replies>
pub const MOST_CHOICES: usize = 13;

/// Most of a quick reply's words; what stands on it is cut there.
const MOST_TITLE: usize = 20;

/// Most of what comes back from it.
const MOST_PAYLOAD: usize = 1_000;

#[derive(Deserialize)]
struct Sent {
    message_id: String,
}

#[derive(Deserialize)]
struct Uploaded {
    attachment_id: String,
}

impl Page {
    /// Sends a text, with its choices as quick replies.
    pub(super) async fn send_text(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let deadline = Deadline::new(&self.clock, part.timeout);
        self.show(part, self.text_message(part), &deadline).await
    }

    /// Sends a file, and its caption as a second message: files have none here.
    pub(super) async fn send_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let deadline = Deadline::new(&self.clock, part.timeout);
        let refused = || self.graph.api().refused(&format!("files of type {} cannot be sent here", file.content_type));
        let kind = (self.traits.attachment)(file.content_type).ok_or_else(refused)?;
        let payload = self.place(kind, file, part, &deadline).await?;
        let message = json!({ "attachment": { "type": kind, "payload": payload } });
        let receipt = self.show(part, message, &deadline).await?;
        if part.markdown.trim().is_empty() {
            return Ok(receipt);
        }
        // Not the first part: it does not quote once more.
        let second = OutboundPart { number: part.number.max(1), ..part.clone() };
        match self.show(&second, self.text_message(part), &deadline).await {
            Ok(_) => Ok(receipt),
            // The file is there: sending both again would show it twice.
            Err(error) => {
                Err(self.graph.api().unknown(&format!("the file was sent, but its caption was not: {error}")))
            }
        }
    }

    /// Shows that an answer is being made.
    pub(super) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let body = json!({ "recipient": { "id": to.to }, "sender_action": "typing_on" });
        Ok(self.graph.post("me/messages", &body, TYPING).await.map(drop)?)
    }

    fn text_message(&self, part: &OutboundPart<'_>) -> Value {
        let fits = |choice: &Choice| !choice.value.is_empty() && choice.value.chars().count() <= MOST_PAYLOAD;
        let text = |markdown: &str| readable(markdown, self.traits.longest, self.traits.measure);
        if part.choices.is_empty() {
            return json!({ "text": text(part.markdown) });
        }
        if part.choices.len() > MOST_CHOICES || !part.choices.iter().all(fits) {
            return json!({ "text": text(&numbered(part.markdown, part.choices)) });
        }
        let replies: Vec<Value> = titles(part.choices, MOST_TITLE)
            .into_iter()
            .zip(part.choices)
            .map(|(title, choice)| json!({ "content_type": "text", "title": title, "payload": choice.value }))
            .collect();
        json!({ "text": text(part.markdown), "quick_replies": replies })
    }

    /// Shows one message; under the account's tag, if it has one and the person has not written for a day.
    async fn show(&self, part: &OutboundPart<'_>, message: Value, deadline: &Deadline) -> Result<Receipt, SendError> {
        let mut body = json!({ "recipient": { "id": part.to.to }, "message": message });
        if self.traits.messaging_type {
            set(&mut body, "messaging_type", json!("RESPONSE"));
        }
        if let Some(quoted) = self.quotes.quoted(part) {
            set(&mut body, "reply_to", json!({ "mid": quoted }));
        }
        let reply = match (self.graph.post("me/messages", &body, deadline.left()).await, &self.tag) {
            (Err(Failure::WindowClosed(_)), Some(tag)) => {
                set(&mut body, "messaging_type", json!("MESSAGE_TAG"));
                set(&mut body, "tag", json!(tag));
                self.graph.post("me/messages", &body, deadline.left()).await?
            }
            (reply, _) => reply?,
        };
        let sent: Sent = self.graph.read(&reply, "message id")?;
        Ok(Receipt { message_id: sent.message_id })
    }

    /// Where the platform finds the file: uploaded, or on its own way from where we keep it.
    async fn place(
        &self,
        kind: &str,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
        deadline: &Deadline,
    ) -> Result<Value, SendError> {
        if !self.traits.uploads {
            let nowhere =
                || self.graph.api().refused("files can be sent only from a public URL, and this one has none");
            return Ok(json!({ "url": file.url.ok_or_else(nowhere)? }));
        }
        // https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
        let message = json!({ "attachment": { "type": kind, "payload": { "is_reusable": false } } });
        let form = Form::new(part.idempotency_key).text("message", &message.to_string()).file(
            "filedata",
            file.name,
            file.content_type,
            &file.bytes,
        );
        let reply = self.graph.upload("me/message_attachments", form, deadline.left()).await?;
        let uploaded: Uploaded = self.graph.read(&reply, "attachment id")?;
        Ok(json!({ "attachment_id": uploaded.attachment_id }))
    }
}

fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
