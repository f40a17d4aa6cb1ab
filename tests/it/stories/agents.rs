//! Many agents: each with a model, tools and a voice of its own; work is handed to another and comes back. That a word
//! picks the agent, that a room of several hears each once, and that work outlives a power cut is told in `subagents.rs`.

use serde_json::json;

use super::house::{House, Plan};
use super::provider::{Speaks, calls, says};

/// Two agents on two providers: the fox may not write, and is asked with a word.
async fn house() -> House {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).provider("local", Speaks::OpenAiChat).with(json!({
        "agents": {"entries": {
            "main": {"default": true, "subagents": {"allowAgents": ["fox"]}},
            "fox": {"model": "local/m", "description": "counts hens", "tools": {"deny": ["write", "edit"]},
                "identity": {"name": "Fox", "theme": "You are sly."}},
        }},
        "bindings": [{"agentId": "fox", "match": {"channel": "telegram", "text": "/fox *"}, "stripPrefix": true}],
    }));
    plan.open().await
}

#[tokio::test]
async fn a_word_picks_an_agent_with_its_own_model_tools_and_voice() {
    let house = house().await;
    let (ada, claude, local) = (house.ada(), house.provider("claude"), house.provider("local"));
    claude.will([says("From Claude.")]);
    local.will([says("From the fox.")]);
    assert_eq!(ada.asks("/fox where is the hen?").await, "From the fox.");
    assert_eq!(ada.asks("Where is the hen?").await, "From Claude.");
    let (fox, main) = (local.last(), claude.last());
    assert!(fox.told().contains("You are sly.") && !main.told().contains("You are sly."));
    assert!(!fox.told().contains("/fox"), "the word is not read by it");
    assert!(!main.told().contains("where is the hen?"), "each has a conversation of its own");
    let (fox, main) = (fox.tools(), main.tools());
    assert!(main.contains(&"write".to_owned()) && !fox.contains(&"write".to_owned()), "{fox:?} {main:?}");
    assert!(fox.contains(&"read".to_owned()), "{fox:?}");
}

#[tokio::test]
async fn work_is_given_to_another_agent_who_reports_to_the_one_that_waits() {
    let house = house().await;
    let (ada, claude, local) = (house.ada(), house.provider("claude"), house.provider("local"));
    claude.will([
        calls("s", "sessions_spawn", &json!({"task": "Count the hens.", "agentId": "fox"})),
        says("I asked the fox."),
        says("The fox counted nine hens."),
    ]);
    local.will([says("Nine hens, and I am hungry.")]);
    assert_eq!(ada.asks("How many hens are there?").await, "I asked the fox.");
    assert_eq!(ada.sees(2).await[1].text, "The fox counted nine hens.");
    let work = local.last();
    assert!(work.told().contains("Count the hens.") && work.told().contains("You are sly."), "{}", work.told());
    assert!(!work.told().contains("How many hens are there?"), "it is told its task and no more");
    let asked = claude.was_asked(3).await;
    assert!(asked[1].result().unwrap().contains("agent:fox:subagent:"), "{:?}", asked[1].result());
    let report = asked[2].told();
    assert!(report.contains("Nine hens, and I am hungry.") && report.contains("How many hens are there?"), "{report}");
    let listed = ada.asks("/subagents").await;
    assert!(listed.contains('1'), "{listed}");
}

#[tokio::test]
async fn an_agent_gives_work_to_those_it_may_and_to_no_others() {
    let house = house().await;
    let (ada, local) = (house.ada(), house.provider("local"));
    local.will([calls("s", "sessions_spawn", &json!({"task": "Do my work.", "agentId": "main"})), says("I may not.")]);
    assert_eq!(ada.asks("/fox let others work").await, "I may not.");
    assert!(local.last().told().contains("main"), "{}", local.last().told());
    assert_eq!(house.provider("claude").asked().len(), 0);
}
