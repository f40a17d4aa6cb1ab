//! The streamed answer: <https://docs.claude.com/en/docs/build-with-claude/streaming>.

use std::collections::BTreeMap;

use chela_core::model::{Block, Delta, ModelAnswer, ModelError, Stop, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::{Assembly, OnDelta, Progress};
use crate::failure::Witness;
use crate::finished::Finished;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u32,
        content_block: Part,
    },
    ContentBlockDelta {
        index: u32,
        delta: More,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: End,
        #[serde(default)]
        usage: Tokens,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, and what will be invented.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Tokens,
}

/// Both a block's beginning in a stream and a whole block of an answer in one piece.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default = "no_arguments")]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum More {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct End {
    stop_reason: Option<String>,
}

/// Each report repeats or completes the one before.
#[derive(Default, Deserialize)]
struct Tokens {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Whole {
    content: Vec<Part>,
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Tokens,
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

struct Growing {
    part: Part,
    json: String,
    closed: bool,
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
        let event = serde_json::from_str(data).map_err(|error| self.nonsense(&error))?;
        match event {
            Event::MessageStart { message } => self.count(&message.usage),
            Event::ContentBlockStart { index, content_block } => self.begin(index, content_block, on_delta),
            Event::ContentBlockDelta { index, delta } => self.grow(index, delta, on_delta)?,
            Event::ContentBlockStop { index } => {
                if let Some(growing) = self.parts.get_mut(&index) {
                    growing.closed = true;
                }
            }
            Event::MessageDelta { delta, usage } => {
                self.count(&usage);
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
            }
            Event::MessageStop => return Ok(Progress::Ended),
            Event::Error { error } => return Err(self.witness.in_stream(&error)),
            Event::Other => {}
        }
        Ok(if self.stop_reason.is_some() { Progress::Said } else { Progress::Partial })
    }

    fn whole(&mut self, body: &[u8], on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        let whole: Whole = serde_json::from_slice(body).map_err(|error| self.nonsense(&error))?;
        self.count(&whole.usage);
        self.stop_reason = whole.stop_reason;
        for (part, index) in whole.content.into_iter().zip(0..) {
            self.begin(index, part, on_delta);
        }
        self.parts.values_mut().for_each(|growing| growing.closed = true);
        Ok(())
    }
}

impl Answer {
    pub(crate) fn new(witness: Witness) -> Self {
        Self { witness, parts: BTreeMap::new(), stop_reason: None, usage: Usage::default() }
    }

    fn nonsense(&self, error: &serde_json::Error) -> ModelError {
        self.witness.broken(format!("it sends what is no event of the Messages API ({error})"))
    }

    fn count(&mut self, tokens: &Tokens) {
        let Usage { input, output, cache_read, cache_write } = &mut self.usage;
        let news = [
            (input, tokens.input_tokens),
            (output, tokens.output_tokens),
            (cache_read, tokens.cache_read_input_tokens),
            (cache_write, tokens.cache_creation_input_tokens),
        ];
        for (known, reported) in news {
            *known = reported.unwrap_or(*known);
        }
    }

    fn begin(&mut self, index: u32, part: Part, on_delta: OnDelta<'_>) {
        if let Part::Text { text } = &part
            && !text.is_empty()
        {
            on_delta(&Delta::Text(text.clone()));
        }
        self.parts.insert(index, Growing { part, json: String::new(), closed: false });
    }

    fn grow(&mut self, index: u32, more: More, on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        let Some(growing) = self.parts.get_mut(&index) else {
            return Err(self.witness.broken("it continues a block that it never began"));
        };
        match (&mut growing.part, more) {
            (Part::Text { text }, More::TextDelta { text: more }) => {
                text.push_str(&more);
                on_delta(&Delta::Text(more));
            }
            (Part::Thinking { thinking, .. }, More::ThinkingDelta { thinking: more }) => thinking.push_str(&more),
            // Opaque: pieces are joined as they come.
            (Part::Thinking { signature, .. }, More::SignatureDelta { signature: more }) => signature.push_str(&more),
            (Part::ToolUse { .. }, More::InputJsonDelta { partial_json }) => growing.json.push_str(&partial_json),
            // Citations and other decoration.
            _ => {}
        }
        Ok(())
    }

    /// The whole answer. A tool call that was cut off is never part of it.
    pub(crate) fn finish(self) -> Result<ModelAnswer, ModelError> {
        let stop = match self.stop_reason.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => Stop::MaxTokens,
            Some("refusal") => Stop::Refusal,
            _ => Stop::End,
        };
        let mut answer = Finished::new(stop, self.usage);
        for Growing { part, json, closed } in self.parts.into_values() {
            match part {
                Part::Text { text } => answer.text(text),
                Part::Thinking { thinking: text, signature } => {
                    let signature = Some(signature).filter(|signature| !signature.is_empty());
                    answer.push(Block::Thinking { text, signature });
                }
                Part::RedactedThinking { data } => answer.push(Block::RedactedThinking { data }),
                // Whole answers have the arguments at once, streams in pieces after an empty object.
                Part::ToolUse { id, name, input } if json.is_empty() => {
                    answer.call(id, name, Some(input).filter(|_| closed));
                }
                Part::ToolUse { id, name, .. } => {
                    answer.call(id, name, serde_json::from_str(&json).ok());
                }
                Part::Other => {}
            }
        }
        answer.into_answer(&self.witness)
    }
}
