//! The calls of the Bot API, word for word.

use chela_core::channel::{Channel, OutboundPart, Parsed, Poll, SendError};
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::MENU;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, part};
use serde_json::{Value, json};

use crate::subject::{method, subject};

async fn telegram() -> (Platform, std::sync::Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    (platform, channel)
}

fn to(chat: &str, thread: Option<&str>, message: Option<&str>) -> ReplyAddress {
    ReplyAddress {
        channel: "telegram".to_owned(),
        account: "main".to_owned(),
        to: chat.to_owned(),
        thread: thread.map(str::to_owned),
        message: message.map(str::to_owned),
    }
}

fn calls(platform: &Platform) -> Vec<(String, Value)> {
    platform.take().iter().map(|seen: &Seen| (method(seen).to_owned(), seen.json())).collect()
}

fn refusal(code: u16, description: &str, parameters: Value) -> Answer {
    Answer::json(code, &json!({"ok": false, "error_code": code, "description": description, "parameters": parameters}))
}

#[tokio::test]
async fn i11_a_reply_goes_to_the_topic_and_quotes_the_message() {
    let (platform, channel) = telegram().await;
    let to = to("-1001234567890", Some("5"), Some("13"));
    let receipt = channel.send(&part(&to, "a **b** < c")).await.unwrap();
    assert_eq!(receipt.message_id, "321");
    let seen = platform.take();
    assert_eq!(seen[0].path, "/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage");
    assert_eq!(
        seen[0].json(),
        json!({
            "chat_id": -1_001_234_567_890_i64,
            "message_thread_id": 5,
            "reply_parameters": {"message_id": 13, "allow_sending_without_reply": true},
            "link_preview_options": {"is_disabled": true},
            "text": "a <b>b</b> &lt; c",
            "parse_mode": "HTML",
        })
    );
}

#[tokio::test]
async fn html_telegram_cannot_read_is_sent_again_as_it_was_written() {
    let (platform, channel) = telegram().await;
    platform.next(refusal(400, "Bad Request: can't parse entities: Unexpected end tag at byte offset 3", json!({})));
    channel.send(&part(&to("7", None, None), "a **b**")).await.unwrap();
    let plain = json!({"chat_id": 7, "link_preview_options": {"is_disabled": true}, "text": "a **b**"});
    assert_eq!(calls(&platform)[1..], [("sendMessage".to_owned(), plain)]);
    for _ in 0..2 {
        platform.next(refusal(400, "Bad Request: can't parse entities: never", json!({})));
    }
    let refused = channel.send(&part(&to("7", None, None), "a **b**")).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
    assert_eq!(calls(&platform).len(), 2, "once more, not for ever");
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed_once() {
    let (platform, channel) = telegram().await;
    let moved = || {
        refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", json!({"migrate_to_chat_id": -1_009}))
    };
    platform.next(moved());
    channel.send(&part(&to("-42", None, None), "hi")).await.unwrap();
    let chats: Vec<Value> = calls(&platform).iter().map(|(_, body)| body["chat_id"].clone()).collect();
    assert_eq!(chats, [json!(-42), json!(-1_009)]);
    platform.next(moved());
    platform.next(moved());
    assert!(matches!(channel.send(&part(&to("-42", None, None), "hi")).await, Err(SendError::Refused { .. })));
    assert_eq!(calls(&platform).len(), 2);
}

#[tokio::test]
async fn the_same_text_again_is_no_error() {
    let (platform, channel) = telegram().await;
    platform.next(refusal(
        400,
        "Bad Request: message is not modified: specified new message content is the same",
        json!({}),
    ));
    channel.edit("321", &part(&to("7", Some("5"), Some("9")), "_same_")).await.unwrap();
    assert_eq!(
        calls(&platform),
        [(
            "editMessageText".to_owned(),
            json!({
                "chat_id": 7,
                "message_id": 321,
                "link_preview_options": {"is_disabled": true},
                "text": "<i>same</i>",
                "parse_mode": "HTML",
            })
        )]
    );
    let refused = channel.edit("not a number", &part(&to("7", None, None), "x")).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn edits_in_rooms_wait_for_their_turn() {
    let (platform, channel) = telegram().await;
    let room = to("-1001234567890", None, None);
    channel.edit("321", &part(&room, "one")).await.unwrap();
    match channel.edit("321", &part(&room, "two")).await {
        Err(SendError::RateLimited { after, .. }) => assert_eq!(after.as_secs(), 3),
        other => panic!("{other:?}"),
    }
    assert_eq!(calls(&platform).len(), 1, "telegram was not asked a second time");
}

#[tokio::test]
async fn a_part_that_grows_too_long_is_sent_as_it_was_written() {
    let (platform, channel) = telegram().await;
    let list = "1. x\n".repeat(790);
    channel.send(&part(&to("7", None, None), &list)).await.unwrap();
    let calls = calls(&platform);
    assert_eq!((calls[0].1["text"].as_str(), calls[0].1.get("parse_mode")), (Some(list.as_str()), None));
}

#[tokio::test]
async fn typing_is_shown_in_the_topic() {
    let (platform, channel) = telegram().await;
    channel.typing(&to("@news", Some("5"), None)).await.unwrap();
    let body = json!({"chat_id": "@news", "message_thread_id": 5, "action": "typing"});
    assert_eq!(calls(&platform), [("sendChatAction".to_owned(), body)]);
}

#[tokio::test]
async fn messages_are_deleted_and_pinned_where_they_stand_and_twice_is_once() {
    let (platform, channel) = telegram().await;
    let room = to("-1001234567890", Some("5"), Some("13"));
    let message = json!({"chat_id": -1_001_234_567_890_i64, "message_id": 321});
    let pinned = json!({"chat_id": -1_001_234_567_890_i64, "message_id": 321, "disable_notification": true});
    channel.delete(&room, "321").await.unwrap();
    channel.pin(&room, "321", true).await.unwrap();
    channel.pin(&room, "321", false).await.unwrap();
    let named = |method: &str, body: &Value| (method.to_owned(), body.clone());
    let wanted =
        [named("deleteMessage", &message), named("pinChatMessage", &pinned), named("unpinChatMessage", &message)];
    assert_eq!(calls(&platform), wanted);
    platform.next(refusal(400, "Bad Request: message to delete not found", json!({})));
    channel.delete(&room, "321").await.unwrap();
    platform.next(refusal(400, "Bad Request: message to unpin not found", json!({})));
    channel.pin(&room, "321", false).await.unwrap();
    for description in
        ["Bad Request: message can't be deleted", "Bad Request: not enough rights to manage pinned messages"]
    {
        platform.next(refusal(400, description, json!({})));
        platform.next(refusal(400, description, json!({})));
        assert!(matches!(channel.delete(&room, "321").await, Err(SendError::Refused { .. })));
        assert!(matches!(channel.pin(&room, "321", true).await, Err(SendError::Refused { .. })));
    }
    platform.take();
    assert!(matches!(channel.delete(&room, "x").await, Err(SendError::Refused { .. })));
    assert_eq!(calls(&platform), []);
}

#[tokio::test]
async fn a_poll_is_asked_in_the_topic_and_a_topic_is_opened() {
    let (platform, channel) = telegram().await;
    let room = to("-1001234567890", Some("5"), None);
    let poll = Poll { question: "Lunch?".into(), options: vec!["Pizza".into(), "Ramen".into()], multiple: true };
    platform.next(Answer::json(200, &json!({"ok": true, "result": {"message_id": 321, "poll": {"id": "1"}}})));
    assert_eq!(channel.poll(&poll, &part(&room, "")).await.unwrap().message_id, "321");
    platform.next(Answer::json(200, &json!({"ok": true, "result": {"message_thread_id": 77, "name": "Plans"}})));
    assert_eq!(channel.open_thread(&room, "Plans", None).await.unwrap(), "77");
    let poll = json!({
        "chat_id": -1_001_234_567_890_i64, "message_thread_id": 5, "question": "Lunch?",
        "options": [{"text": "Pizza"}, {"text": "Ramen"}], "allows_multiple_answers": true,
    });
    let topic = json!({"chat_id": -1_001_234_567_890_i64, "name": "Plans"});
    assert_eq!(calls(&platform), [("sendPoll".to_owned(), poll), ("createForumTopic".to_owned(), topic)]);
    assert!(matches!(channel.open_thread(&room, "Plans", Some("321")).await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn registering_names_the_secret_and_the_updates() {
    let (platform, channel) = telegram().await;
    channel.register("https://example.org/webhook/telegram", MENU).await.unwrap();
    let updates = ["message", "edited_message", "channel_post", "edited_channel_post", "callback_query"];
    let body = json!({
        "url": "https://example.org/webhook/telegram",
        "secret_token": "public-test-secret_0",
        "allowed_updates": updates,
    });
    let commands = json!([
        {"command": "help", "description": "What I can do"},
        {"command": "new", "description": "Begin a new conversation"},
    ]);
    let menu = json!({ "commands": commands });
    assert_eq!(calls(&platform), [("setWebhook".to_owned(), body), ("setMyCommands".to_owned(), menu)]);
}

#[tokio::test]
async fn health_tells_the_name_the_place_and_the_last_error() {
    let (platform, channel) = telegram().await;
    let health = channel.health().await.unwrap();
    assert_eq!(
        (health.ok, health.summary.as_str()),
        (true, "@Chela_Test_Bot; posts to https://example.org/webhook/telegram; 2 waiting")
    );
    let result = |result: Value| Answer::json(200, &json!({"ok": true, "result": result}));
    platform.next(result(json!({"id": 1, "username": "other_bot"})));
    let misnamed = channel.health().await.unwrap();
    assert!(!misnamed.ok && misnamed.summary.contains("botUsername is \"other_bot\""), "{}", misnamed.summary);
    platform.next(result(json!({"id": 1, "username": "chela_test_bot"})));
    platform.next(result(json!({"url": "", "last_error_message": "Wrong response: 502"})));
    let nowhere = channel.health().await.unwrap();
    assert!(!nowhere.ok && nowhere.summary.contains("channels register telegram"), "{}", nowhere.summary);
    assert!(nowhere.summary.ends_with("Wrong response: 502"), "{}", nowhere.summary);
}

fn pressed(change: impl Fn(&mut Value)) -> Parsed {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let mut update: Value = serde_json::from_slice(&subject.sample("button").body).unwrap();
    change(&mut update["callback_query"]);
    let request = subject.signed(update.to_string().as_bytes(), ARRIVAL);
    channel.parse(&channel.verify(request).unwrap()).unwrap()
}

#[test]
fn buttons_end_their_spinner_with_the_acknowledgement() {
    let parsed = pressed(|_| ());
    let ack: Value = serde_json::from_slice(&parsed.ack.body).unwrap();
    assert_eq!(ack, json!({"method": "answerCallbackQuery", "callback_query_id": "4382bfdwdsb323b2d9"}));
    assert_eq!(parsed.messages.len(), 1);
}

#[test]
fn buttons_pressed_by_bots_or_in_no_chat_or_without_a_value_say_nothing() {
    assert_eq!(pressed(|query| query["from"]["is_bot"] = json!(true)).messages, []);
    assert_eq!(pressed(|query| drop(query.as_object_mut().unwrap().remove("message"))).messages, []);
    assert_eq!(pressed(|query| drop(query.as_object_mut().unwrap().remove("data"))).messages, []);
}

#[tokio::test]
async fn the_timeout_of_a_part_holds_for_every_try() {
    let (platform, channel) = telegram().await;
    platform.next(refusal(400, "Bad Request: can't parse entities", json!({})));
    platform.next(Answer::Silence);
    let to = to("7", None, None);
    let part = OutboundPart { timeout: std::time::Duration::from_millis(200), ..part(&to, "x") };
    assert!(matches!(channel.send(&part).await, Err(SendError::Unknown { .. })));
}
