//! What thinks: the port to model providers, in a form both wire dialects can carry without loss.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shown::StoredFile;

/// Who said a [`ModelMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person, or tool results.
    User,
    /// The model.
    Assistant,
}

/// One piece of a message's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Block {
    /// Plain text or markdown.
    Text {
        /// The text.
        text: String,
    },
    /// The model's reasoning, kept with its signature because providers refuse a tool turn without it.
    Thinking {
        /// The reasoning.
        text: String,
        /// The provider's seal over it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// Reasoning the provider shows only in sealed form.
    RedactedThinking {
        /// The sealed bytes, verbatim.
        data: String,
    },
    /// The model wants a tool run.
    ToolUse {
        /// The provider's id of this call.
        id: String,
        /// The tool's name.
        name: String,
        /// Its arguments.
        input: Value,
    },
    /// What a tool answered.
    ToolResult {
        /// The call it answers.
        id: String,
        /// The answer.
        text: String,
        /// Whether it is a failure.
        #[serde(default)]
        is_error: bool,
        /// Stored files that it shows, beside its words. A model that can look at files of this type gets them, if
        /// [`ModelRequest::files`] holds them; for others a line stands in their place.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<StoredFile>,
    },
    /// A stored file that came with the user's message. Its words are told in a text beside it; a model that can look
    /// at files of this type gets the file itself, if [`ModelRequest::files`] holds it.
    File {
        /// Its key in the file store.
        key: String,
        /// What it is, by its own bytes.
        content_type: String,
    },
}

/// One message of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelMessage {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub blocks: Vec<Block>,
}

/// A tool as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// When and how to use it.
    pub description: String,
    /// JSON schema of its arguments.
    pub input_schema: Value,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelRequest {
    /// The provider's name of the model.
    pub model: String,
    /// The system prompt, stable parts first so that providers can cache the prefix.
    pub system: String,
    /// The transcript: alternating, beginning with the user, every tool use followed by its result.
    pub messages: Vec<ModelMessage>,
    /// Tools on offer.
    pub tools: Vec<ToolSpec>,
    /// How hard to think before answering.
    pub thinking: Thinking,
    /// The files among `messages` that the model can look at, by key. A [`Block::File`] that is missing here is left out.
    pub files: BTreeMap<String, Bytes>,
    /// A name for the conversation that tells nobody whose it is: a provider finds by it what it remembers. Empty for a
    /// request that goes on with nothing.
    pub conversation: String,
    /// Most tokens to answer with.
    pub max_tokens: u32,
    /// The call is abandoned after this long.
    pub timeout: Duration,
}

/// How hard a model thinks, under OpenClaw's names. A model that knows fewer degrees takes the nearest one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// Not at all, where that can be chosen.
    #[default]
    Off,
    /// As little as can be chosen.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More than that.
    #[serde(alias = "max")]
    Xhigh,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It had said everything.
    End,
    /// It wants tools run.
    ToolUse,
    /// `max_tokens` was reached.
    MaxTokens,
    /// The provider refused to go on.
    Refusal,
}

/// Tokens of one call, as the provider bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Fresh input.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read: u64,
    /// Input written to the provider's prompt cache.
    pub cache_write: u64,
}

/// Most tokens of one kind that one call is believed to have used: no model reads or writes as many. With more, the sums
/// of a day would not fit into their columns, and nobody could spend anything until midnight.
const BELIEVED: u64 = 100_000_000;

impl Usage {
    /// What a provider says, as far as it can be.
    #[must_use]
    pub fn believed(self) -> Self {
        let [input, output, cache_read, cache_write] =
            [self.input, self.output, self.cache_read, self.cache_write].map(|tokens| tokens.min(BELIEVED));
        Self { input, output, cache_read, cache_write }
    }
}

/// A whole answer. A partial one is never returned: a stream that breaks off is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAnswer {
    /// What was said, in order; no empty text block.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub stop: Stop,
    /// What it cost.
    pub usage: Usage,
}

/// A piece of an answer while it is being made. Only for showing; the answer itself is [`ModelAnswer`].
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// More visible text.
    Text(String),
}

/// Why a call failed, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Wait, then try again.
    #[error("{provider} asks to slow down{}", .after.map(|d| format!(" for {} s", d.as_secs())).unwrap_or_default())]
    RateLimited {
        /// The provider.
        provider: String,
        /// How long it asks to wait, where it says.
        after: Option<Duration>,
    },
    /// The provider has too much to do: wait, or try another.
    #[error("{provider} is overloaded")]
    Overloaded {
        /// The provider.
        provider: String,
        /// How long it asks to wait, where it says.
        after: Option<Duration>,
    },
    /// The provider is out of reach or broken, or the stream broke off: try again or try another.
    #[error("{provider} is not answering properly: {reason}")]
    Unavailable {
        /// The provider.
        provider: String,
        /// What was seen.
        reason: String,
    },
    /// The account has run out of money: the owner must act; another credential may do.
    #[error("{provider} wants to be paid: {reason}")]
    Billing {
        /// The provider.
        provider: String,
        /// Its words.
        reason: String,
    },
    /// The credential is wrong or has no rights: the owner must act; another credential may do.
    #[error("{provider} refuses the credential: {reason}")]
    Credential {
        /// The provider.
        provider: String,
        /// Its words.
        reason: String,
    },
    /// The transcript is longer than the model takes: shorten it.
    #[error("the conversation is too long for {provider}")]
    TooLong {
        /// The provider.
        provider: String,
    },
    /// The request itself is wrong; the same request will fail again.
    #[error("{provider} rejects the request: {reason}")]
    Rejected {
        /// The provider.
        provider: String,
        /// Its words.
        reason: String,
    },
}

/// A provider's endpoint for one wire dialect.
#[async_trait]
pub trait Model: Send + Sync {
    /// Calls the model. `on_delta` is called, in order, for what can already be shown; it must not block.
    /// Calling twice asks (and pays) twice.
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError>;
}
