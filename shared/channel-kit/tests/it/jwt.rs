//! Tokens: what is believed, when keys are fetched, what we sign. PyJWT is the judge in both directions.

use chela_channel_kit::jwt::simulator::{TEST_KEY, TEST_KID, test_bearer, test_key_set};
use chela_channel_kit::jwt::{Expected, SigningKey, UnfitPem, claims, verify};
use chela_core::channel::Rejected;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use chela_testkit::laws::channel::ARRIVAL;
use http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::keys::{given, request};

/// Arrival in seconds.
pub(crate) const NOW: u64 = ARRIVAL.0 / 1000;

/// Another key, in PKCS#1.
pub(crate) const IMPOSTOR: &str = include_str!("../impostor.pem");

const EXPECTED: Expected<'static> = Expected { issuers: &["https://issuer", "issuer"], audiences: &["us"] };

fn good() -> Value {
    json!({ "iss": "https://issuer", "aud": "us", "exp": NOW + 600, "nbf": NOW, "iat": NOW, "email_verified": true })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn judged(bearer: &HeaderValue) -> Result<(), Rejected> {
    verify(request(bearer, ARRIVAL), &given(&test_key_set().unwrap()), &EXPECTED, |_, _| Ok(())).map(drop)
}

fn claimed(claims: &Value) -> Result<(), Rejected> {
    judged(&test_bearer(claims).unwrap())
}

/// A token with a header of one's own.
fn headed(key: &str, header: &Value, claims: &Value) -> HeaderValue {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let pair = rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let pair = match &pair {
        rustls_pki_types::PrivateKeyDer::Pkcs8(der) => ring::signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        rustls_pki_types::PrivateKeyDer::Pkcs1(der) => ring::signature::RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => panic!("another kind of key"),
    };
    let pair = pair.unwrap();
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    pair.sign(&ring::signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
    HeaderValue::from_str(&format!("Bearer {signed}.{}", encode(&signature))).unwrap()
}

use rustls_pki_types::pem::PemObject as _;

fn refused(verdict: Result<(), Rejected>, why: &str) {
    match verdict {
        Err(Rejected::Unproven(told)) => assert!(told.contains(why), "{told}, not {why}"),
        other => panic!("{why}: {other:?}"),
    }
}

#[test]
fn a_token_of_the_issuer_for_us_is_believed() {
    assert_eq!(claimed(&good()), Ok(()));
    assert_eq!(claimed(&with("iss", json!("issuer"))), Ok(()));
}

#[test]
fn a_token_of_another_issuer_or_for_somebody_else_is_not() {
    for issuer in [json!("https://issuer/"), json!("Issuer"), json!("")] {
        refused(claimed(&with("iss", issuer)), "another issuer");
    }
    for audience in [json!("them"), json!("US"), json!(""), json!("us ")] {
        refused(claimed(&with("aud", audience)), "somebody else");
    }
}

#[test]
fn claims_of_another_type_are_no_claims() {
    for (name, why) in [("iss", "text"), ("aud", "text"), ("exp", "time"), ("nbf", "time"), ("iat", "time")] {
        let odd = [json!(["us", "https://issuer"]), json!(["us"]), json!({}), json!(null), json!(true), json!(-1)];
        for odd in odd {
            refused(claimed(&with(name, odd)), why);
        }
    }
    // CVE-2026-25537: an `exp` that is a text is not an absent one.
    for name in ["exp", "nbf", "iat"] {
        for odd in [json!((NOW + 600).to_string()), json!(1.5), json!("never")] {
            refused(claimed(&with(name, odd)), "time");
        }
    }
    for name in ["iss", "aud"] {
        let mut without = good();
        without.as_object_mut().unwrap().remove(name);
        refused(claimed(&without), "text");
    }
    for claims in [json!([]), json!("x"), json!(null)] {
        refused(claimed(&claims), "no JSON object");
    }
}

#[test]
fn a_token_lives_from_nbf_to_exp_give_or_take_five_minutes() {
    assert_eq!(claimed(&with("exp", json!(NOW - 299))), Ok(()));
    refused(claimed(&with("exp", json!(NOW - 300))), "expired");
    for begin in ["nbf", "iat"] {
        assert_eq!(claimed(&with(begin, json!(NOW + 300))), Ok(()));
        refused(claimed(&with(begin, json!(NOW + 301))), "not valid yet");
        let mut without = good();
        without.as_object_mut().unwrap().remove(begin);
        assert_eq!(claimed(&without), Ok(()), "{begin} may be left out");
    }
    let mut endless = good();
    endless.as_object_mut().unwrap().remove("exp");
    refused(claimed(&endless), "never expires");
    assert_eq!(claimed(&with("exp", json!(u64::MAX))), Ok(()));
}

#[test]
fn no_token_chooses_its_own_proof() {
    let head = |alg: &str| headed(TEST_KEY, &json!({ "alg": alg, "kid": TEST_KID }), &good());
    assert_eq!(judged(&head("RS256")), Ok(()), "the control");
    for alg in ["none", "None", "HS256", "rs256", "RS384", "RS512", "PS256", "ES256", ""] {
        refused(judged(&head(alg)), "not signed with RS256");
    }
    refused(judged(&headed(TEST_KEY, &json!({ "kid": TEST_KID }), &good())), "no signed token");
    let critical = json!({ "alg": "RS256", "kid": TEST_KID, "crit": ["exp"] });
    refused(judged(&headed(TEST_KEY, &critical, &good())), "unknown");
    // A key that came along is not looked at.
    let own = SigningKey::from_pem(&Secret::new(IMPOSTOR)).unwrap().public_jwk();
    let bring = json!({ "alg": "RS256", "kid": TEST_KID, "jwk": own, "jku": "https://evil.example/keys" });
    refused(judged(&headed(IMPOSTOR, &bring, &good())), "does not match");
}

#[test]
fn another_key_under_the_same_name_or_another_name_is_refused() {
    refused(judged(&headed(IMPOSTOR, &json!({ "alg": "RS256", "kid": TEST_KID }), &good())), "does not match");
    refused(judged(&headed(TEST_KEY, &json!({ "alg": "RS256", "kid": "other" }), &good())), "not published");
    for kid in [json!(""), json!(null), json!(7), json!([TEST_KID])] {
        assert!(judged(&headed(TEST_KEY, &json!({ "alg": "RS256", "kid": kid }), &good())).is_err(), "{kid}");
    }
}

#[test]
fn a_header_of_the_public_key_as_a_shared_secret_is_refused() {
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let header = json!({ "alg": "HS256", "kid": TEST_KID }).to_string();
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(good().to_string().as_bytes()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(test_key_set().unwrap().to_string().as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let token = format!("Bearer {signed}.{}", encode(&mac.finalize().into_bytes()));
    refused(judged(&HeaderValue::from_str(&token).unwrap()), "not signed with RS256");
}

#[test]
fn every_character_of_a_token_counts_and_it_has_one_spelling() {
    let bearer = test_bearer(&good()).unwrap();
    let text = bearer.to_str().unwrap();
    for at in 0..text.len() {
        for other in ["A", "B", ".", "=", "_"] {
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            if changed != text {
                assert!(judged(&HeaderValue::from_str(&changed).unwrap()).is_err(), "character {at} as {other}");
            }
        }
    }
    for changed in [format!("{text}="), format!("{text}A"), format!("{text}."), text.replace("Bearer ", "bearer ")] {
        assert!(judged(&HeaderValue::from_str(&changed).unwrap()).is_err());
    }
    let bare = text.rsplit_once('.').unwrap().0;
    for cut in [format!("{bare}."), bare.to_owned(), "Bearer ".to_owned(), "Bearer ..".to_owned()] {
        assert!(judged(&HeaderValue::from_str(&cut).unwrap()).is_err(), "{cut}");
    }
    let long = test_bearer(&with("pad", json!("x".repeat(20_000)))).unwrap();
    refused(judged(&long), "too long");
}

#[test]
fn what_the_channel_wants_beside_is_asked_before_anything_is_proved() {
    let keys = given(&test_key_set().unwrap());
    let bearer = test_bearer(&good()).unwrap();
    let no = verify(request(&bearer, ARRIVAL), &keys, &EXPECTED, |claims, key| {
        assert_eq!(
            (claims.flag("email_verified"), key.endorsements.as_slice()),
            (Ok(true), &["msteams".to_owned()][..])
        );
        Err(Rejected::Unproven("not endorsed"))
    });
    assert_eq!(no.map(drop), Err(Rejected::Unproven("not endorsed")));
    let yes = verify(request(&bearer, ARRIVAL), &keys, &EXPECTED, |_, _| Ok(())).unwrap();
    let claims = claims(&yes).unwrap();
    assert_eq!((claims.text("aud"), claims.time("exp")), (Ok("us"), Ok(Some(NOW + 600))));
    assert!(claims.flag("aud").is_err() && claims.text("exp").is_err() && claims.text("none").is_err());
    assert_eq!(format!("{claims:?}"), "Claims(6)");
}

#[test]
fn a_key_is_read_however_it_is_written_down() {
    let escaped = TEST_KEY.replace('\n', "\\n");
    let tokens = [TEST_KEY, &escaped].map(|pem| {
        let key = SigningKey::from_pem(&Secret::new(pem)).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(2048 bits)");
        key.token(None, &good()).expose().to_owned()
    });
    assert_eq!(tokens[0], tokens[1], "the same claims make the same token");
    assert!(SigningKey::from_pem(&Secret::new(IMPOSTOR)).is_ok(), "PKCS#1");
    let unfit = |pem: &str| SigningKey::from_pem(&Secret::new(pem)).map(drop).unwrap_err();
    assert_eq!(unfit("hunter2"), UnfitPem::NoKey);
    assert_eq!(unfit("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"), UnfitPem::NotRsa);
    assert_eq!(unfit("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"), UnfitPem::NotRsa);
}

proptest! {
    #[test]
    fn no_authorization_breaks_the_reader(text in "\\PC{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
        let keys = given(&test_key_set().unwrap());
        for word in [text, parts.join(".")] {
            if let Ok(value) = HeaderValue::from_str(&format!("Bearer {word}")) {
                let verdict = verify(request(&value, Millis(0)), &keys, &EXPECTED, |_, _| Ok(()));
                prop_assert!(verdict.is_err());
            }
        }
    }
}
