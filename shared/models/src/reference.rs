//! How people name models.

use std::str::FromStr;

/// `provider/model`. The provider's name of the model may contain slashes itself: `openrouter/meta/llama`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRef {
    /// The provider's id.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
}

/// The text is not `provider/model`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no model: write provider/model, such as anthropic/claude-sonnet-4-5")]
pub struct BadModelRef(String);

impl FromStr for ModelRef {
    type Err = BadModelRef;

    fn from_str(text: &str) -> Result<Self, BadModelRef> {
        match text.trim().split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                Ok(Self { provider: provider.to_owned(), model: model.to_owned() })
            }
            _ => Err(BadModelRef(text.to_owned())),
        }
    }
}
