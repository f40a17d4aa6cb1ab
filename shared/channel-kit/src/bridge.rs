//! The signed contract of bridges: small programs that hold a connection of a platform without webhooks, post what comes
//! in, and do what they are ordered to. `timestamp.body` is signed with HMAC-SHA256 in both directions; the same message
//! is posted with the same `id` until it is acknowledged, the same order carries the same `key`. `chela bridge` is one;
//! anybody may write another, see `shared/channels/bridge/README.md`.

mod order;

use std::time::Duration;

use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::clock::Millis;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

pub use self::order::{BridgeAbout, BridgeLimits, BridgeOrder, BridgeSent, BridgeText, BridgeUpload};
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chela_core::secret::Secret;
    use http::Method;
    use serde_json::json;

    use super::*;

    const NOW: Millis = Millis(1_767_225_600_000);

    fn keys(words: &str) -> ProofKeys {
        ProofKeys::words(&Secret::new(words)).unwrap()
    }

    fn posted(body: &[u8], headers: HeaderMap, received_at: Millis) -> RawRequest {
        let (path, query) = (String::new(), String::new());
        RawRequest { method: Method::POST, path, query, headers, body: Bytes::copy_from_slice(body), received_at }
    }

    /// Made with `printf '1767225600.{"id":"1"}' | openssl dgst -sha256 -hmac bridge-secret`.
    #[test]
    fn what_openssl_signs_is_what_we_sign() {
        let headers = sign(br#"{"id":"1"}"#, &keys("bridge-secret"), NOW);
        let signature = "sha256=fc228887f7072f61a22db007d75ffcb055f508ec9c05182f9ae1d886a24b4ea4";
        assert_eq!(
            (&headers[TIMESTAMP_HEADER], &headers[SIGNATURE_HEADER]),
            (&"1767225600".parse().unwrap(), &signature.parse().unwrap())
        );
    }

    #[test]
    fn only_the_secret_the_time_and_the_very_bytes_prove_a_post() {
        let headers = || sign(b"body", &keys("old"), NOW);
        let taken = |body: &[u8], headers, at, words| verify(posted(body, headers, at), &keys(words)).map(drop);
        assert_eq!(taken(b"body", headers(), NOW, "old"), Ok(()));
        assert_eq!(taken(b"body", headers(), NOW, "new old"), Ok(()), "while the secret is rotated");
        assert!(taken(b"body", headers(), NOW, "new").is_err());
        assert!(taken(b"bodY", headers(), NOW, "old").is_err());
        assert!(taken(b"body", headers(), NOW.plus(300_000), "old").is_ok());
        assert!(taken(b"body", headers(), NOW.plus(301_000), "old").is_err(), "it is too old");
        for name in [TIMESTAMP_HEADER, SIGNATURE_HEADER] {
            let mut without = headers();
            without.remove(name);
            assert!(taken(b"body", without, NOW, "old").is_err(), "without {name}");
            let mut changed = headers();
            changed.insert(name, "1767225601".parse().unwrap());
            assert!(taken(b"body", changed, NOW, "old").is_err(), "with another {name}");
        }
        let mut bare = headers();
        let hex = bare[SIGNATURE_HEADER].to_str().unwrap().trim_start_matches("sha256=").parse().unwrap();
        bare.insert(SIGNATURE_HEADER, hex);
        assert!(taken(b"body", bare, NOW, "old").is_err(), "the algorithm is named");
        assert!(is_bridged(&posted(b"", headers(), NOW)) && !is_bridged(&posted(b"", HeaderMap::new(), NOW)));
    }

    fn heard(body: &serde_json::Value) -> Result<BridgeMessage, Rejected> {
        let body = body.to_string();
        let headers = sign(body.as_bytes(), &keys("k"), NOW);
        read(&verify(posted(body.as_bytes(), headers, NOW), &keys("k")).unwrap())
    }

    #[test]
    fn a_message_needs_an_id_a_time_a_place_and_an_author() {
        let least = json!({"id": "1", "ts_ms": 5, "chat": {"type": "dm", "id": "c"}, "from": {"id": "u"}});
        let message = heard(&least).unwrap();
        assert_eq!((message.text.as_str(), message.mentions_bot, message.chat.kind), ("", false, BridgeChatKind::Dm));
        // What is not there is not written either: bridges in other languages see the same short form.
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            json!({
                "id": "1", "ts_ms": 5, "chat": {"type": "dm", "id": "c"},
                "from": {"id": "u", "is_self": false, "is_bot": false}, "text": "", "mentions_bot": false,
            })
        );
        for field in ["id", "ts_ms", "chat", "from"] {
            let mut lacking = least.clone();
            lacking.as_object_mut().unwrap().remove(field);
            assert!(heard(&lacking).is_err(), "without {field}");
        }
        let mut odd = least;
        odd["chat"]["type"] = json!("crowd");
        assert!(heard(&odd).is_err());
    }
}
