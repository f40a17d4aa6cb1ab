//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role};
use serde::Serialize;
use serde_json::Value;

use crate::transcript::{Said, arguments, fit_id, is_plain_id, tidy};

/// Whether the model's earlier thoughts are sent back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// With their seals, as the provider wants them in a tool turn.
    Kept,
    /// The seals are not good here.
    LeftOut,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

#[derive(Serialize)]
struct Message<'a> {
    role: Role,
    content: Vec<Content<'a>>,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(flatten)]
    part: Part<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, Value>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

/// Everything up to here may be remembered for five minutes: <https://docs.claude.com/en/docs/build-with-claude/prompt-caching>.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum CacheControl {
    Ephemeral,
}

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, thinking: Thinking) -> Result<Vec<u8>, String> {
    let said = tidy(&request.messages);
    let mut messages: Vec<Message<'_>> = said.iter().map(|said| message(said, thinking)).collect();
    messages.retain(|message| !message.content.is_empty());
    // Two marks: the prefix that all turns share (tools and system), and everything said so far, which the next step
    // of this turn begins with.
    let mark = messages.last_mut().and_then(|last| last.content.last_mut()).ok_or("the conversation is empty")?;
    mark.cache_control = Some(CacheControl::Ephemeral);
    let mut system: Vec<Content<'_>> = [&request.system]
        .into_iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| plain(Part::Text { text }))
        .collect();
    system.iter_mut().for_each(|text| text.cache_control = Some(CacheControl::Ephemeral));
    let tools = request.tools.iter();
    let body = Body {
        model: &request.model,
        max_tokens: request.max_tokens,
        stream: true,
        system,
        tools: tools
            .map(|t| Tool { name: &t.name, description: &t.description, input_schema: &t.input_schema })
            .collect(),
        messages,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

fn message<'a>(said: &'a Said<'_>, thinking: Thinking) -> Message<'a> {
    let parts = said.blocks.iter().filter_map(|block| part(block, thinking));
    Message { role: said.role, content: parts.map(plain).collect() }
}

fn plain(part: Part<'_>) -> Content<'_> {
    Content { part, cache_control: None }
}

fn part(block: &Block, thinking: Thinking) -> Option<Part<'_>> {
    Some(match block {
        Block::Text { text } => Part::Text { text },
        // A thought without a seal is another dialect's; it would be refused.
        Block::Thinking { text, signature: Some(signature) } if thinking == Thinking::Kept => {
            Part::Thinking { thinking: text, signature }
        }
        Block::RedactedThinking { data } if thinking == Thinking::Kept => Part::RedactedThinking { data },
        Block::Thinking { .. } | Block::RedactedThinking { .. } => return None,
        Block::ToolUse { id, name, input } => Part::ToolUse { id: fit(id), name, input: arguments(input) },
        Block::ToolResult { id, text, is_error } => {
            Part::ToolResult { tool_use_id: fit(id), content: text, is_error: *is_error }
        }
    })
}

/// `^[a-zA-Z0-9_-]+$`; ids of other providers' calls may have dots and colons.
fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, is_plain_id, 32)
}
