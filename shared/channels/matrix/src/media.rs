//! Files: where they are, how they come and how they go.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chela_channel_kit::ApiCall;
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::Media;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::json;

use crate::Matrix;
use crate::content::{self, Body};
use crate::event::Content;

const SCHEME: &str = "mxc://";

/// The file of a message, if it has one that can be read: those of encrypted rooms have no `url`.
pub(crate) fn of(content: &Content) -> Option<Media> {
    let reference = content.url.as_deref().filter(|url| place(url).is_some())?;
    let info = content.info.as_ref();
    Some(Media {
        missing: None,
        reference: reference.to_owned(),
        content_type: info.and_then(|info| info.mimetype.clone()),
        name: Some(content.filename.as_deref().unwrap_or(&content.body).to_owned()).filter(|name| !name.is_empty()),
        size: info.and_then(|info| info.size),
    })
}

/// Server and id of a content URI. <https://spec.matrix.org/v1.16/client-server-api/#matrix-content-mxc-uris>
fn place(uri: &str) -> Option<(&str, &str)> {
    let (server, id) = uri.strip_prefix(SCHEME)?.split_once('/')?;
    let id_bytes = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    let server_bytes = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    let named = |text: &str| !text.is_empty() && text.bytes().any(|b| b != b'.');
    let fit = named(server) && named(id) && server.bytes().all(server_bytes) && id.bytes().all(id_bytes);
    fit.then_some((server, id))
}

#[derive(Deserialize)]
struct Uploaded {
    content_uri: String,
}

impl Matrix {
    /// Fetches through our own homeserver, whichever server the file is on.
    /// <https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid>
    pub(crate) async fn download(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let (server, id) = place(&media.reference).ok_or_else(|| self.api.refused("this is no content URI"))?;
        let url = self.url(&["_matrix", "client", "v1", "media", "download", server, id], &[]);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization())]);
        self.api.download(&url, headers, most, timeout).await
    }

    /// Uploads a file, then sends the message that shows it. A file nobody refers to is seen by nobody, so only the
    /// second request can leave a doubt.
    pub(crate) async fn send_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let began = Instant::now();
        let uri = match self.upload(file, part.timeout).await {
            Err(SendError::Unknown { reason, .. }) => return Err(self.api.not_sent(&reason)),
            uploaded => uploaded?,
        };
        let kind = match file.content_type.split('/').next() {
            Some("image") => "m.image",
            Some("audio") => "m.audio",
            Some("video") => "m.video",
            _ => "m.file",
        };
        let mut body = Body::text(part.markdown);
        body.set("msgtype", json!(kind));
        if part.markdown.trim().is_empty() {
            body.set("body", json!(file.name));
        }
        body.set("filename", json!(file.name));
        body.set("url", json!(uri));
        body.set("info", json!({ "mimetype": file.content_type, "size": file.bytes.len() }));
        let left = part.timeout.saturating_sub(began.elapsed());
        self.send_content(content::reply(body, part), &OutboundPart { timeout: left, ..part.clone() }).await
    }

    async fn upload(&self, file: &OutboundFile<'_>, timeout: Duration) -> Result<String, SendError> {
        let url = self.url(&["_matrix", "media", "v3", "upload"], &[("filename", file.name)]);
        let content_type = HeaderValue::from_str(file.content_type)
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        let mut call = ApiCall::post(&url, "", Bytes::new(), timeout);
        call.body = Some((content_type, file.bytes.clone()));
        let reply = self.call(call.method(Method::POST)).await?;
        let uploaded: Option<Uploaded> = reply.json();
        let uri = uploaded.map(|uploaded| uploaded.content_uri).filter(|uri| place(uri).is_some());
        uri.ok_or_else(|| self.api.not_sent("the answer has no content URI"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_uri_names_a_server_and_a_file_and_no_other_path() {
        assert_eq!(place("mxc://hs.local:8448/KIoy_-9"), Some(("hs.local:8448", "KIoy_-9")));
        for bad in [
            "https://hs/a",
            "mxc://hs",
            "mxc:///a",
            "mxc://hs/",
            "mxc://hs/a/b",
            "mxc://hs/..",
            "mxc://../a",
            "mxc://hs/a?b",
            "mxc://hs/%2e",
            "mxc://h s/a",
            "mxc://u@hs/a",
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
