//! The end of an answer, where all dialects must keep the same promises.

use chela_core::model::{Block, ModelAnswer, ModelError, Stop, Usage};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::failure::Witness;

/// Blocks of an answer that has ended.
pub(crate) struct Finished {
    answer: ModelAnswer,
    torn_call: bool,
}

impl Finished {
    pub(crate) fn new(stop: Stop, usage: Usage) -> Self {
        Self { answer: ModelAnswer { blocks: Vec::new(), stop, usage }, torn_call: false }
    }

    /// Adds a text unless it is blank.
    pub(crate) fn text(&mut self, text: String) {
        if !text.trim().is_empty() {
            self.push(Block::Text { text });
        }
    }

    /// Adds a tool call. Arguments that are missing or no object mark it as torn.
    pub(crate) fn call(&mut self, id: String, name: String, input: Option<Value>) {
        match input {
            Some(input) if input.is_object() && !name.is_empty() => self.push(Block::ToolUse { id, name, input }),
            _ => self.torn_call = true,
        }
    }

    /// Adds anything else.
    pub(crate) fn push(&mut self, block: Block) {
        self.answer.blocks.push(block);
    }

    /// The answer, if it is whole: it stops for tools exactly if it calls some, and no call is torn.
    pub(crate) fn into_answer(mut self, witness: &Witness) -> Result<ModelAnswer, ModelError> {
        let stop = self.answer.stop;
        if stop == Stop::Refusal {
            // What it was about to do when it was stopped is not done.
            self.answer.blocks.retain(|block| !matches!(block, Block::ToolUse { .. }));
            return Ok(self.answer);
        }
        match (self.torn_call, stop) {
            // Asking again would cost the same and end at the same place.
            (true, Stop::MaxTokens) => Err(witness.rejected(format!(
                "its answer reached the most tokens in the middle of a tool call; raise maxTokens of the model in \
                 models.providers.{}.models",
                witness.provider
            ))),
            (true, _) => Err(witness.broken("the arguments of its tool call are torn")),
            (false, _) => {
                let calls = self.answer.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
                self.answer.stop = match (calls, stop) {
                    (true, _) => Stop::ToolUse,
                    (false, Stop::ToolUse) => Stop::End,
                    (false, stop) => stop,
                };
                Ok(self.answer)
            }
        }
    }
}

/// The id of a call that came without one: the same for the same call at the same place (the length of the transcript
/// and the number of the call), different elsewhere.
pub(crate) fn made_up_id(place: usize, number: usize, name: &str, arguments: &str) -> String {
    let digest = Sha256::digest(format!("{place} {number} {name} {arguments}"));
    let mut hex = hex::encode(digest);
    hex.truncate(16);
    format!("call_{hex}")
}
