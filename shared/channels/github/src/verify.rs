//! `X-Hub-Signature-256`: HMAC-SHA256 over the raw body. There is no time in it; a repetition has the same event id.
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>

use chela_channel_kit::ProofKeys;
use chela_channel_kit::proof::{ClaimedMac, hmac_sha256};
use chela_core::channel::{RawRequest, Rejected, Verified};
use http::Method;

/// The header with `sha256=` and the MAC in hexadecimal digits. Its older brother with SHA-1 is not looked at.
pub(crate) const SIGNATURE: &str = "x-hub-signature-256";

/// Checks the signature.
pub(crate) fn verify(keys: &ProofKeys, request: RawRequest) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    let signature = request.single_header(SIGNATURE)?;
    let mac = signature.strip_prefix("sha256=").ok_or(Rejected::Unproven("the signature is no sha256"))?;
    let mac = ClaimedMac::hex(mac)?;
    hmac_sha256(request, keys, "", &[mac])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chela_core::clock::Millis;
    use chela_core::secret::Secret;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn check(secret: &[u8], body: &'static str, signature: &str) -> bool {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(SIGNATURE),
            HeaderValue::from_str(signature).unwrap(),
        )]);
        let request = RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers,
            body: Bytes::from_static(body.as_bytes()),
            received_at: Millis(0),
        };
        // The published secret has spaces, which in a configuration would separate two secrets.
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret);
        verify(&ProofKeys::base64(&Secret::new(key), "").unwrap(), request).is_ok()
    }

    /// The examples of GitHub's documentation and of octokit's tests.
    #[test]
    fn the_published_examples_are_genuine() {
        let hello = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(check(b"It's a Secret to Everybody", "Hello, World!", hello));
        let octokit = "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3";
        assert!(check(b"mysecret", "{\"foo\":\"bar\"}", octokit));
        assert!(!check(b"mysecret", "{\"foo\":\"bar\"}", hello));
        assert!(!check(b"mysecret", "{\"foo\":\"bar\"} ", octokit));
        assert!(!check(b"mysecret", "{\"foo\":\"bar\"}", octokit.trim_start_matches("sha256=")));
        assert!(!check(b"mysecret", "{\"foo\":\"bar\"}", &octokit.replace("sha256", "sha1")));
    }
}
