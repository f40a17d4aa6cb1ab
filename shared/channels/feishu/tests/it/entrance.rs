//! Both proofs, the handshake under each of them, and what an account needs to open.

use crate::account::{open, sample, signed};
use chela_channel_feishu::SIMULATOR;
use chela_core::channel::{Ack, Channel, Parsed, Rejected};
use chela_core::message::InboundKind;
use chela_testkit::laws::channel::{ARRIVAL, request};
use http::HeaderMap;
use serde_json::{Value, json};

const TOKEN: &str = "simulator-verification-token";

fn account(secrets: &[(&str, &str)]) -> std::sync::Arc<dyn Channel> {
    open(json!({"appId": "cli_1"}), &[&[("appSecret", "s")], secrets].concat()).unwrap()
}

fn bare(channel: &dyn Channel, body: &[u8]) -> Result<Parsed, Rejected> {
    channel.parse(&channel.verify(request(HeaderMap::new(), body))?)
}

fn with_token(body: &[u8], token: &str) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(body).unwrap();
    let place = if event.get("header").is_some() { &mut event["header"]["token"] } else { &mut event["token"] };
    *place = json!(token);
    event.to_string().into()
}

#[test]
fn without_an_encrypt_key_the_token_in_the_body_is_the_proof() {
    let channel = account(&[("verificationToken", TOKEN)]);
    for name in ["text", "button", "challenge", "old-schema"] {
        let body = sample(name);
        bare(&*channel, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        for wrong in ["", "simulator-verification-toke", "Simulator-verification-token"] {
            let refused = bare(&*channel, &with_token(&body, wrong));
            assert!(matches!(refused, Err(Rejected::Unproven(_))), "{name} with {wrong:?}: {refused:?}");
        }
    }
    let refused = bare(&*channel, br#"{"schema":"2.0","header":{},"event":{}}"#);
    assert!(matches!(refused, Err(Rejected::Unproven(_))), "{refused:?}");
    let rotated = account(&[("verificationToken", &format!("new {TOKEN}"))]);
    bare(&*rotated, &sample("text")).expect("either token holds while one is being replaced");
}

/// Else a leaked token, which stands in every body, would be worth as much as the key.
#[test]
fn with_an_encrypt_key_the_token_opens_the_handshake_and_nothing_else() {
    let channel = account(&[("encryptKey", "simulator-encrypt-key"), ("verificationToken", TOKEN)]);
    let answered = bare(&*channel, &sample("challenge")).unwrap();
    assert_eq!(answered, Parsed::answered(Ack::json(&json!({"challenge": "ajls384kdj"}))));
    for name in ["text", "button", "encrypted", "old-schema"] {
        let refused = bare(&*channel, &sample(name));
        assert!(matches!(refused, Err(Rejected::Unproven(_))), "{name}: {refused:?}");
    }
    let refused = bare(&*channel, &with_token(&sample("challenge"), "other"));
    assert!(matches!(refused, Err(Rejected::Unproven(_))), "{refused:?}");
    let keyed = account(&[("encryptKey", "simulator-encrypt-key")]);
    let refused = bare(&*keyed, &sample("challenge"));
    assert!(matches!(refused, Err(Rejected::Unproven(_))), "{refused:?}");
}

#[test]
fn a_handshake_that_claims_a_signature_is_held_to_it() {
    let channel = account(SIMULATOR.secrets);
    let mut forged = request(signed(b"{}", ARRIVAL), &sample("challenge"));
    assert!(matches!(channel.verify(forged.clone()), Err(Rejected::Unproven(_))));
    forged.headers = signed(&sample("challenge"), ARRIVAL);
    channel.verify(forged).unwrap();
}

#[test]
fn each_signed_header_stands_once() {
    let channel = account(SIMULATOR.secrets);
    let body = sample("text");
    for name in ["x-lark-signature", "x-lark-request-timestamp", "x-lark-request-nonce"] {
        let mut twice = request(signed(&body, ARRIVAL), &body);
        let value = twice.headers[name].clone();
        twice.headers.append(name, value);
        assert!(channel.verify(twice.clone()).is_err(), "{name} twice");
        twice.headers.remove(name);
        assert!(channel.verify(twice).is_err(), "{name} missing");
    }
}

#[test]
fn another_encrypt_key_is_told_apart_from_a_forgery() {
    // Signed with the new key while the body was still sealed with a key that is gone.
    let channel = account(&[("encryptKey", "simulator-encrypt-key")]);
    let body = br#"{"encrypt":"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}"#;
    let verified = channel.verify(request(signed(body, ARRIVAL), body)).unwrap();
    assert!(matches!(channel.parse(&verified), Err(Rejected::Malformed(_))));
}

#[test]
fn a_button_is_answered_with_an_object_and_a_foreign_one_is_ignored() {
    let channel = account(SIMULATOR.secrets);
    let read = |body: &[u8]| channel.parse(&channel.verify(request(signed(body, ARRIVAL), body)).unwrap()).unwrap();
    let parsed = read(&sample("button"));
    assert_eq!(parsed.ack, Ack::json(&json!({})));
    assert_eq!((&parsed.messages[0].kind, parsed.messages[0].text.as_str()), (&InboundKind::Button, "approve:42"));
    for foreign in [json!({"key": "approve"}), json!("approve:42"), json!({"chela": 1}), json!(null)] {
        let mut event: Value = serde_json::from_slice(&sample("button")).unwrap();
        event["event"]["action"]["value"] = foreign;
        assert_eq!(read(event.to_string().as_bytes()), Parsed::answered(Ack::json(&json!({}))));
    }
}

fn problem(options: Value, secrets: &[(&str, &str)]) -> String {
    open(options, secrets).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn an_account_opens_with_one_of_the_two_keys_and_with_neither_it_does_not() {
    let app = json!({"appId": "cli_1"});
    for blank in [&[("appSecret", "s")][..], &[("appSecret", "s"), ("encryptKey", " "), ("verificationToken", "")]] {
        let told = problem(app.clone(), blank);
        assert!(told.contains("encryptKey") && told.contains("FEISHU_ENCRYPT_KEY"), "{told}");
    }
    assert!(problem(json!({}), SIMULATOR.secrets).contains("appId"));
}

#[test]
fn a_domain_is_one_of_two_words_or_a_url() {
    let with = |domain: Value| open(json!({"appId": "cli_1", "domain": domain}), SIMULATOR.secrets);
    for fit in [json!("feishu"), json!("lark"), json!("https://open.example.org"), Value::Null] {
        assert!(with(fit.clone()).is_ok(), "{fit}");
    }
    for unfit in [json!("dingtalk"), json!("ftp://x"), json!(7)] {
        assert!(with(unfit.clone()).is_err(), "{unfit}");
    }
}
