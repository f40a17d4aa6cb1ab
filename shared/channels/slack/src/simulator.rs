//! Slack, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::proof::sign_hmac_sha256;
use chela_channel_kit::{ProofKeys, Simulator};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::ID;
use crate::settings::{BOT_TOKEN, SIGNING_SECRET};
use crate::verify::{SIGNATURE, TIMESTAMP, signed_prefix};

/// How to play Slack. The secret is the public example of Slack's documentation.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[(SIGNING_SECRET.key, "8f742231b10e8888abcd99yyyzzz85a5"), (BOT_TOKEN.key, "xoxb-simulator")],
    options: |url| json!({ "apiBaseUrl": format!("{url}/api") }),
    sign_sample,
};

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let form = "application/x-www-form-urlencoded";
    let content_type = if body.first() == Some(&b'{') { "application/json" } else { form };
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    let Some(Ok(keys)) = secrets.get(SIGNING_SECRET.key).map(ProofKeys::words) else { return headers };
    let mac = sign_hmac_sha256(&keys, &signed_prefix(now.seconds()), body);
    let signature = mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (name, value) in [(TIMESTAMP, now.seconds().to_string()), (SIGNATURE, format!("v0={signature}"))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}
