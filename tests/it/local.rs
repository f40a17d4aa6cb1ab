//! The main job on a laptop: recorded events, signed by the platforms' own SDKs, posted to `chela run`.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::binaries::Gateway;
use crate::oracle;
use crate::platform::Platforms;

pub(crate) const SLACK_SECRET: &str = "slack-signing-secret-of-a-test";
pub(crate) const TELEGRAM_SECRET: &str = "telegram-secret-of-a-test";
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a configuration for all three channels, their platforms on this machine.
pub(crate) fn house(platforms: &Platforms, more: serde_json::Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut config = channels(&platforms.url);
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    std::fs::write(folder.path().join("chela.json5"), config.to_string()).unwrap();
    folder
}

/// Everybody is heard everywhere.
pub(crate) fn channels(url: &str) -> serde_json::Value {
    // Of parts that take the place of an empty message `channels.rs` tells.
    let open = json!({"dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open", "unconfirmed": "flag"});
    let channel = |own: serde_json::Value| {
        let mut channel = open.clone();
        channel.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        channel
    };
    json!({
        "session": {"dmScope": "per-channel-peer"},
        "channels": {
            "telegram": channel(json!({
                "botToken": "99:public-test-token_0123456789abcdefghijklmn", "webhookSecret": TELEGRAM_SECRET,
                "botUsername": "my_bot", "apiBaseUrl": url,
            })),
            "slack": channel(json!({
                "botToken": "xoxb-test", "signingSecret": SLACK_SECRET, "botUserId": "UBOT", "apiBaseUrl": format!("{url}/api"),
            })),
        },
    })
}

pub(crate) fn telegram_headers(secret: &str) -> http::HeaderMap {
    oracle::headers(&json!({"x-telegram-bot-api-secret-token": secret}))
}

#[tokio::test]
async fn a_telegram_update_is_answered_once_however_often_it_comes() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let update = oracle::telegram_update(&oracle::recorded("telegram/text.json"));
    for _ in 0..3 {
        let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.clone()).await;
        assert_eq!(answer.status, 200);
    }
    let sent = platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    assert!(sent[0].body["text"].as_str().unwrap().contains("offline echo"), "{sent:?}");
    assert!(sent[0].path.contains("/bot99:public-test-token"));
    // A later message of the same chat is answered after it: had the duplicates made turns, theirs would be before.
    let mut later: serde_json::Value = serde_json::from_str(&update).unwrap();
    later["update_id"] = json!(7_000_001);
    let later = later.to_string();
    assert_eq!(gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), later).await.status, 200);
    assert_eq!(platforms.wait_for("/sendMessage", 2, PATIENCE).await.len(), 2);
}

#[tokio::test]
async fn a_slack_event_signed_by_slacks_sdk_is_answered_in_its_channel() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let body = oracle::recorded("slack/app-mention.json");
    let answer = gateway.post("/webhook/slack", oracle::slack_headers(&body, SLACK_SECRET), body.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = platforms.wait_for("/chat.postMessage", 1, PATIENCE).await;
    let asked: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(sent[0].body["channel"], asked["event"]["channel"]);
    assert!(sent[0].headers["authorization"].to_str().unwrap().starts_with("Bearer xoxb-"));
}

#[tokio::test]
async fn a_burst_in_one_conversation_is_answered_in_its_order() {
    let platforms = Platforms::open().await;
    let each_its_own_turn = json!({"queue": {"mode": "followup"}});
    let config = json!({"gateway": {"limits": {"messagesPerMinute": 0}}, "messages": each_its_own_turn});
    let folder = house(&platforms, config);
    let gateway = Gateway::start(folder.path()).await;
    let mut update: serde_json::Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    for number in 0..30 {
        update["update_id"] = json!(number);
        update["message"]["text"] = json!(format!("number {number};"));
        let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
        assert_eq!(answer.status, 200);
    }
    let sent = platforms.wait_for("/sendMessage", 30, PATIENCE).await;
    for (number, sent) in sent.iter().enumerate() {
        let text = sent.body["text"].as_str().unwrap();
        assert!(text.contains(&format!("number {number};")), "{number}th: {text}");
    }
}

#[tokio::test]
async fn messages_that_come_while_the_agent_is_busy_become_one_turn() {
    let platforms = Platforms::open().await;
    // The first call fails, so that the turn waits while the others come; those become one turn.
    platforms.will_refuse([(503, json!({"error": {"message": "overloaded"}}))]);
    let folder = house(&platforms, model_config(&platforms.url));
    let gateway = Gateway::start(folder.path()).await;
    let mut update: serde_json::Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    for number in 0..3 {
        update["update_id"] = json!(number);
        update["message"]["text"] = json!(format!("number {number};"));
        let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
        assert_eq!(answer.status, 200);
    }
    platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    let asked = platforms.wait_for("/chat/completions", 2, PATIENCE).await;
    let last = asked.last().unwrap().body.to_string();
    for number in 0..3 {
        assert!(last.contains(&format!("number {number};")), "{last}");
    }
    assert_eq!(asked.len(), 2, "beside the call that was refused");
}

/// A turn with a tool, and another message while its model thinks: what the platforms saw of models and replies.
async fn interrupted_by(mode: &str) -> (Vec<String>, usize) {
    let platforms = Platforms::open().await;
    let mut config = model_config(&platforms.url);
    config["messages"] = json!({"queue": {"mode": mode}});
    let folder = house(&platforms, config);
    let gateway = Gateway::start(folder.path()).await;
    let mut update: serde_json::Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    for (number, text) in ["slowly, please remember that it rains", "and the weekday?"].into_iter().enumerate() {
        update["update_id"] = json!(number);
        update["message"]["text"] = json!(text);
        let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
        assert_eq!(answer.status, 200);
        platforms.wait_for("/chat/completions", 1, PATIENCE).await;
    }
    platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    // Whatever is still to come comes before the answer to this.
    update["update_id"] = json!(9);
    update["message"]["text"] = json!("/status");
    gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
    let sent = loop {
        let sent = platforms.sent_to("/sendMessage");
        if sent.iter().any(|sent| sent.body["text"].as_str().is_some_and(|text| text.contains("Conversation"))) {
            break sent.len() - 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let asked = platforms.sent_to("/chat/completions");
    (asked.iter().map(|asked| asked.body["messages"].to_string()).collect(), sent)
}

#[tokio::test]
async fn a_message_steers_the_turn_that_runs() {
    let (asked, sent) = interrupted_by("steer").await;
    assert_eq!((asked.len(), sent), (2, 1), "one turn of two steps, one reply: {asked:?}");
    assert!(!asked[0].contains("weekday") && asked[1].contains("weekday") && asked[1].contains("call_1"));
}

#[tokio::test]
async fn a_message_interrupts_the_turn_that_runs() {
    let (asked, sent) = interrupted_by("interrupt").await;
    assert_eq!((asked.len(), sent), (2, 1), "the first turn ends without a word: {asked:?}");
    assert!(asked[1].contains("weekday"));
}

#[tokio::test]
async fn what_was_accepted_is_answered_after_the_power_failed() {
    let platforms = Platforms::open().await;
    // The model is away for a while, so that the turn cannot end before the machine dies.
    let busy = || (503, json!({"error": {"message": "overloaded"}}));
    platforms.will_refuse((0..2).map(|_| busy()));
    let folder = house(&platforms, model_config(&platforms.url));
    let mut gateway = Gateway::start(folder.path()).await;
    let update = oracle::recorded("telegram/text.json");
    assert_eq!(gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update).await.status, 200);
    gateway.kill();
    drop(gateway);
    let _gateway = Gateway::start(folder.path()).await;
    let sent = platforms.wait_for("/sendMessage", 1, Duration::from_secs(60)).await;
    assert_eq!(sent[0].body["text"], "From the model.");
}

/// An OpenAI-compatible provider on this machine.
pub(crate) fn model_config(url: &str) -> serde_json::Value {
    json!({
        "agents": {"defaults": {"model": "local/any"}},
        "models": {"providers": {"local": {"baseUrl": format!("{url}/v1"), "api": "openai-completions", "apiKey": "k"}}},
    })
}

#[tokio::test]
async fn the_memory_of_a_conversation_survives_a_restart() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, model_config(&platforms.url));
    let mut gateway = Gateway::start(folder.path()).await;
    assert_eq!(gateway.ask("My cat is called Quince.").await, "From the model.");
    gateway.kill();
    drop(gateway);
    let gateway = Gateway::start(folder.path()).await;
    gateway.ask("What is she called?").await;
    let asked = platforms.sent_to("/chat/completions").pop().unwrap();
    assert!(asked.body["messages"].to_string().contains("Quince"), "{}", asked.body);
    assert!(asked.body["messages"].to_string().contains("From the model."), "{}", asked.body);
}
