//! Slack's v0 signature: HMAC-SHA256 over `v0:<timestamp>:<raw body>`, the same for events, commands and buttons.
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::ProofKeys;
use chela_channel_kit::proof::{ClaimedMac, fresh, hmac_sha256};
use chela_core::channel::{RawRequest, Rejected, Verified};
use http::Method;

use crate::inbound::{SSL_CHECK, is_ssl_check};

/// The header with `v0=` and the MAC in hexadecimal digits.
pub(crate) const SIGNATURE: &str = "x-slack-signature";

/// The header with the Unix seconds that are signed along.
pub(crate) const TIMESTAMP: &str = "x-slack-request-timestamp";

/// Slack asks to refuse what is older than five minutes. What is as far in the future is refused too: it could be
/// replayed for longer.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Checks the signature.
pub(crate) fn verify(keys: &ProofKeys, request: RawRequest) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    if is_ssl_check(&request.body) {
        // Unsigned, and wants a 200 all the same. Nothing that was sent goes on from here.
        let nothing_said = RawRequest { body: Bytes::from_static(SSL_CHECK), ..request };
        return Ok(nothing_said.prove());
    }
    let timestamp = request.single_header(TIMESTAMP)?;
    let signature = request.single_header(SIGNATURE)?;
    fresh(timestamp, request.received_at, TOLERANCE)?;
    let mac = signature.strip_prefix("v0=").ok_or(Rejected::Unproven("the signature is not of version v0"))?;
    let mac = ClaimedMac::hex(mac)?;
    let prefix = signed_prefix(timestamp);
    hmac_sha256(request, keys, &prefix, &[mac])
}

/// What is signed before the body.
pub(crate) fn signed_prefix(timestamp: impl Display) -> String {
    format!("v0:{timestamp}:")
}

#[cfg(test)]
mod tests {
    use chela_core::clock::Millis;
    use chela_core::secret::Secret;
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    /// Slack's own example.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
                        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
                        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
                        96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const MAC: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn request(body: &'static str, headers: &[(&'static str, &str)]) -> RawRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            });
        let received_at = Millis(1_531_420_618_000);
        RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers,
            body: Bytes::from_static(body.as_bytes()),
            received_at,
        }
    }

    fn check(secret: &str, request: RawRequest) -> Result<Verified, Rejected> {
        verify(&ProofKeys::words(&Secret::new(secret)).unwrap(), request)
    }

    #[test]
    fn the_published_example_is_genuine() {
        let example = request(BODY, &[(TIMESTAMP, AT), (SIGNATURE, MAC)]);
        let verified = check(SECRET, example.clone()).unwrap();
        assert_eq!(verified.request().body, BODY);
        assert!(check("8f742231b10e8888abcd99yyyzzz85a6", example.clone()).is_err());
        check(&format!("new-secret {SECRET}"), example).expect("either secret holds while one is being replaced");
    }

    #[test]
    fn a_body_beyond_ascii_is_signed_as_its_bytes() {
        let body = "{\"token\":\"x\",\"type\":\"event_callback\",\"event_id\":\"Ev1\",\
                    \"event\":{\"type\":\"message\",\"text\":\"h\u{e9}llo \u{1f600}\"}}";
        let mac = "v0=45f27d784a66ffedb1312e84700b7c527d5cffacd905b764f850e8143fe15dee";
        let mut computed = request(body, &[(TIMESTAMP, "1700000000"), (SIGNATURE, mac)]);
        computed.received_at = Millis(1_700_000_000_000);
        check("secret", computed).unwrap();
    }

    #[test]
    fn five_minutes_are_allowed_on_both_sides() {
        for (seconds, fresh) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let mut example = request(BODY, &[(TIMESTAMP, AT), (SIGNATURE, MAC)]);
            example.received_at = Millis(u64::try_from(1_531_420_618_000 + seconds * 1000_i64).unwrap());
            assert_eq!(check(SECRET, example).is_ok(), fresh, "{seconds}");
        }
    }

    #[test]
    fn each_header_stands_once() {
        let refused = [
            vec![(SIGNATURE, MAC)],
            vec![(TIMESTAMP, AT)],
            vec![(TIMESTAMP, AT), (SIGNATURE, MAC), (SIGNATURE, MAC)],
            vec![(TIMESTAMP, AT), (TIMESTAMP, AT), (SIGNATURE, MAC)],
        ];
        for headers in refused {
            let verdict = check(SECRET, request(BODY, &headers));
            assert!(matches!(verdict, Err(Rejected::Unproven(_))), "{headers:?}");
        }
    }

    #[test]
    fn only_version_0_is_known() {
        for signature in [MAC.replace("v0=", "v1="), MAC.replace("v0=", ""), MAC.replace("v0=", "V0="), "v0=".into()] {
            let verdict = check(SECRET, request(BODY, &[(TIMESTAMP, AT), (SIGNATURE, &signature)]));
            assert!(verdict.is_err(), "{signature}");
        }
    }

    #[test]
    fn only_posts_are_served() {
        let mut example = request(BODY, &[(TIMESTAMP, AT), (SIGNATURE, MAC)]);
        example.method = Method::GET;
        assert_eq!(check(SECRET, example).unwrap_err(), Rejected::Method);
    }

    #[test]
    fn a_retry_is_as_genuine_as_the_first_attempt() {
        let retry = [("x-slack-retry-num", "1"), ("x-slack-retry-reason", "http_timeout")];
        check(SECRET, request(BODY, &[[(TIMESTAMP, AT), (SIGNATURE, MAC)], retry].concat())).unwrap();
    }

    #[test]
    fn nothing_of_an_unsigned_certificate_check_gets_in() {
        let forged = "command=%2Fchela&text=pay+everybody&user_id=U1&channel_id=D1&trigger_id=1&ssl_check=1";
        let verified = check(SECRET, request(forged, &[])).unwrap();
        assert_eq!(verified.request().body, "ssl_check=1");
        assert!(check(SECRET, request("ssl_check=0&command=%2Fchela", &[])).is_err());
        assert!(check(SECRET, request("{\"ssl_check\":1}", &[])).is_err());
    }
}
