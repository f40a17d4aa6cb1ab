//! What is sent, request by request.

use bytes::Bytes;
use chela_core::channel::{OutboundFile, Poll, Registration, SendError, Unconfirmed};
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::part;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use serde_json::json;

use crate::subject::{manners, subject};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const DEVICE: &str = "?user_id=%40agent%3Ahs.local&device_id=CHELA";

fn address() -> ReplyAddress {
    ReplyAddress {
        channel: "matrix".into(),
        account: "main".into(),
        // As odd as an id may be: https://spec.matrix.org/v1.16/appendices/#room-ids
        to: "!a/../b?c#d%e:hs.local".into(),
        thread: None,
        message: None,
    }
}

const ROOM: &str = "/_matrix/client/v3/rooms/!a%2F..%2Fb%3Fc%23d%25e:hs.local";

#[tokio::test]
async fn a_message_has_its_key_in_its_place() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    assert_eq!(channel.unconfirmed(&to), Unconfirmed::ResendWithKey);
    let receipt = channel.send(&part(&to, "hi")).await.unwrap();
    assert_eq!(receipt.message_id, "$sent");
    let seen = platform.take();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str()),
        ("PUT", &*format!("{ROOM}/send/m.room.message/{KEY}{DEVICE}"))
    );
    assert_eq!(seen[0].headers["authorization"], "Bearer public-test-as-token");
    assert_eq!(seen[0].json(), json!({"msgtype": "m.text", "body": "hi", "m.mentions": {}}));
}

#[tokio::test]
async fn the_device_is_made_where_it_is_missing_and_done_without_where_it_cannot_be() {
    let unknown = || Answer::json(400, &json!({"errcode": "M_UNKNOWN_DEVICE", "error": "no such device"}));
    let to = address();
    for (made, then) in [(201, DEVICE), (404, "")] {
        let platform = Platform::start(manners).await;
        let channel = subject().open(platform.url());
        platform.next(unknown());
        platform.next(Answer::json(made, &json!({})));
        let first = channel.send(&part(&to, "hi")).await;
        assert!(matches!(first, Err(SendError::NotSent { .. })), "the caller tries again: {first:?}");
        assert_eq!(platform.take()[1].path, "/_matrix/client/v3/devices/CHELA");
        channel.send(&part(&to, "hi")).await.unwrap();
        assert!(platform.take()[0].path.ends_with(&format!("/{KEY}{then}")));
    }
}

#[tokio::test]
async fn every_edit_is_an_event_of_its_own() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    for text in ["a", "b", "a"] {
        channel.edit("$1", &part(&to, text)).await.unwrap();
    }
    let seen = platform.take();
    let keys: std::collections::BTreeSet<_> = seen.iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(keys.len(), 3, "under the key of the first the third would be dropped");
    assert_eq!(seen[2].json()["m.relates_to"], json!({"rel_type": "m.replace", "event_id": "$1"}));
    assert_eq!(seen[2].json()["m.new_content"]["body"], "a");
}

#[tokio::test]
async fn the_same_reaction_again_is_no_error() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    channel.react(&to, "$1", "👀").await.unwrap();
    platform.next(Answer::json(400, &json!({"errcode": "M_DUPLICATE_ANNOTATION", "error": "twice"})));
    channel.react(&to, "$1", "👀").await.unwrap();
    platform.next(Answer::json(403, &json!({"errcode": "M_FORBIDDEN", "error": "no"})));
    assert!(matches!(channel.react(&to, "$1", "👀").await, Err(SendError::Refused { .. })));
    let seen = platform.take();
    assert_eq!(seen[0].path, seen[1].path);
    assert_eq!(seen[0].json(), json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$1", "key": "👀"}}));
}

fn event(room: &str, content: serde_json::Value) -> Answer {
    Answer::json(200, &json!({"event_id": "$1", "room_id": room, "type": "m.room.message", "content": content}))
}

/// Homeservers take an id of another room in some of their calls.
#[tokio::test]
async fn a_message_of_another_room_is_left_alone() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    let missing = || Answer::json(404, &json!({"errcode": "M_NOT_FOUND", "error": "Event not found."}));
    for answer in [|| event("!other:hs.local", json!({})), missing, || Answer::json(200, &json!({}))] {
        platform.next(answer());
        let deleted = channel.delete(&to, "$1").await;
        platform.next(answer());
        let pinned = channel.pin(&to, "$1", true).await;
        platform.next(answer());
        let begun = channel.open_thread(&to, "n", Some("$1")).await.map(drop);
        for done in [deleted, pinned, begun] {
            assert!(matches!(done, Err(SendError::Refused { .. })), "{done:?}");
        }
        let seen = platform.take();
        assert!(seen.iter().all(|seen| (seen.method.as_str(), &*seen.path) == ("GET", &*format!("{ROOM}/event/$1"))));
        assert_eq!(seen.len(), 3);
    }
}

#[tokio::test]
async fn a_message_is_redacted_under_one_key() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    for _ in 0..2 {
        platform.next(event(&to.to, json!({})));
        channel.delete(&to, "$1").await.unwrap();
    }
    let seen = platform.take();
    assert!(seen[1].path.starts_with(&format!("{ROOM}/redact/$1/")) && seen[1].method == "PUT", "{}", seen[1].path);
    assert_eq!(seen[1].path, seen[3].path);
}

#[tokio::test]
async fn pins_are_a_list_that_is_changed_by_one() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    let list = |pinned: &[&str]| Answer::json(200, &json!({ "pinned": pinned }));
    let none = Answer::json(404, &json!({"errcode": "M_NOT_FOUND", "error": "Event not found."}));
    for (on, before, after) in [
        (true, none, Some(json!(["$1"]))),
        (true, list(&["$0"]), Some(json!(["$0", "$1"]))),
        (true, list(&["$0", "$1"]), None),
        (false, list(&["$0", "$1", "$2"]), Some(json!(["$0", "$2"]))),
        (false, list(&["$0"]), None),
    ] {
        if on {
            platform.next(event(&to.to, json!({})));
        }
        platform.next(before);
        channel.pin(&to, "$1", on).await.unwrap();
        let written: Vec<_> = platform.take().into_iter().filter(|seen| seen.method == "PUT").collect();
        assert_eq!(written.first().map(|seen| seen.json()["pinned"].clone()), after);
        assert!(written.iter().all(|seen| seen.path.starts_with(&format!("{ROOM}/state/m.room.pinned_events"))));
    }
    platform.next(Answer::json(403, &json!({"errcode": "M_FORBIDDEN", "error": "no"})));
    assert!(channel.pin(&to, "$1", false).await.is_err());
    assert_eq!(platform.take().len(), 1, "a list that cannot be read is not written");
}

#[tokio::test]
async fn a_thread_hangs_from_a_message_that_stands_in_none() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    platform.next(event(&to.to, json!({"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}})));
    assert_eq!(channel.open_thread(&to, "Plans", Some("$1")).await.unwrap(), "$1");
    for kind in ["m.thread", "m.replace"] {
        platform.next(event(&to.to, json!({"m.relates_to": {"rel_type": kind, "event_id": "$0"}})));
        assert!(channel.open_thread(&to, "Plans", Some("$1")).await.is_err(), "{kind}");
    }
    platform.take();
    assert_eq!(channel.open_thread(&to, "Plans", None).await.unwrap(), "$sent");
    assert_eq!(platform.take()[0].json()["body"], "Plans");
}

#[tokio::test]
async fn a_poll_says_what_can_be_voted_for() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    let poll = Poll { question: "When?".into(), options: vec!["Now".into(), "Later".into()], multiple: false };
    channel.poll(&poll, &part(&to, "")).await.unwrap();
    let thread = ReplyAddress { thread: Some("$0".into()), ..address() };
    channel.poll(&Poll { multiple: true, ..poll }, &part(&thread, "")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, format!("{ROOM}/send/org.matrix.msc3381.poll.start/{KEY}{DEVICE}"));
    let wanted = json!({
        "org.matrix.msc1767.text": "When?\n1. Now\n2. Later",
        "org.matrix.msc3381.poll.start": {
            "kind": "org.matrix.msc3381.poll.disclosed",
            "max_selections": 1,
            "question": {"org.matrix.msc1767.text": "When?"},
            "answers": [
                {"id": "0", "org.matrix.msc1767.text": "Now"},
                {"id": "1", "org.matrix.msc1767.text": "Later"},
            ],
        },
    });
    assert_eq!(seen[0].json(), wanted);
    let second = seen[1].json();
    assert_eq!(second["org.matrix.msc3381.poll.start"]["max_selections"], 2);
    assert_eq!(second["m.relates_to"]["event_id"], "$0");
}

#[tokio::test]
async fn a_file_that_was_not_uploaded_was_certainly_not_shown() {
    let (platform, to) = (Platform::start(manners).await, address());
    let channel = subject().open(platform.url());
    let file = OutboundFile { name: "a b.png", content_type: "image/png", bytes: Bytes::from_static(b"x"), url: None };
    for answer in [
        Answer::text(500, "no"),
        Answer::json(200, &json!({})),
        Answer::json(200, &json!({"content_uri": "https://evil"})),
    ] {
        platform.next(answer);
        let sent = channel.attach(&file, &part(&to, "look")).await;
        assert!(matches!(sent, Err(SendError::NotSent { .. })), "{sent:?}");
        assert_eq!(platform.take().len(), 1);
    }
    channel.attach(&file, &part(&to, "")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, "/_matrix/media/v3/upload?filename=a+b.png");
    assert_eq!(seen[0].headers["content-type"], "image/png");
    assert_eq!(
        seen[1].json(),
        json!({
            "msgtype": "m.image", "body": "a b.png", "filename": "a b.png", "url": "mxc://hs.local/upLoaded",
            "info": {"mimetype": "image/png", "size": 1}, "m.mentions": {},
        })
    );
}

#[tokio::test]
async fn health_says_what_the_homeserver_saw() {
    let platform = Platform::start(manners).await;
    let channel = subject().open(platform.url());
    let health = channel.health().await.unwrap();
    assert_eq!((health.ok, health.summary.as_str()), (true, "@agent:hs.local; the homeserver reaches us in 12 ms"));
    platform.next(Answer::json(200, &json!({"user_id": "@other:hs.local"})));
    assert!(!channel.health().await.unwrap().ok);
    for (code, says) in [
        ("M_CONNECTION_FAILED", "does not reach us"),
        ("M_BAD_STATUS", "turned away"),
        ("M_URL_NOT_SET", "no url"),
        ("M_FORBIDDEN", "appserviceId"),
        ("M_UNRECOGNIZED", "too old"),
    ] {
        platform.next(Answer::json(200, &json!({"user_id": "@agent:hs.local"})));
        platform.next(Answer::json(502, &json!({"errcode": code, "error": "why"})));
        let health = channel.health().await.unwrap();
        assert!(health.summary.contains(says), "{code}: {}", health.summary);
        assert_eq!(health.ok, code == "M_UNRECOGNIZED", "{code}");
    }
}

#[tokio::test]
async fn the_registration_file_is_whole_but_for_the_secrets() {
    let channel = subject().open("http://127.0.0.1:9");
    let Registration::Manual { steps } = channel.register("https://x.example/webhook/matrix/main/", &[]).await.unwrap()
    else {
        panic!("there is no API for it");
    };
    let (_, file) = steps[0].split_once("\n\n").unwrap();
    let wanted = [
        "    id: 'chela'",
        "    url: 'https://x.example/webhook/matrix/main'",
        "    as_token: '<the value of MATRIX_AS_TOKEN>'",
        "    hs_token: '<the value of MATRIX_HS_TOKEN>'",
        "    sender_localpart: 'agent'",
        "    rate_limited: false",
        "    receive_ephemeral: false",
        "    io.element.msc4190: true",
        "    namespaces:",
        "      users:",
        "        - exclusive: true",
        "          regex: '@agent_.*:hs\\.local'",
        "      aliases: []",
        "      rooms: []",
    ];
    assert_eq!(file, wanted.join("\n"));
}
