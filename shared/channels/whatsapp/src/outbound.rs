//! What we say. <https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages>

use std::time::Duration;

use chela_core::channel::{OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use chela_meta::graph::TYPING;
use chela_meta::{Deadline, Failure, ReplyToMode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::WhatsApp;
use crate::address::{Address, Recipient};
use crate::dialect::{LONGEST, units, written};
use crate::message::{self, MOST_CAPTION, Message};

/// A reaction nobody waits for.
const REACTION: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Sent {
    messages: Vec<SentMessage>,
}

#[derive(Deserialize)]
struct SentMessage {
    id: String,
}

impl WhatsApp {
    /// Sends a text, with its choices as buttons or a list.
    pub(crate) async fn send_text(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let deadline = Deadline::new(&self.clock, part.timeout);
        let message = message::text(part.markdown, part.choices, &self.settings.list_button);
        self.show(part, message, &deadline).await
    }

    /// Uploads a file and sends it with its caption; a caption that is too long for one is a message of its own.
    pub(crate) async fn send_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let deadline = Deadline::new(&self.clock, part.timeout);
        let to = self.address(part.to)?;
        let id = self.upload(file, part.idempotency_key, self.number(&to)?, &deadline).await?;
        let caption = written(part.markdown, LONGEST);
        // Under a file there are no buttons either.
        let fits = units(&caption) <= MOST_CAPTION && part.choices.is_empty();
        let with_it = Some(caption.as_str()).filter(|caption| fits && !caption.trim().is_empty());
        let receipt = self.show(part, message::file(file, &id, with_it), &deadline).await?;
        if fits {
            return Ok(receipt);
        }
        let message = message::text(part.markdown, part.choices, &self.settings.list_button);
        // Not the first part: it neither quotes nor becomes a template once more.
        let second = OutboundPart { number: part.number.max(1), ..part.clone() };
        match self.show(&second, message, &deadline).await {
            Ok(_) => Ok(receipt),
            // The file is there: sending both again would show it twice.
            Err(error) => {
                Err(self.graph.api().unknown(&format!("the file was sent, but its caption was not: {error}")))
            }
        }
    }

    /// Marks the person's message as read and shows that an answer is being made: one call does both, and needs their
    /// message. <https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators>
    pub(crate) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let Some(message) = &to.message else { return Ok(()) };
        let address = self.address(to)?;
        // In a group nobody would see it.
        if matches!(address.recipient, Recipient::Group(_)) {
            return Ok(());
        }
        let body = json!({
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message,
            "typing_indicator": { "type": "text" },
        });
        Ok(self.graph.post(&self.messages(&address)?, &body, TYPING).await.map(drop)?)
    }

    /// Puts an emoji under a message. <https://developers.facebook.com/docs/whatsapp/cloud-api/messages/reaction-messages>
    pub(crate) async fn send_reaction(
        &self,
        to: &ReplyAddress,
        message_id: &str,
        emoji: &str,
    ) -> Result<(), SendError> {
        let address = self.address(to)?;
        let reaction = json!({ "message_id": message_id, "emoji": emoji });
        let body = body(address.recipient.fields(), Message { kind: "reaction", body: reaction });
        Ok(self.graph.post(&self.messages(&address)?, &body.into(), REACTION).await.map(drop)?)
    }

    /// Shows one message. Where the person has not written for a day, the account's template goes out in its place.
    async fn show(&self, part: &OutboundPart<'_>, message: Message, deadline: &Deadline) -> Result<Receipt, SendError> {
        let to = self.address(part.to)?;
        let path = self.messages(&to)?;
        let mut fields = to.recipient.fields();
        // Comes back in the statuses of this message, and tells which part became what.
        fields.insert("biz_opaque_callback_data".to_owned(), json!(part.idempotency_key));
        let mut said = body(fields.clone(), message);
        let in_group = matches!(to.recipient, Recipient::Group(_));
        let quotes = self.settings.quotes.unwrap_or(if in_group { ReplyToMode::First } else { ReplyToMode::Off });
        if let Some(quoted) = quotes.quoted(part) {
            said.insert("context".to_owned(), json!({ "message_id": quoted }));
        }
        let reply = match self.graph.post(&path, &said.into(), deadline.left()).await {
            Err(Failure::WindowClosed(closed)) => {
                let template = self.template(part, closed)?;
                self.graph.post(&path, &body(fields, template).into(), deadline.left()).await?
            }
            reply => reply?,
        };
        let sent: Sent = self.graph.read(&reply, "message id")?;
        let first = sent.messages.into_iter().next();
        let first = first.ok_or_else(|| self.graph.api().unknown("the answer has no message id"))?;
        Ok(Receipt { message_id: first.id })
    }

    /// What may be sent after 24 hours. One is enough for all parts of an answer.
    fn template(&self, part: &OutboundPart<'_>, closed: SendError) -> Result<Message, SendError> {
        match &self.settings.template {
            Some(template) if part.number == 0 => {
                let body = json!({ "name": template.name, "language": { "code": template.language } });
                Ok(Message { kind: "template", body })
            }
            Some(_) => Err(closed),
            None => Err(self.graph.api().refused(
                "the person has not written for 24 hours (code 131047): set templateName to an approved template, which \
                 is then sent instead",
            )),
        }
    }

    pub(crate) fn address(&self, to: &ReplyAddress) -> Result<Address, SendError> {
        let unfit = || self.graph.api().refused("the address is no phone number, no user id and no group");
        Address::parse(&to.to).ok_or_else(unfit)
    }

    /// The number a message goes out from.
    pub(crate) fn number<'a>(&'a self, to: &'a Address) -> Result<&'a str, SendError> {
        let own = to.number.as_deref().or(self.settings.phone_number_id.as_deref());
        own.ok_or_else(|| self.graph.api().refused("from which number? set phoneNumberId"))
    }

    fn messages(&self, to: &Address) -> Result<String, SendError> {
        Ok(format!("{}/messages", self.number(to)?))
    }
}

fn body(mut fields: Map<String, Value>, message: Message) -> Map<String, Value> {
    fields.insert("type".to_owned(), json!(message.kind));
    fields.insert(message.kind.to_owned(), message.body);
    fields
}
