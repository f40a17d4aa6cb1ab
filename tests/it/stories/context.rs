//! Context: the prompt is small, the past is summed up before it no longer fits, and nothing of it is lost.

use serde_json::json;

use super::house::{Plan, model};
use super::provider::{Asked, Line, Speaks, calls, says};

/// Most bytes that the model is sent for a "ping".
const SMALL: usize = 8 * 1024;

#[tokio::test]
async fn a_ping_is_small() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    house.provider("claude").will([says("pong")]);
    assert_eq!(house.ada().asks("ping").await, "pong");
    let asked = house.provider("claude").last();
    assert!(asked.bytes.len() <= SMALL, "{} bytes", asked.bytes.len());
    // Small because most tools are found on demand, not because there are none.
    let tools = asked.tools();
    assert!(tools.contains(&"tool_search".to_owned()) && tools.contains(&"memory_search".to_owned()), "{tools:?}");
}

/// A model that notes what must last, sums up, and otherwise says which question it was asked.
fn thoughtful(asked: &Asked) -> Line {
    let told = asked.told();
    if told.contains("will be shortened now") {
        return calls("note", "memory_save", &json!({"text": "Ada's cat is called Quince."}));
    }
    if told.contains("You keep the record") {
        return says("Facts: Ada told of her cat Quince.");
    }
    let number = told.rsplit("question ").next().unwrap().chars().take_while(char::is_ascii_digit).collect::<String>();
    says(&format!("answer {number}"))
}

#[tokio::test]
async fn a_long_conversation_is_summed_up_noted_and_kept_whole() {
    let plan = Plan::new().provider("claude", Speaks::Anthropic);
    let models = model(10_000, 1_000, [1.0, 0.1, 1.0]);
    let house = plan.with(json!({"models": {"providers": {"claude": {"models": models}}}})).open().await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.otherwise(thoughtful);
    let mut number = 0;
    let summing = |asked: &Asked| asked.told().contains("You keep the record");
    while !claude.asked().iter().any(summing) {
        number += 1;
        assert!(number < 60, "it is never summed up");
        let text = format!("My cat is called Quince. {} question {number}", "so it is. ".repeat(150));
        assert_eq!(ada.asks(&text).await, format!("answer {number}"));
    }
    let asked = claude.asked();
    // The agent was asked what must last before anything was summed up, and its note is there.
    let at = |wanted: &str| asked.iter().position(|asked| asked.told().contains(wanted)).unwrap();
    let (flushed, summed) = (at("will be shortened now"), at("You keep the record"));
    assert!(flushed < summed, "{flushed} {summed}");
    assert_eq!(asked[flushed].tools(), ["memory_save"]);
    assert!(house.does(&["memory", "search", "cat"]).await.contains("Ada's cat is called Quince."));
    // The summary was made of what was said, and stands for it from then on.
    assert!(asked[summed].told().contains("question 1"), "{}", asked[summed].told());
    let last = asked.last().unwrap().told();
    assert!(last.contains("Facts: Ada told of her cat Quince."), "{last}");
    assert!(last.contains(&format!("question {number}")) && !last.contains("question 1\""), "{last}");
    assert!(last.len() < asked[flushed - 1].told().len(), "there is room again");
    let reply = ada.asks("and the next question 99").await;
    assert_eq!(reply, "answer 99");
    assert!(claude.last().told().contains("Facts: Ada told of her cat Quince."));
    // What was said is kept, word for word.
    let whole = ada.exports("jsonl").await;
    for turn in 1..=number {
        assert!(whole.contains(&format!("question {turn}\"")), "turn {turn}");
        assert!(whole.contains(&format!("answer {turn}\"")), "answer {turn}");
    }
}

#[tokio::test]
async fn the_owner_has_it_summed_up_and_sees_what_fills_the_window() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.otherwise(thoughtful);
    for number in 1..=3 {
        ada.asks(&format!("{} question {number}", "word ".repeat(400))).await;
    }
    assert!(ada.asks("/context").await.contains("in 3 turns"));
    let told = ada.asks("/compact keep the numbers").await;
    assert!(told.contains("3 turns") || told.contains("summ"), "{told}");
    let summing = claude.asked().into_iter().rfind(|asked| asked.told().contains("You keep the record")).unwrap();
    assert!(summing.told().contains("keep the numbers"), "{}", summing.told());
    let context = ada.asks("/context").await;
    assert!(context.contains("<b>Summary</b> of the turns"), "{context}");
    ada.asks("and question 4").await;
    let last = claude.last().told();
    assert!(last.contains("Facts: Ada told") && !last.contains("question 2"), "{last}");
}
