//! A bridge, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::{Simulator, bridge};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::{ID, SECRET, settings};

/// How to play a bridge.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[(SECRET.key, "public-bridge-secret-of-the-samples")],
    options: |url| json!({"bridgeUrl": format!("{url}/libera/"), "features": ["edit", "typing", "react", "attach"]}),
    sign_sample,
};

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    if let Some(Ok(keys)) = secrets.get(SECRET.key).map(settings::keys) {
        headers.extend(bridge::sign(body, &keys, now));
    }
    headers
}
