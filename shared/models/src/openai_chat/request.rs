//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role, ToolSpec};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::MaxTokensField;
use crate::transcript::{Said, arguments, fit_id, is_plain_id, tidy};

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
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
        content: Cow<'a, str>,
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

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, quirks: Quirks) -> Result<Vec<u8>, String> {
    // A sealed thought is Anthropic's and stays between the two.
    let shown = |block: &Block| quirks.returns_reasoning && matches!(block, Block::Thinking { signature: None, .. });
    let said = tidy(&request.messages, shown);
    let mut messages = Vec::with_capacity(said.len().saturating_add(1));
    if !request.system.trim().is_empty() {
        messages.push(Message::System { content: &request.system });
    }
    for said in &said {
        match said.role {
            Role::User => add_user(&mut messages, said, quirks),
            Role::Assistant => add_assistant(&mut messages, said, quirks),
        }
    }
    if said.is_empty() {
        return Err("the conversation is empty".to_owned());
    }
    let limit = |field| (quirks.max_tokens_field == field).then_some(request.max_tokens);
    let body = Body {
        model: &request.model,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_tokens: limit(MaxTokensField::MaxTokens),
        max_completion_tokens: limit(MaxTokensField::MaxCompletionTokens),
        tools: request.tools.iter().map(function).collect(),
        messages,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

fn function(tool: &ToolSpec) -> Tool<'_> {
    Tool::Function {
        function: Function { name: &tool.name, description: &tool.description, parameters: &tool.input_schema },
    }
}

fn add_user<'a>(messages: &mut Vec<Message<'a>>, said: &'a Said<'_>, quirks: Quirks) {
    for block in &said.blocks {
        if let Block::ToolResult { id, text, is_error } = block.as_ref() {
            // The dialect has no mark for a failure.
            let content = if *is_error { Cow::Owned(format!("Error: {text}")) } else { Cow::Borrowed(text.as_str()) };
            messages.push(Message::Tool { tool_call_id: fit(id, quirks), content });
        }
    }
    if let Some(content) = text_of(said) {
        messages.push(Message::User { content });
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

fn text_of<'a>(said: &'a Said<'_>) -> Option<Cow<'a, str>> {
    let texts = said.blocks.iter().filter_map(|block| match block.as_ref() {
        Block::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.map(Cow::Borrowed).reduce(|all, next| Cow::Owned(format!("{all}\n\n{next}")))
}

/// OpenAI takes at most 40 characters.
fn fit(id: &str, quirks: Quirks) -> Cow<'_, str> {
    if quirks.short_tool_ids {
        fit_id(id, |id| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()), 9)
    } else {
        fit_id(id, |id| id.len() <= 40 && is_plain_id(id), 32)
    }
}
