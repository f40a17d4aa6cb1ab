//! The streamed answer: a JSON object on each line.

use chela_core::model::{Block, Delta, ModelAnswer, ModelError, Stop, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::{Assembly, OnDelta, Progress};
use crate::failure::Witness;
use crate::finished::{Finished, made_up_id};

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: u64,
    #[serde(default)]
    eval_count: u64,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: String,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    name: String,
    #[serde(default)]
    arguments: Value,
}

/// An answer in the making.
pub(crate) struct Answer {
    witness: Witness,
    /// How long the transcript was: makes the ids of calls different from turn to turn.
    place: usize,
    text: String,
    thinking: String,
    calls: Vec<Call>,
    done_reason: Option<String>,
    usage: Usage,
}

impl Assembly for Answer {
    fn event(&mut self, data: &str, on_delta: OnDelta<'_>) -> Result<Progress, ModelError> {
        let piece: Piece = serde_json::from_str(data)
            .map_err(|error| self.witness.broken(format!("it sends what is no answer of /api/chat ({error})")))?;
        if let Some(error) = piece.error.filter(|error| !error.is_null()) {
            return Err(self.witness.in_stream(&error));
        }
        if let Some(message) = piece.message {
            if !message.content.is_empty() {
                self.text.push_str(&message.content);
                on_delta(&Delta::Text(message.content));
            }
            self.thinking.push_str(message.thinking.as_deref().unwrap_or_default());
            self.calls.extend(message.tool_calls.unwrap_or_default());
        }
        if !piece.done {
            return Ok(Progress::Partial);
        }
        self.done_reason = Some(piece.done_reason.unwrap_or_default());
        self.usage = Usage { input: piece.prompt_eval_count, output: piece.eval_count, ..Usage::default() };
        Ok(Progress::Ended)
    }

    fn whole(&mut self, body: &[u8], on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        match self.event(&String::from_utf8_lossy(body), on_delta)? {
            Progress::Partial => Err(self.witness.broken("it answers without an end; does baseUrl end before /api?")),
            Progress::Said | Progress::Ended => Ok(()),
        }
    }
}

impl Answer {
    pub(crate) fn new(witness: Witness, place: usize) -> Self {
        Self {
            witness,
            place,
            text: String::new(),
            thinking: String::new(),
            calls: Vec::new(),
            done_reason: None,
            usage: Usage::default(),
        }
    }

    /// The whole answer.
    pub(crate) fn finish(self) -> Result<ModelAnswer, ModelError> {
        let stop = if self.done_reason.as_deref() == Some("length") { Stop::MaxTokens } else { Stop::End };
        let mut answer = Finished::new(stop, self.usage);
        if !self.thinking.is_empty() {
            answer.push(Block::Thinking { text: self.thinking, signature: None });
        }
        answer.text(self.text);
        for (number, Call { id, function: Function { name, arguments } }) in self.calls.into_iter().enumerate() {
            let arguments = if arguments.is_null() { Value::Object(serde_json::Map::new()) } else { arguments };
            let made_up = || made_up_id(self.place, number, &name, &arguments.to_string());
            let id = id.filter(|id| !id.is_empty()).unwrap_or_else(made_up);
            answer.call(id, name, Some(arguments));
        }
        answer.into_answer(&self.witness)
    }
}
