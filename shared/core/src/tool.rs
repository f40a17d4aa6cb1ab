//! What acts: tools the model may call.

use async_trait::async_trait;
use serde_json::Value;

use crate::agent_id::AgentId;
use crate::blob::BlobStore;
use crate::clock::Clock;
use crate::model::ToolSpec;
use crate::session_key::SessionKey;

/// Whether running a tool twice differs from running it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks: it runs again after a crash without a journal entry.
    None,
    /// It changes something but honours [`ToolCall::idempotency_key`]: it runs again after a crash.
    Keyed,
    /// It changes something and cannot tell a repetition: after a crash its outcome is unknown and the model is told so.
    Unkeyed,
}

/// One call of a tool.
pub struct ToolCall<'a> {
    /// The arguments, as the model gave them.
    pub input: &'a Value,
    /// The same for every attempt of this call, different for every other call.
    pub idempotency_key: &'a str,
    /// Whose workspace.
    pub agent: &'a AgentId,
    /// Which conversation.
    pub session: &'a SessionKey,
    /// Files.
    pub files: &'a dyn BlobStore,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Facts about the turn that `session_status` shows, as JSON.
    pub status: &'a Value,
}

/// What a tool answers. A failure is an answer too: the model reads it and goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolAnswer {
    /// For the model.
    pub text: String,
    /// Whether it failed.
    pub is_error: bool,
}

impl ToolAnswer {
    /// Success.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false }
    }

    /// Failure: say what was wrong and what would work.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true }
    }
}

/// A tool.
#[async_trait]
pub trait Tool: Send + Sync {
    /// How the model sees it.
    fn spec(&self) -> ToolSpec;

    /// What running it twice does.
    fn effect(&self) -> Effect;

    /// Runs it. Never panics on any input; a store that does not answer is a [`ToolAnswer::error`].
    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer;
}
