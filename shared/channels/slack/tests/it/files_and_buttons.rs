//! Files, buttons and reactions, as Slack is asked for them.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{address, open, unexpected};
use chela_core::channel::{Channel, Choice, OutboundFile, OutboundPart, SendError};
use chela_core::message::Media;
use chela_testkit::laws::channel::part;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(1);

async fn slack() -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(unexpected).await;
    let channel = open(json!({ "apiBaseUrl": format!("{}/api", platform.url()) }), &[]);
    (platform, channel)
}

fn ok(body: Value) -> Answer {
    let mut answer = json!({ "ok": true });
    answer.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    Answer::json(200, &answer)
}

fn error(error: &str) -> Answer {
    Answer::json(200, &json!({ "ok": false, "error": error }))
}

fn form(seen: &Seen) -> Vec<(String, String)> {
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    serde_urlencoded::from_bytes(&seen.body).unwrap()
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn file() -> OutboundFile<'static> {
    OutboundFile { name: "a.txt", content_type: "text/plain", bytes: "some bytes".into(), url: None }
}

fn media(reference: &str) -> Media {
    Media {
        missing: None,
        reference: reference.to_owned(),
        content_type: Some("image/png".to_owned()),
        name: None,
        size: None,
    }
}

fn choice(label: &str, value: &str) -> Choice {
    Choice { label: label.to_owned(), value: value.to_owned() }
}

#[tokio::test]
async fn a_file_is_uploaded_unseen_and_then_shared_with_its_caption() {
    let (platform, channel) = slack().await;
    let place = format!("{}/upload/v1/abc", platform.url());
    platform.next(ok(json!({ "upload_url": place, "file_id": "F9" })));
    platform.next(Answer::text(200, "OK - 10"));
    platform.next(ok(json!({ "files": [{ "id": "F9", "title": "a.txt" }] })));
    let to = address("C1", Some("5.000100"));
    assert_eq!(channel.attach(&file(), &part(&to, "**a** < b")).await.unwrap().message_id, "F9");
    let seen = platform.take();
    assert_eq!(seen[0].path, "/api/files.getUploadURLExternal");
    assert_eq!(form(&seen[0]), [field("filename", "a.txt"), field("length", "10")]);
    assert_eq!((&*seen[1].path, &seen[1].body[..]), ("/upload/v1/abc", &b"some bytes"[..]));
    assert!(!seen[1].headers.contains_key("authorization"), "the place is enough");
    assert_eq!(seen[2].path, "/api/files.completeUploadExternal");
    let shared = [
        field("files", r#"[{"id":"F9","title":"a.txt"}]"#),
        field("channel_id", "C1"),
        field("thread_ts", "5.000100"),
        field("initial_comment", "*a* &lt; b"),
    ];
    assert_eq!(form(&seen[2]), shared);
}

#[tokio::test]
async fn what_was_not_shared_was_not_shown() {
    let (platform, channel) = slack().await;
    let to = address("C1", None);
    let place = || ok(json!({ "upload_url": format!("{}/upload/v1/abc", platform.url()), "file_id": "F9" }));
    let mut fates = Vec::new();
    for answers in [
        vec![error("internal_error")],
        vec![ok(json!({}))],
        vec![place(), Answer::text(500, "no")],
        vec![place(), Answer::text(200, "OK"), error("internal_error")],
        vec![place(), Answer::text(200, "OK"), error("channel_not_found")],
        vec![ok(json!({ "upload_url": "https://example.org/steal", "file_id": "F9" }))],
    ] {
        let count = answers.len();
        answers.into_iter().for_each(|answer| platform.next(answer));
        let failed = channel.attach(&file(), &part(&to, "x")).await.unwrap_err();
        assert_eq!(platform.take().len(), count);
        fates.push(match failed {
            SendError::NotSent { .. } => "not sent",
            SendError::Unknown { .. } => "unknown",
            SendError::Refused { .. } => "refused",
            SendError::RateLimited { .. } => "waits",
        });
    }
    assert_eq!(fates, ["not sent", "not sent", "not sent", "unknown", "refused", "refused"]);
    for name in ["U1", "W1", "#general"] {
        let refused = channel.attach(&file(), &part(&address(name, None), "x")).await;
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{name}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn a_file_with_buttons_follows_a_message_that_has_them() {
    let (platform, channel) = slack().await;
    let to = address("C1", None);
    let choices = [choice("Yes", "approve:42")];
    let asked = OutboundPart { choices: &choices, ..part(&to, "May I?") };
    let all = |last: Answer| {
        let place = json!({ "upload_url": format!("{}/upload/v1/abc", platform.url()), "file_id": "F9" });
        let message = ok(json!({ "channel": "C1", "ts": "7.000100" }));
        [ok(place), Answer::text(200, "OK"), message, last].into_iter().for_each(|answer| platform.next(answer));
    };
    all(ok(json!({})));
    channel.attach(&file(), &asked).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[2].json()["blocks"][1]["elements"][0]["value"], "approve:42");
    assert!(form(&seen[3]).iter().all(|(name, _)| name != "initial_comment"));
    // The message is there now.
    all(error("ratelimited").header("retry-after", "3"));
    assert!(matches!(channel.attach(&file(), &asked).await, Err(SendError::Unknown { .. })));
}

#[tokio::test]
async fn the_token_is_shown_to_slack_and_to_nobody_else() {
    let (platform, channel) = slack().await;
    platform.next(Answer::text(200, "bytes"));
    let there = format!("{}/files-pri/T1-F1/download/a.png", platform.url());
    assert_eq!(channel.fetch(&media(&there), 99, WAIT).await.unwrap().bytes, "bytes");
    assert_eq!(platform.take()[0].headers["authorization"], "Bearer xoxb-simulator");
    let other = Platform::start(|_| Answer::text(200, "bytes")).await;
    let foreign = [
        format!("{}/a.png", other.url()),
        "https://example.org/a.png".to_owned(),
        "https://slack.com.example.org/a.png".to_owned(),
        "http://files.slack.com/a.png".to_owned(),
        "https://evilslack.com/a.png".to_owned(),
        "https://files.slack.com:8443/a.png".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    // An account that speaks to Slack itself.
    let real = open(json!({}), &[]);
    for url in foreign {
        for channel in [&channel, &real] {
            let refused = channel.fetch(&media(&url), 99, WAIT).await;
            let told = matches!(&refused, Err(SendError::Refused { reason, .. }) if reason.contains("server of Slack"));
            assert!(told, "{url}: {refused:?}");
        }
    }
    assert_eq!(other.take(), []);
}

#[tokio::test]
async fn a_file_without_a_url_is_asked_for_by_its_id() {
    let (platform, channel) = slack().await;
    let there = format!("{}/files-pri/T2-F2/a.png", platform.url());
    platform.next(ok(json!({ "file": { "id": "F2", "url_private": there } })));
    platform.next(Answer::text(200, "bytes"));
    assert_eq!(channel.fetch(&media("F2"), 99, WAIT).await.unwrap().bytes, "bytes");
    assert_eq!(form(&platform.take()[0]), [field("file", "F2")]);
    for answer in
        [error("file_not_found"), ok(json!({})), ok(json!({ "file": { "url_private": "https://example.org/x" } }))]
    {
        platform.next(answer);
        assert!(matches!(channel.fetch(&media("F2"), 99, WAIT).await, Err(SendError::Refused { .. })));
    }
}

#[tokio::test]
async fn a_page_to_sign_in_is_not_the_file() {
    let (platform, channel) = slack().await;
    let there = format!("{}/files-pri/T1-F1/a.png", platform.url());
    let page = || Answer::text(200, "<html>").header("content-type", "text/html; charset=utf-8");
    platform.next(page());
    let refused = channel.fetch(&media(&there), 99, WAIT).await.unwrap_err().to_string();
    assert!(refused.contains("files:read"), "{refused}");
    platform.next(page());
    let html = Media { content_type: Some("text/html".to_owned()), ..media(&there) };
    assert!(channel.fetch(&html, 99, WAIT).await.is_ok());
}

#[tokio::test]
async fn choices_are_buttons_under_the_text_until_an_edit_takes_them_away() {
    let (platform, channel) = slack().await;
    let to = address("C1", None);
    let choices = [choice(&"Y".repeat(80), "approve:42"), choice("No", &"n".repeat(2001))];
    let asked = OutboundPart { choices: &choices, ..part(&to, "May **I**?") };
    let blocks = json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": "May *I*?" } },
        { "type": "actions", "elements": [
            { "type": "button", "action_id": "choice#0", "text": { "type": "plain_text", "text": "Y".repeat(75) }, "value": "approve:42" },
            { "type": "button", "action_id": "label#1", "text": { "type": "plain_text", "text": "No" } },
        ] },
    ]);
    platform.next(ok(json!({ "channel": "C1", "ts": "7.000100" })));
    let sent = channel.send(&asked).await.unwrap();
    platform.next(ok(json!({})));
    channel.edit(&sent.message_id, &asked).await.unwrap();
    platform.next(ok(json!({})));
    channel.edit(&sent.message_id, &part(&to, "Done.")).await.unwrap();
    let seen: Vec<Value> = platform.take().iter().map(Seen::json).collect();
    assert_eq!([&seen[0]["blocks"], &seen[1]["blocks"], &seen[2]["blocks"]], [&blocks, &blocks, &json!([])]);
    assert_eq!([&seen[0]["text"], &seen[2]["text"]], [&json!("May *I*?"), &json!("Done.")]);
}

#[tokio::test]
async fn a_reaction_has_a_name_and_may_be_there_already() {
    let (platform, channel) = slack().await;
    let to = address("C1", None);
    for answer in [ok(json!({})), error("already_reacted")] {
        platform.next(answer);
        channel.react(&to, "C1:7.000100", "👀").await.unwrap();
        let body = json!({ "channel": "C1", "timestamp": "7.000100", "name": "eyes" });
        let seen = platform.take();
        assert_eq!((&*seen[0].path, seen[0].json()), ("/api/reactions.add", body));
    }
    platform.next(error("invalid_name"));
    assert!(matches!(channel.react(&to, "C1:7.000100", ":nope:").await, Err(SendError::Refused { .. })));
    platform.take();
    assert!(matches!(channel.react(&to, "C1:7.000100", "🦄").await, Err(SendError::Refused { .. })));
    assert_eq!(platform.take(), []);
}
