use super::*;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

fn request(body: &'static str) -> RawRequest {
    RawRequest {
        method: Method::POST,
        path: String::new(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
        received_at: Millis(1_700_000_000_000),
    }
}

fn with_token(values: &[&'static str]) -> RawRequest {
    let mut request = request("{}");
    for value in values {
        request.headers.append("x-token", HeaderValue::from_static(value));
    }
    request
}

fn keys(words: &str) -> ProofKeys {
    ProofKeys::words(&Secret::new(words)).unwrap()
}

#[test]
fn published_vectors_of_five_platforms_hold() {
    let slack = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let hex = |text| ClaimedMac::hex(text).unwrap();
    let base64 = |text| ClaimedMac::base64(text).unwrap();
    let whsec = ProofKeys::base64(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "whsec_").unwrap();
    let cases = [
        (
            keys("8f742231b10e8888abcd99yyyzzz85a5"),
            "v0:1531420618:",
            slack,
            hex("a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ),
        (
            keys("mysecret"),
            "",
            r#"{"foo":"bar"}"#,
            hex("4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"),
        ),
        (keys("channel_secret"), "", "bodybodybodybody", base64("/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=")),
        (
            keys("app_secret"),
            "",
            r#"{"object":"whatsapp_business_account","entry":[]}"#,
            hex("c236c758c9b2bd40b388a550eeca09eaca72384dd0aa5e7c31d19cddac5bba46"),
        ),
        (
            whsec,
            "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.",
            r#"{"test": 2432232314}"#,
            base64("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ),
    ];
    for (keys, prefix, body, claimed) in cases {
        hmac_sha256(request(body), &keys, prefix, std::slice::from_ref(&claimed)).unwrap();
        let refused = hmac_sha256(request("forged"), &keys, prefix, &[claimed]);
        assert_eq!(refused.unwrap_err(), Rejected::Unproven("no signature matches"));
    }
}

#[test]
fn any_key_and_any_signature_will_do_while_a_secret_is_rotated() {
    let old = ClaimedMac(sign_hmac_sha256(&keys("old"), "p", b"{}"));
    let other = ClaimedMac(sign_hmac_sha256(&keys("other"), "p", b"{}"));
    assert!(hmac_sha256(request("{}"), &keys("new old"), "p", &[other.clone(), old.clone()]).is_ok());
    assert!(hmac_sha256(request("{}"), &keys("new"), "p", &[other.clone(), old]).is_err());
    assert!(hmac_sha256(request("{}"), &keys("new old"), "p", &[other]).is_err());
    assert!(hmac_sha256(request("{}"), &keys("new old"), "p", &[]).is_err());
}

#[test]
fn a_beginning_of_the_right_mac_is_not_the_mac() {
    let mut short = sign_hmac_sha256(&keys("k"), "", b"{}");
    short.truncate(16);
    assert!(hmac_sha256(request("{}"), &keys("k"), "", &[ClaimedMac(short)]).is_err());
    assert!(hmac_sha256(request("{}"), &keys("k"), "", &[ClaimedMac(Vec::new())]).is_err());
}

#[test]
fn a_blank_secret_is_no_key() {
    for blank in ["", "  ", "\n"] {
        assert_eq!(ProofKeys::words(&Secret::new(blank)).unwrap_err(), UnfitKey::Empty);
    }
    assert_eq!(ProofKeys::base64(&Secret::new("whsec_"), "whsec_").unwrap_err(), UnfitKey::Empty);
    assert_eq!(ProofKeys::base64(&Secret::new("whsec_ab!"), "whsec_").unwrap_err(), UnfitKey::NotBase64);
}

#[test]
fn base64_has_one_spelling_apart_from_its_padding() {
    let padded = ClaimedMac::base64("+/8=").unwrap();
    assert_eq!(ClaimedMac::base64("+/8").unwrap(), padded);
    for other in ["-_8=", "+/8==", " +/8=", "+/9="] {
        assert!(ClaimedMac::base64(other).is_err(), "{other}");
    }
}

#[test]
fn a_token_must_be_there_once_and_be_right() {
    let keys = keys("new old");
    assert!(shared_token(with_token(&["new"]), "x-token", &keys).is_ok());
    assert!(shared_token(with_token(&["old"]), "x-token", &keys).is_ok());
    for wrong in [&[][..], &["new", "new"], &["ne"], &["new "], &["new old"], &[""], &["NEW"]] {
        assert!(shared_token(with_token(wrong), "x-token", &keys).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_timestamp_is_fresh_within_its_tolerance_on_both_sides() {
    let now = Millis(1_700_000_000_999);
    let within = Duration::from_secs(300);
    for ok in ["1700000000", "1699999700", "1700000300"] {
        assert!(fresh(ok, now, within).is_ok(), "{ok}");
    }
    for bad in [
        "1699999699",
        "1700000301",
        "0",
        "18446744073709551615",
        "+1700000000",
        "01700000000",
        "1.7e9",
        "-1",
        "",
        " 1700000000",
    ] {
        assert!(fresh(bad, now, within).is_err(), "{bad}");
    }
}

#[test]
fn debug_tells_how_many_keys_and_nothing_of_them() {
    assert_eq!(format!("{:?}", keys("hunter2 hunter3")), "ProofKeys(2)");
}

#[test]
fn an_own_mac_that_is_empty_proves_nothing() {
    let claimed = [ClaimedMac(Vec::new())];
    assert!(computed_mac(request("x"), &[&[]], &claimed).is_err());
    assert!(computed_mac(request("x"), &[b"ab"], &[ClaimedMac(b"ab".to_vec())]).is_ok());
    assert!(computed_mac(request("x"), &[], &[ClaimedMac(b"ab".to_vec())]).is_err());
}

#[test]
fn a_bearer_token_is_the_whole_word_after_bearer() {
    let keys = ProofKeys::words(&Secret::new("one two")).unwrap();
    let with = |value: &'static str| {
        let mut request = request("x");
        request.headers.insert("authorization", http::HeaderValue::from_static(value));
        bearer_token(request, &keys)
    };
    assert!(with("Bearer one").is_ok() && with("Bearer two").is_ok());
    for bad in ["one", "bearer one", "Bearer one two", "Bearer ", "Bearer onee", "Basic one"] {
        assert!(with(bad).is_err(), "{bad}");
    }
    assert!(bearer_token(request("x"), &keys).is_err());
}

/// RFC 8032, 7.1, test 2.
#[test]
fn ed25519_is_checked_over_prefix_and_body_with_any_key() {
    let key = hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c").unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let rfc_test_1 = VerifyingKey::from_bytes(
        &hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap().try_into().unwrap(),
    );
    let other = rfc_test_1.unwrap();
    let mut signature = hex::decode(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    )
    .unwrap();
    assert!(ed25519(request("r"), &[other, key], "", &signature).is_ok());
    assert!(ed25519(request(""), &[key], "r", &signature).is_ok());
    assert!(ed25519(request("s"), &[key], "", &signature).is_err());
    assert!(ed25519(request("r"), &[other], "", &signature).is_err());
    assert!(ed25519(request("r"), &[], "", &signature).is_err());
    assert!(ed25519(request("r"), &[key], "", &signature[1..]).is_err());
    signature[0] ^= 1;
    assert!(ed25519(request("r"), &[key], "", &signature).is_err());
}
