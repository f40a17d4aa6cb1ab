//! What goes over the wire, whatever was stored, held against what the providers document.

use std::collections::BTreeSet;
use std::time::Duration;

use chela_core::model::{Block, ModelMessage, ModelRequest, Role, ToolSpec};
use chela_core::turn::{told, validate};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::anthropic::request::Thinking;
use crate::catalog::MaxTokensField;
use crate::openai_chat::Quirks;
use crate::{anthropic, openai_chat};

fn any_block() -> impl Strategy<Value = Block> {
    prop_oneof![
        "(| |\n|word|é)".prop_map(|text| Block::Text { text }),
        ("(a|b|functions.look:0|)", "(look|find)", any::<bool>()).prop_map(|(id, name, odd)| {
            Block::ToolUse { id, name, input: if odd { Value::Null } else { json!({"at": 1}) } }
        }),
        ("(a|b|functions.look:0|)", any::<bool>()).prop_map(|(id, is_error)| Block::ToolResult {
            id,
            text: "seen".into(),
            is_error
        }),
        any::<bool>()
            .prop_map(|sealed| Block::Thinking { text: "hm".into(), signature: sealed.then(|| "seal".into()) }),
        Just(Block::RedactedThinking { data: "x".into() }),
    ]
}

fn any_messages() -> impl Strategy<Value = Vec<ModelMessage>> {
    let message = (any::<bool>(), prop::collection::vec(any_block(), 0..5))
        .prop_map(|(user, blocks)| ModelMessage { role: if user { Role::User } else { Role::Assistant }, blocks });
    prop::collection::vec(message, 0..9)
}

fn valid_messages() -> impl Strategy<Value = Vec<ModelMessage>> {
    let ids = prop::sample::subsequence(vec!["a", "b", "c", "functions.look:0", ""], 0..=5);
    let exchange = (ids, prop::sample::select(vec!["", "word"]), any::<bool>(), any::<bool>());
    prop::collection::vec(exchange, 0..6).prop_map(|exchanges| {
        let text = |text: &str| Block::Text { text: text.into() };
        let mut messages = vec![ModelMessage { role: Role::User, blocks: vec![text("question")] }];
        for (ids, words, thinks, speaks) in exchanges {
            let calls = ids.iter().map(|id| Block::ToolUse { id: (*id).into(), name: "look".into(), input: json!({}) });
            let thought = thinks.then(|| Block::Thinking { text: "hm".into(), signature: Some("seal".into()) });
            let words = (!words.is_empty() || ids.is_empty()).then(|| text("answer"));
            let blocks = thought.into_iter().chain(words).chain(calls).collect();
            messages.push(ModelMessage { role: Role::Assistant, blocks });
            let results = ids.iter().rev();
            let results =
                results.map(|id| Block::ToolResult { id: (*id).into(), text: "seen".into(), is_error: false });
            let more = (speaks || ids.is_empty()).then(|| text("and?"));
            messages.push(ModelMessage { role: Role::User, blocks: results.chain(more).collect() });
        }
        messages
    })
}

fn request(messages: Vec<ModelMessage>, with_tools: bool) -> ModelRequest {
    let tool = ToolSpec { name: "look".into(), description: "Looks.".into(), input_schema: json!({"type": "object"}) };
    ModelRequest {
        model: "some-model".into(),
        system: "Be kind.".into(),
        messages,
        tools: if with_tools { vec![tool] } else { vec![] },
        max_tokens: 100,
        timeout: Duration::from_secs(1),
        ..ModelRequest::default()
    }
}

/// <https://docs.claude.com/en/api/messages> and what its errors say:
/// "Requests which include `tool_use` or `tool_result` blocks must define tools", "`tool_use` ids were found without
/// `tool_result` blocks immediately after", "unexpected `tool_use_id` found in `tool_result` blocks", "text content
/// blocks must be non-empty", "The final block in an assistant message cannot be `thinking`".
fn anthropic_takes(body: &Value) {
    let mut waiting: Vec<&str> = vec![];
    let mut calls_any = false;
    let messages = body["messages"].as_array().unwrap();
    for (place, message) in messages.iter().enumerate() {
        assert_eq!(message["role"], ["user", "assistant"][place % 2], "{body:#}");
        let content = message["content"].as_array().unwrap();
        assert!(!content.is_empty(), "{body:#}");
        let of = |wanted: &str, key: &str| -> Vec<&str> {
            content.iter().filter(|part| part["type"] == wanted).map(|part| part[key].as_str().unwrap()).collect()
        };
        assert!(of("text", "text").iter().all(|text| !text.trim().is_empty()), "{body:#}");
        let results = of("tool_result", "tool_use_id");
        assert_eq!(results, waiting, "{body:#}");
        assert!(content.iter().take(results.len()).all(|part| part["type"] == "tool_result"), "{body:#}");
        waiting = of("tool_use", "id");
        assert_eq!(waiting.iter().collect::<BTreeSet<_>>().len(), waiting.len(), "{body:#}");
        calls_any |= !waiting.is_empty();
        let plain = |id: &&str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        assert!(waiting.iter().all(plain), "{body:#}");
        assert!(content.iter().filter(|part| part["type"] == "tool_use").all(|part| part["input"].is_object()));
        for (index, part) in content.iter().enumerate() {
            let kind = part["type"].as_str().unwrap();
            let last = index + 1 == content.len();
            match message["role"].as_str().unwrap() {
                "user" => assert!(matches!(kind, "text" | "tool_result"), "{body:#}"),
                _ => assert!(kind != "tool_result" && !(last && kind.contains("thinking")), "{body:#}"),
            }
            assert!(kind != "thinking" || part["signature"] == "seal", "{body:#}");
        }
    }
    assert!(waiting.is_empty(), "{body:#}");
    assert!(!calls_any || !body["tools"].as_array().unwrap().is_empty(), "{body:#}");
}

/// <https://platform.openai.com/docs/api-reference/chat/create>: "An assistant message with 'tool_calls' must be followed
/// by tool messages responding to each 'tool_call_id'", "messages with role 'tool' must be a response to a preceding
/// message with 'tool_calls'"; content may be null only beside calls; ids have at most 40 characters.
fn openai_takes(body: &Value) {
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[0]["role"], "system");
    let (mut waiting, mut before): (Vec<&str>, &str) = (vec![], "system");
    for message in &messages[1..] {
        let role = message["role"].as_str().unwrap();
        if role == "tool" {
            assert_eq!(Some(waiting.remove(0)), message["tool_call_id"].as_str(), "{body:#}");
        } else {
            assert!(waiting.is_empty(), "{body:#}");
            // The user speaks first, and again after the model or the tools; the model never speaks twice.
            let expected: &[&str] = if role == "user" { &["system", "assistant", "tool"] } else { &["user", "tool"] };
            assert!(expected.contains(&before), "{before}, then {role}: {body:#}");
            let calls = message["tool_calls"].as_array().map_or(&[][..], |calls| calls);
            let content = message["content"].as_str();
            assert!(!calls.is_empty() || content.is_some_and(|text| !text.trim().is_empty()), "{body:#}");
            waiting = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
            assert_eq!(waiting.iter().collect::<BTreeSet<_>>().len(), waiting.len(), "{body:#}");
            assert!(waiting.iter().all(|id| !id.is_empty() && id.len() <= 40), "{body:#}");
            for call in calls {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                assert!(serde_json::from_str::<Value>(arguments).unwrap().is_object(), "{body:#}");
            }
        }
        before = role;
    }
    assert!(waiting.is_empty(), "{body:#}");
}

fn json(body: Result<Vec<u8>, String>) -> Option<Value> {
    body.ok().map(|body| serde_json::from_slice(&body).unwrap())
}

/// Every body of a request, and how many are refused because nothing is asked.
fn rendered(request: &ModelRequest) -> usize {
    let anthropic = [Thinking::Kept, Thinking::LeftOut].map(|it| json(anthropic::request::body(request, it)));
    let quirks = |returns_reasoning, short_tool_ids| Quirks {
        max_tokens_field: MaxTokensField::MaxTokens,
        returns_reasoning,
        short_tool_ids,
    };
    let openai = [quirks(false, false), quirks(true, false), quirks(false, true)]
        .map(|quirks| json(openai_chat::request::body(request, quirks)));
    anthropic.iter().flatten().for_each(anthropic_takes);
    openai.iter().flatten().for_each(openai_takes);
    anthropic.iter().chain(&openai).filter(|body| body.is_none()).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn whatever_was_stored_each_dialect_takes_it(messages in any_messages(), with_tools in any::<bool>()) {
        rendered(&request(messages, with_tools));
    }

    #[test]
    fn what_is_told_in_words_is_taken_as_it_is(messages in any_messages(), with_tools in any::<bool>()) {
        let told = told(&messages);
        prop_assert_eq!(rendered(&request(told.clone(), with_tools)), 0);
        let body = json(anthropic::request::body(&request(told.clone(), with_tools), Thinking::Kept)).unwrap();
        prop_assert_eq!(body["messages"].as_array().unwrap().len(), told.len());
    }

    /// What the turn takes for valid loses nothing on the way.
    #[test]
    fn what_is_valid_is_sent_whole(messages in valid_messages()) {
        prop_assert_eq!(validate(&messages), Ok(()));
        let body = json(anthropic::request::body(&request(messages.clone(), true), Thinking::Kept)).unwrap();
        let sent = body["messages"].as_array().unwrap();
        prop_assert_eq!(sent.len(), messages.len());
        for (sent, message) in sent.iter().zip(&messages) {
            let thought = |block: &&Block| !matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. });
            let parts = sent["content"].as_array().unwrap();
            let parts = parts.iter().filter(|part| !part["type"].as_str().unwrap().contains("thinking")).count();
            prop_assert_eq!(parts, message.blocks.iter().filter(thought).count());
        }
    }
}

#[test]
fn a_step_without_tools_still_names_those_that_were_called() {
    let said = |role, blocks| ModelMessage { role, blocks };
    let messages = vec![
        said(Role::User, vec![Block::Text { text: "a".into() }]),
        said(Role::Assistant, vec![Block::ToolUse { id: "1".into(), name: "look".into(), input: json!({}) }]),
        said(Role::User, vec![Block::ToolResult { id: "1".into(), text: "seen".into(), is_error: false }]),
    ];
    let body =
        |with_tools| json(anthropic::request::body(&request(messages.clone(), with_tools), Thinking::Kept)).unwrap();
    let last = body(false);
    assert_eq!((&last["tools"][0]["name"], &last["tool_choice"]), (&json!("look"), &json!({"type": "none"})));
    assert_eq!(body(true).get("tool_choice"), None);
}
