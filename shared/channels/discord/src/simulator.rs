//! Discord, and a bridge beside it, as tests and `chela invoke` play them.

use std::collections::BTreeMap;

use chela_channel_kit::{ProofKeys, Simulator, bridge};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use ed25519_dalek::{Signer as _, SigningKey};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::verify::{SIGNATURE, TIMESTAMP};
use crate::{BRIDGE_SECRET, ID, PUBLIC_KEY, TOKEN};

/// The public half of [`TEST_SEED`].
const TEST_PUBLIC_KEY: &str = "1893f57be482d882849d3910952cf99f749b279b7b34961a0c06bdc05e1037a7";

/// The private half, for everybody to see.
const TEST_SEED: &[u8; 32] = b"chela-public-test-key-of-discord";

/// How to play Discord. Its samples are taken by an account whose public key is the one here: nobody has the private
/// half of a real one.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (PUBLIC_KEY.key, TEST_PUBLIC_KEY),
        (TOKEN.key, "MTEwMDAwMDAwMDAwMDAwMDAwMQ.public.test-token"),
        (BRIDGE_SECRET.key, "public-test-secret-of-the-bridge"),
    ],
    options: |url| json!({ "apiBaseUrl": url }),
    sign_sample,
};

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    // Only a bridge says when in milliseconds.
    if body.windows(7).any(|window| window == b"\"ts_ms\"") {
        let keys = secrets.get(BRIDGE_SECRET.key).and_then(|secret| ProofKeys::words(secret).ok());
        headers.extend(keys.map(|keys| bridge::sign(body, &keys, now)).unwrap_or_default());
        return headers;
    }
    let ours = secrets.get(PUBLIC_KEY.key).is_some_and(|key| key.expose() == TEST_PUBLIC_KEY);
    let key = SigningKey::from_bytes(if ours { TEST_SEED } else { &[7; 32] });
    let timestamp = now.seconds().to_string();
    let signature = key.sign(&[timestamp.as_bytes(), body].concat());
    for (name, value) in [(TIMESTAMP, timestamp), (SIGNATURE, hex::encode(signature.to_bytes()))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}
