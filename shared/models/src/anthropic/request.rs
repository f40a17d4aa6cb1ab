//! The request body.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chela_core::model::{Block, ModelRequest, Role};
use serde::Serialize;
use serde_json::{Value, json};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

/// `none` forbids further calls: <https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use>.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ToolChoice {
    None,
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
    // A thought without a seal is another dialect's; it would be refused.
    let sealed = |block: &Block| !matches!(block, Block::Thinking { signature: None, .. });
    let said = tidy(&request.messages, |thought| thinking == Thinking::Kept && sealed(thought));
    let mut messages: Vec<Message<'_>> = said.iter().map(message).collect();
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
    let any_arguments = json!({"type": "object"});
    let tools = tools(request, &said, &any_arguments);
    let body = Body {
        model: &request.model,
        max_tokens: request.max_tokens,
        stream: true,
        system,
        tool_choice: (request.tools.is_empty() && !tools.is_empty()).then_some(ToolChoice::None),
        tools,
        messages,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

fn message<'a>(said: &'a Said<'_>) -> Message<'a> {
    Message { role: said.role, content: said.blocks.iter().map(|block| plain(part(block))).collect() }
}

/// The tools on offer; where there are none, the names of those that were called, because a transcript with calls is
/// only taken with tools, and then [`ToolChoice::None`].
fn tools<'a>(request: &'a ModelRequest, said: &'a [Said<'_>], any_arguments: &'a Value) -> Vec<Tool<'a>> {
    if !request.tools.is_empty() {
        let tools = request.tools.iter();
        return tools
            .map(|tool| Tool { name: &tool.name, description: &tool.description, input_schema: &tool.input_schema })
            .collect();
    }
    let called: BTreeSet<&str> = said
        .iter()
        .flat_map(|said| &said.blocks)
        .filter_map(|block| match block.as_ref() {
            Block::ToolUse { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let called = called.into_iter();
    called.map(|name| Tool { name, description: "No longer on offer.", input_schema: any_arguments }).collect()
}

fn plain(part: Part<'_>) -> Content<'_> {
    Content { part, cache_control: None }
}

fn part(block: &Block) -> Part<'_> {
    match block {
        Block::Text { text } => Part::Text { text },
        Block::Thinking { text, signature } => {
            Part::Thinking { thinking: text, signature: signature.as_deref().unwrap_or_default() }
        }
        Block::RedactedThinking { data } => Part::RedactedThinking { data },
        Block::File { key, .. } => Part::Text { text: key },
        Block::ToolUse { id, name, input } => Part::ToolUse { id: fit(id), name, input: arguments(input) },
        Block::ToolResult { id, text, is_error } => {
            Part::ToolResult { tool_use_id: fit(id), content: text, is_error: *is_error }
        }
    }
}

/// `^[a-zA-Z0-9_-]+$`; ids of other providers' calls may have dots and colons.
fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, is_plain_id, 32)
}
