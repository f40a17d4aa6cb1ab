//! The streamed answer: <https://platform.openai.com/docs/api-reference/responses-streaming>.

use std::collections::BTreeMap;

use chela_core::model::{Delta, ModelAnswer, ModelError, Stop, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::{Assembly, OnDelta, Progress};
use crate::failure::Witness;
use crate::finished::Finished;
use crate::seal::Maker;

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_text.delta", alias = "response.refusal.delta")]
    TextDelta { delta: String },
    #[serde(rename = "response.output_item.done")]
    ItemDone { output_index: u32, item: Item },
    #[serde(rename = "response.completed", alias = "response.incomplete", alias = "response.failed")]
    Ended { response: Response },
    #[serde(rename = "error")]
    Error {
        #[serde(flatten)]
        error: Value,
    },
    /// Beginnings, pieces of what comes whole, and what will be invented.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    output: Vec<Item>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    incomplete_details: Option<Incomplete>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Incomplete {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Message {
        #[serde(default)]
        content: Vec<Part>,
    },
    Reasoning {
        #[serde(default)]
        id: String,
        #[serde(default)]
        summary: Vec<Part>,
        #[serde(default)]
        encrypted_content: Option<String>,
    },
    FunctionCall {
        call_id: String,
        name: String,
        #[serde(default)]
        arguments: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    OutputText {
        text: String,
    },
    SummaryText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

/// An answer in the making.
pub(crate) struct Answer {
    witness: Witness,
    items: BTreeMap<u32, Item>,
    stop: Stop,
    usage: Usage,
}

impl Assembly for Answer {
    fn event(&mut self, data: &str, on_delta: OnDelta<'_>) -> Result<Progress, ModelError> {
        if data.trim() == "[DONE]" {
            return Ok(Progress::Partial);
        }
        match serde_json::from_str(data).map_err(|error| self.nonsense(&error))? {
            Event::TextDelta { delta } => on_delta(&Delta::Text(delta)),
            Event::ItemDone { output_index, item } => {
                self.items.insert(output_index, item);
            }
            Event::Ended { response } => {
                self.end(response)?;
                return Ok(Progress::Ended);
            }
            Event::Error { error } => {
                // Either `{type: "error", code, message}` or the same under `error`.
                return Err(self.witness.in_stream(error.get("error").unwrap_or(&error)));
            }
            Event::Other => {}
        }
        Ok(Progress::Partial)
    }

    fn whole(&mut self, body: &[u8], on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        let response: Response = serde_json::from_slice(body).map_err(|error| self.nonsense(&error))?;
        if response.status.is_none() && response.error.as_ref().is_none_or(Value::is_null) {
            return Err(self.witness.broken("it answers without a status; does baseUrl end in /v1?"));
        }
        self.end(response)?;
        for item in self.items.values() {
            if let Item::Message { content } = item {
                on_delta(&Delta::Text(visible(content)));
            }
        }
        Ok(())
    }
}

impl Answer {
    pub(crate) fn new(witness: Witness) -> Self {
        Self { witness, items: BTreeMap::new(), stop: Stop::End, usage: Usage::default() }
    }

    fn nonsense(&self, error: &serde_json::Error) -> ModelError {
        self.witness.broken(format!("it sends what is no event of the Responses API ({error})"))
    }

    fn end(&mut self, response: Response) -> Result<(), ModelError> {
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(self.witness.in_stream(&error));
        }
        self.stop = match (response.status.as_deref(), response.incomplete_details.and_then(|details| details.reason)) {
            (Some("failed" | "cancelled"), _) => {
                return Err(self.witness.broken("it gave up in the middle of its answer"));
            }
            (Some("incomplete"), Some(reason)) if reason == "content_filter" => Stop::Refusal,
            (Some("incomplete"), _) => Stop::MaxTokens,
            _ => Stop::End,
        };
        // Some gateways send the items only here.
        if self.items.is_empty() {
            self.items = (0..).zip(response.output).collect();
        }
        if let Some(tokens) = response.usage {
            let details = tokens.input_tokens_details.unwrap_or_default();
            let (read, write) = (details.cached_tokens.unwrap_or(0), details.cache_write_tokens.unwrap_or(0));
            self.usage = Usage {
                input: tokens.input_tokens.saturating_sub(read).saturating_sub(write),
                output: tokens.output_tokens,
                cache_read: read,
                cache_write: write,
            };
        }
        Ok(())
    }

    /// The whole answer. A tool call that was cut off is never part of it.
    pub(crate) fn finish(self) -> Result<ModelAnswer, ModelError> {
        let refuses = |item: &Item| match item {
            Item::Message { content } => content.iter().any(|part| matches!(part, Part::Refusal { .. })),
            _ => false,
        };
        let stop = if self.items.values().any(refuses) { Stop::Refusal } else { self.stop };
        let mut answer = Finished::new(stop, self.usage);
        for item in self.items.into_values() {
            match item {
                Item::Message { content } => answer.text(visible(&content)),
                Item::Reasoning { id, summary, encrypted_content: Some(seal) } => {
                    answer.push(Maker::Responses.thought(visible(&summary), &format!("{id}:{seal}")));
                }
                Item::FunctionCall { call_id, name, arguments } => {
                    let arguments = if arguments.trim().is_empty() { "{}" } else { &arguments };
                    answer.call(call_id, name, serde_json::from_str(arguments).ok());
                }
                // Reasoning that is not sealed cannot be sent back.
                Item::Reasoning { .. } | Item::Other => {}
            }
        }
        answer.into_answer(&self.witness)
    }
}

fn visible(content: &[Part]) -> String {
    let text = |part: &Part| match part {
        Part::OutputText { text } | Part::SummaryText { text } | Part::Refusal { refusal: text } => Some(text.clone()),
        Part::Other => None,
    };
    content.iter().filter_map(text).collect()
}
