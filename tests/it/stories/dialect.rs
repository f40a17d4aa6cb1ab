//! An answer as providers stream it, in as many parts as its text has pieces.

use serde_json::{Value, json};

use super::provider::{Line, Speaks};

pub(crate) fn stream(speaks: Speaks, line: &Line) -> Vec<String> {
    match speaks {
        Speaks::Anthropic => anthropic(line),
        Speaks::OpenAiChat => chat(line),
        Speaks::OpenAiResponses => responses(line),
        Speaks::Gemini => gemini(line),
        Speaks::Nothing => panic!("it is asked for nothing that streams"),
    }
}

/// The text's pieces as events: what comes first stands before the first of them, what comes last behind the last.
fn parts(first: &str, pieces: impl Iterator<Item = String>, last: &str) -> Vec<String> {
    let mut parts: Vec<String> = pieces.collect();
    if parts.is_empty() {
        parts.push(String::new());
    }
    parts[0].insert_str(0, first);
    parts.last_mut().unwrap().push_str(last);
    parts
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn named(event: &Value) -> String {
    format!("event: {}\n{}", event["type"].as_str().unwrap(), data(event))
}

/// <https://docs.claude.com/en/docs/build-with-claude/streaming>
fn anthropic(line: &Line) -> Vec<String> {
    let counted = line.counted;
    let usage = json!({
        "input_tokens": counted.fresh, "cache_read_input_tokens": counted.cached,
        "cache_creation_input_tokens": 0, "output_tokens": 1,
    });
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage});
    let mut first = named(&json!({"type": "message_start", "message": message}));
    let mut index = 0;
    let mut block = |start: Value, deltas: &[Value]| {
        let mut text = named(&json!({"type": "content_block_start", "index": index, "content_block": start}));
        for delta in deltas {
            text += &named(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        text += &named(&json!({"type": "content_block_stop", "index": index}));
        index += 1;
        text
    };
    if let Some((thought, seal)) = &line.thought {
        let deltas = [
            json!({"type": "thinking_delta", "thinking": thought}),
            json!({"type": "signature_delta", "signature": seal}),
        ];
        first += &block(json!({"type": "thinking", "thinking": "", "signature": ""}), &deltas);
    }
    // The text's block is opened here and closed behind its last piece.
    let mut last = String::new();
    let said = line.pieces.iter().any(|piece| !piece.is_empty());
    let at = usize::from(line.thought.is_some());
    if said {
        let words = block(json!({"type": "text", "text": ""}), &[]);
        let (opened, closed) = words.split_at(words.find("event: content_block_stop").unwrap());
        first += opened;
        if line.ends() {
            last += closed;
        }
    }
    for (id, tool, arguments) in &line.calls {
        let delta = json!({"type": "input_json_delta", "partial_json": arguments});
        last += &block(json!({"type": "tool_use", "id": id, "name": tool, "input": {}}), &[delta]);
    }
    let stop = if line.calls.is_empty() { "end_turn" } else { "tool_use" };
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    if line.ends() {
        last += &named(&json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": counted.answered}}));
        last += &named(&json!({"type": "message_stop"}));
    }
    let piece = |text: &String| {
        named(&json!({"type": "content_block_delta", "index": at, "delta": {"type": "text_delta", "text": text}}))
    };
    parts(&first, line.pieces.iter().filter(|_| said).map(piece), &last)
}

/// <https://platform.openai.com/docs/api-reference/chat/streaming>
fn chat(line: &Line) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        data(&json!({"id": "1", "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let first = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    let mut last = String::new();
    for (index, (id, tool, arguments)) in line.calls.iter().enumerate() {
        let function = json!({"name": tool, "arguments": arguments});
        let call = json!({"index": index, "id": id, "type": "function", "function": function});
        last += &chunk(json!({"tool_calls": [call]}), Value::Null);
    }
    let counted = line.counted;
    if line.ends() {
        last += &chunk(json!({}), json!(if line.calls.is_empty() { "stop" } else { "tool_calls" }));
        let usage = json!({
            "prompt_tokens": counted.fresh + counted.cached, "completion_tokens": counted.answered,
            "prompt_tokens_details": {"cached_tokens": counted.cached},
        });
        last += &data(&json!({"id": "1", "object": "chat.completion.chunk", "choices": [], "usage": usage}));
        last += "data: [DONE]\n\n";
    }
    parts(&first, line.pieces.iter().map(|text| chunk(json!({"content": text}), Value::Null)), &last)
}

/// <https://platform.openai.com/docs/api-reference/responses-streaming>
fn responses(line: &Line) -> Vec<String> {
    let first = named(&json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}));
    let mut items = vec![];
    if let Some((thought, seal)) = &line.thought {
        let summary = json!([{"type": "summary_text", "text": thought}]);
        items.push(json!({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": seal}));
    }
    let text = line.pieces.concat();
    if !text.is_empty() {
        let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
        items.push(json!({"id": "msg_1", "type": "message", "role": "assistant", "content": content}));
    }
    for (id, tool, arguments) in &line.calls {
        items.push(json!({"id": format!("fc_{id}"), "type": "function_call", "status": "completed",
            "arguments": arguments, "call_id": id, "name": tool}));
    }
    let mut last = String::new();
    if line.ends() {
        for (at, item) in items.iter().enumerate() {
            last += &named(&json!({"type": "response.output_item.done", "output_index": at, "item": item}));
        }
        let counted = line.counted;
        let usage = json!({
            "input_tokens": counted.fresh + counted.cached, "output_tokens": counted.answered,
            "input_tokens_details": {"cached_tokens": counted.cached},
        });
        let whole = json!({"id": "resp_1", "status": "completed", "output": items, "usage": usage});
        last += &named(&json!({"type": "response.completed", "response": whole}));
    }
    let piece = |text: &String| named(&json!({"type": "response.output_text.delta", "delta": text}));
    parts(&first, line.pieces.iter().map(piece), &last)
}

/// <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>
fn gemini(line: &Line) -> Vec<String> {
    let chunk =
        |parts: Value| data(&json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]}));
    let (mut first, mut last) = (String::new(), String::new());
    if let Some((thought, _)) = &line.thought {
        first += &chunk(json!([{"text": thought, "thought": true}]));
    }
    for (number, (id, tool, arguments)) in line.calls.iter().enumerate() {
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let mut part = json!({"functionCall": {"name": tool, "args": arguments, "id": id}});
        if let Some((_, seal)) = line.thought.as_ref().filter(|_| number == 0) {
            part["thoughtSignature"] = json!(seal);
        }
        last += &chunk(json!([part]));
    }
    if line.ends() {
        let counted = line.counted;
        last += &data(&json!({
            "candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {
                "promptTokenCount": counted.fresh + counted.cached, "cachedContentTokenCount": counted.cached,
                "candidatesTokenCount": counted.answered,
            },
        }));
    }
    parts(&first, line.pieces.iter().map(|text| chunk(json!([{"text": text}]))), &last)
}
