//! Meta, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use chela_meta::webhook::{SIGNATURE_HEADER, signature};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::{ACCESS_TOKEN, APP_SECRET, ID, VERIFY_TOKEN};

/// How to play Meta.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (APP_SECRET.key, "public-test-app-secret"),
        (VERIFY_TOKEN.key, "public-test-verify-token"),
        (ACCESS_TOKEN.key, "IGAApublictesttoken"),
    ],
    options: |url| json!({"apiBaseUrl": url, "igId": "17841405822304914"}),
    sign_sample,
};

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    if let Some(mac) = secrets.get(APP_SECRET.key).and_then(|secret| signature(body, secret)) {
        headers.insert(SIGNATURE_HEADER, mac);
    }
    headers
}
