//! OpenAI's Responses: <https://platform.openai.com/docs/api-reference/responses>. Nothing is kept there: the model's
//! reasoning comes sealed with the answer and goes back with the transcript.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::endpoint::{Endpoint, Question};
use crate::facts::Models;
use crate::framing::Framing;

pub(crate) use self::answer::Answer;
use self::request::Reasoning;

/// The dialect on one endpoint.
pub(crate) struct OpenAiResponses {
    endpoint: Endpoint,
    models: Models,
}

impl OpenAiResponses {
    pub(crate) fn new(endpoint: Endpoint, models: Models) -> Self {
        Self { endpoint, models }
    }

    async fn ask(
        &self,
        request: &ModelRequest,
        reasoning: Reasoning,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let witness = &self.endpoint.witness;
        let facts = self.models.facts(&request.model);
        let body = request::body(request, &facts, reasoning).map_err(|reason| witness.rejected(reason))?;
        let question =
            Question { path: "/responses".to_owned(), body, framing: Framing::sse(), timeout: request.timeout };
        let mut answer = Answer::new(witness.clone());
        self.endpoint.ask(question, &mut answer, on_delta).await?;
        answer.finish()
    }
}

#[async_trait]
impl Model for OpenAiResponses {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        match self.ask(request, Reasoning::Kept, on_delta).await {
            // What another account or model sealed cannot be opened ("The encrypted content … could not be verified"), and
            // a model without reasoning has none to seal.
            Err(ModelError::Rejected { reason, .. }) if is_about_seals(&reason) => {
                self.ask(request, Reasoning::LeftOut, on_delta).await
            }
            other => other,
        }
    }
}

fn is_about_seals(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("encrypted content") || reason.contains("encrypted_content") || reason.contains("reasoning item")
}
