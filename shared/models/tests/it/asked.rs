//! What is sent to the providers.

use chela_core::model::{Block, ModelRequest, ToolSpec};
use chela_models::Api;
use serde_json::{Value, json};

use crate::server::{KEY, Provider, assistant, call, hello, request, sse, text, user};

const ANTHROPIC: &str = include_str!("../streams/anthropic_text.sse");
const OPENAI: &str = include_str!("../streams/openai_text.sse");

async fn anthropic_body(request: &ModelRequest) -> Value {
    let provider = Provider::start([sse(ANTHROPIC)]).await;
    call(&*provider.anthropic(), request).await.0.unwrap();
    provider.asked()[0].body.clone()
}

async fn openai_body(id: &str, request: &ModelRequest) -> Value {
    let provider = Provider::start([sse(OPENAI)]).await;
    call(&*provider.model(id, Api::OpenaiCompletions), request).await.0.unwrap();
    provider.asked()[0].body.clone()
}

fn tool_turn() -> ModelRequest {
    let thought = Block::Thinking { text: "Look.".into(), signature: Some("c2VhbA==".into()) };
    let unsealed = Block::Thinking { text: "Hm.".into(), signature: None };
    let read = Block::ToolUse { id: "functions.read:0".into(), name: "read".into(), input: json!({"path": "a"}) };
    let status = Block::ToolUse { id: "toolu_2".into(), name: "session_status".into(), input: Value::Null };
    let mut request = request(vec![
        user(vec![text("hello"), text(" ")]),
        user(vec![text("again")]),
        assistant(vec![
            thought,
            Block::RedactedThinking { data: "eA==".into() },
            unsealed,
            text("I look."),
            read,
            status,
        ]),
        user(vec![
            text("and?"),
            Block::ToolResult { id: "toolu_2".into(), text: "fine".into(), is_error: false, files: vec![] },
            Block::ToolResult { id: "orphan".into(), text: "lost".into(), is_error: false, files: vec![] },
            Block::ToolResult {
                id: "functions.read:0".into(),
                text: "no such file".into(),
                is_error: true,
                files: vec![],
            },
        ]),
    ]);
    request.tools = vec![ToolSpec {
        name: "read".into(),
        description: "Reads a file.".into(),
        input_schema: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
    }];
    request
}

#[tokio::test]
async fn anthropic_gets_seals_marks_and_results_in_order() {
    let mark = json!({"type": "ephemeral"});
    let body = anthropic_body(&tool_turn()).await;
    let id = body["messages"][1]["content"][3]["id"].clone();
    assert!(id.as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
    let expected = json!({
        "model": "some-model",
        "max_tokens": 100,
        "stream": true,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": mark}],
        "tools": [{
            "name": "read",
            "description": "Reads a file.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
        }],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "text", "text": "again"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Look.", "signature": "c2VhbA=="},
                {"type": "redacted_thinking", "data": "eA=="},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": id, "name": "read", "input": {"path": "a"}},
                {"type": "tool_use", "id": "toolu_2", "name": "session_status", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": "no such file", "is_error": true},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "fine"},
                {"type": "text", "text": "and?", "cache_control": mark},
            ]},
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn openai_gets_calls_as_strings_and_results_as_messages() {
    let body = openai_body("somebody", &tool_turn()).await;
    let id = body["messages"][2]["tool_calls"][0]["id"].clone();
    assert!(id.as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
    let call = |id: &Value, name: &str, arguments: &str| json!({"type": "function", "id": id, "function": {"name": name, "arguments": arguments}});
    let expected = json!({
        "model": "some-model",
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": 100,
        "tools": [{"type": "function", "function": {
            "name": "read",
            "description": "Reads a file.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
        }}],
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "hello\n\nagain"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                call(&id, "read", "{\"path\":\"a\"}"),
                call(&json!("toolu_2"), "session_status", "{}"),
            ]},
            {"role": "tool", "tool_call_id": id, "content": "Error: no such file"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": "fine"},
            {"role": "user", "content": "and?"},
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn each_speaker_of_openais_dialect_gets_its_quirks() {
    let openai = openai_body("openai", &hello()).await;
    assert_eq!((&openai["max_completion_tokens"], &openai["max_tokens"]), (&json!(100), &Value::Null));
    let deepseek = openai_body("deepseek", &tool_turn()).await;
    assert_eq!(deepseek["messages"][2]["reasoning_content"], "Hm.", "without the sealed thought of another");
    assert_eq!(openai_body("somebody", &tool_turn()).await["messages"][2]["reasoning_content"], Value::Null);
    let mistral = openai_body("mistral", &tool_turn()).await;
    let calls = mistral["messages"][2]["tool_calls"].as_array().unwrap();
    let results = mistral["messages"].as_array().unwrap()[3..5].iter();
    for (call, result) in calls.iter().zip(results) {
        assert_eq!((call["id"].as_str().unwrap().len(), &call["id"]), (9, &result["tool_call_id"]));
    }
}

#[tokio::test]
async fn nothing_blank_and_nothing_unasked_is_sent() {
    let mut bare = hello();
    bare.system = " ".into();
    let anthropic = anthropic_body(&bare).await;
    assert_eq!((anthropic.get("system"), anthropic.get("tools")), (None, None));
    let openai = openai_body("somebody", &bare).await;
    assert_eq!((openai["messages"].as_array().unwrap().len(), openai.get("tools")), (1, None));
}

#[tokio::test]
async fn an_empty_conversation_is_not_sent() {
    let provider = Provider::start([]).await;
    for model in [provider.anthropic(), provider.openai()] {
        let empty = request(vec![user(vec![text(" ")])]);
        assert!(call(&*model, &empty).await.0.unwrap_err().to_string().contains("the conversation is empty"));
    }
    assert_eq!(provider.asked().len(), 0);
}

#[tokio::test]
async fn the_key_travels_in_the_header_of_the_dialect() {
    let provider = Provider::start([sse(ANTHROPIC), sse(OPENAI)]).await;
    call(&*provider.anthropic(), &hello()).await.0.unwrap();
    call(&*provider.openai(), &hello()).await.0.unwrap();
    let [anthropic, openai] = &provider.asked()[..] else { panic!("two calls") };
    for line in
        ["post /v1/messages http/1.1".to_owned(), format!("x-api-key: {KEY}"), "anthropic-version: 2023-06-01".into()]
    {
        assert!(anthropic.head.lines().any(|found| found == line), "{line} in {}", anthropic.head);
    }
    for line in ["post /v1/chat/completions http/1.1".to_owned(), format!("authorization: bearer {KEY}")] {
        assert!(openai.head.lines().any(|found| found == line), "{line} in {}", openai.head);
    }
    assert!(!anthropic.head.contains("authorization") && !openai.head.contains("x-api-key"));
}
