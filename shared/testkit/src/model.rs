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
    /// Says something and calls tools.
    SaysAndCalls(String, Vec<(String, String, Value)>),
    /// Fails.
    Fails(fn() -> ModelError),
    /// Says nothing at all.
    Nothing,
    /// Begins to say this, and never ends.
    Hangs(String),
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
            Line::SaysAndCalls(text, calls) => {
                on_delta(&Delta::Text(text.clone()));
                let calls = calls.into_iter().map(|(id, name, input)| Block::ToolUse { id, name, input });
                let blocks = std::iter::once(Block::Text { text }).chain(calls).collect();
                Ok(ModelAnswer { blocks, stop: Stop::ToolUse, usage })
            }
            Line::Fails(error) => Err(error()),
            Line::Nothing => Ok(ModelAnswer { blocks: vec![], stop: Stop::End, usage }),
            Line::Hangs(text) => {
                on_delta(&Delta::Text(text));
                std::future::pending().await
            }
        }
    }
}

/// What both providers refuse: roles that do not alternate, a first or last message that is not the user's, blank texts,
/// blocks of the other side, a tool use whose result does not stand at the beginning of the next message, two calls with
/// one id, a result without its call. On purpose not `chela_core::turn::validate`: each checks the other.
pub fn assert_valid(request: &ModelRequest) {
    let messages = &request.messages;
    assert!(messages.len() % 2 == 1, "the user begins and ends: {} messages", messages.len());
    let mut waiting: Vec<&String> = vec![];
    for (place, message) in messages.iter().enumerate() {
        let (role, blocks) = (message.role, &message.blocks);
        assert_eq!(role, [Role::User, Role::Assistant][place % 2], "the sides alternate: message {place}");
        assert!(!blocks.is_empty(), "message {place} is empty");
        let blank = |block: &Block| matches!(block, Block::Text { text } if text.trim().is_empty());
        assert!(!blocks.iter().any(blank), "message {place} has a blank text");
        let results: Vec<&String> = ids(blocks.iter(), |block| match block {
            Block::ToolResult { id, .. } => Some(id),
            _ => None,
        });
        assert_eq!(sorted(&results), sorted(&waiting), "message {place} has the results of the calls before it");
        let first = blocks.iter().take(results.len()).all(|block| matches!(block, Block::ToolResult { .. }));
        assert!(first, "message {place} begins with the results");
        waiting = ids(blocks.iter(), |block| match block {
            Block::ToolUse { id, .. } => Some(id),
            _ => None,
        });
        let mut distinct = sorted(&waiting);
        distinct.dedup();
        assert_eq!(distinct.len(), waiting.len(), "message {place} calls everything by its own name");
        let text = |block: &Block| matches!(block, Block::Text { .. });
        let file = |block: &Block| matches!(block, Block::File { .. });
        match role {
            Role::User => assert!(
                blocks.iter().skip(results.len()).all(|block| text(block) || file(block)),
                "message {place} is the user's"
            ),
            Role::Assistant => {
                assert!(results.is_empty(), "message {place} is the model's");
                assert!(blocks.iter().any(text) || !waiting.is_empty(), "message {place} is all thoughts");
            }
        }
    }
}

fn sorted<'a>(ids: &[&'a String]) -> Vec<&'a String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

fn ids<'a>(blocks: impl Iterator<Item = &'a Block>, pick: fn(&Block) -> Option<&String>) -> Vec<&'a String> {
    blocks.filter_map(pick).collect()
}
