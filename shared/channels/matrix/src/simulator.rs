//! A homeserver, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::ID;
use crate::settings::{AS_TOKEN, HS_TOKEN};

/// How to play a homeserver.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::PUT,
    path: "_matrix/app/v1/transactions/1",
    secrets: &[(HS_TOKEN.key, "public-test-hs-token"), (AS_TOKEN.key, "public-test-as-token")],
    options: |url| json!({"homeserver": url, "userId": "@agent:hs.local", "directRooms": ["!dm:hs.local"]}),
    sign_sample,
};

/// A homeserver signs nothing; it repeats the token it was given.
fn sign_sample(_body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let newest = secrets.get(HS_TOKEN.key).and_then(|secret| secret.expose().split_whitespace().next());
    if let Some(Ok(token)) = newest.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))) {
        headers.insert(AUTHORIZATION, token);
    }
    headers
}
