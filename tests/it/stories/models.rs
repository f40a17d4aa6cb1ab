//! Providers: one story in four dialects. Ada shows a picture and wants it noted; the model thinks, calls a tool, and
//! answers. Told apart: how each dialect is shown the picture, gets its thought back under its seal, and is told what may
//! be cached. The same everywhere: the reply, the note, and what it cost.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::house::{House, Plan, model};
use super::provider::{Asked, Speaks, calls, says};

/// A red square of one pixel, as every dialect writes it.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/// The picture itself.
pub(crate) fn png() -> Vec<u8> {
    BASE64_STANDARD.decode(PNG).unwrap()
}

/// Both steps as the model was asked them; what everybody gets is looked at here.
async fn told(id: &str, speaks: Speaks) -> (House, Vec<Asked>) {
    let plan = Plan::new().provider(id, speaks).with(json!({
        "agents": {"defaults": {"thinkingDefault": "medium"}},
        "models": {"providers": {id: {"models": model(200_000, 8_000, [3.0, 0.3, 15.0])}}},
    }));
    let house = plan.open().await;
    let ada = house.ada();
    assert!(ada.asks("/usage full").await.contains("the tokens, the model and the cost"));

    let note = calls("call_1", "memory_save", &json!({"text": "Ada showed a red square."}));
    house.provider(id).will([
        note.thinking("A square. I note it.", "c2VhbGVk").counting(1_000, 200, 100),
        says("It is a red square, and I noted it.").counting(1_000, 200, 100),
    ]);
    ada.sends_file("photo", &png(), "What is this? Note it.").await;
    let reply = ada.sees(2).await.remove(1).text;
    // Twice 1000 fresh at $3, 200 cached at $0.3 and 100 answered at $15, each for a million.
    let footer = format!("{id}/m · 2400 tokens in (400 cached) · 200 out · $0.0091");
    assert!(reply.starts_with("It is a red square, and I noted it.") && reply.contains(&footer), "{reply}");
    assert!(!reply.contains("I note it"), "the thought stays with the model: {reply}");
    let usage = ada.asks("/usage").await;
    assert!(usage.contains("2 calls · 2400 tokens in (400 cached) · 200 out"), "{usage}");

    let notes = house.does(&["memory", "search", "red square"]).await;
    assert!(notes.contains("Ada showed a red square."), "{notes}");
    let asked = house.provider(id).was_asked(2).await;
    assert_eq!(asked.len(), 2);
    for asked in &asked {
        let told = asked.told();
        assert!(told.contains(PNG) && told.contains("What is this? Note it."), "{told}");
    }
    assert!(asked[0].tools().is_empty() || asked[0].tools().contains(&"memory_save".to_owned()));
    (house, asked)
}

/// The kinds of the blocks of a message, in their order.
fn kinds(blocks: &Value) -> Vec<&str> {
    blocks.as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn anthropic() {
    let (_house, asked) = told("anthropic", Speaks::Anthropic).await;
    assert_eq!((asked[0].path.as_str(), asked[0].header("x-api-key")), ("/v1/messages", "key-of-anthropic"));
    assert_eq!(asked[0].body["thinking"]["type"], "enabled", "{}", asked[0].body["thinking"]);
    let (first, second) = (&asked[0].body["messages"], &asked[1].body["messages"]);
    let picture = first[0]["content"].as_array().unwrap().iter().find(|block| block["type"] == "image").unwrap();
    assert_eq!(picture["source"], json!({"type": "base64", "media_type": "image/png", "data": PNG}));
    // The thought comes back where it stood, as it was sealed, before the call it led to.
    assert_eq!(kinds(&second[1]["content"]), ["thinking", "tool_use"]);
    assert_eq!(second[1]["content"][0]["thinking"], "A square. I note it.");
    assert_eq!(second[1]["content"][0]["signature"], "c2VhbGVk");
    assert_eq!(second[2]["content"][0]["tool_use_id"], "call_1");
    // What all turns share, and everything said so far, may be cached; nothing else is marked.
    for asked in &asked {
        let marks = asked.told().matches("cache_control").count();
        let last = asked.body["messages"].as_array().unwrap().last().unwrap()["content"].as_array().unwrap().clone();
        assert_eq!(marks, 2, "{}", asked.body);
        assert_eq!(asked.body["system"][0]["cache_control"]["type"], "ephemeral");
        assert_eq!(last.last().unwrap()["cache_control"]["type"], "ephemeral");
    }
    // A cache is only met again by what begins in the same way.
    assert_eq!(asked[0].body["system"], asked[1].body["system"]);
    assert_eq!(asked[0].body["tools"], asked[1].body["tools"]);
}

#[tokio::test]
async fn openai_in_chat_completions() {
    let (_house, asked) = told("openai", Speaks::OpenAiChat).await;
    assert_eq!(
        (asked[0].path.as_str(), asked[0].header("authorization")),
        ("/v1/chat/completions", "Bearer key-of-openai")
    );
    assert_eq!(asked[0].body["reasoning_effort"], "medium");
    let (first, second) = (&asked[0].body["messages"], &asked[1].body["messages"]);
    assert_eq!((first[0]["role"].as_str(), first[1]["role"].as_str()), (Some("system"), Some("user")));
    assert!(first[1]["content"].to_string().contains(&format!("data:image/png;base64,{PNG}")));
    assert_eq!(second[2]["tool_calls"][0]["id"], "call_1");
    assert_eq!(second[2]["tool_calls"][0]["function"]["name"], "memory_save");
    assert_eq!((second[3]["role"].as_str(), second[3]["tool_call_id"].as_str()), (Some("tool"), Some("call_1")));
    let key = |asked: &Asked| asked.body["prompt_cache_key"].as_str().unwrap().to_owned();
    assert_eq!(key(&asked[0]), key(&asked[1]), "what finds the cache");
}

#[tokio::test]
async fn openai_in_responses() {
    let (_house, asked) = told("openai", Speaks::OpenAiResponses).await;
    assert_eq!(asked[0].path, "/v1/responses");
    assert_eq!(asked[0].body["store"], false);
    assert_eq!(asked[0].body["include"], json!(["reasoning.encrypted_content"]));
    let input = asked[1].body["input"].as_array().unwrap();
    assert_eq!(kinds(&asked[1].body["input"]), ["message", "reasoning", "function_call", "function_call_output"]);
    let (thought, call, result) = (&input[1], &input[2], &input[3]);
    assert_eq!((thought["id"].as_str(), thought["encrypted_content"].as_str()), (Some("rs_1"), Some("c2VhbGVk")));
    assert_eq!((call["call_id"].as_str(), call["name"].as_str()), (Some("call_1"), Some("memory_save")));
    assert_eq!(result["call_id"], "call_1");
}

#[tokio::test]
async fn gemini() {
    let (_house, asked) = told("google", Speaks::Gemini).await;
    assert_eq!(asked[0].path, "/v1/models/m:streamGenerateContent");
    assert_eq!(asked[0].header("x-goog-api-key"), "key-of-google");
    let picture = &asked[0].body["contents"][0]["parts"];
    assert!(picture.to_string().contains(&format!("\"mimeType\":\"image/png\",\"data\":\"{PNG}\"")), "{picture}");
    let call = asked[1].body["contents"][1]["parts"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(call["functionCall"]["name"], "memory_save");
    assert_eq!(call["thoughtSignature"], "c2VhbGVk", "the seal stays on the call that was made with the thought");
    let result = &asked[1].body["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!((&result["id"], &result["name"]), (&call["functionCall"]["id"], &json!("memory_save")));
}

#[tokio::test]
async fn twenty_tools_one_after_the_other() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    let claude = house.provider("claude");
    let note = |n: usize| calls(&format!("c{n}"), "memory_save", &json!({"text": format!("Note {n} of twenty.")}));
    claude.will((1..=20).map(note).chain([says("Twenty notes.")]));
    assert_eq!(house.ada().asks("Make twenty notes.").await, "Twenty notes.");
    let asked = claude.asked();
    assert_eq!(asked.len(), 21);
    for (step, pair) in asked.windows(2).enumerate() {
        let said = |asked: &Asked| asked.body["messages"].as_array().unwrap().len();
        assert_eq!(said(&pair[1]), said(&pair[0]) + 2, "a call and its result in step {step}");
    }
    assert_eq!(asked[20].told().matches("Saved in memory/").count(), 20);
    assert_eq!(house.does(&["memory", "search", "note twenty"]).await.matches("of twenty.").count().min(6), 6);
}
