//! Several agents in one house: work handed on, a word that picks an agent, a room where all answer.

use serde_json::{Value, json};

use crate::binaries::Gateway;
use crate::local::{PATIENCE, TELEGRAM_SECRET, channels, house, model_config, telegram_headers};
use crate::oracle;
use crate::platform::{Platforms, Sent};

/// Somebody says this, directly or in a room. The same number is the same message.
async fn said(gateway: &Gateway, number: u64, room: Option<i64>, text: &str) {
    let mut update: Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    update["update_id"] = json!(number);
    update["message"]["message_id"] = json!(number);
    update["message"]["text"] = json!(text);
    if let Some(room) = room {
        update["message"]["chat"] = json!({"id": room, "type": "supergroup", "title": "all"});
    }
    let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
    assert_eq!(answer.status, 200);
}

fn texts(sent: &[Sent]) -> Vec<&str> {
    let mut texts: Vec<&str> = sent.iter().map(|sent| sent.body["text"].as_str().unwrap()).collect();
    texts.sort_unstable();
    texts
}

/// What models were asked, each with the last thing that was said and the names of its tools.
fn asked(platforms: &Platforms) -> Vec<(String, Vec<String>)> {
    let asked = platforms.sent_to("/chat/completions");
    let of = |sent: &Sent| {
        let last = sent.body["messages"].as_array().unwrap().last().unwrap();
        let tools = sent.body["tools"].as_array().cloned().unwrap_or_default();
        let tools = tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect();
        (last["content"].as_str().map_or_else(|| last["content"].to_string(), str::to_owned), tools)
    };
    asked.iter().map(of).collect()
}

#[tokio::test]
async fn work_is_handed_on_and_its_result_comes_to_the_person() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, model_config(&platforms.url));
    let gateway = Gateway::start(folder.path()).await;
    said(&gateway, 1, None, "please hand on: count the ships").await;
    let sent = platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    assert_eq!(texts(&sent), ["From the model.", "From the model."], "one when it was handed on, one with the result");
    assert_eq!(sent[0].body["chat_id"], sent[1].body["chat_id"]);

    let asked = asked(&platforms);
    assert_eq!(asked.len(), 4, "{asked:?}");
    let of =
        |begin: &str| asked.iter().find(|(last, _)| last.starts_with(begin)).unwrap_or_else(|| panic!("{asked:?}"));
    let (_, tools) = of("please hand on");
    assert!(tools.iter().any(|name| name == "tool_search"), "the tools for it are found on demand: {tools:?}");
    of("Accepted: agent:main:subagent:");
    let (task, tools) = of("[Task from the conversation agent:main:");
    assert!(task.ends_with("\n\ncount the ships"), "{task}");
    assert!(!tools.iter().any(|name| name.starts_with("sessions_")), "{tools:?}");
    let (report, _) = of("[Sub-agent (agent:main:subagent:");
    assert!(report.ends_with("\n> From the sub-agent."), "{report}");
}

/// The gateway dies as soon as the work is handed on; what was promised is kept.
#[tokio::test]
async fn what_was_handed_on_is_done_after_the_power_failed() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, model_config(&platforms.url));
    let mut gateway = Gateway::start(folder.path()).await;
    said(&gateway, 1, None, "please hand on: count slowly").await;
    platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    gateway.kill();
    drop(gateway);
    let _gateway = Gateway::start(folder.path()).await;
    let sent = platforms.wait_for("/sendMessage", 2, 6 * PATIENCE).await;
    assert_eq!(texts(&sent), ["From the model.", "From the model."]);
    let reports = asked(&platforms).iter().filter(|(last, _)| last.starts_with("[Sub-agent")).count();
    assert_eq!(reports, 1);
}

fn two_agents(platforms: &Platforms, more: Value) -> Value {
    let mut config = model_config(&platforms.url);
    config["agents"]["entries"] = json!({
        "main": {"default": true},
        "fox": {"identity": {"name": "Fox", "emoji": "🦊", "theme": "You are sly."}},
    });
    config["channels"] = channels(&platforms.url)["channels"].clone();
    config["channels"]["telegram"]["requireMention"] = json!(false);
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

#[tokio::test]
async fn a_word_picks_the_agent() {
    let platforms = Platforms::open().await;
    let rule = json!({"agentId": "fox", "match": {"channel": "telegram", "text": "/fox *"}, "stripPrefix": true});
    let config = json!({"bindings": [rule], "messages": {"responsePrefix": "auto"}});
    let folder = house(&platforms, two_agents(&platforms, config));
    let gateway = Gateway::start(folder.path()).await;
    said(&gateway, 1, None, "/fox where is the hen?").await;
    assert_eq!(texts(&platforms.wait_for("/sendMessage", 1, PATIENCE).await), ["[Fox] From the model."]);
    said(&gateway, 2, None, "and who are you?").await;
    let sent = platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    assert_eq!(texts(&sent), ["From the model.", "[Fox] From the model."]);
    let requests = platforms.sent_to("/chat/completions");
    let last: Vec<String> = asked(&platforms).into_iter().map(|(last, _)| last).collect();
    assert_eq!(last, ["where is the hen?", "and who are you?"], "each in a conversation of its own");
    let system = |at: usize| requests[at].body["messages"][0]["content"].to_string();
    assert!(system(0).contains("You are Fox 🦊. You are sly.") && !system(1).contains("Fox"), "{}", system(0));
}

#[tokio::test]
async fn in_a_room_of_several_agents_each_answers_once() {
    let platforms = Platforms::open().await;
    let config = json!({"broadcast": {"telegram:-1007": ["main", "fox"]}});
    let folder = house(&platforms, two_agents(&platforms, config));
    let gateway = Gateway::start(folder.path()).await;
    for _ in 0..3 {
        said(&gateway, 1, Some(-1007), "good morning").await;
    }
    platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    said(&gateway, 2, Some(-1007), "good night").await;
    let sent = platforms.wait_for("/sendMessage", 4, PATIENCE).await;
    let words = texts(&sent);
    assert_eq!(words.len(), 4, "{words:?}");
    assert_eq!(words.iter().filter(|text| text.contains("🦊 Fox:")).count(), 2, "{words:?}");
    assert_eq!(words.iter().filter(|text| text.contains("main:")).count(), 2, "{words:?}");
    // Another room is nobody's but the default agent's.
    said(&gateway, 3, Some(-1008), "hello").await;
    let sent = platforms.wait_for("/sendMessage", 5, PATIENCE).await;
    assert_eq!(sent[4].body["text"], "From the model.");
}
