//! What Feishu is asked, and what its answers mean.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{address, at, open, open_at};
use chela_channel_feishu::SIMULATOR;
use chela_core::channel::{Choice, Health, OutboundFile, OutboundPart, SendError, Unconfirmed};
use chela_core::message::Media;
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, part};
use serde_json::{Value, json};

use crate::subject::manners;

const CHAT: &str = "oc_1";
const PERSON: &str = "ou_1";

/// What was asked, without the request for the token.
fn asked(platform: &Platform) -> Vec<(String, Value)> {
    let path = |seen: &Seen| format!("{} {}", seen.method, seen.path.replace("/open-apis/", ""));
    let calls = platform.take().into_iter().filter(|seen| !seen.path.contains("tenant_access_token"));
    calls.map(|seen| (path(&seen), seen.json())).collect()
}

fn content(body: &Value) -> Value {
    serde_json::from_str(body["content"].as_str().unwrap()).unwrap()
}

fn no(code: i64) -> Answer {
    Answer::json(400, &json!({"code": code, "msg": "no"}))
}

#[tokio::test]
async fn a_part_is_a_card_with_its_key() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let receipt = channel.send(&part(&address(PERSON, None, None), "**a** < b")).await.unwrap();
    assert_eq!(receipt.message_id, "om_dc13264520392913993dd051dba21dcf");
    let seen = platform.take();
    assert_eq!(seen[0].json(), json!({"app_id": "cli_1", "app_secret": "simulator-app-secret"}));
    assert_eq!(seen[1].path, "/open-apis/im/v1/messages?receive_id_type=open_id");
    assert_eq!(seen[1].headers["authorization"], "Bearer t-g1044qeGEDXTB6NDJOGV4JQCYDGHRBARFTGT1234");
    let body = seen[1].json();
    assert_eq!(body["receive_id"], PERSON);
    assert_eq!(body["msg_type"], "interactive");
    assert_eq!(body["uuid"], "0123456789abcdef0123456789abcdef");
    let card = json!({"schema": "2.0", "config": {"update_multi": true},
        "body": {"elements": [{"tag": "markdown", "content": "**a** &#60; b"}]}});
    assert_eq!(content(&body), card);
    assert_eq!(channel.unconfirmed(&address(PERSON, None, None)), Unconfirmed::ResendWithKey);
}

#[tokio::test]
async fn each_kind_of_id_is_named() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    for (to, kind) in
        [("oc_1", "chat_id"), ("ou_1", "open_id"), ("on_1", "union_id"), ("a@e.com", "email"), ("e33ggbyz", "user_id")]
    {
        channel.send(&part(&address(to, None, None), "hi")).await.unwrap();
        assert_eq!(asked(&platform)[0].0, format!("POST im/v1/messages?receive_id_type={kind}"));
    }
}

#[tokio::test]
async fn the_first_part_answers_and_in_a_thread_all_do() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let group = address(CHAT, None, Some("om_q"));
    let thread = address(CHAT, Some("om_root"), Some("om_q"));
    let cases = [
        (&group, 0, "POST im/v1/messages/om_q/reply", json!(false)),
        (&group, 1, "POST im/v1/messages?receive_id_type=chat_id", Value::Null),
        (&thread, 0, "POST im/v1/messages/om_q/reply", json!(true)),
        (&thread, 1, "POST im/v1/messages/om_root/reply", json!(true)),
    ];
    for (to, number, path, in_thread) in cases {
        channel.send(&OutboundPart { number, ..part(to, "hi") }).await.unwrap();
        let (called, body) = asked(&platform).remove(0);
        assert_eq!((called.as_str(), &body["reply_in_thread"]), (path, &in_thread), "{to:?} {number}");
    }
}

#[tokio::test]
async fn what_answers_a_withdrawn_message_is_said_to_the_chat() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, Some("om_gone"));
    channel.send(&part(&to, "warm")).await.unwrap();
    asked(&platform);
    platform.next(no(230_011));
    channel.send(&part(&to, "hi")).await.unwrap();
    let calls: Vec<String> = asked(&platform).into_iter().map(|(path, _)| path).collect();
    assert_eq!(calls, ["POST im/v1/messages/om_gone/reply", "POST im/v1/messages?receive_id_type=chat_id"]);
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let platform = Platform::start(manners).await;
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    let options = json!({"apiBaseUrl": platform.url(), "appId": "cli_1"});
    let channel = open_at(options, SIMULATOR.secrets, clock.clone()).unwrap();
    let to = address(CHAT, None, None);
    let mut tokens = Vec::new();
    for minutes in [0, 109, 1, 1] {
        clock.advance(minutes * 60_000);
        channel.send(&part(&to, "hi")).await.unwrap();
        tokens.push(platform.take().iter().filter(|seen| seen.path.contains("tenant_access_token")).count());
    }
    assert_eq!(tokens, [1, 0, 1, 0]);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    channel.send(&part(&to, "warm")).await.unwrap();
    platform.take();
    platform.next(no(99_991_663));
    channel.send(&part(&to, "hi")).await.unwrap();
    let paths: Vec<bool> = platform.take().iter().map(|seen| seen.path.contains("tenant_access_token")).collect();
    assert_eq!(paths, [false, true, false]);
    platform.next(no(99_991_664));
    platform.next(manners(&seen("/open-apis/auth/v3/tenant_access_token/internal")));
    platform.next(no(99_991_664));
    let error = channel.send(&part(&to, "hi")).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "{error}");
    assert_eq!(platform.take().len(), 3);
}

fn seen(path: &str) -> Seen {
    Seen { method: http::Method::POST, path: path.into(), headers: http::HeaderMap::new(), body: bytes::Bytes::new() }
}

#[tokio::test]
async fn without_a_token_nothing_was_sent() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    platform.next(Answer::text(502, "<html>"));
    let error = channel.send(&part(&to, "hi")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    platform.next(Answer::Silence);
    let soon = OutboundPart { timeout: Duration::from_millis(200), ..part(&to, "hi") };
    let error = channel.send(&soon).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    platform.next(Answer::json(200, &json!({"code": 10_014, "msg": "app secret invalid"})));
    let error = channel.send(&part(&to, "hi")).await.unwrap_err();
    assert!(error.to_string().contains("channels.feishu.appSecret"), "{error}");
}

#[tokio::test]
async fn an_edit_changes_the_card() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, Some("om_q"));
    channel.edit("om_card", &part(&to, "done")).await.unwrap();
    let (path, body) = asked(&platform).remove(1);
    assert_eq!(path, "PATCH im/v1/messages/om_card");
    assert_eq!(content(&body)["body"]["elements"][0]["content"], "done");
    assert!(matches!(channel.edit("../x", &part(&to, "done")).await, Err(SendError::Refused { .. })));
    assert_eq!(asked(&platform), []);
    // Where a message stands that was sent just now nobody need ask, but for another place.
    let sent = channel.send(&part(&to, "grows")).await.unwrap().message_id;
    asked(&platform);
    channel.edit(&sent, &part(&to, "grows on")).await.unwrap();
    assert_eq!(asked(&platform)[0].0, format!("PATCH im/v1/messages/{sent}"));
    let elsewhere = channel.edit(&sent, &part(&address("oc_2", None, None), "grows on")).await;
    assert!(matches!(elsewhere, Err(SendError::Refused { .. })), "{elsewhere:?}");
}

/// The API takes an id of a message alone.
#[tokio::test]
async fn a_message_of_another_chat_is_left_alone() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    channel.send(&part(&address(CHAT, None, None), "warm")).await.unwrap();
    asked(&platform);
    let stands = |chat: &str| Answer::json(200, &json!({"code": 0, "data": {"items": [{"chat_id": chat}]}}));
    let nowhere = || Answer::json(200, &json!({"code": 0, "data": {"items": []}}));
    // In a chat, and in direct messages, of which the message that is answered tells the chat.
    let group = address(CHAT, None, None);
    let direct = address(PERSON, None, Some("om_q"));
    for (to, before) in [(&group, None), (&direct, Some("oc_p2p"))] {
        for act in 0..7 {
            before.into_iter().for_each(|chat| platform.next(stands(chat)));
            platform.next(if act == 6 { nowhere() } else { stands("oc_2") });
            let done = match act {
                0 => channel.edit("om_1", &part(to, "x")).await,
                1 => channel.react(to, "om_1", "👍").await,
                2 => channel.pin(to, "om_1", true).await,
                3 => channel.pin(to, "om_1", false).await,
                4 => channel.open_thread(to, "n", Some("om_1")).await.map(drop),
                _ => channel.delete(to, "om_1").await,
            };
            assert!(matches!(done, Err(SendError::Refused { .. })), "{act} at {}: {done:?}", to.to);
            assert!(asked(&platform).iter().all(|(what, _)| what.starts_with("GET ")), "{act}");
        }
    }
    // Of a person's chat nobody knows the id; our own words there may be corrected, and what we saw may have a sign.
    let unknown = address(PERSON, None, None);
    assert!(channel.delete(&unknown, "om_1").await.is_err() && channel.pin(&unknown, "om_1", true).await.is_err());
    assert_eq!(asked(&platform), []);
    channel.edit("om_1", &part(&unknown, "x")).await.unwrap();
    channel.react(&unknown, "om_1", "👍").await.unwrap();
    assert_eq!(asked(&platform).len(), 2);
}

#[tokio::test]
async fn a_message_is_taken_away_once_pinned_and_made_a_thread() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    channel.delete(&to, "om_1").await.unwrap();
    channel.pin(&to, "om_1", true).await.unwrap();
    channel.pin(&to, "om_1", false).await.unwrap();
    assert_eq!(channel.open_thread(&to, "Plans", Some("om_1")).await.unwrap(), "om_1");
    let asked_for: Vec<String> = asked(&platform).into_iter().map(|(what, _)| what).collect();
    let stands = "GET im/v1/messages/om_1";
    let wanted =
        [stands, "DELETE im/v1/messages/om_1", stands, "POST im/v1/pins", stands, "DELETE im/v1/pins/om_1", stands];
    assert_eq!(asked_for, wanted);
    platform.next(Answer::json(200, &json!({"code": 0, "data": {"items": [{"chat_id": CHAT, "deleted": true}]}})));
    channel.delete(&to, "om_1").await.unwrap();
    assert_eq!(asked(&platform).len(), 1, "it is gone already");
    platform.next(Answer::json(200, &json!({"code": 0, "data": {"items": [{"chat_id": CHAT}]}})));
    platform.next(no(230_026));
    assert!(channel.delete(&to, "om_1").await.is_err(), "another's");
    asked(&platform);
    let begun = channel.open_thread(&to, "Plans", None).await.unwrap();
    assert_eq!(begun, "om_dc13264520392913993dd051dba21dcf");
    let (what, body) = asked(&platform).remove(0);
    assert_eq!(what, "POST im/v1/messages?receive_id_type=chat_id");
    assert_eq!(content(&body)["body"]["elements"][0]["content"], "Plans");
}

#[tokio::test]
async fn a_button_brings_back_where_it_was() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let choices = [Choice { label: "Yes".into(), value: "approve:1".into() }];
    for (to, value) in [
        (address(PERSON, None, None), json!({"chela": "approve:1", "to": PERSON})),
        (address(CHAT, None, None), json!({"chela": "approve:1", "to": CHAT})),
        (address(CHAT, Some("om_root"), None), json!({"chela": "approve:1", "to": CHAT, "thread": "om_root"})),
    ] {
        channel.send(&OutboundPart { choices: &choices, ..part(&to, "May I?") }).await.unwrap();
        let (_, body) = asked(&platform).remove(0);
        let button = content(&body)["body"]["elements"][1].clone();
        assert_eq!(button["behaviors"], json!([{"type": "callback", "value": value}]));
        assert_eq!(button["text"], json!({"tag": "plain_text", "content": "Yes"}));
    }
}

#[tokio::test]
async fn a_card_of_nothing_but_marks_is_shown_as_it_was_written() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let nested: String = ">>>>>>**a\n".to_owned() + &"a\n".repeat(1990) + "a**";
    assert!(nested.len() <= 4000);
    channel.send(&part(&address(CHAT, None, None), &nested)).await.unwrap();
    let (_, body) = asked(&platform).remove(0);
    assert!(body["content"].as_str().unwrap().len() <= 30_000);
    assert!(content(&body)["body"]["elements"][0]["text"]["content"] == nested, "it is shown as it was written");
}

#[tokio::test]
async fn each_kind_of_file_is_uploaded_as_what_it_is_shown_as() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    for (content_type, path, file_type, kind, key) in [
        ("image/png", "images", "image_type", "image", json!({"image_key": "img_v2_new"})),
        ("audio/ogg; codecs=opus", "files", "opus", "audio", json!({"file_key": "file_v2_new"})),
        ("video/mp4", "files", "mp4", "media", json!({"file_key": "file_v2_new"})),
        ("application/pdf", "files", "pdf", "file", json!({"file_key": "file_v2_new"})),
        ("text/csv", "files", "stream", "file", json!({"file_key": "file_v2_new"})),
    ] {
        let file = OutboundFile { name: "a.b", content_type, bytes: "content".into(), url: None };
        channel.attach(&file, &part(&to, " ")).await.unwrap();
        let seen: Vec<Seen> = platform.take().into_iter().filter(|seen| !seen.path.contains("auth")).collect();
        assert_eq!(seen.len(), 2, "{content_type}");
        assert_eq!(seen[0].path, format!("/open-apis/im/v1/{path}"));
        let form = String::from_utf8_lossy(&seen[0].body).into_owned();
        assert!(form.contains(file_type) && form.contains("content"), "{form}");
        assert_eq!((&seen[1].json()["msg_type"], content(&seen[1].json())), (&json!(kind), key));
    }
}

#[tokio::test]
async fn a_caption_stands_with_a_picture_and_before_another_file() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    let file = |content_type| OutboundFile { name: "a", content_type, bytes: "x".into(), url: None };
    channel.attach(&file("image/png"), &part(&to, "look")).await.unwrap();
    let picture = asked(&platform);
    assert_eq!(content(&picture[1].1)["body"]["elements"][0]["img_key"], "img_v2_new");
    assert_eq!(content(&picture[1].1)["body"]["elements"][1]["content"], "look");
    channel.attach(&file("text/csv"), &part(&to, "look")).await.unwrap();
    let other = asked(&platform);
    let keys: Vec<&Value> = other[1..].iter().map(|(_, body)| &body["uuid"]).collect();
    assert_eq!(keys, ["0123456789abcdef0123456789abcdefc", "0123456789abcdef0123456789abcdef"]);
    assert_eq!([&other[1].1["msg_type"], &other[2].1["msg_type"]], ["interactive", "file"]);
}

#[tokio::test]
async fn an_upload_nobody_confirmed_was_seen_by_nobody() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    channel.send(&part(&to, "warm")).await.unwrap();
    platform.next(Answer::text(502, "<html>"));
    let file = OutboundFile { name: "a", content_type: "image/png", bytes: "x".into(), url: None };
    let error = channel.attach(&file, &part(&to, "")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
}

#[tokio::test]
async fn reactions_and_files_are_asked_for_by_safe_ids_only() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(CHAT, None, None);
    channel.react(&to, "om_1", "👍").await.unwrap();
    let wanted = json!({"reaction_type": {"emoji_type": "THUMBSUP"}});
    assert_eq!(asked(&platform)[1], ("POST im/v1/messages/om_1/reactions".to_owned(), wanted.clone()));
    // What is answered stands where it is answered.
    channel.react(&address(CHAT, None, Some("om_1")), "om_1", "👍").await.unwrap();
    assert_eq!(asked(&platform), [("POST im/v1/messages/om_1/reactions".to_owned(), wanted)]);
    assert!(channel.react(&to, "om_1/../x", "👍").await.is_err());
    assert!(channel.react(&to, "om_1", "🦀").await.is_err());
    let media = |reference: &str| Media {
        missing: None,
        reference: reference.into(),
        content_type: None,
        name: None,
        size: None,
    };
    channel.fetch(&media("om_1/file/file_v2-1"), 100, Duration::from_secs(1)).await.unwrap();
    assert_eq!(asked(&platform)[0].0, "GET im/v1/messages/om_1/resources/file_v2-1?type=file");
    assert!(channel.fetch(&media("https://evil.example/x"), 100, Duration::from_secs(1)).await.is_err());
    assert_eq!(asked(&platform), []);
}

#[tokio::test]
async fn health_names_the_bot_and_what_is_wrong() {
    let platform = Platform::start(manners).await;
    let with = |bot: Option<&str>| {
        open(json!({"apiBaseUrl": platform.url(), "appId": "cli_1", "botOpenId": bot}), SIMULATOR.secrets).unwrap()
    };
    let id = "ou_b0770000000000000000000000000001";
    let health = |ok: bool, summary: &str| Health { ok, summary: summary.to_owned() };
    assert_eq!(with(Some(id)).health().await.unwrap(), health(true, &format!("Chela ({id})")));
    let told = with(None).health().await.unwrap();
    assert!(told.ok && told.summary.ends_with(&format!("until botOpenId is \"{id}\"")), "{told:?}");
    let told = with(Some("ou_other")).health().await.unwrap();
    assert!(!told.ok && told.summary.contains("mentions are not recognised"), "{told:?}");
    platform.next(manners(&seen("/open-apis/auth/v3/tenant_access_token/internal")));
    platform.next(Answer::json(200, &json!({"code": 0, "bot": {"activate_status": 3, "open_id": id}})));
    let told = with(Some(id)).health().await.unwrap();
    assert!(!told.ok && told.summary.contains("publish a version"), "{told:?}");
}
