//! The calls of the Cloud API, word for word.

use std::sync::Arc;
use std::time::Duration;

use chela_core::channel::{Channel, Choice, OutboundFile, OutboundPart, Registration, SendError};
use chela_core::message::{Media, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, MENU, part};
use serde_json::{Value, json};

use crate::subject::{NUMBER, edge, subject};

const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn with(options: fn(&str) -> Value) -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = ChannelUnderTest { options, ..subject() }.open(platform.url());
    (platform, channel)
}

async fn whatsapp() -> (Platform, Arc<dyn Channel>) {
    with(subject().options).await
}

fn to(to: &str) -> ReplyAddress {
    ReplyAddress {
        channel: "whatsapp".to_owned(),
        account: "main".to_owned(),
        to: to.to_owned(),
        thread: None,
        message: Some("wamid.in".to_owned()),
    }
}

fn bodies(platform: &Platform) -> Vec<Value> {
    platform.take().iter().map(Seen::json).collect()
}

fn window_closed() -> Answer {
    Answer::json(400, &json!({"error": {"code": 131_047, "message": "Re-engagement message"}}))
}

#[tokio::test]
async fn i11_a_text_carries_its_key_brings_no_preview_and_goes_to_digits_ids_and_groups() {
    let (platform, channel) = whatsapp().await;
    let receipt = channel.send(&part(&to("16505551234"), "a **b**")).await.unwrap();
    assert_eq!(receipt.message_id, "wamid.sent");
    let seen = platform.take();
    assert_eq!(seen[0].path, format!("/v25.0/{NUMBER}/messages"));
    assert_eq!(seen[0].headers["authorization"], "Bearer EAAGpublictesttoken");
    let text = json!({"body": "a *b*", "preview_url": false});
    assert_eq!(
        seen[0].json(),
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "16505551234",
            "biz_opaque_callback_data": KEY,
            "type": "text",
            "text": text,
        })
    );
    channel.send(&part(&to("US.134"), "x")).await.unwrap();
    channel.send(&part(&to("group:G1"), "x")).await.unwrap();
    let bodies = bodies(&platform);
    assert_eq!((&bodies[0]["recipient"], &bodies[0]["to"]), (&json!("US.134"), &Value::Null));
    assert_eq!((&bodies[1]["recipient_type"], &bodies[1]["to"]), (&json!("group"), &json!("G1")));
    let nowhere = channel.send(&part(&to("Ada"), "x")).await;
    assert!(matches!(nowhere, Err(SendError::Refused { .. })), "{nowhere:?}");
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn answers_quote_in_groups_and_as_the_owner_wishes() {
    let (platform, channel) = whatsapp().await;
    for (address, number) in [("1", 0), ("group:G1", 0), ("group:G1", 1)] {
        channel.send(&OutboundPart { number, ..part(&to(address), "x") }).await.unwrap();
    }
    let quoted = |platform: &Platform| bodies(platform).iter().map(|body| body["context"].clone()).collect::<Vec<_>>();
    let quote = json!({"message_id": "wamid.in"});
    assert_eq!(quoted(&platform), [Value::Null, quote.clone(), Value::Null]);
    let all = |url: &str| json!({"apiBaseUrl": url, "phoneNumberId": NUMBER, "replyToMode": "all"});
    let (platform, channel) = with(all).await;
    channel.send(&OutboundPart { number: 1, ..part(&to("1"), "x") }).await.unwrap();
    assert_eq!(quoted(&platform), [quote]);
}

#[tokio::test]
async fn choices_are_buttons() {
    let (platform, channel) = whatsapp().await;
    let choices = [Choice { label: "Approve & go".to_owned(), value: "approve:42".to_owned() }];
    channel.send(&OutboundPart { choices: &choices, ..part(&to("1"), "May I?") }).await.unwrap();
    let sent = bodies(&platform).remove(0);
    assert_eq!(sent["type"], "interactive");
    let button = json!({"type": "reply", "reply": {"id": "approve:42", "title": "Approve & go"}});
    assert_eq!(
        sent["interactive"],
        json!({"type": "button", "body": {"text": "May I?"}, "action": {"buttons": [button]}})
    );
}

#[tokio::test]
async fn a_template_goes_out_once_where_the_window_is_closed() {
    let (platform, channel) = whatsapp().await;
    platform.next(window_closed());
    let refused = channel.send(&part(&to("1"), "hi")).await.unwrap_err().to_string();
    assert!(refused.contains("templateName"), "{refused}");
    assert_eq!(platform.take().len(), 1);

    let templated = |url: &str| json!({"apiBaseUrl": url, "phoneNumberId": NUMBER, "templateName": "come_back", "templateLanguage": "de"});
    let (platform, channel) = with(templated).await;
    platform.next(window_closed());
    channel.send(&part(&to("1"), "hi")).await.unwrap();
    let sent = bodies(&platform);
    assert_eq!(
        sent[1],
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "1",
            "biz_opaque_callback_data": KEY,
            "type": "template",
            "template": {"name": "come_back", "language": {"code": "de"}},
        })
    );
    platform.next(window_closed());
    let second = channel.send(&OutboundPart { number: 1, ..part(&to("1"), "hi") }).await;
    assert!(matches!(second, Err(SendError::Refused { .. })), "one template is enough: {second:?}");
    assert_eq!(platform.take().len(), 1);
}

#[tokio::test]
async fn a_file_is_uploaded_and_sent_with_its_caption() {
    let (platform, channel) = whatsapp().await;
    let file = OutboundFile { name: "a.pdf", content_type: "application/pdf", bytes: "%PDF".into(), url: None };
    channel.attach(&file, &part(&to("1"), "a **caption**")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen.iter().map(edge).collect::<Vec<_>>(), [format!("{NUMBER}/media"), format!("{NUMBER}/messages")]);
    let form = String::from_utf8(seen[0].body.to_vec()).unwrap();
    assert!(form.contains("name=\"messaging_product\"\r\n\r\nwhatsapp\r\n"), "{form}");
    assert!(form.contains("filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n"), "{form}");
    let document = json!({"id": "4490709327384033", "caption": "a *caption*", "filename": "a.pdf"});
    assert_eq!((&seen[1].json()["type"], &seen[1].json()["document"]), (&json!("document"), &document));

    let long = "word ".repeat(300);
    channel.attach(&file, &part(&to("1"), &long)).await.unwrap();
    let kinds: Vec<Value> = bodies(&platform).iter().map(|body| body["type"].clone()).collect();
    assert_eq!(kinds, [Value::Null, json!("document"), json!("text")]);
    let choices = [Choice { label: "Good".to_owned(), value: "good".to_owned() }];
    channel.attach(&file, &OutboundPart { choices: &choices, ..part(&to("group:G1"), "Is it?") }).await.unwrap();
    let sent = bodies(&platform);
    assert_eq!((&sent[1]["document"]["caption"], &sent[2]["type"]), (&Value::Null, &json!("interactive")));
    let quoted: Vec<bool> = sent.iter().map(|body| !body["context"].is_null()).collect();
    assert_eq!(quoted, [false, true, false], "quoted once");
    platform.next(Answer::text(503, "down"));
    let upload = channel.attach(&file, &part(&to("1"), "")).await;
    assert!(matches!(upload, Err(SendError::NotSent { .. })), "nobody has seen it: {upload:?}");
    platform.take();
    platform.next(Answer::json(200, &json!({"id": "1"})));
    platform.next(Answer::json(200, &json!({"messages": [{"id": "wamid.file"}]})));
    platform.next(Answer::json(400, &json!({"error": {"code": 130_429, "message": "m"}})));
    let caption = channel.attach(&file, &part(&to("1"), &long)).await;
    assert!(matches!(caption, Err(SendError::Unknown { .. })), "the file is there already: {caption:?}");
}

#[tokio::test]
async fn a_file_is_fetched_with_the_token_and_only_from_meta() {
    let (platform, channel) = whatsapp().await;
    let media = |reference: &str| Media {
        missing: None,
        reference: reference.to_owned(),
        content_type: None,
        name: None,
        size: None,
    };
    let wait = Duration::from_secs(2);
    let fetched = channel.fetch(&media("1003383421387256"), 100, wait).await.unwrap();
    assert_eq!(fetched.content_type.as_deref(), Some("image/jpeg"));
    let seen = platform.take();
    assert_eq!(edge(&seen[0]), "1003383421387256");
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer EAAGpublictesttoken"));
    for place in ["https://example.org/a.jpg", "https://lookaside.fbsbx.com.example.org/a", "http://169.254.169.254/"] {
        platform.next(Answer::json(200, &json!({ "url": place })));
        let refused = channel.fetch(&media("1"), 100, wait).await.unwrap_err();
        assert!(refused.to_string().contains("not Meta's"), "{refused}");
    }
    platform.take();
    for odd in ["", "../me", "1?fields=x", "a/b"] {
        assert!(matches!(channel.fetch(&media(odd), 100, wait).await, Err(SendError::Refused { .. })), "{odd}");
    }
    assert_eq!(platform.take(), []);
    let told = channel.fetch(&media("1003383421387256"), 3, wait).await;
    assert!(matches!(told, Err(SendError::Refused { .. })), "{told:?}");
    assert_eq!(platform.take().len(), 1, "what is told to be too large is not even begun");
    let untold = json!({"url": format!("{}/whatsapp_business/attachments/", platform.url())});
    platform.next(Answer::json(200, &untold));
    let large = channel.fetch(&media("1"), 3, wait).await;
    assert!(matches!(large, Err(SendError::Refused { .. })), "also where its size is not told: {large:?}");
}

#[tokio::test]
async fn typing_marks_the_message_as_read() {
    let (platform, channel) = whatsapp().await;
    channel.typing(&to("1")).await.unwrap();
    let read = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.in",
        "typing_indicator": {"type": "text"},
    });
    assert_eq!(bodies(&platform), [read]);
    channel.typing(&ReplyAddress { message: None, ..to("1") }).await.unwrap();
    channel.typing(&to("group:G1")).await.unwrap();
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn a_reaction_is_a_message() {
    let (platform, channel) = whatsapp().await;
    channel.react(&to("1"), "wamid.in", "👀").await.unwrap();
    let sent = bodies(&platform).remove(0);
    let reaction = json!({"message_id": "wamid.in", "emoji": "👀"});
    assert_eq!((&sent["type"], &sent["reaction"], &sent["to"]), (&json!("reaction"), &reaction, &json!("1")));
}

#[tokio::test]
async fn without_a_number_of_its_own_an_account_answers_from_the_one_that_was_written_to() {
    let (platform, channel) = with(|url| json!({ "apiBaseUrl": url })).await;
    let read = |name: &str| {
        let request = subject().signed(&subject().sample(name).body, ARRIVAL);
        channel.parse(&channel.verify(request).unwrap()).unwrap().messages.remove(0).reply_to
    };
    assert_eq!((read("other-number").to, read("group-text").to.contains('@')), ("16505551234@999".to_owned(), true));
    channel.send(&part(&read("other-number"), "hi")).await.unwrap_err();
    let seen = platform.take();
    assert_eq!((edge(&seen[0]), &seen[0].json()["to"]), ("999/messages", &json!("16505551234")));
    let whence = channel.send(&part(&to("16505551234"), "hi")).await.unwrap_err().to_string();
    assert!(whence.contains("set phoneNumberId"), "{whence}");
}

#[tokio::test]
async fn registering_sets_the_webhook_the_account_and_the_commands() {
    let (platform, channel) = whatsapp().await;
    let url = "https://example.org/webhook/whatsapp";
    let done = channel.register(url, MENU).await.unwrap();
    assert!(matches!(done, Registration::Done { .. }), "{done:?}");
    let seen = platform.take();
    let edges: Vec<&str> = seen.iter().map(edge).collect();
    assert_eq!(
        edges,
        [
            "1517776481860111/subscriptions",
            "102290129340398/subscribed_apps",
            &format!("{NUMBER}/conversational_automation"),
        ]
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&seen[0].body).into_owned().collect();
    let wanted = [
        ("object", "whatsapp_business_account"),
        ("callback_url", url),
        ("verify_token", "public-test-verify-token"),
        ("fields", "messages"),
        ("access_token", "1517776481860111|public-test-app-secret"),
    ];
    assert_eq!(form, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let command = json!({"command_name": "help", "command_description": "What I can do"});
    assert_eq!(seen[2].json()["commands"][0], command);

    let (platform, channel) = with(|url| json!({"apiBaseUrl": url, "phoneNumberId": NUMBER})).await;
    platform.next(Answer::json(400, &json!({"error": {"code": 100, "message": "no commands here"}})));
    let Registration::Manual { steps } = channel.register(url, MENU).await.unwrap() else { panic!("done by whom?") };
    let steps = steps.join("\n");
    assert!(["no commands here", url, "wabaId", "appId"].iter().all(|word| steps.contains(word)), "{steps}");
}

#[tokio::test]
async fn health_tells_the_number_and_what_is_missing() {
    let (platform, channel) = whatsapp().await;
    let health = channel.health().await.unwrap();
    assert_eq!((health.ok, health.summary.as_str()), (true, "Chela +1 555-078-3881; quality GREEN"));
    platform.next(Answer::json(200, &json!({"verified_name": "Chela"})));
    platform.next(Answer::json(200, &json!({"data": []})));
    let deaf = channel.health().await.unwrap();
    assert!(!deaf.ok && deaf.summary.contains("register whatsapp"), "{deaf:?}");
    platform.next(Answer::json(401, &json!({"error": {"code": 190, "message": "expired"}})));
    let expired = channel.health().await.unwrap();
    assert!(!expired.ok && expired.summary.contains("set a new accessToken"), "{expired:?}");
}

#[test]
fn the_handshake_is_answered_with_its_challenge() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut asked = subject().signed(b"", ARRIVAL);
    asked.method = http::Method::GET;
    asked.query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=public-test-verify-token".to_owned();
    let parsed = channel.parse(&channel.verify(asked).unwrap()).unwrap();
    assert_eq!(parsed.ack.body.as_ref(), b"1158201444".as_ref());
}

#[tokio::test]
async fn options_that_cannot_be_used_are_named() {
    for (key, value) in [
        ("phoneNumberId", "+15550783881"),
        ("wabaId", "x"),
        ("templateName", "come back"),
        ("templateLanguage", ""),
        ("listButton", "far too many words here"),
        ("listButton", " "),
    ] {
        let http = chela_http::HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None };
        let settings = chela_channel_kit::AccountSettings {
            account: "main".to_owned(),
            options: json!({ key: value }).as_object().unwrap().clone(),
            secrets: chela_channel_whatsapp::SIMULATOR.test_secrets(),
            http: chela_http::HttpClient::new(http).unwrap(),
            clock: Arc::new(chela_testkit::clock::ManualClock::at(ARRIVAL)),
        };
        let error = chela_channel_whatsapp::DESCRIPTOR.open(&settings).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}
