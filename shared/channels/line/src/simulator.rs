//! LINE, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_channel_kit::proof::{ProofKeys, sign_hmac_sha256_base64};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::{CHANNEL_ACCESS_TOKEN, CHANNEL_SECRET, ID, verify};

/// How to play LINE.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (CHANNEL_SECRET.key, "8c570fa6dd201bb328f1c1eac23a96d8"),
        (CHANNEL_ACCESS_TOKEN.key, "public-test-token/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+="),
    ],
    options: |url| json!({ "apiBaseUrl": url }),
    sign_sample,
};

/// The signature covers the body only.
fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
    let keys = secrets.get(CHANNEL_SECRET.key).map(ProofKeys::words);
    if let Some(Ok(keys)) = keys
        && let Ok(signature) = HeaderValue::from_str(&sign_hmac_sha256_base64(&keys, "", body))
    {
        headers.insert(verify::SIGNATURE_HEADER, signature);
    }
    headers
}
