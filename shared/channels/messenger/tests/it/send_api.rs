//! The calls of the Send API, word for word, and the handshake.

use std::sync::Arc;

use chela_channel_messenger::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::{Channel, Choice, OutboundFile, OutboundPart, Registration, SendError};
use chela_core::message::{Media, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, MENU, part};
use serde_json::{Value, json};

use crate::subject::{edge, subject};

async fn with(options: fn(&str) -> Value) -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = ChannelUnderTest { options, ..subject() }.open(platform.url());
    (platform, channel)
}

async fn messenger() -> (Platform, Arc<dyn Channel>) {
    with(subject().options).await
}

fn to() -> ReplyAddress {
    ReplyAddress {
        channel: "messenger".to_owned(),
        account: "main".to_owned(),
        to: "592".to_owned(),
        thread: None,
        message: Some("m_1".to_owned()),
    }
}

fn calls(platform: &Platform) -> Vec<(String, Value)> {
    platform.take().iter().map(|seen: &Seen| (edge(seen).to_owned(), seen.json())).collect()
}

fn window_closed() -> Answer {
    Answer::json(
        400,
        &json!({"error": {"code": 10, "error_subcode": 2_018_278, "message": "outside of allowed window"}}),
    )
}

#[tokio::test]
async fn a_reply_is_a_response_with_the_pages_token() {
    let (platform, channel) = messenger().await;
    let receipt = channel.send(&part(&to(), "a **b** [c](https://d.e)")).await.unwrap();
    assert_eq!(receipt.message_id, "m_sent");
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v25.0/me/messages");
    assert_eq!(seen[0].headers["authorization"], "Bearer EAApublictesttoken");
    assert_eq!(
        seen[0].json(),
        json!({
            "recipient": {"id": "592"},
            "message": {"text": "a b c (https://d.e)"},
            "messaging_type": "RESPONSE",
        })
    );
}

#[tokio::test]
async fn choices_are_quick_replies_and_become_a_list_where_they_do_not_fit() {
    let (platform, channel) = messenger().await;
    let choice = |label: &str, value: String| Choice { label: label.to_owned(), value };
    let fit = [choice("Approve the deployment now", "approve:42".to_owned()), choice("No", "x".repeat(1_000))];
    channel.send(&OutboundPart { choices: &fit, ..part(&to(), "May I?") }).await.unwrap();
    let replies = calls(&platform)[0].1["message"]["quick_replies"].clone();
    assert_eq!(replies[0], json!({"content_type": "text", "title": "Approve the deploym…", "payload": "approve:42"}));
    let unfit = [choice("Yes", "x".repeat(1_001)), choice("No", "n".to_owned())];
    channel.send(&OutboundPart { choices: &unfit, ..part(&to(), "May I?") }).await.unwrap();
    assert_eq!(calls(&platform)[0].1["message"], json!({"text": "May I?\n\n1. Yes\n2. No"}));
}

#[tokio::test]
async fn a_file_is_uploaded_and_shown_and_its_caption_follows() {
    let (platform, channel) = messenger().await;
    let file = OutboundFile { name: "a.pdf", content_type: "application/pdf", bytes: "%PDF".into(), url: None };
    channel.attach(&file, &part(&to(), "a caption")).await.unwrap();
    let seen = platform.take();
    let edges: Vec<&str> = seen.iter().map(edge).collect();
    assert_eq!(edges, ["me/message_attachments", "me/messages", "me/messages"]);
    let form = String::from_utf8(seen[0].body.to_vec()).unwrap();
    assert!(form.contains(r#"{"attachment":{"type":"file","payload":{"is_reusable":false}}}"#), "{form}");
    assert!(
        form.contains("name=\"filedata\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF"),
        "{form}"
    );
    let attachment = json!({"type": "file", "payload": {"attachment_id": "1857777774821032"}});
    assert_eq!(seen[1].json()["message"], json!({"attachment": attachment}));
    assert_eq!(seen[2].json()["message"], json!({"text": "a caption"}));

    platform.next(Answer::text(500, "broken"));
    let upload = channel.attach(&file, &part(&to(), "")).await;
    assert!(matches!(upload, Err(SendError::NotSent { .. })), "nobody has seen it: {upload:?}");
    platform.take();
    platform.next(Answer::json(200, &json!({"attachment_id": "1"})));
    platform.next(Answer::json(200, &json!({"message_id": "m_file"})));
    platform.next(Answer::json(400, &json!({"error": {"code": 613, "message": "m"}})));
    let caption = channel.attach(&file, &part(&to(), "a caption")).await;
    assert!(matches!(caption, Err(SendError::Unknown { .. })), "the file is there already: {caption:?}");
}

#[tokio::test]
async fn a_tag_is_used_only_where_the_owner_set_one_and_the_window_is_closed() {
    let (platform, channel) = messenger().await;
    platform.next(window_closed());
    let refused = channel.send(&part(&to(), "hi")).await.unwrap_err().to_string();
    assert!(refused.contains("24 hours"), "{refused}");
    assert_eq!(calls(&platform).len(), 1);

    let (platform, channel) = with(|url| json!({"apiBaseUrl": url, "messageTag": "ACCOUNT_UPDATE"})).await;
    channel.send(&part(&to(), "hi")).await.unwrap();
    assert_eq!(calls(&platform)[0].1["messaging_type"], "RESPONSE");
    platform.next(window_closed());
    channel.send(&part(&to(), "hi")).await.unwrap();
    let calls = calls(&platform);
    assert_eq!((&calls[1].1["messaging_type"], &calls[1].1["tag"]), (&json!("MESSAGE_TAG"), &json!("ACCOUNT_UPDATE")));
    assert_eq!((calls.len(), &calls[1].1["message"]), (2, &json!({"text": "hi"})));
}

#[tokio::test]
async fn answers_quote_as_the_owner_wishes() {
    let first = |url: &str| json!({"apiBaseUrl": url, "replyToMode": "first"});
    let (platform, channel) = with(first).await;
    channel.send(&part(&to(), "one")).await.unwrap();
    channel.send(&OutboundPart { number: 1, ..part(&to(), "two") }).await.unwrap();
    let quoted: Vec<Value> = calls(&platform).iter().map(|(_, body)| body["reply_to"].clone()).collect();
    assert_eq!(quoted, [json!({"mid": "m_1"}), Value::Null]);
}

#[tokio::test]
async fn typing_is_a_sender_action() {
    let (platform, channel) = messenger().await;
    channel.typing(&to()).await.unwrap();
    let body = json!({"recipient": {"id": "592"}, "sender_action": "typing_on"});
    assert_eq!(calls(&platform), [("me/messages".to_owned(), body)]);
}

#[tokio::test]
async fn files_are_fetched_from_metas_hosts_only_and_without_the_token() {
    let (platform, channel) = messenger().await;
    let media = |reference: String| Media { missing: None, reference, content_type: None, name: None, size: None };
    let wait = std::time::Duration::from_secs(1);
    channel.fetch(&media(format!("{}/v/a.jpg", platform.url())), 100, wait).await.unwrap();
    assert!(!platform.take()[0].headers.contains_key("authorization"));
    for foreign in ["https://example.org/a.jpg", "http://169.254.169.254/latest/meta-data"] {
        let refused = channel.fetch(&media(foreign.to_owned()), 100, wait).await.unwrap_err();
        assert!(refused.to_string().contains("not Meta's"), "{refused}");
    }
}

#[tokio::test]
async fn registering_sets_the_webhook_the_page_and_the_menu() {
    let (platform, channel) = messenger().await;
    let url = "https://example.org/webhook/messenger";
    let done = channel.register(url, MENU).await.unwrap();
    assert!(matches!(done, Registration::Done { .. }), "{done:?}");
    let seen = platform.take();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/v25.0/1517776481860111/subscriptions",
            "/v25.0/me/subscribed_apps?subscribed_fields=messages,messaging_postbacks,message_edits",
            "/v25.0/me/messenger_profile",
        ]
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&seen[0].body).into_owned().collect();
    let wanted = [
        ("object", "page"),
        ("callback_url", url),
        ("verify_token", "public-test-verify-token"),
        ("fields", "messages,messaging_postbacks,message_edits"),
        ("access_token", "1517776481860111|public-test-app-secret"),
    ];
    assert_eq!(form, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(!seen[0].headers.contains_key("authorization"), "the app speaks here, not the page");
    assert_eq!(seen[2].json()["commands"][0]["commands"][0]["name"], "help");

    let (platform, channel) = with(|url| json!({"apiBaseUrl": url})).await;
    let Registration::Manual { steps } = channel.register(url, MENU).await.unwrap() else { panic!("done by whom?") };
    assert!(steps.iter().any(|step| step.contains(url)), "{steps:?}");
    assert_eq!(platform.take().len(), 2);
}

#[tokio::test]
async fn a_menu_that_is_refused_does_not_undo_the_webhook() {
    let (platform, channel) = messenger().await;
    let fine = || Answer::json(200, &json!({"success": true}));
    platform.next(fine());
    platform.next(fine());
    platform.next(Answer::json(400, &json!({"error": {"code": 100, "message": "no commands here"}})));
    let done = channel.register("https://example.org/", MENU).await.unwrap();
    assert!(format!("{done:?}").contains("no commands here"), "{done:?}");
    platform.next(Answer::json(400, &json!({"error": {"code": 190, "message": "expired"}})));
    assert!(matches!(channel.register("https://example.org/", MENU).await, Err(SendError::Refused { .. })));
    platform.next(Answer::json(200, &json!({"success": false})));
    assert!(matches!(channel.register("https://example.org/", MENU).await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn health_tells_the_page_and_what_is_missing() {
    let (platform, channel) = messenger().await;
    let health = channel.health().await.unwrap();
    assert_eq!((health.ok, health.summary.as_str()), (true, "Chela's page (106540352242922)"));
    platform.next(Answer::json(200, &json!({"id": "7", "name": "Other"})));
    platform.next(Answer::json(200, &json!({"data": []})));
    let ill = channel.health().await.unwrap();
    assert!(!ill.ok && ill.summary.contains("set pageId") && ill.summary.contains("register messenger"), "{ill:?}");
    platform.next(Answer::json(401, &json!({"error": {"code": 190, "message": "expired"}})));
    let expired = channel.health().await.unwrap();
    assert!(!expired.ok && expired.summary.contains("set a new accessToken"), "{expired:?}");
}

#[test]
fn the_handshake_is_answered_with_its_challenge() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut asked = subject().signed(b"", ARRIVAL);
    asked.method = http::Method::GET;
    asked.headers.clear();
    asked.query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=public-test-verify-token".to_owned();
    let parsed = channel.parse(&channel.verify(asked.clone()).unwrap()).unwrap();
    assert_eq!((parsed.ack.status.as_u16(), parsed.ack.body.as_ref()), (200, b"1158201444".as_ref()));
    asked.query = asked.query.replace("public", "guessed");
    assert!(channel.verify(asked).is_err());
}

#[test]
fn one_broken_event_takes_no_other_with_it() {
    let channel = subject().open("http://127.0.0.1:9");
    let read = |events: Value| {
        let body = json!({"object": "page", "entry": [{"id": "106540352242922", "messaging": events}]}).to_string();
        channel.parse(&channel.verify(subject().signed(body.as_bytes(), ARRIVAL)).unwrap())
    };
    let broken = json!({"sender": {"id": "1"}, "message": {"mid": 7}});
    let whole = json!({"sender": {"id": "1"}, "timestamp": 5, "message": {"mid": "m", "text": "hi"}});
    assert_eq!(read(json!([broken, whole])).unwrap().messages.len(), 1);
    assert!(read(json!([broken])).is_err());
    let own = json!({"sender": {"id": "106540352242922"}, "message": {"mid": "m", "text": "an unmarked echo"}});
    assert_eq!(read(json!([own])).unwrap().messages, []);
    // What another app sent in the page's name is marked, whoever is said to be the sender.
    let marked = json!({"sender": {"id": "1"}, "message": {"mid": "m", "text": "an echo", "is_echo": true}});
    assert_eq!(read(json!([marked])).unwrap().messages, []);
}

#[test]
fn posts_about_other_objects_are_not_ours() {
    let channel = subject().open("http://127.0.0.1:9");
    let read = |object: &str| {
        let body = String::from_utf8(subject().sample("text").body.to_vec()).unwrap();
        let body = body.replace("\"object\":\"page\"", &format!("\"object\":\"{object}\""));
        let request = subject().signed(body.as_bytes(), ARRIVAL);
        channel.parse(&channel.verify(request).unwrap()).unwrap().messages.len()
    };
    assert_eq!((read("page"), read("instagram")), (1, 0));
}

#[test]
fn what_lies_elsewhere_is_a_link_and_no_file() {
    let channel = subject().open("http://127.0.0.1:9");
    let body = String::from_utf8(subject().sample("image").body.to_vec()).unwrap();
    let foreign = body.replace("scontent.xx.fbcdn.net", "example.org");
    assert_ne!(body, foreign);
    let request = subject().signed(foreign.as_bytes(), ARRIVAL);
    let message = channel.parse(&channel.verify(request).unwrap()).unwrap().messages.remove(0);
    assert!(message.media.is_empty() && message.text.starts_with("look\nhttps://example.org/"), "{message:?}");
}

#[test]
fn options_that_cannot_be_used_are_named() {
    for (key, value) in [
        ("graphApiVersion", "25"),
        ("graphApiVersion", "v25.0/../me"),
        ("pageId", "my-page"),
        ("appId", "1/2"),
        ("replyToMode", "always"),
        ("messageTag", "human agent"),
    ] {
        let http = chela_http::HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None };
        let settings = chela_channel_kit::AccountSettings {
            account: "main".to_owned(),
            options: json!({ key: value }).as_object().unwrap().clone(),
            secrets: SIMULATOR.test_secrets(),
            http: chela_http::HttpClient::new(http).unwrap(),
            clock: Arc::new(chela_testkit::clock::ManualClock::at(ARRIVAL)),
        };
        let error = DESCRIPTOR.open(&settings).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}
