//! What the bot says. <https://spec.matrix.org/v1.16/client-server-api/#sending-events-to-a-room>

use std::sync::atomic::Ordering;
use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::Failure;
use crate::content::{self, Body};
use crate::{Matrix, TYPING_FOR};

/// Typing and reactions are a courtesy; they never hold up an answer.
const COURTESY_TIMEOUT: Duration = Duration::from_secs(5);

/// Typing is shown a little longer than until the next signal.
const TYPING_GRACE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Sent {
    event_id: String,
}

impl Matrix {
    pub(crate) async fn send_text(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_content(content::reply(Body::text(part.markdown), part), part).await
    }

    /// Sends a message under the part's key: the homeserver answers a repetition with the id of the first.
    pub(crate) async fn send_content(&self, content: Value, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let sent = self.put(&part.to.to, "m.room.message", part.idempotency_key, &content, part.timeout).await;
        Ok(Receipt { message_id: sent.map_err(SendError::from)? })
    }

    /// Every change has a key of its own: under the same one, a text that comes back to what it was would stay what it is.
    /// A change that is sent twice shows the same.
    pub(crate) async fn replace_text(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let content = content::edit(message_id, part.markdown);
        let key = self.clock.unique();
        self.put(&part.to.to, "m.room.message", &key, &content, part.timeout).await?;
        Ok(())
    }

    pub(crate) async fn annotate(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        let relation = json!({ "rel_type": "m.annotation", "event_id": message_id, "key": emoji });
        let key = key_of(&["reaction", message_id, emoji]);
        let content = json!({ "m.relates_to": relation });
        match self.put(&to.to, "m.reaction", &key, &content, COURTESY_TIMEOUT).await {
            Err(Failure::Coded(code, _)) if code == "M_DUPLICATE_ANNOTATION" => Ok(()),
            answered => answered.map(drop).map_err(SendError::from),
        }
    }

    pub(crate) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let me = &self.settings.me.user_id;
        let shown = u64::try_from((TYPING_FOR + TYPING_GRACE).as_millis()).unwrap_or(u64::MAX);
        let segments = ["_matrix", "client", "v3", "rooms", &to.to, "typing", me];
        self.ask(Method::PUT, &segments, &json!({ "typing": true, "timeout": shown }), COURTESY_TIMEOUT).await?;
        Ok(())
    }

    /// Puts an event into a room and gives its id.
    pub(crate) async fn put(
        &self,
        room: &str,
        kind: &str,
        key: &str,
        content: &Value,
        timeout: Duration,
    ) -> Result<String, Failure> {
        let segments = ["_matrix", "client", "v3", "rooms", room, "send", kind, key];
        let device = self.settings.device.as_deref().filter(|_| !self.deviceless.load(Ordering::Relaxed));
        let masquerade = device.map(|device| [("user_id", self.settings.me.user_id.as_str()), ("device_id", device)]);
        let url = self.url(&segments, masquerade.as_ref().map_or(&[][..], |pairs| pairs.as_slice()));
        match self.call(ApiCall::json(&url, content, timeout).method(Method::PUT)).await {
            Ok(reply) => {
                let sent: Option<Sent> = reply.json();
                let id = sent.map(|sent| sent.event_id).filter(|id| !id.is_empty());
                id.ok_or_else(|| Failure::Plain(self.api.unknown("the answer has no event id")))
            }
            Err(Failure::Coded(code, error)) => match device {
                Some(device) if code == "M_UNKNOWN_DEVICE" => {
                    self.make_device(device).await;
                    Err(Failure::Plain(self.api.not_sent("its device was not there yet")))
                }
                _ => Err(Failure::Coded(code, error)),
            },
            Err(failure) => Err(failure),
        }
    }

    /// Synapse remembers keys beyond a restart only for those who send from a device, and lets application services make
    /// one by MSC4190. Where that is not possible we go on without.
    async fn make_device(&self, device: &str) {
        let segments = ["_matrix", "client", "v3", "devices", device];
        let made = self.ask(Method::PUT, &segments, &json!({ "display_name": "Chela" }), COURTESY_TIMEOUT).await;
        if made.is_err() {
            self.deviceless.store(true, Ordering::Relaxed);
        }
    }
}

/// A key that is the same for the same thing.
pub(crate) fn key_of(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = hex::encode(hash.finalize());
    key.truncate(32);
    key
}
