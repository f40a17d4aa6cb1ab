//! Orders to the bridge, and files of messages.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chela_channel_kit::bridge::{self, BridgeOrder, BridgeSent, BridgeText, BridgeUpload};
use chela_channel_kit::markdown::unloaded;
use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::HeaderMap;
use serde::Deserialize;
use url::Url;

use crate::Bridge;

/// Courtesies never hold up an answer.
const COURTESY_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest file whose content stands in the order itself.
const MOST_INLINE_BYTES: usize = 1024 * 1024;

/// How a bridge explains a refusal.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Bridge {
    pub(crate) async fn say(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.receipt(&BridgeOrder::Send(text(part)), part.timeout).await
    }

    pub(crate) async fn change(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.offered(self.offer.edit, "edit")?;
        let order = BridgeOrder::Edit { id: message_id.to_owned(), text: text(part) };
        self.order(&order, part.timeout).await.map(drop)
    }

    pub(crate) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let order = BridgeOrder::Typing { chat: to.to.clone(), thread: to.thread.clone() };
        self.order(&order, COURTESY_TIMEOUT).await.map(drop)
    }

    pub(crate) async fn put_emoji(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.offered(self.offer.react, "react")?;
        let (chat, thread) = (to.to.clone(), to.thread.clone());
        let order = BridgeOrder::React { chat, thread, id: message_id.to_owned(), emoji: emoji.to_owned() };
        self.order(&order, COURTESY_TIMEOUT).await.map(drop)
    }

    pub(crate) async fn upload(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.offered(self.offer.attach, "attach")?;
        let data = match file.url {
            Some(_) => None,
            None if file.bytes.len() <= MOST_INLINE_BYTES => Some(BASE64.encode(&file.bytes)),
            None => {
                return Err(self
                    .api
                    .refused("the file is over 1 MB, and there is no URL where the bridge could fetch it"));
            }
        };
        let file = BridgeUpload {
            name: file.name.to_owned(),
            mime: file.content_type.to_owned(),
            size: file.bytes.len() as u64,
            url: file.url.map(str::to_owned),
            data,
        };
        self.receipt(&BridgeOrder::Attach { text: text(part), file }, part.timeout).await
    }

    /// A file that a message names. Its URL may come from anybody who writes on the platform, so it is fetched like a
    /// link in a web page, but for files the bridge itself serves: these may be on a private host, and the request is
    /// signed, so that the bridge need not show them to everybody.
    pub(crate) async fn download(&self, url: &str, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let wanted = Url::parse(url).map_err(|_| self.api.refused("the file's URL is none"))?;
        let own = Url::parse(&self.url).is_ok_and(|own| own.origin() == wanted.origin());
        if own {
            let headers = bridge::sign(b"", &self.keys, self.clock.now());
            return self.api.download(url, headers, most, timeout).await;
        }
        self.strangers.download(url, HeaderMap::new(), most, timeout).await
    }

    async fn receipt(&self, order: &BridgeOrder, timeout: Duration) -> Result<Receipt, SendError> {
        let reply = self.order(order, timeout).await?;
        let sent: Option<BridgeSent> = reply.json();
        let sent = sent.filter(|sent| !sent.id.is_empty()).ok_or_else(|| self.api.unknown("the answer has no id"))?;
        Ok(Receipt { message_id: sent.id })
    }

    async fn order(&self, order: &BridgeOrder, timeout: Duration) -> Result<ApiReply, SendError> {
        let body = serde_json::to_vec(order).map_err(|_| self.api.refused("the order cannot be written"))?;
        let url = format!("{}/{}", self.url, order.op());
        // The bytes that are signed are the bytes that are sent.
        let mut call = ApiCall::post(&url, "application/json", Bytes::from(body.clone()), timeout);
        call.headers = bridge::sign(&body, &self.keys, self.clock.now());
        let reply = self.api.call(call).await?;
        let why = reply.json::<Refusal>().map_or_else(String::new, |refusal| refusal.error);
        if reply.status.as_u16() == 503 {
            // The contract: nothing of it was said, or a repetition with the key will say the rest.
            return Err(self.api.not_sent(&format!("status 503 {why}")));
        }
        self.api.judge(&reply, &why)?;
        Ok(reply)
    }

    fn offered(&self, offered: bool, word: &str) -> Result<(), SendError> {
        let why = || self.api.refused(&format!("\"{word}\" is not among the configured features of this bridge"));
        if offered { Ok(()) } else { Err(why()) }
    }
}

fn text(part: &OutboundPart<'_>) -> BridgeText {
    BridgeText {
        key: part.idempotency_key.to_owned(),
        chat: part.to.to.clone(),
        thread: part.to.thread.clone(),
        reply_to: part.to.message.clone(),
        text: unloaded(part.markdown),
    }
}
