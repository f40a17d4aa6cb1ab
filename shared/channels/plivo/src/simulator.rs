//! Plivo, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_channel_kit::{ProofKeys, Simulator};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::ID;
use crate::form::Form;
use crate::public_url::PublicUrl;
use crate::settings::AUTH_TOKEN;
use crate::verify::{NONCE_HEADER, SIGNATURE_HEADERS, sign};

/// The `webhookUrl` that samples are signed for.
const URL: &str = "https://example.org/webhook/plivo";

const NONCE: &str = "12345678901234567890";

/// How to play Plivo.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[(AUTH_TOKEN.key, "publictesttoken0123456789abcdefghijklmno")],
    options: |url| {
        json!({
            "apiBaseUrl": url,
            "authId": "MA0123456789ABCDEFGH",
            "webhookUrl": "https://example.org/webhook/plivo",
            "from": "+15550000002",
        })
    },
    sign_sample,
};

/// The main account's token signs URL and parameters.
fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, _now: Millis) -> HeaderMap {
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
    let keys = secrets.get(AUTH_TOKEN.key).and_then(|secret| ProofKeys::words(secret).ok());
    if let (Some(keys), Some(url)) = (keys, PublicUrl::parse(URL)) {
        let text = format!("{}.{NONCE}", url.signed(&Form::read(b""), &Form::read(body)));
        let signature = STANDARD.encode(sign(keys.newest(), &text));
        let [_, main] = SIGNATURE_HEADERS;
        for (name, value) in [(main, signature.as_str()), (NONCE_HEADER, NONCE)] {
            headers.extend(HeaderValue::from_str(value).map(|value| (HeaderName::from_static(name), value)));
        }
    }
    headers
}
