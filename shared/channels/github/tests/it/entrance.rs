//! Who is heard, and what an account needs to open.

use crate::account::{heard, open, receive, sample, with};
use chela_channel_github::SIMULATOR;
use chela_core::channel::Rejected;
use chela_testkit::laws::channel::{ARRIVAL, request};
use serde_json::{Value, json};

#[test]
fn only_those_who_belong_to_the_repository_are_heard() {
    let channel = with(json!({}));
    let mut event = sample("text");
    for (association, wanted) in [
        ("OWNER", true),
        ("MEMBER", true),
        ("COLLABORATOR", true),
        ("CONTRIBUTOR", false),
        ("FIRST_TIME_CONTRIBUTOR", false),
        ("NONE", false),
        ("", false),
        ("SUPERUSER", false),
    ] {
        event["comment"]["author_association"] = json!(association);
        assert_eq!(heard(&*channel, &event), wanted, "{association}");
    }
    event["comment"].as_object_mut().unwrap().remove("author_association");
    assert!(!heard(&*channel, &event));
    let open_to_all = with(json!({"allowAssociations": ["none", "OWNER"]}));
    assert!(heard(&*open_to_all, &sample("stranger")) && !heard(&*open_to_all, &sample("text")));
    let closed = with(json!({"allowAssociations": []}));
    assert!(!heard(&*closed, &sample("text")));
}

#[test]
fn only_the_repositories_that_are_named_are_heard() {
    for (repos, wanted) in [
        (json!(["octo-org/hello-world"]), true),
        (json!(["Octo-Org/*"]), true),
        (json!(["1296269"]), true),
        (json!(["octo-org/other", "octo/*"]), false),
        (json!([]), false),
        (Value::Null, true),
    ] {
        assert_eq!(heard(&*with(json!({"repos": repos})), &sample("text")), wanted, "{repos}");
    }
}

#[test]
fn no_bot_is_heard_and_nobody_speaks_through_anothers_comment() {
    let channel = with(json!({"appId": "5"}));
    let changed = |path: &str, value: Value| {
        let mut event = sample("text");
        *event.pointer_mut(path).unwrap() = value;
        heard(&*channel, &event)
    };
    assert!(changed("/comment/user/login", json!("renamed")), "the control");
    assert!(!changed("/comment/user/type", json!("Bot")));
    assert!(!changed("/comment/user/type", json!("Mannequin")));
    assert!(!changed("/sender/type", json!("Bot")));
    assert!(!changed("/comment/user/login", json!("Chela-Bot")));
    assert!(!changed("/comment/user/login", json!("chela-bot[bot]")));
    assert!(!changed("/sender/id", json!(1)));
    assert!(!changed("/comment/user", Value::Null));
    assert!(!changed("/comment/performed_via_github_app", json!({"id": 5, "slug": "x"})));
    assert!(changed("/comment/performed_via_github_app", json!({"id": 6, "slug": "x"})));
}

#[test]
fn an_edit_has_an_id_of_its_own_and_a_redelivery_has_not() {
    let channel = with(json!({}));
    let id = |event: &Value| receive(&*channel, event).unwrap().messages.remove(0).event_id;
    let (text, mut edited) = (sample("text"), sample("edited"));
    let first = id(&edited);
    edited["comment"]["updated_at"] = json!("2025-12-31T23:59:59Z");
    let ids = [id(&text), first, id(&edited)];
    assert_eq!(
        ids,
        ["comment:101", "comment:101:edited:2025-12-31T23:59:50Z", "comment:101:edited:2025-12-31T23:59:59Z"]
    );
}

#[test]
fn a_kind_of_event_is_named_and_its_body_is_json() {
    let channel = with(json!({}));
    let read = |event: Option<&'static str>, body: &str| {
        let mut headers = (SIMULATOR.sign_sample)(body.as_bytes(), &SIMULATOR.test_secrets(), ARRIVAL);
        headers.remove("x-github-event");
        headers.extend(
            event.map(|event| (http::HeaderName::from_static("x-github-event"), http::HeaderValue::from_static(event))),
        );
        channel.parse(&channel.verify(request(headers, body.as_bytes())).unwrap())
    };
    let body = sample("text").to_string();
    assert_eq!(read(Some("issue_comment"), &body).unwrap().messages.len(), 1);
    assert!(matches!(read(None, &body), Err(Rejected::Malformed(_))));
    assert!(matches!(read(Some("issue_comment"), "payload=%7B%7D"), Err(Rejected::Malformed(_))));
    assert!(matches!(read(Some("push"), "payload=%7B%7D"), Err(Rejected::Malformed(_))));
    // The header is not signed: under another one the same body says nothing.
    for other in ["issues", "pull_request", "push", "pull_request_review"] {
        let messages = read(Some(other), &body).map(|parsed| parsed.messages).unwrap_or_default();
        assert_eq!(messages, [], "{other}");
    }
}

#[test]
fn files_are_those_that_github_stores() {
    let channel = with(json!({}));
    let mut event = sample("text");
    event["comment"]["body"] = json!(
        "@chela-bot <img width=\"10\" src=\"https://github.com/user-attachments/assets/a-1\"> \
         https://user-images.githubusercontent.com/1/b.png https://evil.example/user-attachments/assets/x \
         https://github.com/user-attachments/../o/r https://github.com.evil.example/user-attachments/assets/y \
         [again](https://github.com/user-attachments/assets/a-1) http://github.com/user-attachments/assets/z"
    );
    let message = receive(&*channel, &event).unwrap().messages.remove(0);
    let files: Vec<_> = message.media.into_iter().map(|media| media.reference).collect();
    let wanted =
        ["https://github.com/user-attachments/assets/a-1", "https://user-images.githubusercontent.com/1/b.png"];
    assert_eq!(files, wanted);
}

#[test]
fn an_account_opens_with_a_token_or_with_an_app_that_says_whom_it_hears() {
    let problem = |options: Value, secrets: &[(&str, &str)]| {
        let secrets = [&[("webhookSecret", "w")], secrets].concat();
        open(options, &secrets).map(|_| ()).map_err(|error| error.to_string())
    };
    let login = json!({"botLogin": "@my-app[bot]"});
    assert_eq!(problem(login.clone(), &[("token", "ghp_1")]), Ok(()));
    let named = [
        (json!({}), &[("token", "t")][..], "botLogin"),
        (json!({"botLogin": "a b"}), &[("token", "t")], "botLogin"),
        (login.clone(), &[], "GITHUB_BOT_TOKEN"),
        (login.clone(), &[("token", "two words")], "token"),
        (login.clone(), &[("privateKey", "x")], "appId"),
        (json!({"botLogin": "a", "appId": "1"}), &[("privateKey", "x")], "repos"),
        (json!({"botLogin": "a", "appId": "1", "repos": ["o/*"]}), &[("privateKey", "x")], "privateKey"),
        (json!({"botLogin": "a", "repos": ["https://github.com/o/r"]}), &[("token", "t")], "repos"),
        (json!({"botLogin": "a", "repos": ["name"]}), &[("token", "t")], "repos"),
        (json!({"botLogin": "a", "allowAssociations": ["FRIEND"]}), &[("token", "t")], "allowAssociations"),
    ];
    for (options, secrets, word) in named {
        let told = problem(options.clone(), secrets).unwrap_err();
        assert!(told.contains(word), "{options}: {told}");
    }
}
