//! Twilio, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_channel_kit::{ProofKeys, Simulator};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::ID;
use crate::form::Form;
use crate::settings::{AUTH_TOKEN, SHARED_KEY};
use crate::verify::{Algorithm, SIGNATURE_HEADER, sign};

/// The `webhookUrl` that samples are signed for.
const URL: &str = "https://example.org/webhook/twilio";

/// How to play Twilio.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (AUTH_TOKEN.key, "publictesttoken0123456789abcdefg"),
        (SHARED_KEY.key, "publictestsharedkey0123456789abc"),
    ],
    options: |url| {
        json!({
            "apiBaseUrl": url,
            "accountSid": "AC0123456789abcdef0123456789abcdef",
            "webhookUrl": "https://example.org/webhook/twilio",
            "from": "+15550000002",
            "whatsappFrom": "whatsapp:+14155238886",
        })
    },
    sign_sample,
};

/// The auth token signs URL and parameters.
fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
    if let Some(Ok(keys)) = secrets.get(AUTH_TOKEN.key).map(ProofKeys::words) {
        let text = format!("{URL}{}", Form::read(body).signed());
        let mac = keys.all().next().map(|key| sign(Algorithm::Sha1, key, text.as_bytes()));
        if let Ok(signature) = HeaderValue::from_str(&STANDARD.encode(mac.unwrap_or_default())) {
            headers.insert(SIGNATURE_HEADER, signature);
        }
    }
    headers
}
