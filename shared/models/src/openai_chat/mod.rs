//! OpenAI's chat completions, and everybody who speaks them: <https://platform.openai.com/docs/api-reference/chat>.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::catalog::MaxTokensField;
use crate::endpoint::Endpoint;

pub(crate) use self::answer::Answer;

/// Where speakers of the dialect differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quirks {
    /// The name of the limit.
    pub(crate) max_tokens_field: MaxTokensField,
    /// DeepSeek answers 400 to a transcript whose tool calls come without the reasoning behind them, empty or not:
    /// <https://api-docs.deepseek.com/guides/thinking_mode>. Nobody else wants it back.
    pub(crate) returns_reasoning: bool,
    /// Mistral's ids of calls have exactly nine letters and digits.
    pub(crate) short_tool_ids: bool,
}

/// The dialect on one endpoint.
pub(crate) struct OpenAiChat {
    endpoint: Endpoint,
    quirks: Quirks,
}

impl OpenAiChat {
    pub(crate) fn new(endpoint: Endpoint, quirks: Quirks) -> Self {
        Self { endpoint, quirks }
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
        let body = request::body(request, self.quirks).map_err(|reason| witness.rejected(reason))?;
        let mut answer = Answer::new(witness.clone(), self.quirks, request.messages.len());
        self.endpoint.ask(body, request.timeout, &mut answer, on_delta).await?;
        answer.finish()
    }
}
