//! GitHub, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::proof::sign_hmac_sha256;
use chela_channel_kit::{ProofKeys, Simulator};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use serde_json::json;

use crate::ID;
use crate::inbound::EVENT;
use crate::settings::{TOKEN, WEBHOOK_SECRET};
use crate::verify::SIGNATURE;

/// How to play GitHub.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[(WEBHOOK_SECRET.key, "simulator-webhook-secret"), (TOKEN.key, "ghp_simulator")],
    options: |url| json!({"apiBaseUrl": url, "botLogin": "chela-bot", "repos": ["octo-org/hello-world"]}),
    sign_sample,
};

/// Which fields tell which event a body is of, the more special one first.
const FIELDS: [(&[&str], &str); 7] = [
    (&["comment", "pull_request"], "pull_request_review_comment"),
    (&["comment", "issue"], "issue_comment"),
    (&["review"], "pull_request_review"),
    (&["pull_request"], "pull_request"),
    (&["issue"], "issues"),
    (&["zen"], "ping"),
    (&["starred_at"], "star"),
];

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let fits = |(fields, _): &&(&[&str], &str)| fields.iter().all(|field| value.get(field).is_some());
    let event = FIELDS.iter().find(fits).map_or("push", |(_, event)| event);
    headers.insert(HeaderName::from_static(EVENT), HeaderValue::from_static(event));
    let Some(Ok(keys)) = secrets.get(WEBHOOK_SECRET.key).map(ProofKeys::words) else { return headers };
    let mac = hex::encode(sign_hmac_sha256(&keys, "", body));
    if let Ok(signature) = HeaderValue::from_str(&format!("sha256={mac}")) {
        headers.insert(HeaderName::from_static(SIGNATURE), signature);
    }
    headers
}
