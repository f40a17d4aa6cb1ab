//! What comes in beside samples: the homeserver's questions, and bodies nobody wrote.

use bytes::Bytes;
use chela_core::channel::{Ack, RawRequest, Rejected};
use chela_testkit::laws::channel::ARRIVAL;
use http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::subject::subject;

fn answer(method: Method, path: &str) -> Result<Ack, Rejected> {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let signed = subject.signed(b"{\"transaction_id\":\"x\"}", ARRIVAL);
    let request = RawRequest { method, path: path.to_owned(), ..signed };
    let parsed = channel.parse(&channel.verify(request)?)?;
    assert!(parsed.messages.is_empty());
    Ok(parsed.ack)
}

#[test]
fn the_homeservers_questions_are_answered() {
    let found = || Ok(Ack::json(&json!({})));
    assert_eq!(answer(Method::POST, "_matrix/app/v1/ping"), found());
    for ours in
        ["_matrix/app/v1/users/%40agent%3Ahs.local", "_matrix/app/v1/users/@agent:hs.local", "users/@agent:hs.local"]
    {
        assert_eq!(answer(Method::GET, ours), found(), "{ours}");
    }
    for (path, code) in [
        ("_matrix/app/v1/users/%40agent_x%3Ahs.local", "M_NOT_FOUND"),
        ("_matrix/app/v1/users/%40alice%3Ahs.local", "M_NOT_FOUND"),
        ("_matrix/app/v1/rooms/%23agent%3Ahs.local", "M_NOT_FOUND"),
        ("_matrix/app/v1/thirdparty/protocol/x", "M_NOT_FOUND"),
        ("", "M_UNRECOGNIZED"),
    ] {
        let ack = answer(Method::GET, path).unwrap();
        let body: Value = serde_json::from_slice(&ack.body).unwrap();
        assert_eq!((ack.status, body["errcode"].as_str()), (StatusCode::NOT_FOUND, Some(code)), "{path}");
    }
}

/// One event among others that is too deep, too odd or nobody's must not stop the homeserver's queue.
#[test]
fn a_poisoned_event_is_acknowledged_with_the_others() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let good = String::from_utf8(subject.sample("text").body.to_vec()).unwrap();
    for depth in [100, 200, 20_000] {
        for field in ["m.new_content", "m.relates_to", "body", "x"] {
            let open = format!("{{\"{field}\":").repeat(depth);
            let content = format!("{open}1{}", "}".repeat(depth));
            let poison = format!(
                r#"{{"type":"m.room.message","event_id":"$p","room_id":"!dm:hs.local","sender":"@m:evil","origin_server_ts":{},"content":{content}}}"#,
                ARRIVAL.0
            );
            let body = good.replace("{\"events\":[", &format!("{{\"events\":[{poison},"));
            let parsed = channel.parse(&channel.verify(subject.signed(body.as_bytes(), ARRIVAL)).unwrap()).unwrap();
            let texts: Vec<_> = parsed.messages.iter().map(|message| message.text.as_str()).collect();
            assert_eq!(texts, ["hello dm"], "{field} {depth}");
        }
    }
}

#[test]
fn what_is_no_transaction_is_refused() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    for body in ["", "{}", "[]", "null", "{\"events\":{}}", "{\"events\":null}", "\u{feff}{\"events\":[]}"] {
        let parsed = channel.parse(&channel.verify(subject.signed(body.as_bytes(), ARRIVAL)).unwrap());
        assert!(matches!(parsed, Err(Rejected::Malformed(_))), "{body}: {parsed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_in_any_field_is_read_or_left_out(
        body in "\\PC{0,40}|> <@agent:hs.local>.{0,20}|Agent.{0,9}",
        html in "\\PC{0,40}|<a href=.{0,30}</a>",
        id in "[!$@#:/.a-z \\n\u{0}é😀]{0,20}",
        path in "\\PC{0,30}",
    ) {
        let subject = subject();
        let channel = subject.open("http://127.0.0.1:9");
        let event = json!({
            "type": "m.room.message", "event_id": &id, "room_id": &id, "sender": &id, "origin_server_ts": ARRIVAL.0,
            "content": {
                "msgtype": "m.text", "body": body, "formatted_body": html, "url": &id, "filename": &id,
                "m.relates_to": {"rel_type": "m.thread", "event_id": &id, "m.in_reply_to": {"event_id": &id}},
            },
        });
        let body = Bytes::from(json!({"events": [event]}).to_string());
        let parsed = channel.parse(&channel.verify(subject.signed(&body, ARRIVAL)).unwrap()).unwrap();
        prop_assert!(parsed.messages.len() <= 1);
        for method in [Method::GET, Method::PUT, Method::POST] {
            let request = RawRequest { method, path: path.clone(), ..subject.signed(&body, ARRIVAL) };
            let _ = channel.verify(request).and_then(|verified| channel.parse(&verified));
        }
    }
}
