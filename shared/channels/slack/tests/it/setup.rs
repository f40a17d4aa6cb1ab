//! Opening an account, and pointing Slack at us.

use crate::account::{Slack, open, settings};
use chela_channel_slack::DESCRIPTOR;
use chela_core::channel::{Registration, SendError};
use chela_testkit::laws::channel::MENU;
use serde_json::{Value, json};

const URL: &str = "https://example.com/webhook/slack";

fn manager(slack: &Slack, more: &Value) -> std::sync::Arc<dyn chela_core::channel::Channel> {
    let mut options = json!({ "apiBaseUrl": slack.url(), "appId": "A1" });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    open(options, &[("appConfigToken", "xoxe.xoxp-manager")])
}

/// An app that its owner has made by hand, for something else too.
fn existing() -> Value {
    json!({
        "display_information": { "name": "Ours", "background_color": "#004492" },
        "features": {
            "bot_user": { "display_name": "ours", "always_online": false },
            "slash_commands": [{ "command": "/new", "url": "https://old.example.com", "description": "New session" }],
        },
        "oauth_config": { "scopes": { "bot": ["chat:write", "users:read"], "user": ["search:read"] } },
        "settings": {
            "event_subscriptions": { "request_url": "https://old.example.com", "bot_events": ["app_mention", "team_join"] },
            "socket_mode_enabled": true,
            "token_rotation_enabled": false,
        },
    })
}

#[tokio::test]
async fn register_changes_what_is_ours_in_the_manifest_and_keeps_the_rest() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "manifest": existing() }));
    slack.answers(&json!({ "ok": true, "app_id": "A1", "permissions_updated": true }));
    let done = manager(&slack, &json!({})).register(URL, MENU).await.unwrap();
    let summary = "app A1 now posts its events, commands and buttons to https://example.com/webhook/slack; its \
                   permissions changed: reinstall it at https://api.slack.com/apps/A1/install-on-team";
    assert_eq!(done, Registration::Done { summary: summary.into() });

    let calls = slack.calls();
    assert_eq!((calls[0].method.as_str(), &calls[0].body), ("apps.manifest.export", &json!({ "app_id": "A1" })));
    assert_eq!((calls[1].method.as_str(), &calls[1].body["app_id"]), ("apps.manifest.update", &json!("A1")));
    assert!(calls.iter().all(|call| call.authorization == "Bearer xoxe.xoxp-manager"));
    let manifest: Value = serde_json::from_str(calls[1].body["manifest"].as_str().unwrap()).unwrap();
    assert_eq!(
        manifest,
        json!({
            "display_information": { "name": "Ours", "background_color": "#004492" },
            "features": {
                "bot_user": { "display_name": "ours", "always_online": false },
                "slash_commands": [
                    { "command": "/new", "url": URL, "description": "New session" },
                    {
                        "command": "/chela", "url": URL, "description": "Write to the assistant",
                        "usage_hint": "[message or /command]", "should_escape": false,
                    },
                ],
                "app_home": { "messages_tab_enabled": true, "messages_tab_read_only_enabled": false },
            },
            "oauth_config": {
                "scopes": {
                    "bot": [
                        "chat:write", "users:read", "commands", "files:read", "files:write", "im:history",
                        "reactions:write", "channels:history", "groups:history", "mpim:history",
                    ],
                    "user": ["search:read"],
                },
            },
            "settings": {
                "event_subscriptions": {
                    "request_url": URL,
                    "bot_events": ["team_join", "message.channels", "message.groups", "message.im", "message.mpim"],
                },
                "socket_mode_enabled": false,
                "token_rotation_enabled": false,
                "interactivity": { "is_enabled": true, "request_url": URL },
            },
        })
    );
}

#[tokio::test]
async fn registering_twice_changes_nothing() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "manifest": existing() })).answers(&json!({ "ok": true }));
    let account = manager(&slack, &json!({}));
    account.register(URL, MENU).await.unwrap();
    let calls = slack.calls();
    let set: Value = serde_json::from_str(calls[1].body["manifest"].as_str().unwrap()).unwrap();
    slack.answers(&json!({ "ok": true, "manifest": set }));
    let again = account.register(URL, MENU).await.unwrap();
    let summary = "app A1 already posts to https://example.com/webhook/slack";
    assert_eq!(again, Registration::Done { summary: summary.into() });
    let methods: Vec<_> = slack.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["apps.manifest.export"], "nothing is set the second time");
}

#[tokio::test]
async fn an_app_can_ask_for_mentions_only() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "manifest": {} })).answers(&json!({ "ok": true }));
    manager(&slack, &json!({ "mentionsOnly": true, "slashCommand": { "name": "/claw" } }))
        .register(URL, MENU)
        .await
        .unwrap();
    let set: Value = serde_json::from_str(slack.calls()[1].body["manifest"].as_str().unwrap()).unwrap();
    assert_eq!(set["settings"]["event_subscriptions"]["bot_events"], json!(["app_mention", "message.im"]));
    let scopes = json!([
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "im:history",
        "reactions:write",
        "app_mentions:read",
    ]);
    assert_eq!(set["oauth_config"]["scopes"]["bot"], scopes);
    assert_eq!(set["features"]["slash_commands"][0]["command"], "/claw");
}

#[tokio::test]
async fn the_menu_becomes_slash_commands_where_that_is_wanted() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": true, "manifest": existing() })).answers(&json!({ "ok": true }));
    manager(&slack, &json!({ "nativeCommands": true })).register(URL, MENU).await.unwrap();
    let set: Value = serde_json::from_str(slack.calls()[1].body["manifest"].as_str().unwrap()).unwrap();
    let commands = set["features"]["slash_commands"].as_array().unwrap();
    let names: Vec<_> = commands.iter().map(|command| command["command"].as_str().unwrap()).collect();
    // /new is the owner's already, and /help is Slack's.
    assert_eq!(names, ["/new", "/chela", "/agenthelp"]);
    let help = json!({ "command": "/agenthelp", "description": "What I can do", "should_escape": false, "url": URL });
    assert_eq!(commands[2], help);
}

#[tokio::test]
async fn a_manager_token_that_has_expired_is_told_with_its_fix() {
    let slack = Slack::start().await;
    slack.answers(&json!({ "ok": false, "error": "token_expired" }));
    let refused = manager(&slack, &json!({})).register(URL, MENU).await.unwrap_err();
    assert!(matches!(refused, SendError::Refused { .. }));
    let words = refused.to_string();
    assert!(words.contains("appConfigToken") && !words.contains("xoxe"), "{words}");
}

#[tokio::test]
async fn without_a_manager_token_the_steps_are_told() {
    let slack = Slack::start().await;
    for options in [json!({ "apiBaseUrl": slack.url() }), json!({ "apiBaseUrl": slack.url(), "appId": "A1" })] {
        let Registration::Manual { steps } = open(options, &[]).register(URL, MENU).await.unwrap() else {
            panic!("no API")
        };
        let (manifest, steps) = steps.split_last().unwrap();
        let manifest: Value = serde_json::from_str(manifest).unwrap();
        assert_eq!(manifest["settings"]["event_subscriptions"]["request_url"], URL);
        assert_eq!(manifest["settings"]["interactivity"]["request_url"], URL);
        assert_eq!(manifest["features"]["slash_commands"][0]["url"], URL);
        for words in ["App Manifest", "Save Changes", "reinstall", "/invite", "appConfigToken"] {
            assert!(steps.iter().any(|step| step.contains(words)), "{words} is in no step: {steps:#?}");
        }
    }
    assert_eq!(slack.calls(), []);
}

#[test]
fn tokens_that_cannot_be_are_refused_without_being_shown() {
    let refusal = |key: &str, value: &str| {
        let slack = settings(json!({}), &[(key, value)]);
        DESCRIPTOR.open(&slack).map(drop).unwrap_err().to_string()
    };
    let app_level = refusal("botToken", "xapp-1-hunter2");
    assert!(app_level.contains("app-level token") && app_level.contains("xoxb-"), "{app_level}");
    let torn = refusal("botToken", "xoxb-hunter2\nxoxb-hunter3");
    assert!(torn.contains("\"botToken\"") && torn.contains("not one word"), "{torn}");
    let torn_manager = refusal("appConfigToken", "xoxe\nhunter2");
    assert!(torn_manager.contains("\"appConfigToken\""), "{torn_manager}");
    for words in [app_level, torn, torn_manager] {
        assert!(!words.contains("hunter2"), "{words}");
    }
}

#[tokio::test]
async fn the_readme_shows_the_manifest_that_is_set() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, shown) = readme.split_once("```json\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let registered = open(json!({}), &[]).register("https://YOUR-URL/webhook/slack", MENU).await.unwrap();
    let Registration::Manual { steps } = registered else { panic!("no API") };
    let set: Value = serde_json::from_str(steps.last().unwrap()).unwrap();
    assert_eq!(shown, set);
}
