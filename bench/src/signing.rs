//! Standard Webhooks, both directions. Written here again rather than taken from the channel: a mistake that signer and
//! verifier share would not be seen.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::http::Message;

/// Both sides' key: nothing is secret about a benchmark.
const KEY: [u8; 32] = *b"a benchmark's key hides nothing.";

/// As the configuration wants it.
pub(crate) fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// Signs and verifies. The key is prepared once: the load generator must cost little.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Hmac::new_from_slice(&KEY)?))
    }

    fn signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        STANDARD.encode(mac.finalize().into_bytes())
    }

    /// The three headers of a message, by name.
    pub(crate) fn headers(&self, id: &str, body: &[u8]) -> [(&'static str, String); 3] {
        let timestamp = now_s().to_string();
        let signature = format!("v1,{}", self.signature(id, &timestamp, body));
        [("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
    }

    /// The id of a message, if its signature is right.
    pub(crate) fn verified_id<'a>(&self, message: &'a Message) -> Option<&'a str> {
        let (id, timestamp) = (message.header("webhook-id")?, message.header("webhook-timestamp")?);
        let claimed = message.header("webhook-signature")?.strip_prefix("v1,")?;
        (self.signature(id, timestamp, &message.body) == claimed).then_some(id)
    }
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_signs_as_the_specification_shows() {
        // The example of the specification ("Verifying signatures"), its key decoded.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signer = Signer(Hmac::new_from_slice(&key).unwrap());
        let signature = signer.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_changed_body_is_not_ours() {
        let signer = Signer::new().unwrap();
        let headers = signer.headers("m1", b"{}").map(|(name, value)| format!("\r\n{name}: {value}")).concat();
        let head = format!("POST / HTTP/1.1{headers}");
        let message = |body: &[u8]| Message { head: head.clone(), body: body.to_vec() };
        assert_eq!(signer.verified_id(&message(b"{}")), Some("m1"));
        assert_eq!(signer.verified_id(&message(b"[]")), None);
    }
}
