//! Pictures that tools show: the owner's agent reads one of its workspace and sees it, in the way of each dialect; a model
//! without eyes is told that there is one.

use serde_json::{Value, json};

use super::house::{House, Plan, model};
use super::models::{PNG, png};
use super::provider::{Asked, Speaks, calls, says};

/// What a model is asked after it has read a picture.
async fn read(id: &str, speaks: Speaks, models: Value) -> (House, Asked) {
    let plan = Plan::new().provider(id, speaks);
    let house = plan.with(json!({"models": {"providers": {id: {"models": models}}}})).open().await;
    let path = house.file("agents/main/pictures/square.png");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, png()).unwrap();
    let provider = house.provider(id);
    provider.will([calls("call_1", "read", &json!({"path": "pictures/square.png"})), says("It is red.")]);
    assert_eq!(house.ada().asks("Which colour is pictures/square.png?").await, "It is red.");
    let asked = provider.was_asked(2).await.pop().unwrap();
    (house, asked)
}

fn seeing() -> Value {
    model(200_000, 8_000, [3.0, 0.3, 15.0])
}

fn said() -> String {
    format!("pictures/square.png (image/png, {} bytes)", png().len())
}

#[tokio::test]
async fn anthropic_gets_it_in_the_result() {
    let (house, asked) = read("claude", Speaks::Anthropic, seeing()).await;
    let source = json!({"type": "base64", "media_type": "image/png", "data": PNG});
    let shown = json!([{"type": "text", "text": said()}, {"type": "image", "source": source}]);
    assert_eq!(asked.body["messages"][2]["content"][0]["content"], shown);
    let exported = house.ada().exports("md").await;
    assert!(exported.contains(&format!("{}\n[a picture: ", said())) && !exported.contains(PNG), "{exported}");
}

#[tokio::test]
async fn chat_completions_get_it_behind_the_results() {
    let (_house, asked) = read("openai", Speaks::OpenAiChat, seeing()).await;
    let messages = asked.body["messages"].as_array().unwrap();
    let [result, shown] = &messages[3..] else { panic!("a result and what it shows: {messages:#?}") };
    assert_eq!((&result["role"], &result["content"]), (&json!("tool"), &json!(said())));
    let heading = "[Shown by the result of read (call_1), not sent by the user:]";
    let picture = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}});
    assert_eq!(
        (&shown["role"], &shown["content"]),
        (&json!("user"), &json!([{"type": "text", "text": heading}, picture]))
    );
}

#[tokio::test]
async fn a_model_without_eyes_is_told_that_there_is_one() {
    let (_house, asked) = read("claude", Speaks::Anthropic, json!([{"id": "m", "input": ["text"]}])).await;
    let result = asked.result().unwrap();
    assert!(result.starts_with(&format!("{}\n[a picture, which this model cannot see: ", said())), "{result}");
    assert!(!asked.body.to_string().contains(PNG));
}
