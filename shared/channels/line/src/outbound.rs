//! What the account says: replies while their token lives, pushes with a retry key otherwise.

use std::time::Duration;

use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::{Media, ReplyAddress};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::address::Means;
use crate::{LOADING, Line, is_person, said};

/// Typing is a courtesy; it never holds up an answer.
const TYPING_TIMEOUT: Duration = Duration::from_secs(5);

/// A push with a key that LINE knows is not done again. Other methods refuse a request that has one.
/// <https://developers.line.biz/en/docs/messaging-api/retrying-api-request/>
const RETRY_KEY: HeaderName = HeaderName::from_static("x-line-retry-key");

/// The shape of LINE's answers, good and bad:
/// <https://developers.line.biz/en/reference/messaging-api/#error-responses>.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    details: Vec<Detail>,
    #[serde(default)]
    sent_messages: Vec<SentMessage>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    message: String,
    #[serde(default)]
    property: String,
}

#[derive(Deserialize)]
struct SentMessage {
    #[serde(default)]
    id: String,
}

impl Answer {
    /// Everything LINE explains.
    fn words(&self) -> String {
        let details = self.details.iter().map(|detail| format!("; {} {}", detail.property, detail.message));
        std::iter::once(self.message.clone()).chain(details).collect()
    }
}

impl Line {
    pub(crate) async fn send_text(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let messages = said::text(part).map_err(|why| self.api.refused(why))?;
        self.deliver(messages, part).await
    }

    pub(crate) async fn send_file(
        &self,
        file: &OutboundFile<'_>,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let messages = said::file(file, part).map_err(|why| self.api.refused(why))?;
        self.deliver(messages, part).await
    }

    /// Replies, which is free, as long as the token of the message lives and for the first part only: a token works
    /// once. Everything else is pushed.
    async fn deliver(&self, messages: Vec<Value>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let begun = self.clock.now();
        let means = Means::of(part.to);
        if let Some(token) = means.young_reply(begun).filter(|_| part.number == 0) {
            let body = json!({ "replyToken": token, "messages": messages });
            let reply = self.post("/v2/bot/message/reply", &body, None, part.timeout).await?;
            if !is_spent(&reply) {
                return self.receipt(&reply);
            }
            // LINE said that nothing was sent: the token is too old after all, or was used by something else.
        }
        let left = part.timeout.saturating_sub(Duration::from_millis(self.clock.now().since(begun)));
        if left.is_zero() {
            return Err(self.api.not_sent("no time is left to push what could not be a reply"));
        }
        let body = json!({ "to": part.to.to, "messages": messages });
        // Hexadecimal digits and hyphens can stand in a header.
        let key = HeaderValue::from_str(&retry_key(part.idempotency_key))
            .map_err(|_| self.api.refused("the retry key is no header"))?;
        let reply = self.post("/v2/bot/message/push", &body, Some(key), left).await?;
        if reply.status.as_u16() == 409 {
            return Ok(receipt(&reply.json().unwrap_or_default()));
        }
        self.receipt(&reply)
    }

    fn receipt(&self, reply: &ApiReply) -> Result<Receipt, SendError> {
        let answer = reply.json::<Answer>();
        self.judge(reply, answer.as_ref().unwrap_or(&Answer::default()))?;
        Ok(receipt(&answer.ok_or_else(|| self.api.unknown("the answer is not one of the Messaging API"))?))
    }

    /// What LINE's answer means: <https://developers.line.biz/en/reference/messaging-api/#status-codes>.
    pub(crate) fn judge(&self, reply: &ApiReply, answer: &Answer) -> Result<(), SendError> {
        // Two things have this status, and only the words tell them apart. No wait helps before the month is over.
        if reply.status.as_u16() == 429 && answer.message.to_ascii_lowercase().contains("monthly limit") {
            return Err(self
                .api
                .refused(&format!("the month's quota of pushed messages is used up: {}", answer.words())));
        }
        self.api.judge(reply, &answer.words())
    }

    pub(crate) async fn show_loading(&self, to: &ReplyAddress) -> Result<(), SendError> {
        if !is_person(&to.to) {
            return Ok(());
        }
        let body = json!({ "chatId": to.to, "loadingSeconds": LOADING.as_secs() });
        let reply = self.post("/v2/bot/chat/loading/start", &body, None, TYPING_TIMEOUT).await?;
        self.judge(&reply, &reply.json().unwrap_or_default())
    }

    /// <https://developers.line.biz/en/reference/messaging-api/#get-content>
    pub(crate) async fn fetch_content(
        &self,
        media: &Media,
        most: usize,
        timeout: Duration,
    ) -> Result<Fetched, SendError> {
        let id = media.reference.as_str();
        // It becomes part of a path under which our token is sent.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(self.api.refused("the id of a message has letters and digits only"));
        }
        let url = format!("{}/v2/bot/message/{id}/content", self.data_base);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]);
        let fetched = self.api.download(&url, headers, most, timeout).await?;
        // 202: LINE is still converting a long film or recording.
        if fetched.bytes.is_empty() {
            return Err(self.api.not_sent("LINE has not prepared the file yet"));
        }
        Ok(fetched)
    }

    async fn post(
        &self,
        path: &str,
        body: &Value,
        retry_key: Option<HeaderValue>,
        timeout: Duration,
    ) -> Result<ApiReply, SendError> {
        let url = format!("{}{path}", self.base);
        let mut call = ApiCall::json(&url, body, timeout).header(AUTHORIZATION, self.authorization.clone());
        if let Some(key) = retry_key {
            call = call.header(RETRY_KEY, key);
        }
        self.api.call(call).await
    }
}

/// Whether a reply was refused for its token. The words are the only sign:
/// <https://developers.line.biz/en/reference/messaging-api/#error-messages>.
fn is_spent(reply: &ApiReply) -> bool {
    let words = || reply.json::<Answer>().unwrap_or_default().message.to_ascii_lowercase();
    reply.status.as_u16() == 400 && words().contains("reply token")
}

/// Of a message that LINE took. It cannot be edited, so that its id is only a word for the record.
fn receipt(answer: &Answer) -> Receipt {
    let id = answer.sent_messages.first().map(|sent| sent.id.as_str()).filter(|id| !id.is_empty());
    Receipt { message_id: id.unwrap_or("accepted").to_owned() }
}

/// The same UUID for the same part, and another for every other.
fn retry_key(idempotency_key: &str) -> String {
    let digest = Sha256::digest(idempotency_key.as_bytes());
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest) {
        *byte = from;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
