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
    let without_place = json!({"chela": "approve:42"});
    for foreign in [json!({"key": "approve"}), json!("approve:42"), json!({"chela": 1}), without_place, json!(null)] {
        let mut event: Value = serde_json::from_slice(&sample("button")).unwrap();
        event["event"]["action"]["value"] = foreign;
        assert_eq!(read(event.to_string().as_bytes()), Parsed::answered(Ack::json(&json!({}))));
    }
}

fn problem(options: Value, secrets: &[(&str, &str)]) -> String {
    open(options, secrets).map(|_| ()).unwrap_err().to_string()
}

/// The field in which the event's kind of place stands, taken away or changed.
#[test]
fn a13_what_does_not_say_where_it_was_said_is_refused_and_a_button_holds_in_its_own_chat() {
    let channel = account(SIMULATOR.secrets);
    let read = |event: &Value| {
        let body = event.to_string();
        channel.parse(&channel.verify(request(signed(body.as_bytes(), ARRIVAL), body.as_bytes())).unwrap())
    };
    let event = |name: &str| serde_json::from_slice::<Value>(&sample(name)).unwrap();
    for (name, pointer) in [
        ("text", "/event/message/chat_id"),
        ("group-text", "/event/message/chat_id"),
        ("text", "/event/message/message_id"),
        ("text", "/event/sender/sender_id/open_id"),
        ("button", "/event/context/open_chat_id"),
        ("group-button", "/event/context/open_chat_id"),
        ("button", "/event/operator/open_id"),
    ] {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        for value in [None, Some(json!(null)), Some(json!("")), Some(json!(" ")), Some(json!("oc_a/../oc_b"))] {
            let mut event = event(name);
            let place = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            place.remove(field).unwrap();
            place.extend(value.clone().map(|value| (field.to_owned(), value)));
            let refused = read(&event);
            assert!(matches!(refused, Err(Rejected::Malformed(_))), "{name} {pointer} {value:?}: {refused:?}");
        }
    }
    // A card of a direct chat that says it is a group's, and the other way round; and one that was forwarded.
    let (person, group) = ("ou_84aad35d084aa403a838cf73ee184670", "oc_a0553eda9014c201e6969b478895c230");
    let direct_chat = event("button")["event"]["context"]["open_chat_id"].clone();
    for (name, to) in [
        ("button", group),
        ("button", "ou_somebody_else"),
        ("button", ""),
        ("group-button", "oc_another"),
        ("group-button", "ou_somebody_else"),
        ("thread-button", "oc_another"),
    ] {
        let mut event = event(name);
        event["event"]["action"]["value"]["to"] = json!(to);
        let refused = read(&event);
        assert!(matches!(refused, Err(Rejected::Malformed(_))), "{name} for {to}: {refused:?}");
    }
    let mut forwarded = event("group-button");
    forwarded["event"]["context"]["open_chat_id"] = direct_chat;
    assert!(read(&forwarded).is_err(), "the group's card in a direct chat");
    for (name, at) in [("button", person), ("group-button", group), ("thread-button", group)] {
        assert_eq!(read(&event(name)).unwrap().messages[0].peer.id, at, "the control");
    }
}

/// CVE-2026-44109: a blank token where there is no Encrypt Key, and a blank token in the configuration.
#[test]
fn w04_a_blank_token_proves_nothing_and_no_account_opens_with_one() {
    for secrets in [
        &[][..],
        &[("verificationToken", "")],
        &[("verificationToken", " \t\n")],
        &[("encryptKey", ""), ("verificationToken", "")],
        &[("encryptKey", "  ")],
    ] {
        let told = problem(json!({"appId": "cli_1"}), &[&[("appSecret", "s")], secrets].concat());
        assert!(told.contains("encryptKey") && told.contains("FEISHU_ENCRYPT_KEY"), "{secrets:?}: {told}");
    }
    let by_token = account(&[("verificationToken", TOKEN)]);
    let by_both = account(&[("encryptKey", "simulator-encrypt-key"), ("verificationToken", TOKEN)]);
    let by_key = account(&[("encryptKey", "simulator-encrypt-key")]);
    for name in ["text", "button", "challenge", "old-schema"] {
        for blank in [json!(""), json!(" "), json!(null), json!([]), json!(false)] {
            let mut event: Value = serde_json::from_slice(&sample(name)).unwrap();
            let place = if event.get("header").is_some() { &mut event["header"]["token"] } else { &mut event["token"] };
            *place = blank.clone();
            let body = event.to_string();
            for channel in [&by_token, &by_both, &by_key] {
                let refused = bare(&**channel, body.as_bytes());
                assert!(matches!(refused, Err(Rejected::Unproven(_))), "{name} with {blank}: {refused:?}");
            }
        }
    }
    assert!(bare(&*by_token, &sample("text")).is_ok(), "the control");
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
