//! The streamed answer, as OpenAI documents it and as others send it.

use chela_core::model::{Block, Delta, ModelAnswer, ModelError, Stop, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::{Assembly, OnDelta, Progress};
use crate::failure::Witness;
use crate::finished::{Finished, made_up_id};

use super::Quirks;

/// A piece of a stream, or a whole answer: they differ in `delta` and `message` only.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Tokens>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Message>,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    /// A string; `null`; a list of typed parts at Mistral.
    #[serde(default)]
    content: Value,
    /// DeepSeek and vLLM; OpenRouter's `reasoning` is not read.
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    #[serde(default)]
    index: Option<u32>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: FunctionPiece,
}

#[derive(Default, Deserialize)]
struct FunctionPiece {
    #[serde(default)]
    name: Option<String>,
    /// JSON in a string, piece by piece; some servers send the object itself.
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    /// DeepSeek.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    /// OpenRouter.
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Default)]
struct Call {
    index: Option<u32>,
    id: String,
    name: String,
    arguments: String,
}

/// An answer in the making.
pub(crate) struct Answer {
    witness: Witness,
    quirks: Quirks,
    /// How long the transcript was: makes the ids of calls different from turn to turn.
    place: usize,
    text: String,
    reasoning: String,
    calls: Vec<Call>,
    finish_reason: Option<String>,
    usage: Usage,
}

impl Assembly for Answer {
    fn event(&mut self, data: &str, on_delta: OnDelta<'_>) -> Result<Progress, ModelError> {
        if data.trim() == "[DONE]" {
            return Ok(Progress::Ended);
        }
        self.take(data.as_bytes(), on_delta)?;
        Ok(if self.finish_reason.is_some() { Progress::Said } else { Progress::Partial })
    }

    fn whole(&mut self, body: &[u8], on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        match self.take(body, on_delta)? {
            0 => Err(self.witness.broken("it answers without a choice; does baseUrl end in /v1?")),
            _ => Ok(()),
        }
    }
}

impl Answer {
    pub(crate) fn new(witness: Witness, quirks: Quirks, place: usize) -> Self {
        Self {
            witness,
            quirks,
            place,
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            finish_reason: None,
            usage: Usage::default(),
        }
    }

    /// Takes a piece and tells how many choices it had; only one was asked for.
    fn take(&mut self, json: &[u8], on_delta: OnDelta<'_>) -> Result<usize, ModelError> {
        let chunk: Chunk = serde_json::from_slice(json)
            .map_err(|error| self.witness.broken(format!("it sends what is no chat completion ({error})")))?;
        let choices = chunk.choices.unwrap_or_default();
        let error = choices.iter().find_map(|choice| choice.error.as_ref()).or(chunk.error.as_ref());
        if let Some(error) = error.filter(|error| !error.is_null()) {
            return Err(self.witness.in_stream(error));
        }
        if let Some(tokens) = chunk.usage {
            self.count(&tokens);
        }
        let count = choices.len();
        if let Some(choice) = choices.into_iter().next() {
            if let Some(message) = choice.delta.or(choice.message) {
                self.add(message, on_delta);
            }
            self.finish_reason = choice.finish_reason.filter(|reason| !reason.is_empty()).or(self.finish_reason.take());
        }
        Ok(count)
    }

    fn add(&mut self, message: Message, on_delta: OnDelta<'_>) {
        let text = visible(message.content);
        if !text.is_empty() {
            self.text.push_str(&text);
            on_delta(&Delta::Text(text));
        }
        if self.quirks.returns_reasoning {
            self.reasoning.push_str(message.reasoning_content.as_deref().unwrap_or_default());
        }
        for piece in message.tool_calls.unwrap_or_default() {
            self.add_call(piece);
        }
    }

    /// A piece belongs to the latest call of its index, unless it brings another id: Ollama and Gemini number every
    /// call 0 (ollama#15457). Without an index, an id or a name begins a call (ollama#7881).
    fn add_call(&mut self, piece: CallPiece) {
        let id = piece.id.unwrap_or_default();
        let begins = !id.is_empty() || piece.function.name.is_some();
        let latest = match piece.index {
            Some(index) => self.calls.iter_mut().rev().find(|call| call.index == Some(index)),
            None => self.calls.last_mut().filter(|_| !begins),
        };
        let same = latest.filter(|call| id.is_empty() || call.id.is_empty() || call.id == id);
        let call = match same {
            Some(call) => call,
            None => self.calls.push_mut(Call { index: piece.index, ..Call::default() }),
        };
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name.is_empty() {
            call.name = piece.function.name.unwrap_or_default();
        }
        match piece.function.arguments {
            Value::String(more) => call.arguments.push_str(&more),
            Value::Null => {}
            object => call.arguments.push_str(&object.to_string()),
        }
    }

    fn count(&mut self, tokens: &Tokens) {
        let details = tokens.prompt_tokens_details.as_ref();
        let read = details.and_then(|details| details.cached_tokens).or(tokens.prompt_cache_hit_tokens).unwrap_or(0);
        let write = details.and_then(|details| details.cache_write_tokens).unwrap_or(0);
        self.usage = Usage {
            // Unlike Anthropic's, `prompt_tokens` has the cached ones in it.
            input: tokens.prompt_tokens.unwrap_or(0).saturating_sub(read).saturating_sub(write),
            output: tokens.completion_tokens.unwrap_or(0),
            cache_read: read,
            cache_write: write,
        };
    }

    /// The whole answer. A tool call that was cut off is never part of it.
    pub(crate) fn finish(self) -> Result<ModelAnswer, ModelError> {
        let stop = match self.finish_reason.as_deref() {
            // OpenRouter, when the provider behind it gave up.
            Some("error") => return Err(self.witness.broken("it gave up in the middle of its answer")),
            Some("length" | "model_length") => Stop::MaxTokens,
            Some("content_filter") => Stop::Refusal,
            _ => Stop::End,
        };
        let mut answer = Finished::new(stop, self.usage);
        if !self.reasoning.is_empty() {
            answer.push(Block::Thinking { text: self.reasoning, signature: None });
        }
        answer.text(self.text);
        for (number, call) in self.calls.into_iter().enumerate() {
            let id =
                if call.id.is_empty() { made_up_id(self.place, number, &call.name, &call.arguments) } else { call.id };
            let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
            answer.call(id, call.name, serde_json::from_str(arguments).ok());
        }
        answer.into_answer(&self.witness)
    }
}

/// What the person may read of a content.
fn visible(content: Value) -> String {
    match content {
        Value::String(text) => text,
        Value::Array(parts) => {
            let texts = parts.iter().filter(|part| part.get("type").and_then(Value::as_str) == Some("text"));
            texts.filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        _ => String::new(),
    }
}
