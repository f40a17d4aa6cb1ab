//! The signed contract of bridges: small programs that hold a connection of a platform without webhooks and post what
//! comes in. `timestamp.body` is signed with HMAC-SHA256; the same message is posted with the same `id` until it is
//! acknowledged. `chela bridge` is one; anybody may write another, see `shared/channels/bridge/README.md`.

use std::time::Duration;

use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::clock::Millis;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::proof::{ClaimedMac, ProofKeys, fresh, hmac_sha256, sign_hmac_sha256};

/// When it was signed: Unix seconds.
pub const TIMESTAMP_HEADER: &str = "x-bridge-timestamp";

/// `sha256=` and the MAC in hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-bridge-signature";

/// How old a post may be, and how far our clocks may differ.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// A message as a bridge posts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeMessage {
    /// The same for every attempt to post this message, and for no other.
    pub id: String,
    /// When it was written, in milliseconds.
    pub ts_ms: u64,
    /// Where.
    pub chat: BridgeChat,
    /// The sub-conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Who.
    pub from: BridgeAuthor,
    /// What.
    #[serde(default)]
    pub text: String,
    /// Whether it names us or replies to us.
    #[serde(default)]
    pub mentions_bot: bool,
    /// The id, on the platform, of the message it replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The platform's id of the message; `id` if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Whether its author changed it: the text is the new one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<BridgeFile>,
    /// The guild or server around the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild: Option<String>,
    /// The room around a thread that is a room of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Roles of the author in the guild.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeChat {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: BridgeChatKind,
    /// What a reply is addressed to.
    pub id: String,
}

/// Kinds of conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BridgeChatKind {
    /// Two people.
    Dm,
    /// Several people.
    Group,
    /// An audience.
    Channel,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeAuthor {
    /// The platform's id of the person, which nobody else can take.
    pub id: String,
    /// What the platform shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is our own echo.
    #[serde(default)]
    pub is_self: bool,
    /// Whether it is another bot.
    #[serde(default)]
    pub is_bot: bool,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeFile {
    /// Where it is; anybody who has the URL can fetch it.
    pub url: String,
    /// The claimed type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// Whether a request claims to come from a bridge.
pub fn is_bridged(request: &RawRequest) -> bool {
    request.headers.contains_key(SIGNATURE_HEADER)
}

/// Proves that a bridge with the account's secret posted this a moment ago.
pub fn verify(request: RawRequest, keys: &ProofKeys) -> Result<Verified, Rejected> {
    let timestamp = request.single_header(TIMESTAMP_HEADER)?.to_owned();
    let signature = request.single_header(SIGNATURE_HEADER)?;
    let signature = signature.strip_prefix("sha256=").ok_or(Rejected::Unproven("the signature is not sha256="))?;
    let claimed = [ClaimedMac::hex(signature)?];
    fresh(&timestamp, request.received_at, TOLERANCE)?;
    hmac_sha256(request, keys, &format!("{timestamp}."), &claimed)
}

/// Reads what [`verify`] let through.
pub fn read(verified: &Verified) -> Result<BridgeMessage, Rejected> {
    serde_json::from_slice(&verified.request().body)
        .map_err(|_| Rejected::Malformed("the body is no message as the bridge contract documents it"))
}

/// The headers a bridge posts `body` with.
pub fn sign(body: &[u8], keys: &ProofKeys, now: Millis) -> HeaderMap {
    let timestamp = now.seconds().to_string();
    let signature = format!("sha256={}", hex::encode(sign_hmac_sha256(keys, &format!("{timestamp}."), body)));
    let headers = [(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)];
    headers
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?)))
        .collect()
}
