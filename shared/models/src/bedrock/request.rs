//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role};
use serde::Serialize;
use serde_json::Value;

pub(crate) use crate::anthropic::request::Thinking;
use crate::claude::{HowToThink, how_to_think};
use crate::facts::{Documents, Facts, Kind, base64};
use crate::results::{Outcome, called};
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
    Text(Cow<'a, str>),
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
        content: Vec<Part<'a>>,
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

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>, thinking: Thinking) -> Result<Vec<u8>, String> {
    let is_claude = request.model.contains("anthropic.claude");
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, Documents::Taken).is_some(),
        thought => is_claude && thinking == Thinking::Kept && is_claudes(thought),
    };
    let said = tidy(&request.messages, shown);
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(said.len());
    let mut documents = 0;
    for (at, this) in said.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| said.get(before));
        messages.push(message(request, facts, this, before, &mut documents));
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

/// Whether files of this kind can stand in a result: "only supported by Amazon Nova and Anthropic Claude 3 and 4 models"
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultContentBlock.html>), and documents are
/// known to at Claude. For others they follow the results.
fn takes_in_results(model: &str, kind: Kind) -> bool {
    model.contains("anthropic.claude") || kind != Kind::Pdf && model.contains("amazon.nova")
}

fn message<'a>(
    request: &'a ModelRequest,
    facts: &Facts<'_>,
    said: &'a Said<'_>,
    before: Option<&'a Said<'_>>,
    documents: &mut u32,
) -> Message<'a> {
    let (mut content, mut behind, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for block in &said.blocks {
        match Outcome::of(request, facts, block, Documents::Taken) {
            Some(outcome) => content.push(result(request, outcome, before, &mut behind, documents)),
            None => rest.extend(part(request, facts, block, documents)),
        }
    }
    content.append(&mut behind);
    content.append(&mut rest);
    let has_document = content.iter().any(|part| matches!(part, Part::Document { .. }));
    if has_document && !content.iter().any(|part| matches!(part, Part::Text(_))) {
        // "A document block requires a text block" in the same message.
        content.push(Part::Text("(a document)".into()));
    }
    Message { role: said.role, content }
}

/// A result; its files that cannot stand in it are put `behind`.
fn result<'a>(
    request: &ModelRequest,
    outcome: Outcome<'a>,
    before: Option<&Said<'_>>,
    behind: &mut Vec<Part<'a>>,
    documents: &mut u32,
) -> Part<'a> {
    let heading = outcome.heading(called(before, outcome.id));
    let Outcome { id, text, is_error, files } = outcome;
    let (inside, outside): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(kind, _)| takes_in_results(&request.model, *kind));
    let text = if text.trim().is_empty() { Cow::Borrowed("(nothing)") } else { text };
    let mut content = vec![Part::Text(text)];
    content.extend(inside.into_iter().map(|(kind, bytes)| seen(kind, bytes, documents)));
    if !outside.is_empty() {
        behind.push(Part::Text(heading.into()));
        behind.extend(outside.into_iter().map(|(kind, bytes)| seen(kind, bytes, documents)));
    }
    Part::ToolResult { tool_use_id: fit(id), content, status: if is_error { "error" } else { "success" } }
}

fn seen(kind: Kind, bytes: &[u8], documents: &mut u32) -> Part<'static> {
    let source = Source { bytes: base64(bytes) };
    match kind {
        Kind::Image(format) => Part::Image { format, source },
        Kind::Pdf => {
            *documents = documents.saturating_add(1);
            // Names may have no dots, and no two be the same.
            Part::Document { format: "pdf", name: format!("file {documents}"), source }
        }
    }
}

fn part<'a>(request: &ModelRequest, facts: &Facts<'_>, block: &'a Block, documents: &mut u32) -> Option<Part<'a>> {
    Some(match block {
        Block::Text { text } => Part::Text(Cow::Borrowed(text)),
        Block::Thinking { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            Part::ReasoningContent(Reasoning::ReasoningText { text, signature })
        }
        Block::RedactedThinking { data } => Part::ReasoningContent(Reasoning::RedactedContent(data)),
        Block::File { .. } => {
            let (kind, bytes) = facts.file(request, block, Documents::Taken)?;
            seen(kind, bytes, documents)
        }
        Block::ToolUse { id, name, input } => Part::ToolUse { tool_use_id: fit(id), name, input: arguments(input) },
        Block::ToolResult { .. } => return None,
    })
}

/// `[a-zA-Z0-9_-]+`, at most 64.
fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, |id| id.len() <= 64 && is_plain_id(id), 32)
}
