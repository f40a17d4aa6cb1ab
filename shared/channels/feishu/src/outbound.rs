//! What the bot says.
//! <https://open.feishu.cn/document/server-docs/im-v1/message/create>

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_channel_kit::multipart::Form;
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::{Media, ReplyAddress};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::card::card;
use crate::content::Resource;
use crate::openapi::{Failure, OpenApi, Until};
use crate::{PERSON, emoji, is_id};

/// Feishu refuses longer keys. <https://open.feishu.cn/document/server-docs/im-v1/message/create>
pub(crate) const MOST_KEY_CHARS: usize = 50;

/// A reaction is a courtesy; it never holds up an answer.
const REACTION: Duration = Duration::from_secs(5);

/// One message as the API takes it.
pub(crate) struct Letter {
    pub(crate) kind: &'static str,
    pub(crate) content: String,
    /// Within an hour Feishu shows messages of one key once.
    pub(crate) key: String,
}

impl OpenApi {
    /// Shows a part as a card.
    pub(crate) async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let content = card(part.to, part.markdown, None, part.choices);
        let until = self.until(part.timeout);
        self.post(part, until, Letter { kind: "interactive", content, key: key(part, "") }).await
    }

    /// Changes a card.
    pub(crate) async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let url = format!("{}/{}", self.messages(), self.id(message_id)?);
        let body = json!({ "content": card(part.to, part.markdown, None, part.choices) });
        let until = self.until(part.timeout);
        if !self.remembers(part.to, message_id) {
            self.not_elsewhere(part.to, message_id, until).await?;
        }
        let patch = |left| ApiCall::json(&url, &body, left).method(Method::PATCH);
        self.call("the edit", until, patch).await?;
        Ok(())
    }

    /// Uploads a file and shows it: a picture in one card with its caption, another file below it.
    pub(crate) async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let until = self.until(part.timeout);
        let captioned = !part.markdown.trim().is_empty() || !part.choices.is_empty();
        let upload = Upload::of(file.content_type);
        let uploaded = self.upload(&upload, file, part, until).await?;
        if upload.kind == "image" && captioned {
            let content = card(part.to, part.markdown, Some(&uploaded), part.choices);
            return self.post(part, until, Letter { kind: "interactive", content, key: key(part, "") }).await;
        }
        if captioned {
            let content = card(part.to, part.markdown, None, part.choices);
            self.post(part, until, Letter { kind: "interactive", content, key: key(part, "c") }).await?;
        }
        let mut content = json!({});
        set(&mut content, upload.field, uploaded.into());
        self.post(part, until, Letter { kind: upload.kind, content: content.to_string(), key: key(part, "") }).await
    }

    async fn upload(
        &self,
        upload: &Upload,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
        until: Until,
    ) -> Result<String, SendError> {
        let url = format!("{}/open-apis/im/v1/{}", self.base_url, upload.path);
        let form = |left| {
            let form = Form::new(part.idempotency_key);
            let form = match upload.file_type {
                None => form.text("image_type", "message").file("image", file.name, file.content_type, &file.bytes),
                Some(kind) => form.text("file_type", kind).text("file_name", file.name).file(
                    "file",
                    file.name,
                    file.content_type,
                    &file.bytes,
                ),
            };
            form.into_call(ApiCall::get(&url, left).method(Method::POST))
        };
        let data = self.call("the upload", until, form).await.map_err(|failure| match failure.into() {
            // Nobody has seen it.
            SendError::Unknown { reason, .. } => self.api.not_sent(&reason),
            other => other,
        })?;
        let uploaded = data.get(upload.field).and_then(Value::as_str);
        uploaded.map(str::to_owned).ok_or_else(|| self.api.not_sent("the upload is confirmed without a key"))
    }

    /// Adds a reaction.
    pub(crate) async fn react(&self, to: &ReplyAddress, message_id: &str, sign: &str) -> Result<(), SendError> {
        let name = emoji::name(sign).ok_or_else(|| self.api.refused("Feishu has no such emoji"))?;
        let url = format!("{}/{}/reactions", self.messages(), self.id(message_id)?);
        let body = json!({ "reaction_type": { "emoji_type": name } });
        let until = self.until(REACTION);
        // What is answered stands where it is answered: nobody need ask before it is said that it was seen.
        if to.message.as_deref() != Some(message_id) {
            self.not_elsewhere(to, message_id, until).await?;
        }
        self.call("the reaction", until, |left| ApiCall::json(&url, &body, left)).await?;
        Ok(())
    }

    /// Downloads a file of a message.
    pub(crate) async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let Some(Resource { message, kind, key }) = Resource::read(&media.reference) else {
            return Err(self.api.refused("this is no file of a message"));
        };
        let authorization = self.authorization(self.until(timeout)).await?;
        let url = format!("{}/{message}/resources/{key}?type={kind}", self.messages());
        self.api.download(&url, HeaderMap::from_iter([(AUTHORIZATION, authorization)]), most, timeout).await
    }

    /// Sends one message to where the part goes. What answers a message that is gone is said to the whole chat.
    async fn post(&self, part: &OutboundPart<'_>, until: Until, letter: Letter) -> Result<Receipt, SendError> {
        let answered = answered(part).filter(|id| is_id(id));
        let sent = match answered {
            Some(id) => match self.reply(id, part.to.thread.is_some(), until, &letter).await {
                Err(Failure::Withdrawn(_)) => self.create(part.to, until, &letter).await,
                other => other,
            },
            None => self.create(part.to, until, &letter).await,
        }?;
        let receipt = self.confirmed(&sent)?;
        self.remember(part.to, &receipt.message_id);
        Ok(receipt)
    }

    pub(crate) fn confirmed(&self, sent: &Value) -> Result<Receipt, SendError> {
        let id = sent.get("message_id").and_then(Value::as_str);
        let id = id.ok_or_else(|| self.api.unknown("the message is confirmed without an id"))?;
        Ok(Receipt { message_id: id.to_owned() })
    }

    pub(crate) async fn create(&self, to: &ReplyAddress, until: Until, letter: &Letter) -> Result<Value, Failure> {
        let url = format!("{}?receive_id_type={}", self.messages(), kind_of_id(&to.to));
        let Letter { kind, content, key } = letter;
        let body = json!({ "receive_id": to.to, "msg_type": kind, "content": content, "uuid": key });
        self.call("the message", until, |left| ApiCall::json(&url, &body, left)).await
    }

    async fn reply(&self, id: &str, in_thread: bool, until: Until, letter: &Letter) -> Result<Value, Failure> {
        let url = format!("{}/{id}/reply", self.messages());
        let Letter { kind, content, key } = letter;
        let body = json!({ "msg_type": kind, "content": content, "reply_in_thread": in_thread, "uuid": key });
        self.call("the reply", until, |left| ApiCall::json(&url, &body, left)).await
    }

    pub(crate) fn messages(&self) -> String {
        format!("{}/open-apis/im/v1/messages", self.base_url)
    }

    pub(crate) fn id<'i>(&self, id: &'i str) -> Result<&'i str, SendError> {
        if is_id(id) { Ok(id) } else { Err(self.api.refused("this is no id of a message")) }
    }
}

/// The message that a part answers: its first part the one that was asked with, in a thread all parts some message of it.
fn answered<'p>(part: &'p OutboundPart<'_>) -> Option<&'p str> {
    let first = part.to.message.as_deref().filter(|_| part.number == 0);
    first.or(part.to.thread.as_deref())
}

/// <https://open.feishu.cn/document/home/user-identity-introduction/introduction>
fn kind_of_id(to: &str) -> &'static str {
    match to {
        to if to.starts_with("oc_") => "chat_id",
        to if to.starts_with(PERSON) => "open_id",
        to if to.starts_with("on_") => "union_id",
        to if to.contains('@') => "email",
        _ => "user_id",
    }
}

fn key(part: &OutboundPart<'_>, suffix: &str) -> String {
    part.idempotency_key.chars().take(MOST_KEY_CHARS - suffix.len()).chain(suffix.chars()).collect()
}

fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// How a file is uploaded, and then shown.
struct Upload {
    path: &'static str,
    /// Of the form; `None` for pictures.
    file_type: Option<&'static str>,
    /// The name of the key in the answer and in the message.
    field: &'static str,
    /// The type of the message.
    kind: &'static str,
}

impl Upload {
    /// <https://open.feishu.cn/document/server-docs/im-v1/file/create>: what is sent as sound or film must be uploaded
    /// as such, and everything else may be a stream of bytes.
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let file = |file_type, kind| Self { path: "files", file_type: Some(file_type), field: "file_key", kind };
        match essence.as_str() {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/bmp" | "image/tiff" | "image/x-icon" => {
                Self { path: "images", file_type: None, field: "image_key", kind: "image" }
            }
            "audio/ogg" | "audio/opus" => file("opus", "audio"),
            "video/mp4" => file("mp4", "media"),
            "application/pdf" => file("pdf", "file"),
            _ => file("stream", "file"),
        }
    }
}
