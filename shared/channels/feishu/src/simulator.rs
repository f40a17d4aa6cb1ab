//! Feishu, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::{ProofKeys, Simulator};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::ID;
use crate::settings::{APP_SECRET, ENCRYPT_KEY, VERIFICATION_TOKEN};
use crate::verify::{NONCE, SIGNATURE, TIMESTAMP, signature};

/// How to play Feishu.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (APP_SECRET.key, "simulator-app-secret"),
        (ENCRYPT_KEY.key, "simulator-encrypt-key"),
        (VERIFICATION_TOKEN.key, "simulator-verification-token"),
    ],
    options: |url| json!({"apiBaseUrl": url, "appId": "cli_9f5343c580712544", "botOpenId": "ou_b0770000000000000000000000000001"}),
    sign_sample,
};

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
    let Some(Ok(keys)) = secrets.get(ENCRYPT_KEY.key).map(ProofKeys::words) else { return headers };
    let (timestamp, nonce) = (now.seconds().to_string(), "1466437291");
    let signed = hex::encode(signature(&timestamp, nonce, keys.newest(), body));
    for (name, value) in [(TIMESTAMP, timestamp.as_str()), (NONCE, nonce), (SIGNATURE, signed.as_str())] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}
