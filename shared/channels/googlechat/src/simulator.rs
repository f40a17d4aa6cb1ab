//! Google Chat, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_channel_kit::jwt::simulator::test_bearer;
use chela_channel_kit::jwt::simulator::test_key_set;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::verify::{CHAT, GOOGLE};
use crate::{AUDIENCE, ID, SERVICE_ACCOUNT};

/// How long a token lives, in seconds.
const LIFE: u64 = 30 * 60;

/// How to play Google Chat. It signs with a test key whose private half is public: an account believes it where its
/// option `publicKeys` says so, and nowhere else. The service account has the same key, and exists nowhere.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (AUDIENCE.key, "https://chela.example.com/webhook/googlechat"),
        (SERVICE_ACCOUNT.key, include_str!("test-service-account.json")),
    ],
    options: |url| json!({ "apiBaseUrl": url, "publicKeys": test_key_set(), "quickCommands": { "7": "/status" } }),
    sign_sample,
};

/// The token does not cover the body.
fn sign_sample(_body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let mut headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"))]);
    let audience = secrets.get(AUDIENCE.key).map_or("", |audience| audience.expose().trim());
    let [google, _] = GOOGLE;
    let times = json!({ "iat": now.seconds(), "exp": now.seconds().saturating_add(LIFE) });
    let mut claims = if audience.bytes().all(|byte| byte.is_ascii_digit()) {
        json!({ "iss": CHAT, "aud": audience })
    } else {
        json!({ "iss": google, "aud": audience, "email": CHAT, "email_verified": true, "sub": "105138900000000000000" })
    };
    if let (Some(claims), Some(times)) = (claims.as_object_mut(), times.as_object()) {
        claims.extend(times.clone());
    }
    if let Some(bearer) = test_bearer(&claims) {
        headers.insert(AUTHORIZATION, bearer);
    }
    headers
}
