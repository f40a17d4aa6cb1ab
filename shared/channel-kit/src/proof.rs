//! Proofs that a platform sent a request. The callers of [`RawRequest::prove`] are in this file and in [`crate::jwt`], so
//! every comparison with a secret that guards a door of the house is one of these; a test sees to it.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use ed25519_dalek::{Signature, VerifyingKey};
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

    /// All keys, the newest first: for a MAC that [`computed_mac`] compares.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
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
    let own: Vec<&[u8]> = own.iter().map(|mac| mac.as_bytes().as_slice()).collect();
    computed_mac(request, &own, claimed)
}

/// Proves a request by a MAC that the channel computed itself, for platforms that sign in a way of their own: any of
/// `own`, one per key, may be any of `claimed`.
pub fn computed_mac(request: RawRequest, own: &[&[u8]], claimed: &[ClaimedMac]) -> Result<Verified, Rejected> {
    let equal = |own: &[u8], mac: &ClaimedMac| !own.is_empty() && bool::from(own.ct_eq(&mac.0));
    let genuine = claimed.iter().any(|mac| own.iter().any(|own| equal(own, mac)));
    if genuine { Ok(request.prove()) } else { Err(Rejected::Unproven("no signature matches")) }
}

/// Proves a request by a header that repeats a shared secret.
pub fn shared_token(request: RawRequest, header: &'static str, keys: &ProofKeys) -> Result<Verified, Rejected> {
    let claimed = request.single_header(header)?.to_owned();
    shared_word(request, &claimed, keys)
}

/// The same for `Authorization: Bearer …`.
pub fn bearer_token(request: RawRequest, keys: &ProofKeys) -> Result<Verified, Rejected> {
    let claimed = bearer(&request)?.to_owned();
    shared_word(request, &claimed, keys)
}

/// What stands in `Authorization` after `Bearer`.
pub fn bearer(request: &RawRequest) -> Result<&str, Rejected> {
    let header = request.single_header("authorization")?;
    header.strip_prefix("Bearer ").ok_or(Rejected::Unproven("the authorization is no bearer token"))
}

/// Proves a request by a word in it, wherever the platform puts it, that repeats a shared secret.
pub fn shared_word(request: RawRequest, claimed: &str, keys: &ProofKeys) -> Result<Verified, Rejected> {
    let genuine = keys.all().fold(Choice::from(0), |found, key| found | same(key, claimed.as_bytes()));
    if bool::from(genuine) { Ok(request.prove()) } else { Err(Rejected::Unproven("the token does not match")) }
}

/// Whether a word is this secret, for doors that no platform comes through. An empty secret is nobody's.
pub fn is_secret(claimed: &str, secret: &Secret) -> bool {
    !secret.expose().is_empty() && bool::from(same(secret.expose().as_bytes(), claimed.as_bytes()))
}

/// By digests, because comparing texts of different lengths in constant time still tells the length.
fn same(secret: &[u8], claimed: &[u8]) -> Choice {
    Sha256::digest(secret).ct_eq(&Sha256::digest(claimed))
}

/// Proves a request by an Ed25519 signature over `prefix` and the raw body, with any of the public keys. Weak keys and
/// signatures that have a second spelling are refused (`verify_strict`).
pub fn ed25519(
    request: RawRequest,
    keys: &[VerifyingKey],
    prefix: &str,
    signature: &[u8],
) -> Result<Verified, Rejected> {
    let signature =
        Signature::from_slice(signature).map_err(|_| Rejected::Unproven("the signature has not 64 bytes"))?;
    let message = [prefix.as_bytes(), &request.body].concat();
    let genuine = keys.iter().any(|key| key.verify_strict(&message, &signature).is_ok());
    if genuine { Ok(request.prove()) } else { Err(Rejected::Unproven("no signature matches")) }
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
mod tests;
