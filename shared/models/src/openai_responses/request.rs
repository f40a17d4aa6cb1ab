//! The request body.

use std::borrow::Cow;

use chela_core::model::{Block, ModelRequest, Role, Thinking};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::{Effort, effort};
use crate::facts::{Documents, Facts, Kind, data_url};
use crate::results::Outcome;
use crate::seal::Maker;
use crate::transcript::{Said, arguments, cache_key, fit_id, is_plain_id, tidy};

/// Whether the model's earlier reasoning is sent back and its next one asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reasoning {
    /// Sealed as it came.
    Kept,
    /// The seals are not good here.
    LeftOut,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    store: bool,
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<HowToThink>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    input: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct HowToThink {
    effort: Effort,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Tool<'a> {
    /// Strict schemas are a subset of JSON schema that ours need not keep to.
    Function { name: &'a str, description: &'a str, parameters: &'a Value, strict: bool },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message { role: Role, content: Vec<Part<'a>> },
    Reasoning { id: &'a str, summary: Vec<Part<'a>>, encrypted_content: &'a str },
    FunctionCall { call_id: Cow<'a, str>, name: &'a str, arguments: String },
    FunctionCallOutput { call_id: Cow<'a, str>, output: Output<'a> },
}

/// Words alone are a string.
#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    InputText { text: Cow<'a, str> },
    InputImage { image_url: String },
    InputFile { filename: &'static str, file_data: String },
    OutputText { text: &'a str },
    SummaryText { text: &'a str },
}

/// What can be asked of a model of which nothing is known.
const EFFORTS: [Effort; 3] = [Effort::Low, Effort::Medium, Effort::High];

/// The body, or why there is nothing to ask.
pub(crate) fn body(request: &ModelRequest, facts: &Facts<'_>, reasoning: Reasoning) -> Result<Vec<u8>, String> {
    let shown = |block: &Block| match block {
        Block::File { .. } => facts.file(request, block, Documents::Taken).is_some(),
        thought => reasoning == Reasoning::Kept && seal_of(thought).is_some(),
    };
    let said = tidy(&request.messages, shown);
    if said.is_empty() {
        return Err("the conversation is empty".to_owned());
    }
    let mut input = Vec::new();
    for said in &said {
        add(&mut input, request, facts, said);
    }
    let reasons = reasoning == Reasoning::Kept && facts.reasons() != Some(false);
    let offered = if facts.known().is_some() { facts.efforts() } else { &EFFORTS };
    // What nobody asked for is not said to a model of which nothing is known.
    let told = reasons && (facts.known().is_some() || request.thinking != Thinking::Off);
    let tools = request.tools.iter().map(|tool| Tool::Function {
        name: &tool.name,
        description: &tool.description,
        parameters: &tool.input_schema,
        strict: false,
    });
    let body = Body {
        model: &request.model,
        stream: true,
        store: false,
        max_output_tokens: request.max_tokens,
        prompt_cache_key: cache_key(request),
        include: if reasons { vec!["reasoning.encrypted_content"] } else { vec![] },
        reasoning: effort(request.thinking, offered).filter(|_| told).map(|effort| HowToThink { effort }),
        instructions: Some(request.system.as_str()).filter(|text| !text.trim().is_empty()),
        tools: tools.collect(),
        input,
    };
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// Id and seal of a reasoning item.
fn seal_of(block: &Block) -> Option<(&str, &str)> {
    Maker::Responses.seal_of(block)?.split_once(':')
}

fn add<'a>(input: &mut Vec<Item<'a>>, request: &'a ModelRequest, facts: &Facts<'_>, said: &'a Said<'_>) {
    let mut content = Vec::new();
    for block in &said.blocks {
        let item = match block.as_ref() {
            Block::Text { text } if said.role == Role::User => {
                content.push(Part::InputText { text: Cow::Borrowed(text) });
                continue;
            }
            Block::Text { text } => Item::Message { role: Role::Assistant, content: vec![Part::OutputText { text }] },
            Block::File { .. } => {
                content.extend(facts.file(request, block, Documents::Taken).map(|(kind, bytes)| seen(kind, bytes)));
                continue;
            }
            Block::Thinking { text, .. } => {
                let Some((id, encrypted_content)) = seal_of(block) else { continue };
                let summary = Some(Part::SummaryText { text }).filter(|_| !text.is_empty());
                Item::Reasoning { id, summary: summary.into_iter().collect(), encrypted_content }
            }
            Block::RedactedThinking { .. } => continue,
            Block::ToolUse { id, name, input } => {
                Item::FunctionCall { call_id: fit(id), name, arguments: arguments(input).to_string() }
            }
            Block::ToolResult { .. } => {
                let Some(outcome) = Outcome::of(request, facts, block, Documents::Taken) else { continue };
                Item::FunctionCallOutput { call_id: fit(outcome.id), output: output(&outcome) }
            }
        };
        input.push(item);
    }
    if !content.is_empty() {
        input.push(Item::Message { role: Role::User, content });
    }
}

fn output<'a>(outcome: &Outcome<'a>) -> Output<'a> {
    let told = outcome.told();
    if outcome.files.is_empty() {
        return Output::Text(told);
    }
    let words = (!told.trim().is_empty()).then_some(Part::InputText { text: told });
    Output::Parts(words.into_iter().chain(outcome.files.iter().map(|(kind, bytes)| seen(*kind, bytes))).collect())
}

fn seen(kind: Kind, bytes: &[u8]) -> Part<'static> {
    match kind {
        Kind::Image(_) => Part::InputImage { image_url: data_url(kind, bytes) },
        Kind::Pdf => Part::InputFile { filename: "file.pdf", file_data: data_url(kind, bytes) },
    }
}

/// At most 64 characters.
fn fit(id: &str) -> Cow<'_, str> {
    fit_id(id, |id| id.len() <= 64 && is_plain_id(id), 32)
}
