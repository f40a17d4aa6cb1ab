//! The webhook of a Meta app: a GET asks whether the URL is ours, each POST is signed with the app's secret.
//! <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>

use chela_channel_kit::proof::{ClaimedMac, hmac_sha256, shared_word};
use chela_channel_kit::{AccountSettings, ConfigProblem, ProofKeys, SecretSpec};
use chela_core::channel::{Ack, Parsed, RawRequest, Rejected, Verified};
use chela_core::secret::Secret;
use http::Method;

/// Carries the MAC of the body. The older `X-Hub-Signature` (SHA-1) comes along and is ignored.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// Stands before the MAC.
const ALGORITHM: &str = "sha256=";

/// The longest challenge that is given back; Meta's are ten digits.
const LONGEST_CHALLENGE: usize = 256;

/// The secrets that prove Meta's requests.
#[derive(Clone, Debug)]
pub struct Webhook {
    app_secrets: ProofKeys,
    verify_tokens: ProofKeys,
}

impl Webhook {
    /// Reads both secrets; either may be several words while it is rotated, the new one first.
    pub fn new(
        settings: &AccountSettings,
        app_secret: &SecretSpec,
        verify_token: &SecretSpec,
    ) -> Result<Self, ConfigProblem> {
        let keys = |spec: &SecretSpec| {
            ProofKeys::words(settings.secret(spec)?).map_err(|unfit| ConfigProblem::key(spec, unfit))
        };
        Ok(Self { app_secrets: keys(app_secret)?, verify_tokens: keys(verify_token)? })
    }

    /// Proves a GET by the verify token and a POST by the MAC over the body exactly as it came: Meta signs the text with
    /// its `\u00e9` escapes, so that a body that was read and written again has another MAC.
    /// <https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads>
    pub fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        match request.method {
            Method::POST => {
                let header = request.single_header(SIGNATURE_HEADER)?;
                let mac = header.strip_prefix(ALGORITHM).ok_or(Rejected::Unproven("the signature is not sha256="))?;
                let claimed = [ClaimedMac::hex(mac)?];
                hmac_sha256(request, &self.app_secrets, "", &claimed)
            }
            Method::GET => {
                if parameter(&request.query, "hub.mode")? != "subscribe" {
                    return Err(Rejected::Unproven("the mode is not subscribe"));
                }
                let token = parameter(&request.query, "hub.verify_token")?;
                shared_word(request, &token, &self.verify_tokens)
            }
            _ => Err(Rejected::Method),
        }
    }

    /// The verify token to register: the newest.
    pub fn verify_token(&self) -> Secret {
        text(self.verify_tokens.newest())
    }

    /// The app's secret to make tokens with: the newest.
    pub fn app_secret(&self) -> Secret {
        text(self.app_secrets.newest())
    }
}

/// The answer to a handshake: its challenge and nothing else. `None` if the request is no handshake.
pub fn handshake(request: &RawRequest) -> Option<Result<Parsed, Rejected>> {
    if request.method != Method::GET {
        return None;
    }
    let challenge = parameter(&request.query, "hub.challenge")
        .map_err(|_| Rejected::Malformed("the handshake has no single challenge"))
        .and_then(|challenge| {
            let fit = !challenge.is_empty() && challenge.len() <= LONGEST_CHALLENGE;
            if fit { Ok(challenge) } else { Err(Rejected::Malformed("the challenge is blank or too long")) }
        });
    Some(challenge.map(|challenge| Parsed::answered(Ack { body: challenge.into_bytes().into(), ..Ack::empty() })))
}

/// A parameter that stands in the query exactly once.
fn parameter(query: &str, name: &str) -> Result<String, Rejected> {
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let (_, value) = values.next().ok_or(Rejected::Unproven("a parameter of the handshake is missing"))?;
    match values.next() {
        Some(_) => Err(Rejected::Unproven("a parameter of the handshake stands twice")),
        None => Ok(value.into_owned()),
    }
}

/// The header Meta signs this body with.
#[cfg(feature = "simulator")]
pub fn signature(body: &[u8], app_secret: &Secret) -> Option<http::HeaderValue> {
    let keys = ProofKeys::words(app_secret).ok()?;
    let mac = chela_channel_kit::proof::sign_hmac_sha256(&keys, "", body);
    http::HeaderValue::from_str(&format!("{ALGORITHM}{}", hex::encode(mac))).ok()
}

/// A key that was read as a word, as a word again.
fn text(key: &[u8]) -> Secret {
    Secret::new(String::from_utf8_lossy(key).into_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chela_core::clock::Millis;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn webhook() -> Webhook {
        let keys = |words: &str| ProofKeys::words(&Secret::new(words)).unwrap();
        Webhook { app_secrets: keys("app_secret older"), verify_tokens: keys("tok-en old-token") }
    }

    fn request(method: Method, query: &str, body: &'static str, signature: Option<&str>) -> RawRequest {
        let headers = signature.map(|value| (SIGNATURE_HEADER.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        RawRequest {
            method,
            path: String::new(),
            query: query.to_owned(),
            headers: HeaderMap::from_iter(headers),
            body: Bytes::from_static(body.as_bytes()),
            received_at: Millis(0),
        }
    }

    fn asked(query: &str) -> Result<Parsed, Rejected> {
        let verified = webhook().verify(request(Method::GET, query, "", None))?;
        handshake(verified.request()).unwrap()
    }

    #[test]
    fn vectors_of_the_reference_are_genuine_and_only_they() {
        let plain = r#"{"object":"whatsapp_business_account","entry":[]}"#;
        let escaped =
            r#"{"object":"page","entry":[{"messaging":[{"message":{"text":"h\u00e9\u00e9 \ud83d\ude00"}}]}]}"#;
        let vectors = [
            (plain, "sha256=c236c758c9b2bd40b388a550eeca09eaca72384dd0aa5e7c31d19cddac5bba46"),
            (escaped, "sha256=26e3b2b0861c48ff2ecb13f3cd8a3123736a0899d75824abcb68b32f33eac25d"),
        ];
        for (body, mac) in vectors {
            let verify = |body, mac| webhook().verify(request(Method::POST, "", body, mac)).is_ok();
            assert!(verify(body, Some(mac)), "{body}");
            assert!(!verify("{}", Some(mac)) && !verify(body, None), "{body}");
            assert!(!verify(body, mac.strip_prefix("sha256=")), "without its algorithm");
        }
        // The same text with its escapes read is another body.
        let read = "{\"object\":\"page\",\"entry\":[{\"messaging\":[{\"message\":{\"text\":\"héé 😀\"}}]}]}";
        assert!(webhook().verify(request(Method::POST, "", read, Some(vectors[1].1))).is_err());
    }

    #[test]
    fn the_challenge_comes_back_to_who_knows_the_token() {
        for token in ["tok-en", "old-token"] {
            let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
            let answer = asked(&query).unwrap().ack;
            assert_eq!((answer.content_type, answer.body.as_ref()), ("text/plain", b"1158201444".as_ref()));
        }
        for wrong in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=tok-e",
            "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=tok-en",
            "hub.challenge=1&hub.verify_token=tok-en",
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=tok-en&hub.verify_token=x",
        ] {
            assert!(matches!(asked(wrong), Err(Rejected::Unproven(_))), "{wrong}");
        }
        for malformed in
            ["", "&hub.challenge=", "&hub.challenge=1&hub.challenge=2", &format!("&hub.challenge={:0300}", 0)]
        {
            let query = format!("hub.mode=subscribe&hub.verify_token=tok-en{malformed}");
            assert!(matches!(asked(&query), Err(Rejected::Malformed(_))), "{query}");
        }
    }

    #[test]
    fn a_get_with_a_signature_and_a_post_with_a_token_prove_nothing() {
        let mac = "sha256=c236c758c9b2bd40b388a550eeca09eaca72384dd0aa5e7c31d19cddac5bba46";
        let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
        assert!(webhook().verify(request(Method::GET, "", body, Some(mac))).is_err());
        let query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=tok-en";
        assert!(webhook().verify(request(Method::POST, query, body, None)).is_err());
        assert_eq!(webhook().verify(request(Method::HEAD, query, "", None)).unwrap_err(), Rejected::Method);
    }
}
