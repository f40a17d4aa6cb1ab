//! What a forwarder of mail posts: the raw message, signed together with what the receiving server knows about it. The
//! function behind Amazon SES is one forwarder, `chela mail` is another, and anybody may write a third.

use std::fmt;
use std::time::Duration;

use chela_channel_kit::ProofKeys;
use chela_channel_kit::proof::{ClaimedMac, fresh, hmac_sha256, sign_hmac_sha256};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::clock::Millis;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::address;

pub use crate::authentication::authentication_results;

/// When it was signed: Unix seconds.
pub const TIMESTAMP_HEADER: &str = "x-mail-timestamp";

/// `sha256=` and the MAC in hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-mail-signature";

/// The delivery's id: the same for every attempt to forward this message to this recipient.
pub const ID_HEADER: &str = "x-mail-id";

/// Whom the envelope names, which the message itself need not.
pub const RECIPIENT_HEADER: &str = "x-mail-recipient";

/// Whether the receiving server found the author to be the author.
pub const VERDICT_HEADER: &str = "x-mail-verdict";

/// How old a post may be, and how far our clocks may differ.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The longest id of a delivery.
const LONGEST_ID: usize = 200;

/// What the receiving server found out about the author in `From`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// DMARC passed, or a DKIM signature of the author's own domain did.
    Pass,
    /// DMARC failed: somebody else wrote it.
    Fail,
    /// Nobody can tell.
    None,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Pass, Self::Fail, Self::None].into_iter().find(|verdict| verdict.as_str() == word).ok_or(UnknownVerdict)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A word that is no [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a verdict is pass, fail or none")]
pub struct UnknownVerdict;

/// One message on its way to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// See [`ID_HEADER`]: at most 200 of `A-Z a-z 0-9 _ -`.
    pub id: &'a str,
    /// See [`RECIPIENT_HEADER`].
    pub recipient: &'a str,
    /// See [`VERDICT_HEADER`].
    pub verdict: Verdict,
}

impl Delivery<'_> {
    /// What is signed before the body. Neither the time, the id nor the verdict can hold a `.`, and the recipient must
    /// be the account's own, so that no two deliveries are written alike.
    fn prefix(&self, timestamp: &str) -> String {
        format!("{timestamp}.{}.{}.{}.", self.id, self.recipient, self.verdict)
    }
}

/// The headers under which `message` is posted, if the delivery can be written in headers at all.
pub fn sign(message: &[u8], delivery: &Delivery<'_>, keys: &ProofKeys, now: Millis) -> Option<HeaderMap> {
    if !is_id(delivery.id) {
        return None;
    }
    let timestamp = now.seconds().to_string();
    let mac = sign_hmac_sha256(keys, &delivery.prefix(&timestamp), message);
    let headers = [
        (CONTENT_TYPE, "message/rfc822".to_owned()),
        (HeaderName::from_static(TIMESTAMP_HEADER), timestamp),
        (HeaderName::from_static(SIGNATURE_HEADER), format!("sha256={}", hex::encode(mac))),
        (HeaderName::from_static(ID_HEADER), delivery.id.to_owned()),
        (HeaderName::from_static(RECIPIENT_HEADER), delivery.recipient.to_owned()),
        (HeaderName::from_static(VERDICT_HEADER), delivery.verdict.to_string()),
    ];
    headers.into_iter().map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect()
}

/// Whether mail for `recipient` is for the account whose option `address` is this.
pub fn is_for(recipient: &str, account_address: &str) -> bool {
    address::normal(account_address).is_some_and(|own| address::is_for(recipient, &own))
}

/// Proves that a forwarder with the account's secret posted this a moment ago, for this account.
pub(crate) fn verify(request: RawRequest, keys: &ProofKeys, own: &str) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    let timestamp = request.single_header(TIMESTAMP_HEADER)?.to_owned();
    let delivery = delivery(&request)?;
    let signature = request.single_header(SIGNATURE_HEADER)?;
    let signature = signature.strip_prefix("sha256=").ok_or(Rejected::Unproven("the signature is not sha256="))?;
    let claimed = [ClaimedMac::hex(signature)?];
    fresh(&timestamp, request.received_at, TOLERANCE)?;
    if !address::is_for(delivery.recipient, own) {
        return Err(Rejected::Unproven("the recipient is not this account's address"));
    }
    let prefix = delivery.prefix(&timestamp);
    hmac_sha256(request, keys, &prefix, &claimed)
}

/// What the headers say; believed only once [`verify`] let them through.
pub(crate) fn delivery(request: &RawRequest) -> Result<Delivery<'_>, Rejected> {
    let id = request.single_header(ID_HEADER)?;
    if !is_id(id) {
        return Err(Rejected::Unproven("the id is not one of a delivery"));
    }
    let verdict = request.single_header(VERDICT_HEADER)?;
    let verdict = verdict.parse().map_err(|_| Rejected::Unproven("the verdict is not pass, fail or none"))?;
    Ok(Delivery { id, recipient: request.single_header(RECIPIENT_HEADER)?, verdict })
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chela_core::secret::Secret;

    use super::*;

    const NOW: Millis = Millis(1_767_225_600_000);
    const OWN: &str = "bot@example.org";

    fn keys() -> ProofKeys {
        ProofKeys::words(&Secret::new("public-test-secret")).unwrap()
    }

    fn post(body: &str, delivery: &Delivery<'_>) -> RawRequest {
        let headers = sign(body.as_bytes(), delivery, &keys(), NOW).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        RawRequest { method: Method::POST, path: String::new(), query: String::new(), headers, body, received_at: NOW }
    }

    const GENUINE: Delivery<'_> = Delivery { id: "d-1", recipient: OWN, verdict: Verdict::Fail };

    /// Computed with `openssl dgst -sha256 -hmac public-test-secret`.
    #[test]
    fn the_signature_is_the_documented_one() {
        let headers = sign(b"From: a@b.c\r\n\r\nhi", &GENUINE, &keys(), NOW).unwrap();
        let wanted = "sha256=98a89737fcc72e0769bb9fc1f20be9ad41daf7dbe1c3b2cdb015965ed943907b";
        assert_eq!(headers[SIGNATURE_HEADER], wanted);
        assert_eq!(headers[TIMESTAMP_HEADER], "1767225600");
        assert_eq!(headers[CONTENT_TYPE], "message/rfc822");
    }

    #[test]
    fn every_signed_header_counts() {
        assert!(verify(post("x", &GENUINE), &keys(), OWN).is_ok());
        let other = [
            (ID_HEADER, "d-2"),
            (RECIPIENT_HEADER, "bot+1@example.org"),
            (VERDICT_HEADER, "pass"),
            (TIMESTAMP_HEADER, "1767225601"),
        ];
        for (name, value) in other {
            let mut changed = post("x", &GENUINE);
            changed.headers.insert(name, HeaderValue::from_static(value));
            assert!(matches!(verify(changed, &keys(), OWN), Err(Rejected::Unproven(_))), "{name}");
            let mut missing = post("x", &GENUINE);
            missing.headers.remove(name);
            assert!(matches!(verify(missing, &keys(), OWN), Err(Rejected::Unproven(_))), "no {name}");
            let mut twice = post("x", &GENUINE);
            let value = twice.headers[name].clone();
            twice.headers.append(name, value);
            assert!(matches!(verify(twice, &keys(), OWN), Err(Rejected::Unproven(_))), "{name} twice");
        }
    }

    /// `…bot@example.org.fail.pass.x` has two readings; only one of them names our address.
    #[test]
    fn what_is_signed_cannot_be_read_as_another_delivery() {
        let mut shifted = post("pass.x", &GENUINE);
        shifted.headers.insert(RECIPIENT_HEADER, HeaderValue::from_static("bot@example.org.fail"));
        shifted.headers.insert(VERDICT_HEADER, HeaderValue::from_static("pass"));
        shifted.body = Bytes::from_static(b"x");
        assert!(verify(shifted.clone(), &keys(), "bot@example.org.fail").is_ok(), "the MAC is the same");
        assert!(verify(shifted, &keys(), OWN).is_err());
        assert_eq!(sign(b"x", &Delivery { id: "d.1", ..GENUINE }, &keys(), NOW), None);
        let mut dotted = post("x", &GENUINE);
        dotted.headers.insert(ID_HEADER, HeaderValue::from_static("d-1.bot"));
        assert!(verify(dotted, &keys(), OWN).is_err());
    }

    #[test]
    fn a_delivery_that_no_header_can_hold_is_not_signed() {
        assert_eq!(sign(b"x", &Delivery { recipient: "a\r\nb@c.d", ..GENUINE }, &keys(), NOW), None);
        for id in ["", "a b", &"x".repeat(201)] {
            assert_eq!(sign(b"x", &Delivery { id, ..GENUINE }, &keys(), NOW), None, "{id}");
        }
    }

    #[test]
    fn mail_for_somebody_else_is_not_ours() {
        let delivery = Delivery { recipient: "other@example.org", ..GENUINE };
        assert!(verify(post("x", &delivery), &keys(), OWN).is_err());
        assert!(is_for("BOT+x@example.org", "Bot@Example.org") && !is_for("bot@example.org", "not an address"));
    }
}
