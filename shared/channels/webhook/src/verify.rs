//! Who sent it: Standard Webhooks, version `v1` (HMAC-SHA256 over id, timestamp and raw body).
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::time::Duration;

use chela_channel_kit::proof::{ClaimedMac, ProofKeys, fresh, hmac_sha256};
use chela_channel_kit::{ConfigProblem, UnfitKey};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::secret::Secret;
use http::Method;

use crate::SECRET;

pub(crate) const ID_HEADER: &str = "webhook-id";
pub(crate) const TIMESTAMP_HEADER: &str = "webhook-timestamp";
pub(crate) const SIGNATURE_HEADER: &str = "webhook-signature";

/// What the reference libraries allow.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The specification: "between 24 bytes and 64 bytes".
const SHORTEST_KEY: usize = 24;

pub(crate) fn keys(secret: &Secret) -> Result<ProofKeys, ConfigProblem> {
    let keys = ProofKeys::base64(secret, "whsec_").map_err(|unfit: UnfitKey| ConfigProblem::key(&SECRET, unfit))?;
    if keys.shortest() < SHORTEST_KEY {
        let fix = "make one with: echo whsec_$(openssl rand -base64 32)";
        return Err(ConfigProblem::secret(SECRET.key, "it has fewer than 24 bytes", fix));
    }
    Ok(keys)
}

pub(crate) fn verify(request: RawRequest, keys: &ProofKeys) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    let id = request.single_header(ID_HEADER)?;
    let timestamp = request.single_header(TIMESTAMP_HEADER)?;
    let signatures = request.single_header(SIGNATURE_HEADER)?;
    // With a dot in it, one signed text could be read as two different triples of id, timestamp and body.
    if id.is_empty() || id.contains('.') {
        return Err(Rejected::Unproven("the id is empty or has a dot"));
    }
    fresh(timestamp, request.received_at, TOLERANCE)?;
    let claimed: Vec<ClaimedMac> = signatures
        .split(' ')
        // Other versions, such as the asymmetric v1a, are for receivers that know them.
        .filter_map(|signature| ClaimedMac::base64(signature.strip_prefix("v1,")?).ok())
        .collect();
    let prefix = signed_prefix(id, timestamp);
    hmac_sha256(request, keys, &prefix, &claimed)
}

/// What is signed before the body.
pub(crate) fn signed_prefix(id: &str, timestamp: &str) -> String {
    format!("{id}.{timestamp}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use chela_core::clock::Millis;
    use http::{HeaderMap, HeaderValue};

    /// The specification's own example.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn check(id: &'static str, timestamp: &'static str, signature: &str) -> Result<Verified, Rejected> {
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, HeaderValue::from_static(id));
        headers.insert(TIMESTAMP_HEADER, HeaderValue::from_static(timestamp));
        headers.insert(SIGNATURE_HEADER, HeaderValue::from_str(signature).unwrap());
        let request = RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers,
            body: Bytes::from_static(br#"{"test": 2432232314}"#),
            received_at: Millis(1_614_265_330_000),
        };
        verify(request, &keys(&Secret::new(KEY)).unwrap())
    }

    #[test]
    fn the_example_of_the_specification_is_genuine() {
        check("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD).unwrap();
    }

    #[test]
    fn one_good_signature_among_others_is_enough() {
        let list = format!("v1,AAAA v1a,{} v2,x nonsense {GOOD}", "A".repeat(88));
        check("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", &list).unwrap();
    }

    #[test]
    fn the_same_mac_under_another_version_is_none() {
        for other in [GOOD.replace("v1,", "v1a,"), GOOD.replace("v1,", "v2,"), GOOD.replace("v1,", "")] {
            assert!(check("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", &other).is_err(), "{other}");
        }
    }

    #[test]
    fn w14_a_dot_cannot_move_from_one_signed_part_into_another() {
        // The signed text "a.1614265330.{…}" is the same for the id "a.1614265330" with another split.
        let keys = keys(&Secret::new(KEY)).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let mac = chela_channel_kit::proof::sign_hmac_sha256_base64(&keys, "x.y.1614265330.", body);
        let dotted = check("x.y", "1614265330", &format!("v1,{mac}"));
        assert_eq!(dotted.unwrap_err(), Rejected::Unproven("the id is empty or has a dot"));
        let mac = chela_channel_kit::proof::sign_hmac_sha256_base64(&keys, ".1614265330.", body);
        assert!(check("", "1614265330", &format!("v1,{mac}")).is_err());
    }

    #[test]
    fn short_keys_are_refused_with_the_command_that_makes_a_good_one() {
        let problem = keys(&Secret::new("whsec_c2hvcnQ=")).unwrap_err().to_string();
        assert!(problem.contains("24 bytes") && problem.contains("openssl rand"), "{problem}");
        assert!(keys(&Secret::new(format!("{KEY} whsec_c2hvcnQ="))).is_err());
    }
}
