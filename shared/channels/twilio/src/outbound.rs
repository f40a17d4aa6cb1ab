//! What we send: <https://www.twilio.com/docs/messaging/api/message-resource>. There is no idempotency key.

use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Fetched, OutboundPart, Receipt, SendError};
use chela_core::message::{Media, ReplyAddress};
use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{Twilio, error, is_whatsapp, text};

/// Typing is a courtesy; it never holds up an answer.
const TYPING_TIMEOUT: Duration = Duration::from_secs(5);

/// The parameter of the status URL that names the part.
pub(crate) const PART: &str = "part";

/// A message that Twilio took.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    sid: String,
    status: Option<String>,
    error_code: Option<u32>,
    error_message: Option<String>,
}

impl Twilio {
    pub(crate) async fn send_message(
        &self,
        part: &OutboundPart<'_>,
        media_url: Option<&str>,
    ) -> Result<Receipt, SendError> {
        let text = text::text(part.markdown, is_whatsapp(&part.to.to));
        let (sender, number) = self.sender(part.to)?;
        let mut fields = vec![("To", part.to.to.as_str()), (sender, number)];
        if !text.trim().is_empty() {
            fields.push(("Body", &text));
        }
        fields.extend(media_url.map(|url| ("MediaUrl", url)));
        let status = self.settings.webhook_url.about(PART, part.idempotency_key);
        if let Some(status) = status.as_deref().filter(|_| self.settings.status_callbacks) {
            fields.push(("StatusCallback", status));
        }
        let url = format!("{}/Messages.json", self.resources());
        let reply = self.post(&url, &fields, &self.authorization, part.timeout).await?;
        self.judge(&reply)?;
        self.receipt(&reply)
    }

    fn receipt(&self, reply: &ApiReply) -> Result<Receipt, SendError> {
        let message = reply.json::<Message>().filter(|message| !message.sid.is_empty());
        let message = message.ok_or_else(|| self.api.unknown("the answer is no message of Twilio's"))?;
        // Taken and given up in the same breath.
        if message.status.is_some_and(|status| matches!(status.as_str(), "failed" | "undelivered")) {
            let words = message.error_message.unwrap_or_default();
            return Err(self.api.refused(&error::words(message.error_code.unwrap_or_default(), &words)));
        }
        Ok(Receipt { message_id: message.sid })
    }

    /// Which number sends: the one that was written to, else the configured one of the same kind.
    fn sender<'s>(&'s self, to: &'s ReplyAddress) -> Result<(&'static str, &'s str), SendError> {
        if let Some(number) = &to.thread {
            return Ok(("From", number));
        }
        if is_whatsapp(&to.to) {
            let from = self.settings.whatsapp_from.as_deref().map(|from| ("From", from));
            return from
                .ok_or_else(|| self.api.refused("whatsappFrom is not configured, so that nobody can send this"));
        }
        let service = self.settings.messaging_service_sid.as_deref().map(|service| ("MessagingServiceSid", service));
        let from = || self.settings.from.as_deref().map(|from| ("From", from));
        service.or_else(from).ok_or_else(|| {
            self.api.refused("neither from nor messagingServiceSid is configured, so that nobody can send this")
        })
    }

    /// On WhatsApp, under the message that is being answered, which is thereby marked as read.
    pub(crate) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let Some(message) = to.message.as_deref().filter(|_| is_whatsapp(&to.to)) else { return Ok(()) };
        let url = format!("{}/v2/Indicators/Typing.json", self.messaging_base);
        let fields = [("channel", "whatsapp"), ("messageId", message)];
        let reply = self.post(&url, &fields, &self.authorization, TYPING_TIMEOUT).await?;
        self.judge(&reply)
    }

    /// A file of a message. It lies behind a redirect to a store that must not see our credentials.
    pub(crate) async fn fetch_media(
        &self,
        media: &Media,
        most: usize,
        timeout: Duration,
    ) -> Result<Fetched, SendError> {
        if !self.is_ours(&media.reference) {
            return Err(self.api.refused("the file is not on a host of Twilio's"));
        }
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]);
        self.api.download(&media.reference, headers, most, timeout).await
    }

    /// Whether a URL may see our credentials: one of Twilio's own hosts, or the configured one.
    fn is_ours(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let twilio = url.host_str().is_some_and(|host| host == "twilio.com" || host.ends_with(".twilio.com"));
        let configured = Url::parse(&self.base).is_ok_and(|base| base.origin() == url.origin());
        configured || (twilio && url.scheme() == "https" && url.port().is_none())
    }

    /// Where the account's own resources are.
    pub(crate) fn resources(&self) -> String {
        format!("{}/2010-04-01/Accounts/{}", self.base, self.settings.account_sid)
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        authorization: &HeaderValue,
        timeout: Duration,
    ) -> Result<ApiReply, SendError> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let call = ApiCall::post(url, "application/x-www-form-urlencoded", Bytes::from(form), timeout);
        self.api.call(call.header(AUTHORIZATION, authorization.clone())).await
    }
}
