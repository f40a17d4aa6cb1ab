//! What comes back.

use chela_core::model::{Block, ModelError, Stop, Usage};
use serde_json::json;

use crate::server::{Provider, assistant, call, chunked, hello, reply, request, sse, text, torn, user};

const ANTHROPIC: &str = include_str!("../streams/anthropic_text.sse");
const OPENAI: &str = include_str!("../streams/openai_text.sse");

#[tokio::test]
async fn an_answer_is_shown_while_it_grows_and_given_whole() {
    let provider = Provider::start([sse(ANTHROPIC), sse(OPENAI)]).await;
    for model in [provider.anthropic(), provider.openai()] {
        let (answer, shown) = call(&*model, &hello()).await;
        let answer = answer.unwrap();
        assert_eq!(shown, ["Grüß", " Gott, 🦀!"]);
        assert_eq!((answer.blocks, answer.stop), (vec![text("Grüß Gott, 🦀!")], Stop::End));
    }
}

#[tokio::test]
async fn one_connection_serves_step_after_step() {
    let provider = Provider::start([chunked(ANTHROPIC), chunked(ANTHROPIC), sse(ANTHROPIC)]).await;
    let model = provider.anthropic();
    for _ in 0..3 {
        call(&*model, &hello()).await.0.unwrap();
    }
    assert_eq!((provider.asked().len(), provider.connections()), (3, 1));
}

#[tokio::test]
async fn a_connection_that_breaks_makes_no_answer_unless_everything_was_said() {
    let half = |wire: &str, share: usize| torn(wire.get(..wire.len() * share / 100).unwrap());
    let provider =
        Provider::start([half(ANTHROPIC, 50), half(OPENAI, 50), half(ANTHROPIC, 99), half(OPENAI, 80)]).await;
    for model in [provider.anthropic(), provider.openai()] {
        let error = call(&*model, &hello()).await.0.unwrap_err();
        assert!(matches!(error, ModelError::Unavailable { .. }), "{error:?}");
    }
    for model in [provider.anthropic(), provider.openai()] {
        assert_eq!(call(&*model, &hello()).await.0.unwrap().blocks, [text("Grüß Gott, 🦀!")]);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let whole = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi.", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"a\"}"}},
        ]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    });
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "content": [
            {"type": "text", "text": "Hi."},
            {"type": "tool_use", "id": "call_1", "name": "read", "input": {"path": "a"}},
        ],
        "usage": {"input_tokens": 5, "output_tokens": 2},
    });
    let json = |body: serde_json::Value| reply(200, "application/json", "", &body.to_string());
    let provider = Provider::start([json(whole), json(message)]).await;
    for model in [provider.openai(), provider.anthropic()] {
        let (answer, shown) = call(&*model, &hello()).await;
        let answer = answer.unwrap();
        let read = Block::ToolUse { id: "call_1".into(), name: "read".into(), input: json!({"path": "a"}) };
        assert_eq!((answer.blocks, answer.stop, shown), (vec![text("Hi."), read], Stop::ToolUse, vec!["Hi.".into()]));
        assert_eq!(answer.usage, Usage { input: 5, output: 2, ..Usage::default() });
    }
}

#[tokio::test]
async fn an_error_dressed_as_success_is_an_error() {
    let error = json!({"error": {"message": "try later", "type": "server_error", "code": 503}}).to_string();
    let replies = [reply(200, "application/json", "", &error), reply(200, "application/json", "", "{}")];
    let provider = Provider::start(replies).await;
    for _ in 0..2 {
        let result = call(&*provider.openai(), &hello()).await.0;
        assert!(matches!(result, Err(ModelError::Unavailable { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn seals_of_another_provider_are_left_out_the_second_time() {
    let refusal = json!({"type": "error", "error": {
        "type": "invalid_request_error",
        "message": "messages.1.content.0: Invalid `signature` in `thinking` block",
    }});
    let provider = Provider::start([reply(400, "application/json", "", &refusal.to_string()), sse(ANTHROPIC)]).await;
    let thought = Block::Thinking { text: "Hm.".into(), signature: Some("Zm9yZWlnbg==".into()) };
    let past = request(vec![
        user(vec![text("a")]),
        assistant(vec![thought, Block::RedactedThinking { data: "eA==".into() }, text("b")]),
        user(vec![text("c")]),
    ]);
    call(&*provider.anthropic(), &past).await.0.unwrap();
    let said: Vec<usize> =
        provider.asked().iter().map(|asked| asked.body["messages"][1]["content"].as_array().unwrap().len()).collect();
    assert_eq!(said, [3, 1]);
}
