//! Files that come along, and files that go out.
//! <https://developers.google.com/workspace/chat/upload-media-attachments>

use std::fmt::Write as _;
use std::time::Duration;

use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::Media;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::json;

use crate::GoogleChat;
use crate::event::Message;

/// What the reference of a file in Drive begins with. It needs the Drive API and its owner's consent to be fetched.
const DRIVE: &str = "drive:";

/// The files of a message.
pub(crate) fn read(message: &Message) -> Vec<Media> {
    let media = |attachment: &crate::event::Attachment| {
        let uploaded = attachment.attachment_data_ref.as_ref().and_then(|data| data.resource_name.clone());
        let in_drive = || Some(format!("{DRIVE}{}", attachment.drive_data_ref.as_ref()?.drive_file_id.as_ref()?));
        let reference = uploaded.filter(|name| !name.is_empty()).or_else(in_drive)?;
        let (content_type, name) = (attachment.content_type.clone(), attachment.content_name.clone());
        Some(Media { missing: None, reference, content_type, name, size: None })
    };
    message.attachment.iter().flatten().filter_map(media).collect()
}

/// A file's name as the rest of a path. Slashes belong to it; what would climb is no name.
fn path(name: &str) -> Option<String> {
    let climbs = |word: &str| word.is_empty() || word.bytes().all(|byte| byte == b'.');
    if name.split('/').any(climbs) {
        return None;
    }
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/=+:@".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    Some(path)
}

impl GoogleChat {
    pub(crate) async fn fetch_file(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        if media.reference.starts_with(DRIVE) {
            return Err(self.api.refused("a file in Drive is not the app's to read: upload it to the chat"));
        }
        let path = path(&media.reference).ok_or_else(|| self.api.refused("the file has no name"))?;
        let url = format!("{}/v1/media/{path}?alt=media", self.api_url);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.token(timeout).await?.bearer())]);
        self.api.download(&url, headers, most, timeout).await
    }

    /// Only people can upload files, apps cannot: a picture is shown and another file linked where it lies.
    pub(crate) async fn create_with_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let Some(url) = file.url else {
            return Err(self.api.refused("Google Chat takes no files of apps without a public URL"));
        };
        let open = json!({ "openLink": { "url": url } });
        let widget = if file.content_type.starts_with("image/") {
            json!({ "image": { "imageUrl": url, "altText": file.name, "onClick": open } })
        } else {
            json!({ "buttonList": { "buttons": [{ "text": file.name, "onClick": open }] } })
        };
        self.create(part, Some(widget)).await
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_name_is_the_rest_of_a_path_and_nothing_else() {
        assert_eq!(path("ClxzcGFj+/=_-").as_deref(), Some("ClxzcGFj+/=_-"));
        assert_eq!(
            path("spaces/A/attachments/x?alt=json#y %2e").as_deref(),
            Some("spaces/A/attachments/x%3Falt=json%23y%20%252e")
        );
        for odd in ["", "/", "a/../b", "..", "a//b", "/a"] {
            assert_eq!(path(odd), None, "{odd}");
        }
    }
}
