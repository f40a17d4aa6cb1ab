//! A model that says what a test wrote down, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Role, Stop, Usage};
use serde_json::Value;

/// What the model does when it is asked next.
pub enum Line {
    /// Says this.
    Says(String),
    /// Calls tools: id, name, arguments.
    Calls(Vec<(String, String, Value)>),
    /// Fails.
    Fails(fn() -> ModelError),
}

/// A model with a script. Every request is checked against the laws providers enforce; at the end of the script it
/// answers `(end of script)`.
#[derive(Default)]
pub struct ScriptedModel {
    lines: Mutex<VecDeque<Line>>,
    asked: Mutex<Vec<ModelRequest>>,
}

impl ScriptedModel {
    /// A model that will do this.
    pub fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        Self { lines: Mutex::new(lines.into_iter().collect()), asked: Mutex::default() }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<ModelRequest> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Model for ScriptedModel {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        assert_valid(request);
        self.asked.lock().unwrap().push(request.clone());
        let line = self.lines.lock().unwrap().pop_front().unwrap_or_else(|| Line::Says("(end of script)".into()));
        let usage = Usage { input: 10, output: 5, ..Usage::default() };
        match line {
            Line::Says(text) => {
                on_delta(&Delta::Text(text.clone()));
                Ok(ModelAnswer { blocks: vec![Block::Text { text }], stop: Stop::End, usage })
            }
            Line::Calls(calls) => {
                let blocks = calls.into_iter().map(|(id, name, input)| Block::ToolUse { id, name, input }).collect();
                Ok(ModelAnswer { blocks, stop: Stop::ToolUse, usage })
            }
            Line::Fails(error) => Err(error()),
        }
    }
}

/// What both providers refuse: roles that do not alternate, a first message that is not the user's, a tool use whose
/// result does not follow at once, a result without its use.
pub fn assert_valid(request: &ModelRequest) {
    let messages = &request.messages;
    assert_eq!(messages.first().map(|first| first.role), Some(Role::User), "the user begins");
    for pair in messages.windows(2) {
        assert_ne!(pair[0].role, pair[1].role, "roles alternate");
    }
    for (index, message) in messages.iter().enumerate() {
        let uses: Vec<&String> = ids(message.blocks.iter(), |block| match block {
            Block::ToolUse { id, .. } => Some(id),
            _ => None,
        });
        let next = messages.get(index + 1).map(|next| next.blocks.as_slice()).unwrap_or_default();
        let results: Vec<&String> = ids(next.iter(), |block| match block {
            Block::ToolResult { id, .. } => Some(id),
            _ => None,
        });
        assert_eq!(uses, results, "every tool use is followed by its result, and by no other");
    }
    let orphan = messages[0].blocks.iter().any(|block| matches!(block, Block::ToolResult { .. }));
    assert!(!orphan, "the transcript begins with a tool result");
}

fn ids<'a>(blocks: impl Iterator<Item = &'a Block>, pick: fn(&Block) -> Option<&String>) -> Vec<&'a String> {
    blocks.filter_map(pick).collect()
}
