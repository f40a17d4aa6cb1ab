//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role};
use serde::Serialize;
use serde_json::Value;

pub(crate) use crate::anthropic::request::Thinking;
use crate::claude::{HowToThink, how_to_think};
use crate::facts::{Facts, Kind, base64};
use crate::seal::is_claudes;
use crate::transcript::{Said, arguments, fit_id, is_plain_id, offers, tidy};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<System<'a>>,
    inference_config: InferenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    /// Claude's own fields, under Anthropic's names.
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<HowToThink>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum System<'a> {
    Text(&'a str),
    CachePoint(CachePoint),
}

/// Everything up to here may be remembered: <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum CachePoint {
    Default,
}

#[derive(Serialize)]
struct ToolConfig<'a> {
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Tool<'a> {
    #[serde(rename_all = "camelCase")]
    ToolSpec { name: &'a str, description: &'a str, input_schema: Schema<'a> },
}

#[derive(Serialize)]
struct Schema<'a> {
    json: Cow<'a, Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: Role,
    content: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Part<'a> {
    Text(&'a str),
    Image {
        format: &'static str,
        source: Source,
    },
    Document {
        format: &'static str,
        name: String,
        source: Source,
    },
    ReasoningContent(Reasoning<'a>),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, Value>,
    },
    #[serde(rename_all = "camelCase")]
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: [ResultText<'a>; 1],
        status: &'static str,
    },
    CachePoint(CachePoint),
}

#[derive(Serialize)]
struct Source {
    bytes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Reasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

#[derive(Serialize)]
struct ResultText<'a> {
    text: &'a str,
}

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>, thinking: Thinking) -> Result<Vec<u8>, String> {
    let is_claude = request.model.contains("anthropic.claude");
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, true).is_some(),
        thought => is_claude && thinking == Thinking::Kept && is_claudes(thought),
    };
    let said = tidy(&request.messages, shown);
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(said.len());
    let mut files = 0;
    for said in &said {
        messages.push(message(request, facts, said, &mut files));
    }
    let last = messages.last_mut().ok_or("the conversation is empty")?;
    let caches = caches(&request.model);
    if caches {
        last.content.push(Part::CachePoint(CachePoint::Default));
    }
    let mut system = Vec::new();
    if !request.system.trim().is_empty() {
        system.push(System::Text(&request.system));
        system.extend(caches.then_some(System::CachePoint(CachePoint::Default)));
    }
    let tools = offers(request, &said).into_iter().map(|offer| Tool::ToolSpec {
        name: offer.name,
        description: offer.description,
        input_schema: Schema { json: offer.schema },
    });
    let tools: Vec<Tool<'_>> = tools.collect();
    let claude = (is_claude && thinking == Thinking::Kept).then(|| how_to_think(request, facts, &said));
    let body = Body {
        messages,
        system,
        inference_config: InferenceConfig { max_tokens: request.max_tokens },
        tool_config: Some(ToolConfig { tools }).filter(|config| !config.tools.is_empty()),
        additional_model_request_fields: claude.filter(|fields| *fields != HowToThink::default()),
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// The models that take marks of the prompt cache; others refuse them.
fn caches(model: &str) -> bool {
    let old =
        ["claude-v2", "claude-instant", "claude-3-opus", "claude-3-haiku", "claude-3-sonnet", "claude-3-5-sonnet"];
    let is = |names: &[&str]| names.iter().any(|name| model.contains(name));
    is(&["anthropic.claude", "amazon.nova"]) && !is(&old)
}

fn message<'a>(request: &ModelRequest, facts: &Facts<'_>, said: &'a Said<'_>, files: &mut u32) -> Message<'a> {
    let mut content: Vec<Part<'a>> =
        said.blocks.iter().filter_map(|block| part(request, facts, block, files)).collect();
    let has_document = content.iter().any(|part| matches!(part, Part::Document { .. }));
    if has_document && !content.iter().any(|part| matches!(part, Part::Text(_))) {
        // "A document block requires a text block" in the same message.
        content.push(Part::Text("(a document)"));
    }
    Message { role: said.role, content }
}

fn part<'a>(request: &ModelRequest, facts: &Facts<'_>, block: &'a Block, files: &mut u32) -> Option<Part<'a>> {
    Some(match block {
        Block::Text { text } => Part::Text(text),
        Block::Thinking { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            Part::ReasoningContent(Reasoning::ReasoningText { text, signature })
        }
        Block::RedactedThinking { data } => Part::ReasoningContent(Reasoning::RedactedContent(data)),
        Block::File { .. } => {
            let (kind, bytes) = facts.file(request, block, true)?;
            let source = Source { bytes: base64(bytes) };
            match kind {
                Kind::Image(format) => Part::Image { format, source },
                Kind::Pdf => {
                    *files = files.saturating_add(1);
                    // Names may have no dots, and no two be the same.
                    Part::Document { format: "pdf", name: format!("file {files}"), source }
                }
            }
        }
        Block::ToolUse { id, name, input } => Part::ToolUse { tool_use_id: fit(id), name, input: arguments(input) },
        Block::ToolResult { id, text, is_error } => Part::ToolResult {
            tool_use_id: fit(id),
            content: [ResultText { text: if text.trim().is_empty() { "(nothing)" } else { text } }],
            status: if *is_error { "error" } else { "success" },
        },
    })
}

/// `[a-zA-Z0-9_-]+`, at most 64.
fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, |id| id.len() <= 64 && is_plain_id(id), 32)
}
