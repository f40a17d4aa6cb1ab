//! The other side, as tests and `chela invoke` play it.

use std::collections::BTreeMap;

use chela_channel_kit::Simulator;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{ID, SECRET, outbound, verify};

/// How to play the other side. The secret is the public example of the specification.
pub const SIMULATOR: Simulator = Simulator {
    channel: ID,
    method: Method::POST,
    path: "",
    secrets: &[(SECRET.key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    options: |url| json!({"callbackUrl": format!("{url}/in"), "callbackOrigins": ["https://replies.example", url]}),
    sign_sample,
};

/// Signs like the reference libraries. The id is made from the body, so that signing again is a retry.
fn sign_sample(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let mut id = format!("msg_{}", hex::encode(Sha256::digest(body)));
    id.truncate(28);
    let Some(Ok(keys)) = secrets.get(SECRET.key).map(verify::keys) else { return headers };
    for (name, text) in outbound::sign(&keys, &id, now, body) {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers
}
