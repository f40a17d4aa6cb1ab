//! What GitHub is asked as a user.

use std::time::Duration;

use crate::account::{address, at, calls, with};
use chela_core::channel::{Health, Registration, SendError, Unconfirmed};
use chela_core::message::Media;
use chela_testkit::laws::channel::part;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use serde_json::{Value, json};

use crate::subject::manners;

const ISSUE: &str = "octo-org/hello-world#7";
const REPO: &str = "/repos/octo-org/hello-world";
const TOKEN: &str = "Bearer ghp_simulator";

fn call(what: &str, body: Value) -> (String, String, Value) {
    let (method, path) = what.split_once(' ').unwrap();
    (format!("{method} {REPO}{path}"), TOKEN.to_owned(), body)
}

#[tokio::test]
async fn an_answer_is_a_comment_and_in_a_review_a_reply() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(ISSUE, None, None);
    let made = channel.send(&part(&to, "**Yes**, @octocat")).await.unwrap();
    assert_eq!(made.message_id, "comment:501");
    let thread = address(ISSUE, Some("301"), Some("review-comment:302"));
    let replied = channel.send(&part(&thread, "here")).await.unwrap();
    assert_eq!(replied.message_id, "review-comment:501");
    channel.edit(&made.message_id, &part(&to, "done")).await.unwrap();
    channel.edit(&replied.message_id, &part(&thread, "done too")).await.unwrap();
    let wanted = [
        call("POST /issues/7/comments", json!({"body": "**Yes**, @\u{200b}octocat"})),
        call("POST /pulls/7/comments/301/replies", json!({"body": "here"})),
        call("GET /issues/comments/501", Value::Null),
        call("PATCH /issues/comments/501", json!({"body": "done"})),
        call("GET /pulls/comments/501", Value::Null),
        call("PATCH /pulls/comments/501", json!({"body": "done too"})),
    ];
    assert_eq!(calls(&platform), wanted);
    assert_eq!(channel.unconfirmed(&to), Unconfirmed::Flag);
}

#[tokio::test]
async fn every_call_says_what_it_takes_and_which_version_it_means() {
    let platform = Platform::start(manners).await;
    at(platform.url()).send(&part(&address(ISSUE, None, None), "hi")).await.unwrap();
    let headers = platform.take().remove(0).headers;
    assert_eq!(headers["accept"], "application/vnd.github+json");
    assert_eq!(headers["x-github-api-version"], "2022-11-28");
    assert_eq!(headers["user-agent"], "chela");
}

#[tokio::test]
async fn eyes_say_that_a_comment_was_seen() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    for (message, path) in [
        ("comment:101", "/issues/comments/101/reactions"),
        ("review-comment:301", "/pulls/comments/301/reactions"),
        ("issue", "/issues/7/reactions"),
    ] {
        let to = address(ISSUE, None, Some(message));
        channel.typing(&to).await.unwrap();
        channel.react(&to, message, "❤️").await.unwrap();
        let wanted = ["eyes", "heart"].map(|content| call(&format!("POST {path}"), json!({ "content": content })));
        assert_eq!(calls(&platform), wanted);
    }
    let to = address(ISSUE, None, None);
    channel.typing(&to).await.unwrap();
    assert!(matches!(channel.react(&to, "comment:1", "🦀").await, Err(SendError::Refused { .. })));
    assert!(matches!(channel.react(&to, "review:1", "👀").await, Err(SendError::Refused { .. })));
    assert_eq!(calls(&platform), []);
}

/// Comments are numbered through the repository: a number alone would reach every issue of it.
#[tokio::test]
async fn a_comment_of_another_issue_is_neither_changed_nor_deleted_nor_reacted_to() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(ISSUE, None, None);
    let stands = |at: &str| Answer::json(200, &json!({ "issue_url": at, "pull_request_url": at }));
    for elsewhere in [
        "https://api.github.com/repos/octo-org/hello-world/issues/77",
        "https://api.github.com/repos/octo-org/hello-world/issues/8",
        "",
    ] {
        for id in ["comment:501", "review-comment:501"] {
            platform.next(stands(elsewhere));
            let edited = channel.edit(id, &part(&to, "hi")).await;
            platform.next(stands(elsewhere));
            let deleted = channel.delete(&to, id).await;
            platform.next(stands(elsewhere));
            let reacted = channel.react(&to, id, "👀").await;
            for done in [edited, deleted, reacted] {
                let error = done.unwrap_err();
                assert!(
                    matches!(error, SendError::Refused { .. }) && error.to_string().contains("another conversation")
                );
            }
            assert!(calls(&platform).iter().all(|(what, ..)| what.starts_with("GET ")));
        }
    }
}

#[tokio::test]
async fn a_comment_is_deleted_once() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address(ISSUE, None, None);
    channel.delete(&to, "comment:501").await.unwrap();
    channel.delete(&to, "review-comment:502").await.unwrap();
    let wanted = [
        call("GET /issues/comments/501", Value::Null),
        call("DELETE /issues/comments/501", Value::Null),
        call("GET /pulls/comments/502", Value::Null),
        call("DELETE /pulls/comments/502", Value::Null),
    ];
    assert_eq!(calls(&platform), wanted);
    platform.next(Answer::json(404, &json!({"message": "Not Found"})));
    channel.delete(&to, "comment:501").await.unwrap();
    assert_eq!(calls(&platform).len(), 1, "it is gone");
    platform.next(Answer::json(403, &json!({"message": "Must have admin rights"})));
    assert!(channel.delete(&to, "comment:501").await.is_err());
    calls(&platform);
    assert!(channel.delete(&to, "issue").await.is_err());
    assert_eq!(calls(&platform), []);
}

#[tokio::test]
async fn an_address_that_is_none_is_never_asked() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    for to in ["octo-org/hello-world", "../../user#1", "o/r/x#1", "o/r#1/../../x"] {
        let error = channel.send(&part(&address(to, None, None), "hi")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{to}: {error}");
    }
    let to = address(ISSUE, None, None);
    for id in ["issue", "comment:../1", "501", ""] {
        assert!(channel.edit(id, &part(&to, "hi")).await.is_err(), "{id}");
    }
    assert_eq!(calls(&platform), []);
}

#[tokio::test]
async fn the_token_goes_to_githubs_own_pages_only() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let media = |reference: String| Media { reference, content_type: None, name: None, size: None, missing: None };
    let own = media(format!("{}/user-attachments/assets/a", platform.url()));
    channel.fetch(&own, 100, Duration::from_secs(1)).await.unwrap();
    let asked = calls(&platform);
    assert_eq!((asked[0].0.as_str(), asked[0].1.as_str()), ("GET /user-attachments/assets/a", TOKEN));
    for foreign in [
        format!("{}/user", platform.url()),
        format!("{}/user-attachments/../user", platform.url()),
        "https://evil.example/user-attachments/assets/a".to_owned(),
    ] {
        let refused = channel.fetch(&media(foreign.clone()), 100, Duration::from_secs(1)).await;
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{foreign}");
    }
    assert_eq!(calls(&platform), []);
}

#[tokio::test]
async fn a_webhook_is_made_once_and_then_corrected() {
    let platform = Platform::start(manners).await;
    let channel = with(json!({"apiBaseUrl": platform.url(), "repos": ["octo-org/hello-world", "octo-org/*", "7"]}));
    let url = "https://example.org/webhook/github";
    let done = channel.register(url, &[]).await.unwrap();
    assert_eq!(done, Registration::Done { summary: format!("octo-org/hello-world posts to {url}") });
    let events = ["issue_comment", "issues", "pull_request", "pull_request_review", "pull_request_review_comment"];
    let config = json!({"url": url, "content_type": "json", "secret": "simulator-webhook-secret", "insecure_ssl": "0"});
    let hook = json!({"active": true, "events": events, "config": config});
    let mut new = hook.clone();
    new["name"] = json!("web");
    assert_eq!(calls(&platform), [call("GET /hooks?per_page=100", Value::Null), call("POST /hooks", new)]);
    let other = json!({"id": 1, "config": {"url": "https://other.example"}});
    platform.next(Answer::json(200, &json!([other, {"id": 12, "config": {"url": url}}])));
    channel.register(url, &[]).await.unwrap();
    assert_eq!(calls(&platform)[1], call("PATCH /hooks/12", hook));
    let manual = at(platform.url()).register(url, &[]).await.unwrap();
    let Registration::Manual { steps } = manual else { panic!("{manual:?}") };
    assert!(steps.iter().any(|step| step.contains(url)));
}

#[tokio::test]
async fn health_names_the_user_and_what_is_wrong() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    assert_eq!(channel.health().await.unwrap(), Health { ok: true, summary: "@chela-bot".into() });
    platform.next(Answer::json(200, &json!({"login": "owner", "id": 1})));
    let told = channel.health().await.unwrap();
    assert!(!told.ok && told.summary.contains("set it to \"owner\""), "{told:?}");
    platform.next(Answer::json(401, &json!({"message": "Bad credentials"})));
    let told = channel.health().await.unwrap();
    assert!(!told.ok && told.summary.contains("Bad credentials"), "{told:?}");
}
