//! The request body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chela_core::model::{Block, ModelRequest, Role, Thinking};
use serde::Serialize;
use serde_json::Value;

use crate::facts::{Documents, Facts, base64};
use crate::results::Outcome;
use crate::transcript::{Said, arguments, text_of, tidy};

/// Whether to think; the gpt-oss models take degrees and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Think {
    Whether(bool),
    Degree(&'static str),
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    options: Options,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
    num_predict: u32,
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
        #[serde(skip_serializing_if = "Vec::is_empty")]
        images: Vec<String>,
    },
    Assistant {
        content: Cow<'a, str>,
        #[serde(skip_serializing_if = "String::is_empty")]
        thinking: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_name: &'a str,
        tool_call_id: &'a str,
        content: Cow<'a, str>,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    function: Arguments<'a>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    name: &'a str,
    arguments: Cow<'a, Value>,
}

/// What is said of thinking: to models that are known not to think, nothing.
pub(crate) fn think(request: &ModelRequest, facts: &Facts<'_>) -> Option<Think> {
    if facts.reasons() == Some(false) {
        return None;
    }
    let by_degree = request.model.contains("gpt-oss");
    Some(match request.thinking {
        Thinking::Off | Thinking::Minimal | Thinking::Low if by_degree => Think::Degree("low"),
        Thinking::Medium if by_degree => Think::Degree("medium"),
        Thinking::High | Thinking::Xhigh if by_degree => Think::Degree("high"),
        level => Think::Whether(level != Thinking::Off),
    })
}

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>, think: Option<Think>) -> Result<Vec<u8>, String> {
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, Documents::Never).is_some(),
        thought => matches!(thought, Block::Thinking { signature: None, .. }),
    };
    let said = tidy(&request.messages, shown);
    if said.is_empty() {
        return Err("the conversation is empty".to_owned());
    }
    let mut messages = Vec::with_capacity(said.len().saturating_add(1));
    if !request.system.trim().is_empty() {
        messages.push(Message::System { content: &request.system });
    }
    let mut called = BTreeMap::new();
    for said in &said {
        match said.role {
            Role::User => add_user(&mut messages, request, facts, said, &called),
            Role::Assistant => messages.push(assistant(said, &mut called)),
        }
    }
    let tools = request.tools.iter().map(|tool| Tool::Function {
        function: Function { name: &tool.name, description: &tool.description, parameters: &tool.input_schema },
    });
    let body = Body {
        model: &request.model,
        stream: true,
        think,
        options: Options { num_ctx: facts.context_window(), num_predict: request.max_tokens },
        tools: tools.collect(),
        messages,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

fn add_user<'a>(
    messages: &mut Vec<Message<'a>>,
    request: &'a ModelRequest,
    facts: &Facts<'_>,
    said: &'a Said<'_>,
    called: &BTreeMap<&'a str, &'a str>,
) {
    let (mut images, mut words) = (Vec::new(), Vec::new());
    for block in &said.blocks {
        let Some(outcome) = Outcome::of(request, facts, block, Documents::Never) else {
            images.extend(facts.file(request, block, Documents::Never).map(|(_, bytes)| base64(bytes)));
            continue;
        };
        let tool_name = called.get(outcome.id).copied().unwrap_or_default();
        messages.push(Message::Tool { tool_name, tool_call_id: outcome.id, content: outcome.told() });
        if !outcome.files.is_empty() {
            words.push(Cow::Owned(outcome.heading(tool_name)));
            images.extend(outcome.files.iter().map(|(_, bytes)| base64(bytes)));
        }
    }
    words.extend(text_of(said));
    let content = words.into_iter().reduce(|all, next| Cow::Owned(format!("{all}\n\n{next}"))).unwrap_or_default();
    if !content.is_empty() || !images.is_empty() {
        messages.push(Message::User { content, images });
    }
}

fn assistant<'a>(said: &'a Said<'_>, called: &mut BTreeMap<&'a str, &'a str>) -> Message<'a> {
    let (mut thinking, mut tool_calls) = (String::new(), Vec::new());
    for block in &said.blocks {
        match block.as_ref() {
            Block::Thinking { text, .. } => thinking.push_str(text),
            Block::ToolUse { id, name, input } => {
                called.insert(id, name);
                tool_calls.push(Call { id, function: Arguments { name, arguments: arguments(input) } });
            }
            _ => {}
        }
    }
    Message::Assistant { content: text_of(said).unwrap_or_default(), thinking, tool_calls }
}
