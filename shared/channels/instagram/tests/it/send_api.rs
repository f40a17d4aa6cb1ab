//! The calls of Instagram's Send API, word for word, where they are not Messenger's.

use std::sync::Arc;

use chela_core::channel::{Channel, OutboundFile, Registration, SendError};
use chela_core::chunk::{ChunkMode, chunk_markdown};
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, MENU, part};
use serde_json::{Value, json};

use crate::subject::{edge, subject};

async fn with(options: fn(&str) -> Value) -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = ChannelUnderTest { options, ..subject() }.open(platform.url());
    (platform, channel)
}

async fn instagram() -> (Platform, Arc<dyn Channel>) {
    with(subject().options).await
}

fn to() -> ReplyAddress {
    ReplyAddress {
        channel: "instagram".to_owned(),
        account: "main".to_owned(),
        to: "125".to_owned(),
        thread: None,
        message: Some("ig_1".to_owned()),
    }
}

#[tokio::test]
async fn a_reply_names_no_messaging_type() {
    let (platform, channel) = instagram().await;
    channel.send(&part(&to(), "a **b**")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v25.0/me/messages");
    assert_eq!(seen[0].headers["authorization"], "Bearer IGAApublictesttoken");
    assert_eq!(seen[0].json(), json!({"recipient": {"id": "125"}, "message": {"text": "a b"}}));
}

#[tokio::test]
async fn a_part_of_the_widest_letters_fits() {
    let (platform, channel) = instagram().await;
    let text = "ह€".repeat(400);
    for piece in chunk_markdown(&text, channel.limits(&to()).text, ChunkMode::Length) {
        channel.send(&part(&to(), &piece)).await.unwrap();
    }
    let lengths: Vec<usize> =
        platform.take().iter().map(|seen| seen.json()["message"]["text"].as_str().unwrap().len()).collect();
    assert!(lengths.len() > 2 && lengths.iter().all(|bytes| *bytes <= 1_000), "{lengths:?}");
}

#[tokio::test]
async fn a_file_is_fetched_by_instagram_from_its_url() {
    let (platform, channel) = instagram().await;
    let url = Some("https://files.example.org/a.pdf");
    let file = OutboundFile { name: "a.pdf", content_type: "application/pdf", bytes: "%PDF".into(), url };
    channel.attach(&file, &part(&to(), "")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen.len(), 1, "no caption, no second message");
    let attachment = json!({"type": "file", "payload": {"url": "https://files.example.org/a.pdf"}});
    assert_eq!(seen[0].json()["message"], json!({ "attachment": attachment }));
    for unfit in [OutboundFile { url: None, ..file.clone() }, OutboundFile { content_type: "application/zip", ..file }]
    {
        let refused = channel.attach(&unfit, &part(&to(), "x")).await;
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn the_closed_window_opens_under_a_tag() {
    let (platform, channel) = with(|url| json!({"apiBaseUrl": url, "messageTag": "HUMAN_AGENT"})).await;
    let closed = json!({"error": {"code": 10, "error_subcode": 2_534_022, "message": "outside of allowed window"}});
    platform.next(Answer::json(400, &closed));
    channel.send(&part(&to(), "hi")).await.unwrap();
    let tagged = platform.take()[1].json();
    assert_eq!((&tagged["messaging_type"], &tagged["tag"]), (&json!("MESSAGE_TAG"), &json!("HUMAN_AGENT")));
}

#[tokio::test]
async fn registering_subscribes_the_account_and_leaves_the_rest_to_a_person() {
    let (platform, channel) = instagram().await;
    let url = "https://example.org/webhook/instagram";
    let Registration::Manual { steps } = channel.register(url, MENU).await.unwrap() else { panic!("done by whom?") };
    assert!(steps.iter().any(|step| step.contains(url)), "{steps:?}");
    let seen = platform.take();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    let subscribed = "/v25.0/me/subscribed_apps?subscribed_fields=messages,messaging_postbacks";
    assert_eq!(paths, [subscribed, "/v25.0/me/messenger_profile?platform=instagram"]);
    let entry = json!({"type": "postback", "title": "What I can do", "payload": "/help"});
    assert_eq!(seen[1].json()["persistent_menu"][0]["call_to_actions"][0], entry);

    let (platform, channel) = with(|url| json!({"apiBaseUrl": url, "appId": "99", "graphApiVersion": "v26.0"})).await;
    assert!(matches!(channel.register(url, MENU).await.unwrap(), Registration::Done { .. }));
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v26.0/99/subscriptions");
    let form = String::from_utf8_lossy(&seen[0].body);
    assert!(form.starts_with("object=instagram&callback_url=https%3A%2F%2Fexample.org"), "{form}");
}

#[tokio::test]
async fn health_tells_the_account() {
    let (platform, channel) = instagram().await;
    let health = channel.health().await.unwrap();
    assert_eq!((health.ok, health.summary.as_str()), (true, "chela (27)"));
    assert_eq!(platform.take().iter().map(edge).collect::<Vec<_>>(), ["me", "me/subscribed_apps"]);
}

#[test]
fn the_handshake_is_answered_with_its_challenge() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut asked = subject().signed(b"", ARRIVAL);
    asked.method = http::Method::GET;
    asked.query = "hub.mode=subscribe&hub.challenge=77&hub.verify_token=public-test-verify-token".to_owned();
    let parsed = channel.parse(&channel.verify(asked).unwrap()).unwrap();
    assert_eq!(parsed.ack.body.as_ref(), b"77".as_ref());
}
