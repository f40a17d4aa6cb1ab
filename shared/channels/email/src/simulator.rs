//! A forwarder, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::{ProofKeys, Simulator};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::{HeaderMap, Method};
use mail_parser::MessageParser;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::forward::{Delivery, authentication_results, sign};
use crate::settings::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, WEBHOOK_SECRET};
use crate::{ID, address};

/// Whose `Authentication-Results` are believed in samples.
const AUTHSERV_ID: &str = "mx.example.org";

/// Who gets samples that name nobody in `Delivered-To`.
const RECIPIENT: &str = "bot@example.org";

/// How to play a forwarder.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[
        (WEBHOOK_SECRET.key, "public-test-secret"),
        (ACCESS_KEY_ID.key, "AKIDEXAMPLE"),
        (SECRET_ACCESS_KEY.key, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        (SESSION_TOKEN.key, "public-test-session-token"),
    ],
    options: |url| json!({"apiBaseUrl": url, "address": "bot@example.org", "fromName": "Chela", "region": "us-east-1"}),
    sign_sample,
};

fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let keys = secrets.get(WEBHOOK_SECRET.key).and_then(|secret| ProofKeys::words(secret).ok());
    let mut id = hex::encode(Sha256::digest(body));
    id.truncate(32);
    let recipient = delivered_to(body).unwrap_or_else(|| RECIPIENT.to_owned());
    let verdict = authentication_results(body, AUTHSERV_ID);
    let delivery = Delivery { id: &id, recipient: &recipient, verdict };
    keys.and_then(|keys| sign(body, &delivery, &keys, now)).unwrap_or_default()
}

/// Whom the envelope named, as servers write it into the message.
fn delivered_to(body: &[u8]) -> Option<String> {
    let message = MessageParser::default().parse_headers(body)?;
    let raw = message.headers_raw().find(|(name, _)| name.eq_ignore_ascii_case("delivered-to"))?.1;
    address::normal(raw)
}
