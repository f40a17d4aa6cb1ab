//! Files that come along, and files that go out.
//! <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/bots-filesv4>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::Media;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use url::Url;

use crate::Teams;
use crate::activity::Attachment;

/// A file that somebody shared in a personal chat, with a URL that needs no token.
const DOWNLOAD_INFO: &str = "application/vnd.microsoft.teams.file.download.info";

/// Where shared files are. The bot's token never goes there: their URLs are signed.
const FILE_DOMAINS: [&str; 3] = [".sharepoint.com", ".sharepoint.us", ".sharepoint.cn"];

/// The kinds of pictures that Teams shows in a message.
/// <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages>
const PICTURES: [&str; 3] = ["image/png", "image/jpeg", "image/gif"];

/// Most bytes of a picture that is put into the message itself. The documentation allows a picture 1 MB and a message
/// about 100 KB of text; what is refused all the same is told as such.
const MOST_INLINE: usize = 150 * 1024;

/// The files of a message. Cards, and the text once more as HTML, are none.
pub(crate) fn read(attachments: &[Attachment]) -> Vec<Media> {
    attachments.iter().filter_map(media).collect()
}

fn media(attachment: &Attachment) -> Option<Media> {
    let shared = attachment.content_type.as_deref() == Some(DOWNLOAD_INFO);
    let url = if shared {
        attachment.content.as_ref()?.get("downloadUrl")?.as_str()?
    } else {
        attachment.content_url.as_deref()?
    };
    let is_web = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    Url::parse(url).ok().filter(is_web)?;
    Some(Media {
        missing: None,
        reference: url.to_owned(),
        content_type: attachment
            .content_type
            .clone()
            .filter(|kind| !shared && kind.contains('/') && !kind.contains('*')),
        name: attachment.name.clone(),
        size: None,
    })
}

impl Teams {
    /// Pictures in messages are at the connector and want our token, shared files are elsewhere and must not get it.
    pub(crate) async fn fetch_file(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let url = Url::parse(&media.reference).map_err(|_| self.api.refused("the file has no URL"))?;
        let mut headers = HeaderMap::new();
        if self.services.knows(&url) {
            headers.insert(AUTHORIZATION, self.token(timeout).await?.bearer());
        } else if !self.has_files(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(self.api.refused(&format!("the file is at {host}, which mediaAllowHosts does not name")));
        }
        self.api.download(url.as_str(), headers, most, timeout).await
    }

    fn has_files(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let known = FILE_DOMAINS.iter().any(|domain| host.ends_with(domain))
            || self.media_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
        known && url.scheme() == "https"
    }

    /// A small picture stands in the message. Other files are shown or linked where they lie; Teams takes uploads in
    /// personal chats only, and only after the person has consented to each.
    pub(crate) async fn post_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let picture = PICTURES.contains(&file.content_type);
        let shown = |url: String| json!({ "contentType": file.content_type, "contentUrl": url, "name": file.name });
        if picture && file.bytes.len() <= MOST_INLINE {
            let url = format!("data:{};base64,{}", file.content_type, STANDARD.encode(&file.bytes));
            return self.post(part, &[shown(url)]).await;
        }
        let Some(url) = file.url else {
            return Err(self.api.refused("Teams takes no file of this kind or size from a bot without a public URL"));
        };
        if picture {
            return self.post(part, &[shown(url.to_owned())]).await;
        }
        self.post(part, &[link(file.name, url)]).await
    }
}

/// A card with a button that opens the file.
fn link(name: &str, url: &str) -> Value {
    json!({
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": {
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [],
            "actions": [{ "type": "Action.OpenUrl", "title": name, "url": url }],
        },
    })
}
