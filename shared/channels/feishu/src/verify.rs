//! Two proofs: with an Encrypt Key the signature SHA-256(timestamp + nonce + key + raw body), without one the
//! Verification Token in the body.
//! <https://open.feishu.cn/document/server-docs/event-subscription-guide/event-subscription-configure-/encrypt-key-encryption-configuration-case>

use std::time::Duration;

use chela_channel_kit::proof::{ClaimedMac, computed_mac, fresh, shared_word};
use chela_core::channel::{RawRequest, Rejected, Verified};
use http::Method;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::encryption::opened;
use crate::inbound::URL_VERIFICATION;
use crate::settings::Proof;

/// The header with the signature in hexadecimal digits.
pub(crate) const SIGNATURE: &str = "x-lark-signature";

/// The header with the Unix seconds that are signed along.
pub(crate) const TIMESTAMP: &str = "x-lark-request-timestamp";

/// The header with the random word that is signed along.
pub(crate) const NONCE: &str = "x-lark-request-nonce";

/// Feishu names no tolerance; this is what most platforms advise. Each retry is a post of its own.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Where the token stands: outside in the handshake, in the header of an event.
#[derive(Deserialize)]
struct Tokens {
    #[serde(rename = "type")]
    kind: Option<String>,
    token: Option<String>,
    header: Option<Header>,
}

#[derive(Deserialize)]
struct Header {
    token: Option<String>,
}

/// Checks where a post comes from.
pub(crate) fn verify(proof: &Proof, request: RawRequest) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    let Some(keys) = &proof.encrypt_keys else { return by_token(proof, request, false) };
    if !request.headers.contains_key(SIGNATURE) {
        // Feishu's SDKs do not look for a signature on the handshake, so it may have none. Nothing else comes in so.
        return by_token(proof, request, true);
    }
    let timestamp = request.single_header(TIMESTAMP)?;
    let nonce = request.single_header(NONCE)?;
    let claimed = ClaimedMac::hex(request.single_header(SIGNATURE)?)?;
    fresh(timestamp, request.received_at, TOLERANCE)?;
    let own: Vec<[u8; 32]> = keys.all().map(|key| signature(timestamp, nonce, key, &request.body)).collect();
    let own: Vec<&[u8]> = own.iter().map(<[u8; 32]>::as_slice).collect();
    computed_mac(request, &own, &[claimed])
}

/// A token has to be read out of the body before it can be compared, and nothing else is.
fn by_token(proof: &Proof, request: RawRequest, only_handshake: bool) -> Result<Verified, Rejected> {
    const NO_PROOF: Rejected = Rejected::Unproven("there is neither signature nor token");
    let keys = proof.tokens.as_ref().ok_or(NO_PROOF)?;
    let body = opened(&request.body, proof.encrypt_keys.as_ref()).ok_or(NO_PROOF)?;
    let found: Tokens = serde_json::from_slice(&body).map_err(|_| NO_PROOF)?;
    if only_handshake && found.kind.as_deref() != Some(URL_VERIFICATION) {
        return Err(NO_PROOF);
    }
    let claimed = found.header.and_then(|header| header.token).or(found.token).ok_or(NO_PROOF)?;
    shared_word(request, &claimed, keys)
}

/// What Feishu signs: a plain hash, in which only the key is unknown to others.
pub(crate) fn signature(timestamp: &str, nonce: &str, key: &[u8], body: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(timestamp).chain_update(nonce).chain_update(key).chain_update(body);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the algorithm of the documentation, over its example.
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let body = br#"{"encrypt":"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}"#;
        let own = signature("1700000000", "nonce1", b"test key", body);
        let wanted = "21b279029a3bdf7b9f02a4935c76c53f09876d9d0e45add77a99d55d1bc7e79e";
        assert_eq!(hex::encode(own), wanted);
    }
}
