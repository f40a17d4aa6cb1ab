//! The request body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chela_core::model::{Block, ModelRequest, Role, Thinking};
use serde::Serialize;
use serde_json::Value;

use crate::facts::{Documents, Facts, Kind, base64};
use crate::results::Outcome;
use crate::seal::Maker;
use crate::transcript::{Said, arguments, fit_id, is_plain_id, tidy};

/// Stands for the seal of a call that another model made; Gemini 3 refuses calls without any:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const NO_SEAL: &str = "skip_thought_signature_validator";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<System<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    generation_config: GenerationConfig,
    contents: Vec<Content<'a>>,
}

#[derive(Serialize)]
struct System<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    parameters_json_schema: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum ThinkingConfig {
    /// Gemini 3 and later.
    ThinkingLevel(&'static str),
    /// Gemini 2.5, in tokens.
    ThinkingBudget(u32),
}

#[derive(Serialize)]
struct Content<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(flatten)]
    data: Payload<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Payload<'a> {
    Text(Cow<'a, str>),
    InlineData(Blob),
    FunctionCall { id: Cow<'a, str>, name: &'a str, args: Cow<'a, Value> },
    FunctionResponse(Response<'a>),
}

#[derive(Serialize)]
struct Response<'a> {
    id: Cow<'a, str>,
    name: &'a str,
    response: Answered<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Seen>,
}

/// <https://ai.google.dev/gemini-api/docs/function-calling#multimodal>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    inline_data: Blob,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    mime_type: String,
    data: String,
}

/// The two keys Gemini knows.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answered<'a> {
    Output(Cow<'a, str>),
    Error(Cow<'a, str>),
}

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>) -> Result<Vec<u8>, String> {
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, Documents::Taken).is_some(),
        thought => Maker::Gemini.seal_of(thought).is_some(),
    };
    let said = tidy(&request.messages, shown);
    if said.is_empty() {
        return Err("the conversation is empty".to_owned());
    }
    let mut called = BTreeMap::new();
    let contents = said.iter().map(|said| content(request, facts, said, &mut called)).collect();
    let declarations = request.tools.iter().map(|tool| Declaration {
        name: &tool.name,
        description: &tool.description,
        parameters_json_schema: &tool.input_schema,
    });
    let tools = Tools { function_declarations: declarations.collect() };
    let system = Some(request.system.as_str()).filter(|text| !text.trim().is_empty());
    let body = Body {
        system_instruction: system.map(|text| System { parts: [plain(Payload::Text(Cow::Borrowed(text)))] }),
        tools: Some(tools).filter(|tools| !tools.function_declarations.is_empty()).into_iter().collect(),
        generation_config: GenerationConfig {
            max_output_tokens: request.max_tokens,
            thinking_config: thinking_config(request, facts),
        },
        contents,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// `called` has the names of the calls so far: a result must repeat the name of its call.
fn content<'a>(
    request: &'a ModelRequest,
    facts: &Facts<'_>,
    said: &'a Said<'_>,
    called: &mut BTreeMap<&'a str, &'a str>,
) -> Content<'a> {
    let (mut parts, mut behind, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let mut seal = None;
    let mut calls = 0;
    for block in &said.blocks {
        match block.as_ref() {
            Block::Text { text } => rest.push(plain(Payload::Text(Cow::Borrowed(text)))),
            Block::Thinking { .. } => seal = Maker::Gemini.seal_of(block),
            Block::ToolUse { id, name, input } => {
                called.insert(id, name);
                // Of calls made at once, the first bears the seal.
                let none = (calls == 0 && wants_seals(&request.model)).then_some(NO_SEAL);
                let data = Payload::FunctionCall { id: fit(id), name, args: arguments(input) };
                rest.push(Part { data, thought_signature: seal.take().or(none) });
                calls += 1;
            }
            Block::ToolResult { .. } => {
                let Some(outcome) = Outcome::of(request, facts, block, Documents::Taken) else { continue };
                let name = called.get(outcome.id).copied().unwrap_or_default();
                parts.push(response(request, outcome, name, &mut behind));
            }
            Block::File { .. } => {
                let seen = facts.file(request, block, Documents::Taken);
                rest.extend(seen.map(|(kind, bytes)| plain(Payload::InlineData(blob(kind, bytes)))));
            }
            Block::RedactedThinking { .. } => {}
        }
    }
    parts.append(&mut behind);
    parts.append(&mut rest);
    Content { role: if said.role == Role::User { "user" } else { "model" }, parts }
}

/// A result; its files that cannot stand in it are put `behind`: before Gemini 3 all, and what it does not take there.
fn response<'a>(request: &ModelRequest, outcome: Outcome<'a>, name: &'a str, behind: &mut Vec<Part<'a>>) -> Part<'a> {
    let heading = outcome.heading(name);
    let Outcome { id, text, is_error, files } = outcome;
    let takes = |kind| wants_seals(&request.model) && kind != Kind::Image("gif");
    let (inside, outside): (Vec<_>, Vec<_>) = files.into_iter().partition(|(kind, _)| takes(*kind));
    if !outside.is_empty() {
        behind.push(plain(Payload::Text(Cow::Owned(heading))));
        behind.extend(outside.iter().map(|(kind, bytes)| plain(Payload::InlineData(blob(*kind, bytes)))));
    }
    plain(Payload::FunctionResponse(Response {
        id: fit(id),
        name,
        response: if is_error { Answered::Error(text) } else { Answered::Output(text) },
        parts: inside.iter().map(|(kind, bytes)| Seen { inline_data: blob(*kind, bytes) }).collect(),
    }))
}

fn blob(kind: Kind, bytes: &[u8]) -> Blob {
    Blob { mime_type: kind.media_type(), data: base64(bytes) }
}

fn plain(data: Payload<'_>) -> Part<'_> {
    Part { data, thought_signature: None }
}

/// Thoughts are billed as output and come out of the request's `max_tokens`. Gemini 3 cannot be told not to think at all.
fn thinking_config(request: &ModelRequest, facts: &Facts<'_>) -> Option<ThinkingConfig> {
    if facts.reasons() == Some(false)
        || !request.model.starts_with("gemini-")
        || request.model.starts_with("gemini-2.0")
    {
        return None;
    }
    if wants_seals(&request.model) {
        return Some(ThinkingConfig::ThinkingLevel(match request.thinking {
            Thinking::Off | Thinking::Minimal | Thinking::Low => "low",
            Thinking::Medium => "medium",
            Thinking::High | Thinking::Xhigh => "high",
        }));
    }
    let budget: u32 = match request.thinking {
        Thinking::Off if request.model.contains("-pro") => 128,
        Thinking::Off => 0,
        Thinking::Minimal => 512,
        Thinking::Low => 2048,
        Thinking::Medium => 8192,
        Thinking::High => 16_384,
        Thinking::Xhigh => 24_576,
    };
    let most = request.max_tokens.saturating_sub(request.max_tokens / 4);
    Some(ThinkingConfig::ThinkingBudget(budget.min(most)))
}

/// Gemini 3 and later, by whatever name.
fn wants_seals(model: &str) -> bool {
    model.starts_with("gemini-") && !model.starts_with("gemini-1") && !model.starts_with("gemini-2")
}

fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, |id| id.len() <= 64 && is_plain_id(id), 32)
}
