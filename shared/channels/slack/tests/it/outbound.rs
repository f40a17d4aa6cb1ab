//! What Slack is asked, and what its answers mean.

use std::time::Duration;

use crate::account::{BOT, Call, Slack, address, open};
use chela_core::channel::{Health, Receipt, SendError};
use chela_testkit::laws::channel::part;
use chela_testkit::laws::channel::platform::Answer;
use serde_json::{Value, json};

const TOKEN: &str = "Bearer xoxb-simulator";

fn call(method: &str, body: Value) -> Call {
    Call { method: method.into(), authorization: TOKEN.into(), body }
}

#[tokio::test]
async fn i11_an_answer_is_posted_as_mrkdwn_without_previews() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "channel": "C1", "ts": "7.000100", "message": {} }));
    let receipt = slack.account().send(&part(&address("C1", None), "**a** < b")).await.unwrap();
    assert_eq!(receipt, Receipt { message_id: "C1:7.000100".into() });
    let body = json!({ "channel": "C1", "text": "*a* &lt; b", "unfurl_links": false, "unfurl_media": false });
    assert_eq!(slack.calls(), [call("chat.postMessage", body)]);
}

#[tokio::test]
async fn an_answer_to_a_thread_stays_in_it() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "channel": "C1", "ts": "7.000100" }));
    slack.account().send(&part(&address("C1", Some("5.000100")), "hi")).await.unwrap();
    assert_eq!(slack.calls()[0].body["thread_ts"], "5.000100");
}

#[tokio::test]
async fn a_message_is_edited_where_it_stands_even_if_it_was_sent_to_a_person() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "channel": "D9", "ts": "7.000100" })).answers(&json!({ "ok": true }));
    let (account, to) = (slack.account(), address("U1", None));
    let sent = account.send(&part(&to, "…")).await.unwrap();
    account.edit(&sent.message_id, &part(&to, "_done_")).await.unwrap();
    let body = json!({ "channel": "D9", "ts": "7.000100", "text": "_done_", "blocks": [] });
    assert_eq!(slack.calls()[1], call("chat.update", body));
}

#[tokio::test]
async fn an_edit_that_escapes_grow_beyond_the_limit_becomes_blocks() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true }));
    let code = format!("```html\n{}\n```", "<td>&nbsp;</td>\n".repeat(240));
    assert!(code.encode_utf16().count() < 3900);
    slack.account().edit("C1:7.000100", &part(&address("C1", None), &code)).await.unwrap();

    let body = &slack.calls()[0].body;
    let blocks = body["blocks"].as_array().unwrap();
    let texts: Vec<_> = blocks.iter().map(|block| block["text"]["text"].as_str().unwrap()).collect();
    assert!(blocks.len() <= 50, "Slack takes 50 blocks");
    for text in &texts {
        assert!(text.encode_utf16().count() <= 3000, "a section has {}", text.len());
        assert!(text.starts_with("```\n") && text.ends_with("\n```"), "{text}");
    }
    assert_eq!(texts.concat().matches("&lt;td&gt;").count(), 240);
    assert_eq!(body["text"], "…");
}

#[tokio::test]
async fn messages_are_deleted_and_pinned_where_they_stand_and_twice_is_once() {
    let slack = Slack::start().await;
    for _ in 0..3 {
        slack.answers(&json!({ "ok": true }));
    }
    let (account, to) = (slack.account(), address("C1", None));
    account.delete(&to, "C1:7.000100").await.unwrap();
    account.pin(&to, "7.000100", true).await.unwrap();
    account.pin(&to, "C1:7.000100", false).await.unwrap();
    let pin = json!({ "channel": "C1", "timestamp": "7.000100" });
    let wanted = [
        call("chat.delete", json!({ "channel": "C1", "ts": "7.000100" })),
        call("pins.add", pin.clone()),
        call("pins.remove", pin),
    ];
    assert_eq!(slack.calls(), wanted);
    for done in ["message_not_found", "already_pinned", "no_pin", "cant_delete_message"] {
        slack.answers(&json!({ "ok": false, "error": done }));
    }
    account.delete(&to, "C1:7.000100").await.unwrap();
    account.pin(&to, "C1:7.000100", true).await.unwrap();
    account.pin(&to, "C1:7.000100", false).await.unwrap();
    assert!(matches!(account.delete(&to, "C1:7.000100").await, Err(SendError::Refused { .. })));
}

/// The ids of messages name their conversation, and a caller may be let into one and not into another.
#[tokio::test]
async fn a_message_of_another_conversation_is_none_of_this_one() {
    let slack = Slack::start().await;
    let account = slack.account();
    for (own, message) in [("C1", "C2:7.000100"), ("#general", "C2:7.000100"), ("U1", "C2:7.000100")] {
        let to = address(own, None);
        let refused = [
            account.delete(&to, message).await,
            account.pin(&to, message, true).await,
            account.react(&to, message, "👍").await,
            account.open_thread(&to, "x", Some(message)).await.map(drop),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(SendError::Refused { .. })), "{own} {message}: {refused:?}");
        }
    }
    assert_eq!(slack.calls(), []);
    slack.answers(&json!({ "ok": true }));
    account.delete(&address("U1", None), "D9:7.000100").await.unwrap();
    assert_eq!(slack.calls().len(), 1);
}

#[tokio::test]
async fn a_thread_is_begun_by_answering_a_message() {
    let slack = Slack::start().await;
    let (account, to) = (slack.account(), address("C1", None));
    assert_eq!(account.open_thread(&to, "Plans", Some("C1:7.000100")).await.unwrap(), "7.000100");
    assert!(matches!(account.open_thread(&to, "Plans", None).await, Err(SendError::Refused { .. })));
    assert_eq!(slack.calls(), []);
}

#[tokio::test]
async fn typing_is_shown_in_threads_of_direct_messages_only() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true }));
    let account = slack.account();
    account.typing(&address("C1", Some("5.000100"))).await.unwrap();
    account.typing(&address("D1", None)).await.unwrap();
    assert_eq!(slack.calls(), []);
    account.typing(&address("D1", Some("5.000100"))).await.unwrap();
    let body = json!({ "channel_id": "D1", "thread_ts": "5.000100", "status": "is thinking…" });
    assert_eq!(slack.calls(), [call("assistant.threads.setStatus", body)]);
}

/// What an answer of Slack makes of a sending.
async fn fails(answer: Answer) -> SendError {
    let slack = Slack::start().await;
    slack.gives(answer);
    slack.account().send(&part(&address("C1", None), "hi")).await.unwrap_err()
}

async fn fails_with(error: &str) -> SendError {
    fails(Answer::json(200, &json!({ "ok": false, "error": error }))).await
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_slack_says() {
    let limited = r#"{"ok":false,"error":"ratelimited"}"#;
    for (status, body) in [(429, limited), (200, limited), (429, ""), (429, r#"{"ok":false,"error":"other"}"#)] {
        let error = fails(Answer::text(status, body).header("retry-after", "30")).await;
        let SendError::RateLimited { after, .. } = error else { panic!("{status} {body} is {error:?}") };
        assert_eq!(after, Duration::from_secs(30));
    }
}

#[tokio::test]
async fn what_slack_did_not_do_can_be_sent_again() {
    for error in ["request_timeout", "team_added_to_org"] {
        assert!(matches!(fails_with(error).await, SendError::NotSent { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_slack_may_have_done_is_unknown() {
    for error in ["internal_error", "fatal_error", "service_unavailable"] {
        assert!(matches!(fails_with(error).await, SendError::Unknown { .. }), "{error}");
    }
    let pages =
        [(500, ""), (503, "<html>"), (502, r#"{"ok":false}"#), (500, r#"{"ok":true,"ts":"1.0"}"#), (200, "<html>")];
    for (status, body) in pages {
        assert!(matches!(fails(Answer::text(status, body)).await, SendError::Unknown { .. }), "{status} {body}");
    }
    let without_ts = fails(Answer::text(200, r#"{"ok":true}"#)).await;
    assert!(matches!(without_ts, SendError::Unknown { .. }));
}

#[tokio::test]
async fn a_refusal_says_what_the_owner_can_do() {
    let refusals = [
        ("channel_not_found", "/invite"),
        ("not_in_channel", "/invite"),
        ("is_archived", "unarchive"),
        ("account_inactive", "channels.slack.botToken"),
        ("invalid_auth", "channels.slack.botToken"),
        ("token_revoked", "channels.slack.botToken"),
        ("something_new", "https://docs.slack.dev"),
    ];
    for (error, fix) in refusals {
        let refused = fails_with(error).await;
        assert!(matches!(refused, SendError::Refused { .. }), "{error}");
        let words = refused.to_string();
        assert!(words.contains(error) && words.contains(fix), "{words}");
    }
    let scope = fails(Answer::text(200, r#"{"ok":false,"error":"missing_scope","needed":"chat:write"}"#)).await;
    assert!(scope.to_string().contains("chat:write"), "{scope}");
    assert!(matches!(fails(Answer::text(404, "<html>")).await, SendError::Refused { .. }));
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let words = fails(Answer::text(400, r#"{"ok":false,"error":"xoxb-simulator is not a token"}"#)).await.to_string();
    assert!(words.contains("is not a token") && !words.contains("xoxb-simulator"), "{words}");
}

#[tokio::test]
async fn a_slack_that_is_not_there_was_sent_nothing() {
    // Port 1 is reserved and nothing listens there.
    let account = open(json!({ "apiBaseUrl": "http://127.0.0.1:1/api" }), &[]);
    let error = account.send(&part(&address("C1", None), "hi")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
}

async fn health(answer: Value) -> Result<Health, SendError> {
    let slack = Slack::start().await;
    slack.answers(&answer);
    let health = slack.account().health().await;
    assert_eq!(slack.calls(), [call("auth.test", json!({}))]);
    health
}

#[tokio::test]
async fn health_names_the_bot_and_its_workspace() {
    let who = json!({ "ok": true, "user": "chela", "user_id": BOT, "team": "Example", "team_id": "T1" });
    let summary = format!("@chela ({BOT}) in Example (T1)");
    assert_eq!(health(who).await.unwrap(), Health { ok: true, summary });
}

#[tokio::test]
async fn a_wrong_bot_user_or_token_is_told_with_its_fix() {
    let other = json!({ "ok": true, "user": "chela", "user_id": "UOTHER", "team": "Example", "team_id": "T1" });
    let told = health(other).await.unwrap();
    assert!(!told.ok && told.summary.contains("set botUserId to UOTHER"), "{told:?}");
    let told = health(json!({ "ok": false, "error": "invalid_auth" })).await.unwrap();
    assert!(!told.ok && told.summary.contains("channels.slack.botToken"), "{told:?}");
    assert!(matches!(health(json!({ "ok": false, "error": "ratelimited" })).await, Err(SendError::RateLimited { .. })));
}
