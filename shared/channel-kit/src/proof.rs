//! Proofs that a platform sent a request. The only callers of [`RawRequest::prove`] are in this file, so every
//! comparison with a secret in the house is one of these.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// Standard Base64 with or without `=`: some senders leave the padding out. Nothing else is tolerated, so that one MAC
/// has no second spelling that a deduplication could miss (CVE-2026-41351).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys one account accepts: one, or several while a secret is being rotated. Never empty, and no key in it is.
#[derive(Clone)]
pub struct ProofKeys {
    first: Vec<u8>,
    rest: Vec<Vec<u8>>,
}

impl ProofKeys {
    /// Keys that are the words of a secret: one word, or several separated by white space during a rotation, the new
    /// one first.
    pub fn words(secret: &Secret) -> Result<Self, UnfitKey> {
        Self::decoded(secret, |word| Ok(word.as_bytes().to_vec()))
    }

    /// Keys that are written in Base64 after `prefix`, such as `whsec_`; the prefix may be left out.
    pub fn base64(secret: &Secret, prefix: &str) -> Result<Self, UnfitKey> {
        Self::decoded(secret, |word| {
            BASE64.decode(word.strip_prefix(prefix).unwrap_or(word)).map_err(|_| UnfitKey::NotBase64)
        })
    }

    fn decoded(secret: &Secret, decode: impl Fn(&str) -> Result<Vec<u8>, UnfitKey>) -> Result<Self, UnfitKey> {
        let mut keys = Vec::new();
        for word in secret.expose().split_whitespace() {
            let key = decode(word)?;
            // A blank key would make everybody's MAC valid (CVE-2026-44109).
            if key.is_empty() {
                return Err(UnfitKey::Empty);
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(UnfitKey::Empty)?;
        Ok(Self { first, rest: keys.collect() })
    }

    /// The key to sign with: the newest.
    pub fn newest(&self) -> &[u8] {
        &self.first
    }

    /// The length in bytes of the shortest key.
    pub fn shortest(&self) -> usize {
        self.all().map(<[u8]>::len).min().unwrap_or(0)
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.first.as_slice()).chain(self.rest.iter().map(Vec::as_slice))
    }
}

impl fmt::Debug for ProofKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ProofKeys({})", 1 + self.rest.len())
    }
}

/// Why a secret cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKey {
    /// Nothing is left after trimming or decoding.
    #[error("it is empty")]
    Empty,
    /// It should be Base64 and is not.
    #[error("it is not Base64")]
    NotBase64,
}

/// A MAC the sender claims, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMac(Vec<u8>);

impl ClaimedMac {
    /// From hexadecimal digits.
    pub fn hex(text: &str) -> Result<Self, Rejected> {
        hex::decode(text).map(Self).map_err(|_| Rejected::Unproven("a signature is not hexadecimal"))
    }

    /// From Base64.
    pub fn base64(text: &str) -> Result<Self, Rejected> {
        BASE64.decode(text).map(Self).map_err(|_| Rejected::Unproven("a signature is not Base64"))
    }
}

/// Proves a request by HMAC-SHA256 over `prefix` and the raw body: any claimed MAC by any key will do.
pub fn hmac_sha256(
    request: RawRequest,
    keys: &ProofKeys,
    prefix: &str,
    claimed: &[ClaimedMac],
) -> Result<Verified, Rejected> {
    // One MAC per key, however many are claimed: a header of a thousand signatures must not cost a thousand hashes.
    let own: Vec<_> = keys.all().filter_map(|key| keyed(key, prefix, &request.body)).map(Mac::finalize).collect();
    let genuine = claimed.iter().any(|mac| own.iter().any(|own| own.as_bytes().ct_eq(&mac.0).into()));
    if genuine { Ok(request.prove()) } else { Err(Rejected::Unproven("no signature matches")) }
}

/// Proves a request by a header that repeats a shared secret.
pub fn shared_token(request: RawRequest, header: &'static str, keys: &ProofKeys) -> Result<Verified, Rejected> {
    // Digests, because comparing texts of different lengths in constant time still tells the length.
    let claimed = Sha256::digest(request.single_header(header)?.as_bytes());
    let genuine = keys.all().fold(Choice::from(0), |found, key| found | Sha256::digest(key).ct_eq(&claimed));
    if bool::from(genuine) { Ok(request.prove()) } else { Err(Rejected::Unproven("the token does not match")) }
}

/// Checks a timestamp in Unix seconds that is part of what was signed: written canonically, and not further than
/// `tolerance` from the arrival in the past or in the future. Call it before the signature: it costs less.
pub fn fresh(timestamp: &str, received_at: Millis, tolerance: Duration) -> Result<u64, Rejected> {
    let seconds: u64 = timestamp.parse().map_err(|_| Rejected::Unproven("the timestamp is not a number"))?;
    // "+5" and "05" are the same number as "5" and another signed text.
    if seconds.to_string() != timestamp {
        return Err(Rejected::Unproven("the timestamp is not canonical"));
    }
    if seconds.abs_diff(received_at.seconds()) > tolerance.as_secs() {
        return Err(Rejected::Unproven("the timestamp is too far from now"));
    }
    Ok(seconds)
}

/// The MAC that [`hmac_sha256`] accepts, for what we sign ourselves.
pub fn sign_hmac_sha256(keys: &ProofKeys, prefix: &str, body: &[u8]) -> Vec<u8> {
    keyed(keys.newest(), prefix, body).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// The same in Base64.
pub fn sign_hmac_sha256_base64(keys: &ProofKeys, prefix: &str, body: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(sign_hmac_sha256(keys, prefix, body))
}

fn keyed(key: &[u8], prefix: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC takes keys of every length; the error type is there for other MACs.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(prefix.as_bytes());
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    fn request(body: &'static str) -> RawRequest {
        RawRequest {
            method: Method::POST,
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            received_at: Millis(1_700_000_000_000),
        }
    }

    fn with_token(values: &[&'static str]) -> RawRequest {
        let mut request = request("{}");
        for value in values {
            request.headers.append("x-token", HeaderValue::from_static(value));
        }
        request
    }

    fn keys(words: &str) -> ProofKeys {
        ProofKeys::words(&Secret::new(words)).unwrap()
    }

    #[test]
    fn published_vectors_of_five_platforms_hold() {
        let slack = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let hex = |text| ClaimedMac::hex(text).unwrap();
        let base64 = |text| ClaimedMac::base64(text).unwrap();
        let whsec = ProofKeys::base64(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "whsec_").unwrap();
        let cases = [
            (
                keys("8f742231b10e8888abcd99yyyzzz85a5"),
                "v0:1531420618:",
                slack,
                hex("a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            ),
            (
                keys("mysecret"),
                "",
                r#"{"foo":"bar"}"#,
                hex("4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"),
            ),
            (keys("channel_secret"), "", "bodybodybodybody", base64("/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=")),
            (
                keys("app_secret"),
                "",
                r#"{"object":"whatsapp_business_account","entry":[]}"#,
                hex("c236c758c9b2bd40b388a550eeca09eaca72384dd0aa5e7c31d19cddac5bba46"),
            ),
            (
                whsec,
                "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.",
                r#"{"test": 2432232314}"#,
                base64("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ),
        ];
        for (keys, prefix, body, claimed) in cases {
            hmac_sha256(request(body), &keys, prefix, std::slice::from_ref(&claimed)).unwrap();
            let refused = hmac_sha256(request("forged"), &keys, prefix, &[claimed]);
            assert_eq!(refused.unwrap_err(), Rejected::Unproven("no signature matches"));
        }
    }

    #[test]
    fn any_key_and_any_signature_will_do_while_a_secret_is_rotated() {
        let old = ClaimedMac(sign_hmac_sha256(&keys("old"), "p", b"{}"));
        let other = ClaimedMac(sign_hmac_sha256(&keys("other"), "p", b"{}"));
        assert!(hmac_sha256(request("{}"), &keys("new old"), "p", &[other.clone(), old.clone()]).is_ok());
        assert!(hmac_sha256(request("{}"), &keys("new"), "p", &[other.clone(), old]).is_err());
        assert!(hmac_sha256(request("{}"), &keys("new old"), "p", &[other]).is_err());
        assert!(hmac_sha256(request("{}"), &keys("new old"), "p", &[]).is_err());
    }

    #[test]
    fn a_beginning_of_the_right_mac_is_not_the_mac() {
        let mut short = sign_hmac_sha256(&keys("k"), "", b"{}");
        short.truncate(16);
        assert!(hmac_sha256(request("{}"), &keys("k"), "", &[ClaimedMac(short)]).is_err());
        assert!(hmac_sha256(request("{}"), &keys("k"), "", &[ClaimedMac(Vec::new())]).is_err());
    }

    #[test]
    fn a_blank_secret_is_no_key() {
        for blank in ["", "  ", "\n"] {
            assert_eq!(ProofKeys::words(&Secret::new(blank)).unwrap_err(), UnfitKey::Empty);
        }
        assert_eq!(ProofKeys::base64(&Secret::new("whsec_"), "whsec_").unwrap_err(), UnfitKey::Empty);
        assert_eq!(ProofKeys::base64(&Secret::new("whsec_ab!"), "whsec_").unwrap_err(), UnfitKey::NotBase64);
    }

    #[test]
    fn base64_has_one_spelling_apart_from_its_padding() {
        let padded = ClaimedMac::base64("+/8=").unwrap();
        assert_eq!(ClaimedMac::base64("+/8").unwrap(), padded);
        for other in ["-_8=", "+/8==", " +/8=", "+/9="] {
            assert!(ClaimedMac::base64(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_token_must_be_there_once_and_be_right() {
        let keys = keys("new old");
        assert!(shared_token(with_token(&["new"]), "x-token", &keys).is_ok());
        assert!(shared_token(with_token(&["old"]), "x-token", &keys).is_ok());
        for wrong in [&[][..], &["new", "new"], &["ne"], &["new "], &["new old"], &[""], &["NEW"]] {
            assert!(shared_token(with_token(wrong), "x-token", &keys).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_timestamp_is_fresh_within_its_tolerance_on_both_sides() {
        let now = Millis(1_700_000_000_999);
        let within = Duration::from_secs(300);
        for ok in ["1700000000", "1699999700", "1700000300"] {
            assert!(fresh(ok, now, within).is_ok(), "{ok}");
        }
        for bad in [
            "1699999699",
            "1700000301",
            "0",
            "18446744073709551615",
            "+1700000000",
            "01700000000",
            "1.7e9",
            "-1",
            "",
            " 1700000000",
        ] {
            assert!(fresh(bad, now, within).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_tells_how_many_keys_and_nothing_of_them() {
        assert_eq!(format!("{:?}", keys("hunter2 hunter3")), "ProofKeys(2)");
    }
}
