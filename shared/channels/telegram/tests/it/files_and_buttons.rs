//! Files, buttons and reactions, word for word.

use std::sync::Arc;
use std::time::Duration;

use chela_core::channel::{Channel, Choice, OutboundFile, OutboundPart, SendError};
use chela_core::message::{Media, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, part};
use serde_json::{Value, json};

use crate::subject::{FILE, method, subject};

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

async fn telegram() -> (Platform, Arc<dyn Channel>) {
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

fn picture(bytes: &'static [u8]) -> OutboundFile<'static> {
    OutboundFile { name: "a.png", content_type: "image/png", bytes: bytes.into(), url: None }
}

/// The methods that were called, with the fields of their forms.
fn uploads(platform: &Platform) -> Vec<(String, Vec<(String, String)>)> {
    let fields = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        let parts = text.split("--chela-").filter_map(|part| part.split_once("name=\""));
        let field = |(_, part): (_, &str)| {
            let (name, rest) = part.split_once('"').unwrap();
            let (_, value) = rest.split_once("\r\n\r\n").unwrap();
            (name.to_owned(), value.trim_end().to_owned())
        };
        parts.map(field).collect()
    };
    platform.take().iter().map(|seen| (method(seen).to_owned(), fields(&seen.body))).collect()
}

fn refusal(description: &str) -> Answer {
    Answer::json(400, &json!({"ok": false, "error_code": 400, "description": description}))
}

fn names(uploads: &[(String, Vec<(String, String)>)]) -> Vec<&str> {
    uploads.iter().map(|(method, _)| method.as_str()).collect()
}

#[tokio::test]
async fn a_picture_is_sent_as_one_with_its_caption_where_it_belongs() {
    let (platform, channel) = telegram().await;
    let to = to("-1001234567890", Some("5"), Some("13"));
    channel.attach(&picture(FILE), &part(&to, "a **b** < c")).await.unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = vec![
        field("chat_id", "-1001234567890"),
        field("message_thread_id", "5"),
        field("reply_parameters", r#"{"message_id":13,"allow_sending_without_reply":true}"#),
        field("caption", "a <b>b</b> &lt; c"),
        field("parse_mode", "HTML"),
        field("photo", "a picture of Ada"),
    ];
    assert_eq!(uploads(&platform), [("sendPhoto".to_owned(), fields)]);
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_file() {
    let (platform, channel) = telegram().await;
    let to = to("7", None, None);
    let text = OutboundFile { content_type: "text/plain", ..picture(FILE) };
    channel.attach(&text, &part(&to, "")).await.unwrap();
    let sent = uploads(&platform);
    assert_eq!(names(&sent), ["sendDocument"]);
    assert!(sent[0].1.iter().all(|(name, _)| name != "caption" && name != "parse_mode"));
    let large = OutboundFile { bytes: vec![0; 10 * 1024 * 1024 + 1].into(), ..picture(FILE) };
    drop(channel.attach(&large, &part(&to, "")).await); // More than the platform of the tests takes.
    platform.next(refusal("Bad Request: PHOTO_INVALID_DIMENSIONS"));
    channel.attach(&picture(FILE), &part(&to, "x")).await.unwrap();
    assert_eq!(names(&uploads(&platform)), ["sendPhoto", "sendDocument"]);
    platform.next(refusal("Bad Request: IMAGE_PROCESS_FAILED"));
    platform.next(refusal("Bad Request: PHOTO_INVALID"));
    assert!(matches!(channel.attach(&picture(FILE), &part(&to, "x")).await, Err(SendError::Refused { .. })));
    assert_eq!(uploads(&platform).len(), 2, "once more, not for ever");
}

#[tokio::test]
async fn a_caption_that_is_too_long_comes_before_the_file() {
    let (platform, channel) = telegram().await;
    let to = to("7", None, Some("9"));
    let long = "word ".repeat(300);
    channel.attach(&picture(FILE), &part(&to, &long)).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen.iter().map(method).collect::<Vec<_>>(), ["sendMessage", "sendPhoto"]);
    assert_eq!(seen[0].json()["text"].as_str().unwrap().trim(), long.trim());
    assert!(!String::from_utf8_lossy(&seen[1].body).contains("caption"));
    // Now the words are there: trying again would show them twice.
    platform.next(Answer::json(200, &json!({"ok": true, "result": {"message_id": 1}})));
    platform.next(Answer::json(429, &json!({"ok": false, "error_code": 429, "parameters": {"retry_after": 5}})));
    let half = channel.attach(&picture(FILE), &part(&to, &long)).await.unwrap_err();
    assert!(matches!(half, SendError::Unknown { .. }), "{half:?}");
}

#[tokio::test]
async fn a_caption_telegram_cannot_read_is_sent_as_it_was_written() {
    let (platform, channel) = telegram().await;
    let to = to("7", None, None);
    platform.next(refusal("Bad Request: can't parse entities: never"));
    channel.attach(&picture(FILE), &part(&to, "a **b**")).await.unwrap();
    let sent = uploads(&platform);
    assert!(sent[1].1.contains(&("caption".to_owned(), "a **b**".to_owned())), "{sent:?}");
    platform.next(refusal("Bad Request: can't parse entities: never"));
    platform.next(refusal("Bad Request: can't parse entities: never"));
    assert!(matches!(channel.attach(&picture(FILE), &part(&to, "a **b**")).await, Err(SendError::Refused { .. })));
    assert_eq!(platform.take().len(), 2);
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed_with_a_file_too() {
    let (platform, channel) = telegram().await;
    platform.next(Answer::json(
        400,
        &json!({"ok": false, "error_code": 400, "description": "moved", "parameters": {"migrate_to_chat_id": -1_009}}),
    ));
    channel.attach(&picture(FILE), &part(&to("-42", None, None), "x")).await.unwrap();
    let chats: Vec<_> = uploads(&platform).into_iter().map(|(_, fields)| fields[0].1.clone()).collect();
    assert_eq!(chats, ["-42", "-1009"]);
}

#[tokio::test]
async fn a_file_is_fetched_by_its_id_and_the_token_is_never_shown() {
    let (platform, channel) = telegram().await;
    let media = Media { missing: None, reference: "AgAClarge".to_owned(), content_type: None, name: None, size: None };
    let wait = Duration::from_secs(1);
    assert_eq!(channel.fetch(&media, 99, wait).await.unwrap().bytes, FILE);
    let seen = platform.take();
    assert_eq!((method(&seen[0]), seen[0].json()), ("getFile", json!({"file_id": "AgAClarge"})));
    assert_eq!(seen[1].path, format!("/file/bot{TOKEN}/photos/file_1.jpg"));
    let found = |path: &str| Answer::json(200, &json!({"ok": true, "result": {"file_path": path}}));
    let mut errors = Vec::new();
    for path in ["/var/lib/telegram-bot-api/x", "../getMe", "https://example.org/x"] {
        platform.next(found(path));
        errors.push(channel.fetch(&media, 99, wait).await.unwrap_err());
        assert_eq!(platform.take().len(), 1, "{path} is not asked for");
    }
    platform.next(refusal("Bad Request: file is too big"));
    errors.push(channel.fetch(&media, 99, wait).await.unwrap_err());
    platform.next(found("photos/file_1.jpg"));
    platform.next(Answer::text(404, TOKEN));
    errors.push(channel.fetch(&media, 99, wait).await.unwrap_err());
    for error in errors {
        assert!(matches!(error, SendError::Refused { .. }) && !error.to_string().contains("AAH"), "{error:?}");
    }
    platform.next(Answer::json(200, &json!({"ok": true, "result": {"file_id": "x"}})));
    assert!(matches!(channel.fetch(&media, 99, wait).await, Err(SendError::NotSent { .. })));
}

#[tokio::test]
async fn buttons_are_rows_and_an_edit_without_them_takes_them_away() {
    let (platform, channel) = telegram().await;
    let to = to("7", None, None);
    let choice = |label: &str, value: &str| Choice { label: label.to_owned(), value: value.to_owned() };
    let choices = [choice("Yes", "approve:42"), choice("No", &"n".repeat(65))];
    channel.send(&OutboundPart { choices: &choices, ..part(&to, "May I?") }).await.unwrap();
    let keyboard = json!({"inline_keyboard": [
        [{"text": "Yes", "callback_data": "approve:42"}],
        [{"text": "No", "callback_data": "label#1"}],
    ]});
    assert_eq!(platform.take()[0].json()["reply_markup"], keyboard);
    channel.edit("321", &OutboundPart { choices: &choices, ..part(&to, "May I?") }).await.unwrap();
    assert_eq!(platform.take()[0].json()["reply_markup"], keyboard);
    channel.edit("321", &part(&to, "Done.")).await.unwrap();
    assert_eq!(platform.take()[0].json().get("reply_markup"), None);
    channel.attach(&picture(FILE), &OutboundPart { choices: &choices, ..part(&to, "May I?") }).await.unwrap();
    assert!(uploads(&platform)[0].1.contains(&("reply_markup".to_owned(), keyboard.to_string())));
}

#[test]
fn a_button_whose_value_was_too_long_says_its_label_as_long_as_it_is_known() {
    let pressed = |change: &dyn Fn(&mut Value)| {
        let subject = subject();
        let channel = subject.open("http://127.0.0.1:9");
        let mut update: Value = serde_json::from_slice(&subject.sample("button").body).unwrap();
        change(&mut update["callback_query"]);
        let request = subject.signed(update.to_string().as_bytes(), ARRIVAL);
        let parsed = channel.parse(&channel.verify(request).unwrap()).unwrap();
        (parsed.messages.into_iter().next().map(|message| message.text), parsed.ack.body)
    };
    let labelled = |query: &mut Value| {
        query["data"] = json!("label#0");
        query["message"]["reply_markup"]["inline_keyboard"][0][0]["callback_data"] = json!("label#0");
    };
    assert_eq!(pressed(&labelled).0.as_deref(), Some("Yes"));
    let (text, ack) = pressed(&|query| {
        labelled(query);
        query["message"].as_object_mut().unwrap().remove("reply_markup");
    });
    assert_eq!(text, None);
    assert!(String::from_utf8_lossy(&ack).contains("answerCallbackQuery"), "its spinner ends all the same");
}

#[tokio::test]
async fn a_reaction_is_an_emoji_under_a_message() {
    let (platform, channel) = telegram().await;
    channel.react(&to("-1001234567890", Some("5"), None), "13", "👀").await.unwrap();
    let seen = platform.take();
    let body =
        json!({"chat_id": -1_001_234_567_890_i64, "message_id": 13, "reaction": [{"type": "emoji", "emoji": "👀"}]});
    assert_eq!((method(&seen[0]), seen[0].json()), ("setMessageReaction", body));
    let refused = channel.react(&to("7", None, None), "x", "👀").await;
    assert!(matches!(refused, Err(SendError::Refused { .. })));
}

#[test]
fn rooms_are_edited_more_slowly() {
    let channel = subject().open("http://127.0.0.1:9");
    let every = |chat: &str| channel.limits(&to(chat, None, None)).edit_every.unwrap().as_secs();
    assert_eq!((every("7"), every("-1001234567890"), every("@news")), (1, 3, 3));
}

#[test]
fn every_message_can_be_reacted_to() {
    let channel = subject().open("http://127.0.0.1:9");
    for (sample, id) in [("text", "133"), ("edited", "133"), ("topic", "13"), ("button", "140")] {
        let request = subject().signed(&subject().sample(sample).body, ARRIVAL);
        let parsed = channel.parse(&channel.verify(request).unwrap()).unwrap();
        assert_eq!(parsed.messages[0].message_id.as_deref(), Some(id), "{sample}");
    }
}
