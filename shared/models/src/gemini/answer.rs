//! The streamed answer: every event is a piece of a `GenerateContentResponse`.

use chela_core::model::{Delta, ModelAnswer, ModelError, Stop, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::{Assembly, OnDelta, Progress};
use crate::failure::Witness;
use crate::finished::{Finished, made_up_id};
use crate::seal::Maker;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Chunk {
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Tokens>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Part {
    text: Option<String>,
    thought: bool,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionCall {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tokens {
    prompt_token_count: u64,
    cached_content_token_count: u64,
    candidates_token_count: u64,
    thoughts_token_count: u64,
    tool_use_prompt_token_count: u64,
}

enum Piece {
    Text(String),
    Call { thought: String, seal: Option<String>, call: FunctionCall },
}

/// An answer in the making.
pub(crate) struct Answer {
    witness: Witness,
    /// How long the transcript was: makes the ids of calls different from turn to turn.
    place: usize,
    pieces: Vec<Piece>,
    thought: String,
    finish_reason: Option<String>,
    usage: Usage,
}

impl Assembly for Answer {
    fn event(&mut self, data: &str, on_delta: OnDelta<'_>) -> Result<Progress, ModelError> {
        if data.trim() == "[DONE]" {
            return Ok(if self.finish_reason.is_some() { Progress::Ended } else { Progress::Partial });
        }
        let chunk = serde_json::from_str(data).map_err(|error| self.nonsense(&error))?;
        self.take(chunk, on_delta)?;
        Ok(if self.finish_reason.is_some() { Progress::Said } else { Progress::Partial })
    }

    fn whole(&mut self, body: &[u8], on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        // Without `alt=sse` the pieces come as a list.
        let chunks = match serde_json::from_slice::<Vec<Chunk>>(body) {
            Ok(chunks) => chunks,
            Err(_) => vec![serde_json::from_slice(body).map_err(|error| self.nonsense(&error))?],
        };
        chunks.into_iter().try_for_each(|chunk| self.take(chunk, on_delta))?;
        match &self.finish_reason {
            Some(_) => Ok(()),
            None => Err(self.witness.broken("it answers without a candidate; does baseUrl end in /v1beta?")),
        }
    }
}

impl Answer {
    pub(crate) fn new(witness: Witness, place: usize) -> Self {
        Self {
            witness,
            place,
            pieces: Vec::new(),
            thought: String::new(),
            finish_reason: None,
            usage: Usage::default(),
        }
    }

    fn nonsense(&self, error: &serde_json::Error) -> ModelError {
        self.witness.broken(format!("it sends what is no GenerateContentResponse ({error})"))
    }

    fn take(&mut self, chunk: Chunk, on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(self.witness.in_stream(&error));
        }
        if let Some(tokens) = chunk.usage_metadata {
            let cached = tokens.cached_content_token_count;
            let input = tokens.prompt_token_count.saturating_add(tokens.tool_use_prompt_token_count);
            self.usage = Usage {
                input: input.saturating_sub(cached),
                output: tokens.candidates_token_count.saturating_add(tokens.thoughts_token_count),
                cache_read: cached,
                cache_write: 0,
            };
        }
        if let Some(reason) = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            self.finish_reason = Some(reason);
        }
        if let Some(candidate) = chunk.candidates.into_iter().next() {
            for part in candidate.content.unwrap_or_default().parts {
                self.add(part, on_delta);
            }
            self.finish_reason =
                candidate.finish_reason.filter(|reason| !reason.is_empty()).or(self.finish_reason.take());
        }
        Ok(())
    }

    fn add(&mut self, part: Part, on_delta: OnDelta<'_>) {
        if let Some(call) = part.function_call {
            let thought = std::mem::take(&mut self.thought);
            self.pieces.push(Piece::Call { thought, seal: part.thought_signature, call });
            return;
        }
        let text = part.text.unwrap_or_default();
        if part.thought {
            self.thought.push_str(&text);
        } else if !text.is_empty() {
            on_delta(&Delta::Text(text.clone()));
            match self.pieces.last_mut() {
                Some(Piece::Text(last)) => last.push_str(&text),
                _ => self.pieces.push(Piece::Text(text)),
            }
        }
    }

    /// The whole answer. A tool call that was cut off is never part of it.
    pub(crate) fn finish(self) -> Result<ModelAnswer, ModelError> {
        let stop = match self.finish_reason.as_deref() {
            Some("STOP") | None => Stop::End,
            Some("MAX_TOKENS") => Stop::MaxTokens,
            // Another try may get it right.
            Some(reason @ ("MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" | "OTHER")) => {
                return Err(self.witness.broken(format!("it gave up in the middle of its answer ({reason})")));
            }
            // SAFETY, RECITATION, BLOCKLIST, PROHIBITED_CONTENT, SPII, and what will be invented.
            Some(_) => Stop::Refusal,
        };
        let mut answer = Finished::new(stop, self.usage);
        for (number, piece) in self.pieces.into_iter().enumerate() {
            match piece {
                Piece::Text(text) => answer.text(text),
                Piece::Call { thought, seal, call } => {
                    let arguments = call.args.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
                    let made_up = || made_up_id(self.place, number, &call.name, &arguments.to_string());
                    let id = call.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(made_up);
                    if let Some(seal) = seal {
                        answer.push(Maker::Gemini.thought(thought, &seal));
                    }
                    answer.call(id, call.name, Some(arguments));
                }
            }
        }
        answer.into_answer(&self.witness)
    }
}
