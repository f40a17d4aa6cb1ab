//! What we say: `{"type":"reply","data":{…}}`, signed as we ask others to sign.

use bytes::Bytes;
use chela_channel_kit::ApiCall;
use chela_channel_kit::markdown::unloaded;
use chela_channel_kit::proof::{ProofKeys, sign_hmac_sha256_base64};
use chela_core::channel::{OutboundPart, Receipt, SendError};
use chela_core::clock::Millis;
use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::Webhook;
use crate::verify::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signed_prefix};

/// [`chela_core::message::ReplyAddress::to`] of a chat: its id, and after a line break the message's own callback. Ids
/// have no control characters, so it is read back as it was written; an owner who writes an address by hand writes just
/// the id.
pub(crate) fn address(chat: &str, callback: Option<&str>) -> String {
    match callback {
        Some(callback) => format!("{chat}\n{callback}"),
        None => chat.to_owned(),
    }
}

impl Webhook {
    pub(crate) async fn post_reply(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let (chat, callback) = match part.to.to.split_once('\n') {
            Some((chat, callback)) => (chat, Some(callback)),
            None => (part.to.to.as_str(), None),
        };
        // Asked again: configuration may have changed since the message came, and addresses are also written by hand.
        let url = self.callbacks.place(callback).map_err(|reason| self.api.refused(reason))?;
        let body = json!({
            "type": "reply",
            "data": {
                "chat": { "id": chat },
                "thread_id": part.to.thread,
                "reply_to": part.to.message,
                "text": unloaded(part.markdown),
                "format": "markdown",
            },
        });
        // The bytes that are signed are the bytes that are sent, and they are the same for every attempt.
        let body = Bytes::from(body.to_string());
        let id = part.idempotency_key;
        let mut call = ApiCall::post(url.as_str(), "application/json", body.clone(), part.timeout);
        for (name, text) in sign(&self.keys, id, self.clock.now(), &body) {
            let value = HeaderValue::from_str(&text).map_err(|_| self.api.refused("the key is no header value"))?;
            call = call.header(HeaderName::from_static(name), value);
        }
        let reply = self.api.call(call).await?;
        self.api.judge(&reply, "")?;
        Ok(Receipt { message_id: id.to_owned() })
    }
}

/// The three headers of Standard Webhooks.
pub(crate) fn sign(keys: &ProofKeys, id: &str, now: Millis, body: &[u8]) -> [(&'static str, String); 3] {
    let timestamp = now.seconds().to_string();
    let mac = sign_hmac_sha256_base64(keys, &signed_prefix(id, &timestamp), body);
    [(ID_HEADER, id.to_owned()), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, format!("v1,{mac}"))]
}
