//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role, Thinking, ToolSpec};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::{Effort, MaxTokensField, ThinkingField, effort};
use crate::facts::{Documents, Facts, Kind, data_url};
use crate::results::{Outcome, called};
use crate::transcript::{Said, arguments, cache_key, fit_id, is_plain_id, text_of, tidy};

use super::Quirks;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(flatten)]
    how_to_think: HowToThink,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// One of these at most.
#[derive(Default, Serialize)]
struct HowToThink {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Switch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_thinking: Option<bool>,
}

#[derive(Serialize)]
struct Reasoning {
    effort: Effort,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Switch {
    Enabled,
    Disabled,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Tool<'a> {
    Function { function: Function<'a> },
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: Cow<'a, str>,
        content: Cow<'a, str>,
    },
}

/// Words alone are a string, which everybody understands.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl },
    File { file: File },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

#[derive(Serialize)]
struct File {
    filename: &'static str,
    file_data: String,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Call<'a> {
    Function { id: Cow<'a, str>, function: Arguments<'a> },
}

#[derive(Serialize)]
struct Arguments<'a> {
    name: &'a str,
    /// JSON in a string.
    arguments: String,
}

/// What can be asked of a model of which nothing is known.
const EFFORTS: [Effort; 3] = [Effort::Low, Effort::Medium, Effort::High];

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>, quirks: Quirks) -> Result<Vec<u8>, String> {
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, Documents::TakenIfKnown).is_some(),
        // A sealed thought is another dialect's and stays there.
        thought => quirks.returns_reasoning && matches!(thought, Block::Thinking { signature: None, .. }),
    };
    let said = tidy(&request.messages, shown);
    let mut messages = Vec::with_capacity(said.len().saturating_add(1));
    if !request.system.trim().is_empty() {
        messages.push(Message::System { content: &request.system });
    }
    for (at, this) in said.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| said.get(before));
        match this.role {
            Role::User => add_user(&mut messages, (request, facts), this, before, quirks),
            Role::Assistant => add_assistant(&mut messages, this, quirks),
        }
    }
    if said.is_empty() {
        return Err("the conversation is empty".to_owned());
    }
    let limit = |field| (facts.max_tokens_field() == field).then_some(request.max_tokens);
    let body = Body {
        model: &request.model,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_tokens: limit(MaxTokensField::MaxTokens),
        max_completion_tokens: limit(MaxTokensField::MaxCompletionTokens),
        prompt_cache_key: cache_key(request).filter(|_| quirks.cache_key),
        how_to_think: how_to_think(request, facts, quirks),
        tools: request.tools.iter().map(function).collect(),
        messages,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

fn how_to_think(request: &ModelRequest, facts: &Facts<'_>, quirks: Quirks) -> HowToThink {
    let reasons = facts.reasons();
    let thinks = request.thinking != Thinking::Off;
    let nothing = HowToThink::default();
    if reasons == Some(false) {
        return nothing;
    }
    // A model that is known to reason can be told not to; one of which nothing is known is only told what was asked for.
    let tell = thinks || reasons == Some(true);
    let offered = if facts.known().is_some() { facts.efforts() } else { &EFFORTS };
    match quirks.thinking {
        ThinkingField::None => nothing,
        ThinkingField::Effort => HowToThink { reasoning_effort: effort(request.thinking, offered), ..nothing },
        ThinkingField::Openrouter => {
            let effort = effort(request.thinking, &EFFORTS);
            HowToThink { reasoning: effort.map(|effort| Reasoning { effort }), ..nothing }
        }
        ThinkingField::Switch => {
            let switch = if thinks { Switch::Enabled } else { Switch::Disabled };
            HowToThink { thinking: tell.then_some(switch), ..nothing }
        }
        ThinkingField::Enable => HowToThink { enable_thinking: tell.then_some(thinks), ..nothing },
    }
}

fn function(tool: &ToolSpec) -> Tool<'_> {
    Tool::Function {
        function: Function { name: &tool.name, description: &tool.description, parameters: &tool.input_schema },
    }
}

/// The results, then what the user said. A result is words alone, so that what it shows follows all of them.
fn add_user<'a>(
    messages: &mut Vec<Message<'a>>,
    (request, facts): (&'a ModelRequest, &Facts<'_>),
    said: &'a Said<'_>,
    before: Option<&'a Said<'_>>,
    quirks: Quirks,
) {
    let mut parts = Vec::new();
    for outcome in said.blocks.iter().filter_map(|block| Outcome::of(request, facts, block, Documents::TakenIfKnown)) {
        if !outcome.files.is_empty() {
            parts.push(Part::Text { text: Cow::Owned(outcome.heading(called(before, outcome.id))) });
            parts.extend(outcome.files.iter().map(|(kind, bytes)| seen(*kind, bytes)));
        }
        messages.push(Message::Tool { tool_call_id: fit(outcome.id, quirks), content: outcome.told() });
    }
    let shows = !parts.is_empty();
    let own = |block: &'a Block| match block {
        Block::Text { text } => Some(Part::Text { text: Cow::Borrowed(text) }),
        file => facts.file(request, file, Documents::TakenIfKnown).map(|(kind, bytes)| seen(kind, bytes)),
    };
    let content = if shows || said.blocks.iter().any(|block| matches!(block.as_ref(), Block::File { .. })) {
        parts.extend(said.blocks.iter().filter_map(|block| own(block)));
        Content::Parts(parts)
    } else if let Some(text) = text_of(said) {
        Content::Text(text)
    } else {
        return;
    };
    if quirks.short_tool_ids && matches!(messages.last(), Some(Message::Tool { .. })) {
        // Mistral: "Unexpected role 'user' after role 'tool'".
        messages.push(Message::Assistant { content: Some("…".into()), reasoning_content: None, tool_calls: vec![] });
    }
    messages.push(Message::User { content });
}

fn seen(kind: Kind, bytes: &[u8]) -> Part<'static> {
    match kind {
        Kind::Image(_) => Part::ImageUrl { image_url: ImageUrl { url: data_url(kind, bytes) } },
        Kind::Pdf => Part::File { file: File { filename: "file.pdf", file_data: data_url(kind, bytes) } },
    }
}

fn add_assistant<'a>(messages: &mut Vec<Message<'a>>, said: &'a Said<'_>, quirks: Quirks) {
    let calls = said.blocks.iter().filter_map(|block| match block.as_ref() {
        Block::ToolUse { id, name, input } => {
            let arguments = Arguments { name, arguments: arguments(input).to_string() };
            Some(Call::Function { id: fit(id, quirks), function: arguments })
        }
        _ => None,
    });
    let tool_calls: Vec<Call<'_>> = calls.collect();
    let content = text_of(said);
    let reasoning = said.blocks.iter().filter_map(|block| match block.as_ref() {
        Block::Thinking { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let reasoning_content =
        (quirks.returns_reasoning && !tool_calls.is_empty()).then(|| Cow::Owned(reasoning.collect::<String>()));
    messages.push(Message::Assistant { content, reasoning_content, tool_calls });
}

/// OpenAI takes at most 40 characters.
fn fit(id: &str, quirks: Quirks) -> Cow<'_, str> {
    if quirks.short_tool_ids {
        fit_id(id, |id| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()), 9)
    } else {
        fit_id(id, |id| id.len() <= 40 && is_plain_id(id), 32)
    }
}
