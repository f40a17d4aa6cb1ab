//! What goes over the wire, whatever was stored, held against what the providers document.

use std::collections::BTreeSet;
use std::time::Duration;

use chela_core::model::{Block, ModelMessage, ModelRequest, Role, ToolSpec};
use chela_core::shown::StoredFile;
use chela_core::turn::{told, validate};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::anthropic::request::Thinking as Thoughts;
use crate::facts::Models;
use crate::openai_chat::Quirks;
use crate::openai_responses::request::Reasoning;
use crate::{anthropic, bedrock, gemini, ollama, openai_chat, openai_responses};

fn any_block() -> impl Strategy<Value = Block> {
    prop_oneof![
        "(| |\n|word|é)".prop_map(|text| Block::Text { text }),
        ("(a|b|functions.look:0|)", "(look|find)", any::<bool>()).prop_map(|(id, name, odd)| {
            Block::ToolUse { id, name, input: if odd { Value::Null } else { json!({"at": 1}) } }
        }),
        ("(a|b|functions.look:0|)", "(seen| |)", any::<bool>(), prop::collection::vec(any_stored(), 0..3))
            .prop_map(|(id, text, is_error, files)| Block::ToolResult { id, text, is_error, files }),
        prop::sample::select(vec!["", "seal", "gemini:seal", "openai:rs_1:seal", "openai:torn"]).prop_map(|seal| {
            Block::Thinking { text: "hm".into(), signature: Some(seal.to_owned()).filter(|seal| !seal.is_empty()) }
        }),
        Just(Block::RedactedThinking { data: "x".into() }),
    ]
}

fn any_stored() -> impl Strategy<Value = StoredFile> {
    ("(picture|document|lost)", "(image/png|image/gif|image/svg\\+xml|application/pdf|)")
        .prop_map(|(key, content_type)| StoredFile { key, content_type })
}

fn any_file() -> impl Strategy<Value = Block> {
    any_stored().prop_map(|StoredFile { key, content_type }| Block::File { key, content_type })
}

fn any_messages_with_files() -> impl Strategy<Value = Vec<ModelMessage>> {
    (any_messages(), prop::collection::vec((any::<prop::sample::Index>(), any_file()), 0..4)).prop_map(
        |(mut messages, files)| {
            for (place, file) in files {
                if !messages.is_empty() {
                    let place = place.index(messages.len());
                    messages[place].blocks.push(file);
                }
            }
            messages
        },
    )
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
            let results = results.map(|id| Block::ToolResult {
                id: (*id).into(),
                text: "seen".into(),
                is_error: false,
                files: vec![],
            });
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
        files: [("picture", "png"), ("document", "pdf")].map(|(key, bytes)| (key.into(), bytes.into())).into(),
        timeout: Duration::from_secs(1),
        ..ModelRequest::default()
    }
}

/// <https://docs.claude.com/en/api/messages> and what its errors say:
/// "Requests which include `tool_use` or `tool_result` blocks must define tools", "`tool_use` ids were found without
/// `tool_result` blocks immediately after", "unexpected `tool_use_id` found in `tool_result` blocks", "text content
/// blocks must be non-empty", "The final block in an assistant message cannot be `thinking`", "all content must be type
/// \"text\" if \"is_error\" is true".
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
                "user" => assert!(matches!(kind, "text" | "tool_result" | "image" | "document"), "{body:#}"),
                _ => assert!(kind != "tool_result" && !(last && kind.contains("thinking")), "{body:#}"),
            }
            assert!(kind != "thinking" || part["signature"] == "seal", "{body:#}");
            if let Some(shown) = part["content"].as_array() {
                let kinds = shown.iter().map(|part| part["type"].as_str().unwrap());
                assert!(kinds.clone().any(|kind| kind != "text") && part["is_error"].is_null(), "{body:#}");
                assert!(kinds.into_iter().all(|kind| matches!(kind, "text" | "image" | "document")), "{body:#}");
                let blank = |part: &Value| part["text"].as_str().is_some_and(|text| text.trim().is_empty());
                assert!(!shown.iter().any(blank), "{body:#}");
            }
        }
    }
    assert!(waiting.is_empty(), "{body:#}");
    assert!(!calls_any || !body["tools"].as_array().unwrap().is_empty(), "{body:#}");
}

/// <https://platform.openai.com/docs/api-reference/chat/create>: "An assistant message with 'tool_calls' must be followed
/// by tool messages responding to each 'tool_call_id'", "messages with role 'tool' must be a response to a preceding
/// message with 'tool_calls'"; content may be null only beside calls; ids have at most 40 characters. Mistral has "Unexpected
/// role 'user' after role 'tool'".
fn openai_takes(body: &Value, is_mistral: bool) {
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[0]["role"], "system");
    let (mut waiting, mut before): (Vec<&str>, &str) = (vec![], "system");
    for message in &messages[1..] {
        let role = message["role"].as_str().unwrap();
        if role == "tool" {
            assert_eq!(Some(waiting.remove(0)), message["tool_call_id"].as_str(), "{body:#}");
            assert!(message["content"].is_string(), "{body:#}");
        } else {
            assert!(waiting.is_empty(), "{body:#}");
            // The user speaks first, and again after the model or the tools; the model never speaks twice.
            let expected: &[&str] = match role {
                "user" if is_mistral => &["system", "assistant"],
                "user" => &["system", "assistant", "tool"],
                _ => &["user", "tool"],
            };
            assert!(expected.contains(&before), "{before}, then {role}: {body:#}");
            let calls = message["tool_calls"].as_array().map_or(&[][..], |calls| calls);
            let content = message["content"].as_str();
            let parts = message["content"].as_array().is_some_and(|parts| !parts.is_empty() && role == "user");
            assert!(parts || !calls.is_empty() || content.is_some_and(|text| !text.trim().is_empty()), "{body:#}");
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

/// <https://platform.openai.com/docs/api-reference/responses/create>: "No tool output found for function call", "No tool
/// call found for function call output", "Item of type 'reasoning' was provided without its required following item".
fn responses_takes(body: &Value) {
    let mut waiting: Vec<&str> = vec![];
    let items = body["input"].as_array().unwrap();
    assert_eq!((&body["store"], items[0]["role"].as_str()), (&json!(false), Some("user")), "{body:#}");
    for (place, item) in items.iter().enumerate() {
        match item["type"].as_str().unwrap() {
            "message" => {
                assert!(waiting.is_empty() || item["role"] == "assistant", "{body:#}");
                let (user, parts) = (item["role"] == "user", item["content"].as_array().unwrap());
                let kinds = |kind: &str| if user { kind.starts_with("input_") } else { kind == "output_text" };
                assert!(
                    !parts.is_empty() && parts.iter().all(|part| kinds(part["type"].as_str().unwrap())),
                    "{body:#}"
                );
            }
            "reasoning" => {
                assert_eq!((&item["id"], &item["encrypted_content"]), (&json!("rs_1"), &json!("seal")), "{body:#}");
                let next = &items[place + 1];
                assert!(next["type"] != "function_call_output" && next["role"] != "user", "{body:#}");
            }
            "function_call" => {
                let arguments = item["arguments"].as_str().unwrap();
                assert!(serde_json::from_str::<Value>(arguments).unwrap().is_object(), "{body:#}");
                let id = item["call_id"].as_str().unwrap();
                assert!(!id.is_empty() && id.len() <= 64 && !waiting.contains(&id), "{body:#}");
                waiting.push(id);
            }
            "function_call_output" => {
                assert_eq!(Some(waiting.remove(0)), item["call_id"].as_str(), "{body:#}");
                let parts = item["output"].as_array().map_or(&[][..], |parts| parts);
                let kind = |part: &Value| part["type"].as_str().unwrap().starts_with("input_");
                assert!(item["output"].is_string() || !parts.is_empty() && parts.iter().all(kind), "{body:#}");
            }
            other => panic!("{other}: {body:#}"),
        }
    }
    assert!(waiting.is_empty(), "{body:#}");
}

/// <https://ai.google.dev/gemini-api/docs/function-calling>: "Please ensure that the number of function response parts is
/// equal to the number of function call parts of the function call turn", "function call turn comes immediately after a
/// user turn or after a function response turn", "Function call is missing a thought_signature".
fn gemini_takes(body: &Value, wants_seals: bool) {
    let mut waiting: Vec<(&Value, &Value)> = vec![];
    for (place, content) in body["contents"].as_array().unwrap().iter().enumerate() {
        assert_eq!(content["role"], ["user", "model"][place % 2], "{body:#}");
        let parts = content["parts"].as_array().unwrap();
        assert!(!parts.is_empty(), "{body:#}");
        let of = |kind: &str| -> Vec<(&Value, &Value)> {
            parts.iter().filter_map(|part| part.get(kind)).map(|data| (&data["id"], &data["name"])).collect()
        };
        assert_eq!(of("functionResponse"), waiting, "{body:#}");
        let shown = parts.iter().filter_map(|part| part["functionResponse"]["parts"].as_array()).flatten();
        let fits = |part: &Value| wants_seals && part["inlineData"]["mimeType"] != "image/gif";
        assert!(shown.into_iter().all(fits), "{body:#}");
        waiting = of("functionCall");
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        if let Some(first) = first.filter(|_| wants_seals) {
            let seal = first["thoughtSignature"].as_str().unwrap();
            assert!(seal == "seal" || seal == "skip_thought_signature_validator", "{body:#}");
        }
        let sealed = parts.iter().filter_map(|part| part.get("thoughtSignature")?.as_str());
        assert!(sealed.into_iter().all(|seal| !seal.contains(':')), "{body:#}");
        assert!(parts.iter().all(|part| part.get("text").is_none_or(|text| !text.as_str().unwrap().trim().is_empty())));
    }
    assert!(waiting.is_empty(), "{body:#}");
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>: "Expected toolResult blocks at
/// messages.2.content for the following Ids", "The toolConfig field must be defined when using toolUse and toolResult
/// content blocks", "The text field in the ContentBlock object is blank".
fn bedrock_takes(body: &Value, is_claude: bool) {
    let (mut waiting, mut names): (Vec<&Value>, Vec<&Value>) = (vec![], vec![]);
    for (place, message) in body["messages"].as_array().unwrap().iter().enumerate() {
        assert_eq!(message["role"], ["user", "assistant"][place % 2], "{body:#}");
        let parts = message["content"].as_array().unwrap();
        let of = |kind: &str, key: &str| -> Vec<&Value> {
            parts.iter().filter_map(|part| part.get(kind)).map(|data| &data[key]).collect()
        };
        assert_eq!(of("toolResult", "toolUseId"), waiting, "{body:#}");
        waiting = of("toolUse", "toolUseId");
        assert!(waiting.is_empty() || !body["toolConfig"]["tools"].as_array().unwrap().is_empty(), "{body:#}");
        let texts = || parts.iter().filter_map(|part| part.get("text")?.as_str());
        assert!(texts().all(|text| !text.trim().is_empty()), "{body:#}");
        assert!(parts.iter().any(|part| part.get("cachePoint").is_none()), "{body:#}");
        assert!(is_claude || parts.iter().all(|part| part.get("cachePoint").is_none()), "{body:#}");
        assert!(of("document", "name").is_empty() || texts().count() > 0, "{body:#}");
        let shown = parts.iter().filter_map(|part| part["toolResult"]["content"].as_array()).flatten();
        let inside: Vec<&Value> = shown.filter(|part| part.get("text").is_none()).collect();
        assert!(is_claude || inside.is_empty(), "{body:#}");
        let named = inside.iter().filter_map(|part| part.pointer("/document/name"));
        names.extend(of("document", "name").into_iter().chain(named));
        let thoughts = of("reasoningContent", "reasoningText");
        assert!(thoughts.is_empty() || is_claude, "{body:#}");
        assert!(thoughts.iter().all(|text| text.is_null() || text["signature"] == "seal"), "{body:#}");
        assert!(parts.last().unwrap().get("reasoningContent").is_none(), "{body:#}");
    }
    assert!(waiting.is_empty(), "{body:#}");
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<BTreeSet<_>>().len(), names.len(), "{body:#}");
}

/// <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion>
fn ollama_takes(body: &Value) {
    let mut waiting: Vec<&Value> = vec![];
    for message in body["messages"].as_array().unwrap() {
        if message["role"] == "tool" {
            assert_eq!((waiting.remove(0), message["content"].is_string()), (&message["tool_name"], true), "{body:#}");
            continue;
        }
        assert!(waiting.is_empty() && message["content"].is_string(), "{body:#}");
        let calls = message["tool_calls"].as_array().map_or(&[][..], |calls| calls);
        assert!(calls.iter().all(|call| call["function"]["arguments"].is_object()), "{body:#}");
        waiting = calls.iter().map(|call| &call["function"]["name"]).collect();
    }
    assert!(waiting.is_empty(), "{body:#}");
}

fn json(body: Result<Vec<u8>, String>) -> Option<Value> {
    body.ok().map(|body| serde_json::from_slice(&body).unwrap())
}

fn anthropic(request: &ModelRequest, thoughts: Thoughts) -> Option<Value> {
    json(anthropic::request::body(request, &Models::default().facts(&request.model), thoughts))
}

/// Every body of a request, and how many are refused because nothing is asked.
fn rendered(request: &ModelRequest) -> usize {
    let models = Models::default();
    let facts = models.facts("some-model");
    let anthropic = [Thoughts::Kept, Thoughts::LeftOut].map(|it| anthropic(request, it));
    let quirks = [(false, false), (true, false), (false, true)];
    let openai = quirks.map(|(returns_reasoning, short_tool_ids)| {
        let quirks = Quirks { returns_reasoning, short_tool_ids, ..Quirks::default() };
        json(openai_chat::request::body(request, &facts, quirks))
    });
    let responses =
        [Reasoning::Kept, Reasoning::LeftOut].map(|it| json(openai_responses::request::body(request, &facts, it)));
    let named = |name: &str| ModelRequest { model: name.to_owned(), ..request.clone() };
    let gemini = ["gemini-2.5-pro", "gemini-3.5-flash"].map(|name| json(gemini::request::body(&named(name), &facts)));
    let bedrock = ["amazon.titan", "us.anthropic.claude-sonnet-4-5"]
        .map(|name| json(bedrock::request::body(&named(name), &facts, Thoughts::Kept)));
    let ollama = json(ollama::request::body(request, &facts, None));
    anthropic.iter().flatten().for_each(anthropic_takes);
    let each = openai.iter().zip(quirks);
    each.for_each(|(body, (_, is_mistral))| body.iter().for_each(|body| openai_takes(body, is_mistral)));
    responses.iter().flatten().for_each(responses_takes);
    gemini.iter().zip([false, true]).for_each(|(body, wants)| body.iter().for_each(|body| gemini_takes(body, wants)));
    bedrock.iter().zip([false, true]).for_each(|(body, is)| body.iter().for_each(|body| bedrock_takes(body, is)));
    ollama.iter().for_each(ollama_takes);
    let all = anthropic.iter().chain(&openai).chain(&responses).chain(&gemini).chain(&bedrock).chain([&ollama]);
    all.filter(|body| body.is_none()).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn whatever_was_stored_each_dialect_takes_it(messages in any_messages_with_files(), with_tools in any::<bool>()) {
        rendered(&request(messages, with_tools));
    }

    #[test]
    fn what_is_told_in_words_is_taken_as_it_is(messages in any_messages(), with_tools in any::<bool>()) {
        let told = told(&messages);
        prop_assert_eq!(rendered(&request(told.clone(), with_tools)), 0);
        let body = anthropic(&request(told.clone(), with_tools), Thoughts::Kept).unwrap();
        prop_assert_eq!(body["messages"].as_array().unwrap().len(), told.len());
    }

    /// What the turn takes for valid loses nothing on the way.
    #[test]
    fn what_is_valid_is_sent_whole(messages in valid_messages()) {
        prop_assert_eq!(validate(&messages), Ok(()));
        let body = anthropic(&request(messages.clone(), true), Thoughts::Kept).unwrap();
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
        said(
            Role::User,
            vec![Block::ToolResult { id: "1".into(), text: "seen".into(), is_error: false, files: vec![] }],
        ),
    ];
    let body = |with_tools| anthropic(&request(messages.clone(), with_tools), Thoughts::Kept).unwrap();
    let last = body(false);
    assert_eq!((&last["tools"][0]["name"], &last["tool_choice"]), (&json!("look"), &json!({"type": "none"})));
    assert_eq!(body(true).get("tool_choice"), None);
}
