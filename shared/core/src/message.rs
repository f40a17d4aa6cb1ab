//! What comes in: one platform message, normalised.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::session_key::Peer;

/// The name of a channel: `telegram`, `slack`, `webhook`.
pub type ChannelId = String;

/// One normalised message from a platform. Everything a session, a route or a reply needs is here; nothing
/// else of the platform's payload survives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The channel it came through.
    pub channel: ChannelId,
    /// Our account on that channel.
    pub account: String,
    /// The platform's own id of the event: the same for every retry, different for every other event.
    pub event_id: String,
    /// The human or room on the other side.
    pub peer: Peer,
    /// The room around a thread, where the platform makes a thread a room of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_peer: Option<Peer>,
    /// The sub-conversation inside the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Who wrote it.
    pub sender: Sender,
    /// The platform's id of the message, as [`crate::channel::Channel::react`] takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The text, free of the platform's escapes and of the mention that addressed us.
    pub text: String,
    /// What kind of event it was.
    #[serde(default)]
    pub kind: InboundKind,
    /// Whether it was addressed to us: a direct message, a mention, a reply to us, or a command for us.
    #[serde(default)]
    pub addressed: bool,
    /// Files that came along, still on the platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// The guild (Discord) the room belongs to, for bindings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild: Option<String>,
    /// The team or workspace (Slack, Teams) the room belongs to, for bindings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Roles of the sender in the guild, for bindings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// When the platform says it was written.
    pub sent_at: Millis,
    /// Where an answer goes.
    pub reply_to: ReplyAddress,
}

/// Who wrote a message. The id decides everything; the name is only shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// The platform's immutable id.
    pub id: String,
    /// What the platform shows. Anyone can choose any name, so no rule may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What kind of event an [`Inbound`] is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InboundKind {
    /// A new message.
    #[default]
    Message,
    /// A message its author has changed; the text is the new one.
    Edited,
    /// A pressed button or menu entry; the text is its value.
    Button,
    /// A native command of the platform (`/status`); the text is the command with its arguments.
    Command,
}

/// A file on the platform, by reference: nothing is downloaded before the turn runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// What the channel needs to fetch it: a file id or an URL.
    pub reference: String,
    /// The type the platform claims; not to be trusted before sniffing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The name its sender gave it. Data, never a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Size in bytes, where the platform tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Why it could not be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Where an answer goes. `to` and the rest are the channel's own words; only that channel reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyAddress {
    /// The channel that sends.
    pub channel: ChannelId,
    /// The account that sends.
    pub account: String,
    /// The chat, room or URL.
    pub to: String,
    /// The thread inside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The message being answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The name of one accepted event, the same for all its retries: dedup id of the queue, key of the stored user
/// message. Made from channel, account, conversation and the platform's event id, so that neither an account nor a
/// conversation can suppress another's messages (CVE-2026-41362 was a dedup key that was too broad).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKey(String);

impl EventKey {
    /// The key of an event that no message brought.
    pub fn of(channel: &str, account: &str, event_id: &str) -> Self {
        Self::hashed(&[channel, account, event_id])
    }

    /// Parts are length-prefixed, so that no two different lists share a key.
    fn hashed(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut hex = hex::encode(hash.finalize());
        hex.truncate(32);
        Self(hex)
    }

    /// 32 lower-case hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the event is taken up again after its first name was put aside, see
    /// [`crate::session::Accepted::turn`].
    #[must_use]
    pub fn again(&self) -> Self {
        Self::of("again", "", &self.0)
    }

    /// The first 16 digits: what a session head remembers of the events it has finished.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

impl Inbound {
    /// The name of this event.
    pub fn event_key(&self) -> EventKey {
        let Peer { kind, id } = &self.peer;
        EventKey::hashed(&[&self.channel, &self.account, kind.as_str(), id, &self.event_id])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_key::PeerKind;

    #[test]
    fn one_account_cannot_suppress_another() {
        let keys = [("t", "a", "1"), ("t", "b", "1"), ("ta", "", "1"), ("t", "a1", ""), ("s", "a", "1")];
        let unique: std::collections::BTreeSet<_> = keys.iter().map(|(c, a, e)| EventKey::of(c, a, e)).collect();
        assert_eq!(unique.len(), keys.len());
    }

    fn inbound(account: &str, kind: PeerKind, peer: &str) -> Inbound {
        let written = serde_json::json!({
            "channel": "t", "account": account, "event_id": "1", "peer": {"kind": kind, "id": peer},
            "sender": {"id": "7"}, "text": "", "sent_at": 0, "reply_to": {"channel": "t", "account": account, "to": peer},
        });
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn w11_w12_an_event_is_of_its_account_and_conversation_and_always_the_same() {
        let (direct, group) = (PeerKind::Direct, PeerKind::Group);
        let places =
            [("a", direct, "1"), ("b", direct, "1"), ("a", direct, "2"), ("a", group, "1"), ("a1", direct, "")];
        let key = |(account, kind, peer): &(&str, PeerKind, &str)| inbound(account, *kind, peer).event_key();
        let keys: std::collections::BTreeSet<_> = places.iter().map(key).collect();
        assert_eq!(keys.len(), places.len());
        assert_eq!(keys, places.iter().map(key).collect(), "read a second time");
    }
}
