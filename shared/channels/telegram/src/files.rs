//! Files, both ways.

use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::ApiCall;
use chela_channel_kit::multipart::Form;
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::Media;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Telegram;
use crate::buttons::keyboard;
use crate::html::{LONGEST_CAPTION, html};
use crate::outbound::{Failure, answer_to};

/// Most bytes of a picture that is shown as one. <https://core.telegram.org/bots/api#sending-files>
const LARGEST_PICTURE: usize = 10 * 1024 * 1024;

/// Pictures that are shown as such; others are files.
const PICTURES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];

#[derive(Deserialize)]
struct Found {
    file_path: Option<String>,
}

/// How a file is sent.
struct Way {
    method: &'static str,
    field: &'static str,
}

const AS_PICTURE: Way = Way { method: "sendPhoto", field: "photo" };
const AS_FILE: Way = Way { method: "sendDocument", field: "document" };

impl Telegram {
    /// Finds a file's path and fetches it. Telegram keeps a path for an hour, and has none for files over 20 MB.
    /// <https://core.telegram.org/bots/api#getfile>
    pub(crate) async fn get_file(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let found = self.call("getFile", &json!({ "file_id": media.reference }), timeout).await;
        let found = Found::deserialize(found.map_err(|why| self.plainly(why))?).ok().and_then(|found| found.file_path);
        let path = found.ok_or_else(|| self.api.not_sent("getFile names no path"))?;
        // A server of one's own in its local mode names a file of its disk.
        if !leads_to_a_file(&path) {
            return Err(self.api.refused("getFile names a path that is not on the server; turn its local mode off"));
        }
        let url = format!("{}{path}", self.files.expose());
        self.api.download(&url, HeaderMap::new(), most, timeout).await
    }

    /// Sends a file with its caption: as a picture if it can be one. A caption that is too long is a message of its own,
    /// before the file.
    pub(crate) async fn send_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let mut fields = answer_to(part.to);
        let caption = html(part.markdown, LONGEST_CAPTION);
        let apart = caption.is_none();
        if apart {
            self.send_message(part).await?;
            fields.shift_remove("reply_parameters");
        } else {
            if let Some(caption) = caption.filter(|caption| !caption.is_empty()) {
                fields.insert("caption".to_owned(), json!(caption));
                fields.insert("parse_mode".to_owned(), json!("HTML"));
            }
            if let Some(keyboard) = keyboard(part.choices) {
                fields.insert("reply_markup".to_owned(), keyboard);
            }
        }
        let sent = self.upload(fields, file, part).await;
        sent.and_then(|sent| self.receipt(&sent)).map_err(|error| if apart { self.half_sent(error) } else { error })
    }

    /// Each further try follows an answer that says that nothing was shown.
    async fn upload(
        &self,
        mut fields: Map<String, Value>,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Value, SendError> {
        let picture = PICTURES.contains(&file.content_type) && file.bytes.len() <= LARGEST_PICTURE;
        let mut way = if picture { AS_PICTURE } else { AS_FILE };
        let unmarked = part.markdown.encode_utf16().count() <= LONGEST_CAPTION;
        let mut moved = false;
        loop {
            match self.post_file(&way, &fields, file, part).await {
                Ok(sent) => return Ok(sent),
                Err(Failure::NoPicture) if way.method == AS_PICTURE.method => way = AS_FILE,
                Err(Failure::Unparsable) if unmarked && fields.shift_remove("parse_mode").is_some() => {
                    fields.insert("caption".to_owned(), json!(part.markdown));
                }
                Err(Failure::Moved(chat)) if !moved => {
                    moved = true;
                    fields.insert("chat_id".to_owned(), json!(chat));
                }
                Err(why) => return Err(self.plainly(why)),
            }
        }
    }

    async fn post_file(
        &self,
        way: &Way,
        fields: &Map<String, Value>,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Value, Failure> {
        let mut form = Form::new(part.idempotency_key);
        for (name, value) in fields {
            form = match value {
                Value::String(text) => form.text(name, text),
                other => form.text(name, &other.to_string()),
            };
        }
        let form = form.file(way.field, file.name, file.content_type, &file.bytes);
        let url = format!("{}{}", self.methods.expose(), way.method);
        self.make(form.into_call(ApiCall::post(&url, "multipart/form-data", Bytes::new(), part.timeout))).await
    }

    /// The caption is already there, so that trying again would show it twice.
    fn half_sent(&self, error: SendError) -> SendError {
        match error {
            SendError::Refused { .. } => error,
            other => self.api.unknown(&format!("the caption was sent, the file was not: {other}")),
        }
    }
}

/// Whether a path stays below the place of files.
fn leads_to_a_file(path: &str) -> bool {
    let fit = |segment: &str| {
        !segment.is_empty()
            && !segment.bytes().all(|byte| byte == b'.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    path.split('/').all(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_file_and_nowhere_else() {
        assert!(leads_to_a_file("photos/file_0.jpg") && leads_to_a_file("file"));
        for bad in ["", "/var/lib/x", "../getMe", "a//b", "a/./b", "a?b", "a#b", "a%2e", "a\\b", "https://x/y"] {
            assert!(!leads_to_a_file(bad), "{bad}");
        }
    }
}
