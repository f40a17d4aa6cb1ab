//! What we send: <https://www.plivo.com/docs/messaging/api/message/send-a-message>. There is no idempotency key.

use std::time::Duration;

use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Fetched, OutboundPart, Receipt, SendError};
use chela_core::message::{Media, ReplyAddress};
use http::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{Plivo, text};

/// The parameter of the status URL that names the part.
pub(crate) const PART: &str = "part";

/// Messages that Plivo took: one for each number it is sent to.
#[derive(Deserialize)]
struct Queued {
    #[serde(default)]
    message_uuid: Vec<String>,
}

impl Plivo {
    pub(crate) async fn send_message(
        &self,
        part: &OutboundPart<'_>,
        media_url: Option<&str>,
    ) -> Result<Receipt, SendError> {
        let (sender, number) = self.sender(part.to)?;
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        put(sender, json!(number));
        put("dst", json!(part.to.to));
        put("type", json!(if media_url.is_some() { "mms" } else { "sms" }));
        let text = text::text(part.markdown);
        if !text.trim().is_empty() {
            put("text", json!(text));
        }
        if let Some(url) = media_url {
            put("media_urls", json!([url]));
        }
        let status = self.settings.webhook_url.about(PART, part.idempotency_key);
        if let Some(status) = status.filter(|_| self.settings.status_callbacks) {
            put("url", json!(status));
            put("method", json!("POST"));
        }
        let reply = self.post(&self.resource("Message"), &Value::Object(body), part.timeout).await?;
        self.judge(&reply)?;
        let queued = reply.json::<Queued>().and_then(|queued| queued.message_uuid.into_iter().next());
        let message_id = queued.filter(|uuid| !uuid.is_empty());
        let message_id = message_id.ok_or_else(|| self.api.unknown("the answer names no message"))?;
        Ok(Receipt { message_id })
    }

    /// Which number sends: the one that was written to, else the Powerpack, else the configured one.
    fn sender<'s>(&'s self, to: &'s ReplyAddress) -> Result<(&'static str, &'s str), SendError> {
        let written_to = to.thread.as_deref().map(|number| ("src", number));
        let powerpack = || self.settings.powerpack_uuid.as_deref().map(|powerpack| ("powerpack_uuid", powerpack));
        let from = || self.settings.from.as_deref().map(|from| ("src", from));
        written_to.or_else(powerpack).or_else(from).ok_or_else(|| {
            self.api.refused("neither from nor powerpackUuid is configured, so that nobody can send this")
        })
    }

    /// A file of a message, with our credentials: they go to Plivo's own hosts only.
    pub(crate) async fn fetch_media(
        &self,
        media: &Media,
        most: usize,
        timeout: Duration,
    ) -> Result<Fetched, SendError> {
        if !self.is_ours(&media.reference) {
            return Err(self.api.refused("the file is not on a host of Plivo's"));
        }
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]);
        self.api.download(&media.reference, headers, most, timeout).await
    }

    /// Whether a URL may see our credentials: one of Plivo's own hosts, or the configured one.
    fn is_ours(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let plivo = url.host_str().is_some_and(|host| host == "plivo.com" || host.ends_with(".plivo.com"));
        let configured = Url::parse(&self.base).is_ok_and(|base| base.origin() == url.origin());
        configured || (plivo && url.scheme() == "https" && url.port().is_none())
    }

    /// Where the account is.
    pub(crate) fn account_url(&self) -> String {
        format!("{}/v1/Account/{}/", self.base, self.settings.auth_id)
    }

    /// Where the account's own resources of a kind are.
    pub(crate) fn resource(&self, kind: &str) -> String {
        format!("{}{kind}/", self.account_url())
    }

    pub(crate) async fn post(&self, url: &str, body: &Value, timeout: Duration) -> Result<ApiReply, SendError> {
        self.api.call(ApiCall::json(url, body, timeout).header(AUTHORIZATION, self.authorization.clone())).await
    }
}
