//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role};
use serde::Serialize;
use serde_json::Value;

use crate::claude::{HowToThink, how_to_think};
use crate::facts::{Documents, Facts, Kind, base64};
use crate::results::Outcome;
use crate::seal::is_claudes;
use crate::transcript::{Offer, arguments, fit_id, is_plain_id, offers, tidy};

/// Whether the model's earlier thoughts are sent back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// With their seals, as the provider wants them in a tool turn.
    Kept,
    /// They are not good here; the model is not asked to think either, since that is what may have been refused.
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
    #[serde(flatten)]
    how_to_think: HowToThink,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: Cow<'a, Value>,
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
        text: Cow<'a, str>,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
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
        content: Shown<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

/// Words alone are a string, which gateways with the same API understand.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Source {
    Base64 { media_type: String, data: String },
}

/// Everything up to here may be remembered for five minutes: <https://docs.claude.com/en/docs/build-with-claude/prompt-caching>.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum CacheControl {
    Ephemeral,
}

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>, thinking: Thinking) -> Result<Vec<u8>, String> {
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, Documents::Taken).is_some(),
        // A thought without a seal of Claude's is another's; it would be refused.
        thought => thinking == Thinking::Kept && is_claudes(thought),
    };
    let said = tidy(&request.messages, shown);
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(said.len());
    for said in &said {
        let content = said.blocks.iter().filter_map(|block| part(request, facts, block)).map(plain).collect();
        messages.push(Message { role: said.role, content });
    }
    // Two marks: the prefix that all turns share (tools and system), and everything said so far, which the next step
    // of this turn begins with.
    let mark = messages.last_mut().and_then(|last| last.content.last_mut()).ok_or("the conversation is empty")?;
    mark.cache_control = Some(CacheControl::Ephemeral);
    let mut system: Vec<Content<'_>> = [&request.system]
        .into_iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| plain(Part::Text { text: Cow::Borrowed(text) }))
        .collect();
    system.iter_mut().for_each(|text| text.cache_control = Some(CacheControl::Ephemeral));
    // A transcript with calls is only taken with tools.
    let tools: Vec<Tool<'_>> = offers(request, &said).into_iter().map(tool).collect();
    let body = Body {
        model: &request.model,
        max_tokens: request.max_tokens,
        stream: true,
        system,
        tool_choice: (request.tools.is_empty() && !tools.is_empty()).then_some(ToolChoice::None),
        tools,
        how_to_think: match thinking {
            Thinking::Kept => how_to_think(request, facts, &said),
            Thinking::LeftOut => HowToThink::default(),
        },
        messages,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

fn tool(offer: Offer<'_>) -> Tool<'_> {
    Tool { name: offer.name, description: offer.description, input_schema: offer.schema }
}

fn plain(part: Part<'_>) -> Content<'_> {
    Content { part, cache_control: None }
}

fn part<'a>(request: &'a ModelRequest, facts: &Facts<'_>, block: &'a Block) -> Option<Part<'a>> {
    Some(match block {
        Block::Text { text } => Part::Text { text: Cow::Borrowed(text) },
        Block::Thinking { text, signature } => {
            Part::Thinking { thinking: text, signature: signature.as_deref().unwrap_or_default() }
        }
        Block::RedactedThinking { data } => Part::RedactedThinking { data },
        Block::File { .. } => {
            let (kind, bytes) = facts.file(request, block, Documents::Taken)?;
            seen(kind, bytes)
        }
        Block::ToolUse { id, name, input } => Part::ToolUse { id: fit(id), name, input: arguments(input) },
        Block::ToolResult { .. } => result(Outcome::of(request, facts, block, Documents::Taken)?),
    })
}

fn result(outcome: Outcome<'_>) -> Part<'_> {
    let Outcome { id, text, is_error, files } = outcome;
    let content = if files.is_empty() {
        Shown::Text(text)
    } else {
        let words = (!text.trim().is_empty()).then_some(Part::Text { text });
        Shown::Parts(words.into_iter().chain(files.iter().map(|(kind, bytes)| seen(*kind, bytes))).collect())
    };
    Part::ToolResult { tool_use_id: fit(id), content, is_error }
}

fn seen(kind: Kind, bytes: &[u8]) -> Part<'static> {
    let source = Source::Base64 { media_type: kind.media_type(), data: base64(bytes) };
    if kind == Kind::Pdf { Part::Document { source } } else { Part::Image { source } }
}

/// `^[a-zA-Z0-9_-]+$`; ids of other providers' calls may have dots and colons.
fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, is_plain_id, 32)
}
