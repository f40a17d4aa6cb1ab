//! The streamed answer, as [`crate::framing`] hands it over: `{"<type of the event>": …}`.

use std::collections::BTreeMap;

use chela_core::model::{Block, Delta, ModelAnswer, ModelError, Stop, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::{Assembly, OnDelta, Progress};
use crate::failure::Witness;
use crate::finished::Finished;

/// The events that are read.
const KINDS: [&str; 6] =
    ["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "exception"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Event {
    #[serde(rename_all = "camelCase")]
    ContentBlockStart {
        content_block_index: u32,
        start: Start,
    },
    #[serde(rename_all = "camelCase")]
    ContentBlockDelta {
        content_block_index: u32,
        delta: More,
    },
    #[serde(rename_all = "camelCase")]
    ContentBlockStop {
        content_block_index: u32,
    },
    #[serde(rename_all = "camelCase")]
    MessageStop {
        stop_reason: String,
    },
    Metadata {
        #[serde(default)]
        usage: Tokens,
    },
    Exception(Value),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Start {
    #[serde(rename_all = "camelCase")]
    ToolUse { tool_use_id: String, name: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum More {
    Text(String),
    ToolUse { input: String },
    ReasoningContent(Reasoning),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reasoning {
    Text(String),
    Signature(String),
    RedactedContent(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tokens {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
}

enum Growing {
    Text(String),
    Thinking { text: String, seal: String },
    Redacted(String),
    Call { id: String, name: String, json: String, closed: bool },
}

/// An answer in the making.
pub(crate) struct Answer {
    witness: Witness,
    parts: BTreeMap<u32, Growing>,
    stop_reason: Option<String>,
    usage: Usage,
}

impl Assembly for Answer {
    fn event(&mut self, data: &str, on_delta: OnDelta<'_>) -> Result<Progress, ModelError> {
        let event: Value = serde_json::from_str(data).map_err(|error| self.nonsense(&error))?;
        // What will be invented.
        if !KINDS.iter().any(|kind| event.get(kind).is_some()) {
            return Ok(self.progress());
        }
        match serde_json::from_value(event).map_err(|error| self.nonsense(&error))? {
            Event::ContentBlockStart { content_block_index, start: Start::ToolUse { tool_use_id: id, name } } => {
                self.parts.insert(content_block_index, Growing::Call { id, name, json: String::new(), closed: false });
            }
            Event::ContentBlockDelta { content_block_index, delta } => {
                self.grow(content_block_index, delta, on_delta)?
            }
            Event::ContentBlockStop { content_block_index } => {
                if let Some(Growing::Call { closed, .. }) = self.parts.get_mut(&content_block_index) {
                    *closed = true;
                }
            }
            Event::MessageStop { stop_reason } => self.stop_reason = Some(stop_reason),
            Event::Metadata { usage } => {
                self.usage = Usage {
                    input: usage.input_tokens,
                    output: usage.output_tokens,
                    cache_read: usage.cache_read_input_tokens,
                    cache_write: usage.cache_write_input_tokens,
                };
                return Ok(if self.stop_reason.is_some() { Progress::Ended } else { Progress::Partial });
            }
            Event::Exception(error) => return Err(self.witness.in_stream(&error)),
        }
        Ok(self.progress())
    }

    fn whole(&mut self, _: &[u8], _: OnDelta<'_>) -> Result<(), ModelError> {
        Err(self.witness.broken("it answers without a stream"))
    }
}

impl Answer {
    pub(crate) fn new(witness: Witness) -> Self {
        Self { witness, parts: BTreeMap::new(), stop_reason: None, usage: Usage::default() }
    }

    fn progress(&self) -> Progress {
        if self.stop_reason.is_some() { Progress::Said } else { Progress::Partial }
    }

    fn nonsense(&self, error: &serde_json::Error) -> ModelError {
        self.witness.broken(format!("it sends what is no event of ConverseStream ({error})"))
    }

    /// Only calls are begun with an event of their own.
    fn grow(&mut self, index: u32, more: More, on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        let begin = |more: &More| match more {
            More::Text(_) => Some(Growing::Text(String::new())),
            More::ReasoningContent(Reasoning::RedactedContent(_)) => Some(Growing::Redacted(String::new())),
            More::ReasoningContent(_) => Some(Growing::Thinking { text: String::new(), seal: String::new() }),
            More::ToolUse { .. } => None,
        };
        if !self.parts.contains_key(&index)
            && let Some(begun) = begin(&more)
        {
            self.parts.insert(index, begun);
        }
        let Some(growing) = self.parts.get_mut(&index) else {
            return Err(self.witness.broken("it continues a block that it never began"));
        };
        match (growing, more) {
            (Growing::Text(text), More::Text(more)) => {
                text.push_str(&more);
                if !more.is_empty() {
                    on_delta(&Delta::Text(more));
                }
            }
            (Growing::Thinking { text, .. }, More::ReasoningContent(Reasoning::Text(more))) => text.push_str(&more),
            (Growing::Thinking { seal, .. }, More::ReasoningContent(Reasoning::Signature(more))) => {
                seal.push_str(&more)
            }
            (Growing::Redacted(data), More::ReasoningContent(Reasoning::RedactedContent(more))) => data.push_str(&more),
            (Growing::Call { json, .. }, More::ToolUse { input }) => json.push_str(&input),
            _ => return Err(self.witness.broken("it mixes kinds of content in one block")),
        }
        Ok(())
    }

    /// The whole answer. A tool call that was cut off is never part of it.
    pub(crate) fn finish(self) -> Result<ModelAnswer, ModelError> {
        let stop = match self.stop_reason.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => Stop::MaxTokens,
            Some("guardrail_intervened" | "content_filtered" | "refusal") => Stop::Refusal,
            // Another try may get it right.
            Some(reason @ ("malformed_model_output" | "malformed_tool_use")) => {
                return Err(self.witness.broken(format!("it gave up in the middle of its answer ({reason})")));
            }
            _ => Stop::End,
        };
        let mut answer = Finished::new(stop, self.usage);
        for part in self.parts.into_values() {
            match part {
                Growing::Text(text) => answer.text(text),
                Growing::Thinking { text, seal } => {
                    answer.push(Block::Thinking { text, signature: Some(seal).filter(|seal| !seal.is_empty()) });
                }
                Growing::Redacted(data) => answer.push(Block::RedactedThinking { data }),
                Growing::Call { id, name, json, closed } => {
                    let json = if json.trim().is_empty() { "{}" } else { &json };
                    answer.call(id, name, serde_json::from_str(json).ok().filter(|_| closed));
                }
            }
        }
        answer.into_answer(&self.witness)
    }
}
