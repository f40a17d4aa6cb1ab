//! Files. <https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media>

use std::time::Duration;

use chela_channel_kit::multipart::Form;
use chela_core::channel::{Fetched, OutboundFile, SendError};
use chela_core::message::Media;
use chela_meta::Deadline;
use serde::Deserialize;

use crate::WhatsApp;

#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

/// Where a file is, for five minutes.
#[derive(Deserialize)]
struct Place {
    url: String,
    mime_type: Option<String>,
    file_size: Option<u64>,
}

impl WhatsApp {
    /// Uploads a file and gives its id. Nobody sees it yet.
    pub(crate) async fn upload(
        &self,
        file: &OutboundFile<'_>,
        key: &str,
        number: &str,
        deadline: &Deadline,
    ) -> Result<String, SendError> {
        let form = Form::new(key).text("messaging_product", "whatsapp").text("type", file.content_type).file(
            "file",
            file.name,
            file.content_type,
            &file.bytes,
        );
        let reply = self.graph.upload(&format!("{number}/media"), form, deadline.left()).await?;
        let uploaded: Uploaded = self.graph.read(&reply, "media id")?;
        Ok(uploaded.id)
    }

    /// Asks where a file is and fetches it from there. Meta's file hosts want the token too.
    pub(crate) async fn fetch_file(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let id = &media.reference;
        // It becomes part of a URL.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err(self.graph.api().refused("the file has no id"));
        }
        let deadline = Deadline::new(&self.clock, timeout);
        let reply = self.graph.get(id, deadline.left()).await?;
        let place: Place = self.graph.read(&reply, "URL of the file")?;
        if place.file_size.is_some_and(|size| size > most as u64) {
            return Err(self.graph.api().refused(&format!("the file is over {most} bytes")));
        }
        let fetched = self.graph.download(&place.url, true, most, deadline.left()).await?;
        Ok(Fetched { content_type: place.mime_type.or(fetched.content_type), ..fetched })
    }
}
