//! Telegram, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::{BOT_TOKEN, ID, WEBHOOK_SECRET, verify};

/// How to play Telegram.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (BOT_TOKEN.key, "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"),
        (WEBHOOK_SECRET.key, "public-test-secret_0"),
    ],
    options: |url| json!({"apiBaseUrl": url, "botUsername": "@chela_test_bot"}),
    sign_sample,
};

/// Telegram signs nothing; it repeats the secret it was given.
fn sign_sample(_body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let newest = secrets.get(WEBHOOK_SECRET.key).and_then(|secret| secret.expose().split_whitespace().next());
    if let Some(Ok(token)) = newest.map(HeaderValue::from_str) {
        headers.insert(verify::TOKEN_HEADER, token);
    }
    headers
}
