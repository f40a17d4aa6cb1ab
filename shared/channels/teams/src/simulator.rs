//! The Bot Framework, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_channel_kit::jwt::simulator::test_bearer;
use chela_channel_kit::jwt::simulator::test_key_set;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::verify::{ISSUER, SERVICE_URL_CLAIMS};
use crate::{APP_ID, APP_PASSWORD, ID};

/// How long a token lives, in seconds.
const LIFE: u64 = 30 * 60;

/// How to play the Bot Framework. It signs with a test key whose private half is public: an account believes it where
/// its option `publicKeys` says so, and nowhere else.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[(APP_ID.key, "00000000-0000-4000-8000-00000000abcd"), (APP_PASSWORD.key, "public-test-secret~0")],
    options: |url| json!({ "apiBaseUrl": url, "publicKeys": test_key_set() }),
    sign_sample,
};

/// The token speaks for whatever service the body names.
fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let mut headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))]);
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let service = body.get("serviceUrl").and_then(Value::as_str).unwrap_or("https://smba.trafficmanager.net/teams/");
    let [service_claim, _] = SERVICE_URL_CLAIMS;
    let claims = json!({
        service_claim: service,
        "nbf": now.seconds(),
        "exp": now.seconds().saturating_add(LIFE),
        "iss": ISSUER,
        "aud": secrets.get(APP_ID.key).map(|id| id.expose().trim()),
    });
    if let Some(bearer) = test_bearer(&claims) {
        headers.insert(AUTHORIZATION, bearer);
    }
    headers
}
