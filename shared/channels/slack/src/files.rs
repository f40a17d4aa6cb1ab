//! Files, both ways. <https://docs.slack.dev/messaging/working-with-files>

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::Media;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::mrkdwn::mrkdwn;
use crate::outbound::WebApi;

#[derive(Deserialize)]
struct Info {
    file: Option<Found>,
}

#[derive(Deserialize)]
struct Found {
    url_private: Option<String>,
    url_private_download: Option<String>,
}

#[derive(Deserialize)]
struct Place {
    upload_url: Option<String>,
    file_id: Option<String>,
}

impl WebApi {
    /// Fetches a file with our token, which no other servers than Slack's are ever shown.
    pub(crate) async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let url = match Url::parse(&media.reference) {
            Ok(url) => url,
            Err(_) => self.ask_where(&media.reference, timeout).await?,
        };
        if !self.is_slacks(&url) {
            return Err(self.api.refused("the file is not on a server of Slack"));
        }
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.bot.authorization.clone())]);
        let fetched = self.api.download(url.as_str(), headers, most, timeout).await?;
        // Whoever may not read files is shown a page to sign in, with status 200.
        let is_page = |content_type: &Option<String>| {
            content_type.as_deref().is_some_and(|claimed| claimed.trim_start().starts_with("text/html"))
        };
        if is_page(&fetched.content_type) && !is_page(&media.content_type) {
            return Err(self
                .api
                .refused("instead of the file: a page; add the scope files:read and reinstall the app"));
        }
        Ok(fetched)
    }

    /// Files of other workspaces come as an id. <https://docs.slack.dev/reference/methods/files.info>
    async fn ask_where(&self, id: &str, timeout: Duration) -> Result<Url, SendError> {
        let info = self.call_with_form("files.info", &[("file", id.to_owned())], timeout).await?;
        let file = info.json::<Info>().and_then(|info| info.file);
        let url = file.and_then(|file| file.url_private_download.or(file.url_private));
        let url = url.and_then(|url| Url::parse(&url).ok());
        url.ok_or_else(|| self.api.refused("files.info names no place to fetch the file from"))
    }

    /// Whether a URL leads to the server we speak to, or to one below it: `files.slack.com` is below `slack.com`.
    fn is_slacks(&self, url: &Url) -> bool {
        let Ok(api) = Url::parse(&self.base_url) else { return false };
        if url.origin() == api.origin() {
            return true;
        }
        let (Some(host), Some(slack)) = (url.domain(), api.domain()) else { return false };
        let below = host == slack || host.strip_suffix(slack).is_some_and(|rest| rest.ends_with('.'));
        url.scheme() == "https" && url.port().is_none() && below
    }

    /// Uploads a file and shares it with its caption. Only the last of the three calls shows something.
    /// <https://docs.slack.dev/messaging/working-with-files#upload>
    pub(crate) async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        if part.to.to.starts_with(['U', 'W', '#', '@']) {
            return Err(self.api.refused("a file needs the id of a conversation, not of a person and not a name"));
        }
        let id = self.upload(file, part.timeout).await.map_err(|error| self.unshown(error))?;
        // Nothing but a message has buttons.
        let apart = !part.choices.is_empty();
        if apart {
            self.post(part).await?;
        }
        let files = json!([{ "id": id, "title": file.name }]).to_string();
        let mut fields = vec![("files", files), ("channel_id", part.to.to.clone())];
        if let Some(thread) = &part.to.thread {
            fields.push(("thread_ts", thread.clone()));
        }
        if !part.markdown.is_empty() && !apart {
            fields.push(("initial_comment", mrkdwn(part.markdown)));
        }
        let shared = self.call_with_form("files.completeUploadExternal", &fields, part.timeout).await;
        match shared {
            Ok(_) => Ok(Receipt { message_id: id }),
            // Trying again would show the message twice.
            Err(error @ (SendError::RateLimited { .. } | SendError::NotSent { .. })) if apart => {
                Err(self.api.unknown(&format!("the message was sent, the file was not: {error}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Gives Slack the bytes, which nobody sees yet, and gets the id of the file.
    async fn upload(&self, file: &OutboundFile<'_>, timeout: Duration) -> Result<String, SendError> {
        let fields = [("filename", file.name.to_owned()), ("length", file.bytes.len().to_string())];
        let place = self.call_with_form("files.getUploadURLExternal", &fields, timeout).await?.json::<Place>();
        let Some(Place { upload_url: Some(url), file_id: Some(id) }) = place else {
            return Err(self.api.not_sent("files.getUploadURLExternal names no place"));
        };
        let url = Url::parse(&url).ok().filter(|url| self.is_slacks(url));
        let url = url.ok_or_else(|| self.api.refused("the file would go to a server that is not Slack's"))?;
        let call = ApiCall::post(url.as_str(), "application/octet-stream", file.bytes.clone(), timeout);
        let reply = self.api.call(call).await?;
        self.api.judge(&reply, "of the upload")?;
        Ok(id)
    }

    /// An upload that was not shared shows nothing, whatever became of it.
    fn unshown(&self, error: SendError) -> SendError {
        match error {
            SendError::Unknown { reason, .. } => self.api.not_sent(&reason),
            other => other,
        }
    }
}
