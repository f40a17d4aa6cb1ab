//! OpenAI's chat completions, and everybody who speaks them: <https://platform.openai.com/docs/api-reference/chat>.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::catalog::{Builtin, ThinkingField};
use crate::endpoint::{Endpoint, Question};
use crate::facts::Models;
use crate::framing::Framing;

pub(crate) use self::answer::Answer;

/// Where speakers of the dialect differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quirks {
    /// How it is told how hard to think.
    pub(crate) thinking: ThinkingField,
    /// DeepSeek answers 400 to a transcript whose tool calls come without the reasoning behind them, empty or not:
    /// <https://api-docs.deepseek.com/guides/thinking_mode>. Nobody else wants it back.
    pub(crate) returns_reasoning: bool,
    /// Mistral's ids of calls have exactly nine letters and digits.
    pub(crate) short_tool_ids: bool,
    /// OpenAI finds what it remembers of a conversation sooner with `prompt_cache_key`; others may refuse the field.
    pub(crate) cache_key: bool,
}

impl Quirks {
    pub(crate) fn of(known: &Builtin) -> Self {
        Self {
            thinking: known.thinking,
            returns_reasoning: known.returns_reasoning,
            short_tool_ids: known.short_tool_ids,
            cache_key: known.cache_key,
        }
    }
}

/// The dialect on one endpoint.
pub(crate) struct OpenAiChat {
    endpoint: Endpoint,
    models: Models,
    quirks: Quirks,
}

impl OpenAiChat {
    pub(crate) fn new(endpoint: Endpoint, models: Models, quirks: Quirks) -> Self {
        Self { endpoint, models, quirks }
    }
}

#[async_trait]
impl Model for OpenAiChat {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let witness = &self.endpoint.witness;
        let body = request::body(request, &self.models.facts(&request.model), self.quirks)
            .map_err(|reason| witness.rejected(reason))?;
        let mut answer = Answer::new(witness.clone(), self.quirks, request.messages.len());
        let question =
            Question { path: "/chat/completions".to_owned(), body, framing: Framing::sse(), timeout: request.timeout };
        self.endpoint.ask(question, &mut answer, on_delta).await?;
        answer.finish()
    }
}
