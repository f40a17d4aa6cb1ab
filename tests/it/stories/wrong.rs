//! What models do wrong: the person gets a clear reply, the next request is valid, and no money stays reserved.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::house::{House, Plan, model};
use super::provider::{Asked, Line, Speaks, calls, says};

/// One provider that may keep us waiting for a second, and a limit, so that each call is reserved.
async fn house(lines: impl IntoIterator<Item = Line>) -> House {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).with(json!({
        "models": {"providers": {"claude": {"timeoutSeconds": 1, "models": model(200_000, 1_000, [1.0, 0.1, 5.0])}}},
        "spend": {"limits": {"perDay": 50}},
    }));
    let house = plan.open().await;
    house.provider("claude").will(lines);
    house
}

/// The conversation goes on, the provider was sent nothing that it would refuse, and everything is settled.
async fn is_sound(house: &House) {
    let claude = house.provider("claude");
    claude.otherwise(|_| says("Still here."));
    assert_eq!(house.ada().asks("Are you still there?").await, "Still here.");
    claude.asked().iter().for_each(assert_valid);
    let usage: Value = serde_json::from_str(&house.does(&["usage", "--json"]).await).unwrap();
    let all = &usage["days"][0]["scopes"][0];
    assert_eq!(
        (all["reserved"].as_u64(), all["calls"].as_u64()),
        (Some(0), Some(claude.asked().len() as u64)),
        "{all}"
    );
}

/// What Anthropic refuses: roles that do not alternate, calls with one id, a call without its result right behind it, a
/// result without its call, texts with nothing in them.
fn assert_valid(asked: &Asked) {
    let messages = asked.body["messages"].as_array().unwrap();
    let mut open: BTreeSet<String> = BTreeSet::new();
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(message["role"], ["user", "assistant"][number % 2], "message {number} of {}", asked.body);
        let blocks = message["content"].as_array().unwrap();
        let ids = |kind: &str, key: &str| -> Vec<String> {
            let of_kind = blocks.iter().filter(|block| block["type"] == kind);
            of_kind.map(|block| block[key].as_str().unwrap().to_owned()).collect()
        };
        let (results, called) = (ids("tool_result", "tool_use_id"), ids("tool_use", "id"));
        assert_eq!(results.iter().cloned().collect::<BTreeSet<_>>(), open, "the results of message {number}");
        assert_eq!(results.len(), open.len());
        open = called.iter().cloned().collect();
        assert_eq!(open.len(), called.len(), "two calls of message {number} have one id");
        assert!(!blocks.is_empty() && blocks.iter().all(|block| block["text"] != ""), "message {number}");
    }
    assert!(open.is_empty() && messages.len() % 2 == 1);
}

/// The results that the model was sent last.
fn results(asked: &Asked) -> Vec<String> {
    let last = asked.body["messages"].as_array().unwrap().last().unwrap()["content"].as_array().unwrap().clone();
    let results = last.iter().filter(|block| block["type"] == "tool_result");
    results.map(|block| block["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn nothing_at_all() {
    let house = house([says(""), says("  ")]).await;
    assert!(house.ada().asks("Hello?").await.contains("nothing at all, twice"));
    is_sound(&house).await;
}

#[tokio::test]
async fn more_than_anybody_reads() {
    let house = house([says(&"é word ".repeat(60_000))]).await;
    let ada = house.ada();
    ada.writes("Tell me everything.").await;
    let cut = |shown: &[super::telegram::Shown]| shown.iter().any(|it| it.text.contains("the answer was longer"));
    let shown = house.telegram.wait_for(super::house::ADA, cut).await;
    let chars: usize = shown.iter().map(|shown| shown.text.chars().count()).sum();
    assert!(shown.len() > 20 && chars < 110_000, "{chars} in {} messages", shown.len());
    assert!(shown.iter().all(|shown| shown.text.encode_utf16().count() <= 4_096), "each as long as Telegram takes");
    is_sound(&house).await;
}

#[tokio::test]
async fn arguments_that_break_off() {
    let torn = Line::default().and_calls("t", "memory_save", "{\"text\": \"the wrong thi");
    let house = house([torn, says("Whole.")]).await;
    assert_eq!(house.ada().asks("Note it.").await, "Whole.");
    assert_eq!(house.provider("claude").asked().len(), 2, "asked again");
    assert!(!house.does(&["memory", "search", "wrong"]).await.contains("the wrong thi"), "a torn call is not made");
    is_sound(&house).await;
}

#[tokio::test]
async fn tools_that_are_not_there_and_calls_with_one_name() {
    let note = |text: &str| json!({ "text": text }).to_string();
    let mess = calls("a", "fly", &json!({"to": "the moon"}))
        .and_calls("a", "memory_save", &note("one apple"))
        .and_calls("", "memory_save", &note("two pears"))
        .and_calls("", "session_status", "{}");
    let house = house([mess, says("Done.")]).await;
    assert_eq!(house.ada().asks("Go.").await, "Done.");
    let results = results(&house.provider("claude").asked()[1]);
    assert_eq!(results.len(), 4);
    assert!(results[0].contains("fly") && results[1].contains("Saved") && results[2].contains("Saved"), "{results:?}");
    for words in ["one apple", "two pears"] {
        assert!(house.does(&["memory", "search", words]).await.contains(words));
    }
    is_sound(&house).await;
}

#[tokio::test]
async fn forty_calls_at_once() {
    let one = |line: Line, n: usize| line.and_calls(&format!("c{n}"), "session_status", "{}");
    let house = house([(0..40).fold(Line::default(), one), says("Done.")]).await;
    assert_eq!(house.ada().asks("Everything.").await, "Done.");
    let results = results(&house.provider("claude").asked()[1]);
    assert_eq!(results.len(), 40, "each is answered");
    let ran = results.iter().filter(|text| text.contains("agent:main:telegram")).count();
    assert!((1..40).contains(&ran), "and not all are run: {ran}, {:?}", results.last());
    is_sound(&house).await;
}

#[tokio::test]
async fn i12_the_same_call_for_ever() {
    let house = house((0..30).map(|n| calls(&format!("c{n}"), "read", &json!({"path": "nowhere.md"})))).await;
    assert!(house.ada().asks("Find it.").await.contains("I kept calling tools"));
    let asked = house.provider("claude").asked();
    assert!(asked.len() < 10, "{}", asked.len());
    assert!(asked.iter().any(|asked| results(asked).concat().contains("times in a row")), "it was warned");
    house.provider("claude").forget();
    is_sound(&house).await;
}

#[tokio::test]
async fn i12_other_calls_for_ever() {
    let house = house([]).await;
    house.provider("claude").otherwise(|asked| {
        let step = asked.body["messages"].as_array().unwrap().len();
        calls(&format!("c{step}"), "read", &json!({"path": format!("note-{step}.md")}))
    });
    assert!(house.ada().asks("Find it.").await.contains("I kept calling tools"));
    let asked = house.provider("claude").asked();
    assert!((20..=40).contains(&asked.len()), "{}", asked.len());
    is_sound(&house).await;
}

#[tokio::test]
async fn a_provider_that_hangs_in_the_middle() {
    let house = house([says("I was just about to").and_hangs(), says("Here I am.")]).await;
    assert_eq!(house.ada().asks("Where are you?").await, "Here I am.");
    let usage: Value = serde_json::from_str(&house.does(&["usage", "--json"]).await).unwrap();
    // A thousand tokens at $5 for a million, and what it read: what was begun may be billed.
    assert!(usage["days"][0]["scopes"][0]["spent"].as_u64().unwrap() > 5_000_000, "{usage}");
    is_sound(&house).await;
}
