//! Anthropic's Messages API: <https://docs.claude.com/en/api/messages>.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::endpoint::{Endpoint, Question};
use crate::facts::Models;
use crate::framing::Framing;

pub(crate) use self::answer::Answer;
use self::request::Thinking;

/// The dialect on one endpoint.
pub(crate) struct Anthropic {
    endpoint: Endpoint,
    models: Models,
}

impl Anthropic {
    pub(crate) fn new(endpoint: Endpoint, models: Models) -> Self {
        Self { endpoint, models }
    }
}

#[async_trait]
impl Model for Anthropic {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        match self.ask(request, Thinking::Kept, on_delta).await {
            // A seal is only good at whoever made it, for newer models only after the same words. After a conversation
            // moved here from another provider of this dialect, or lost its beginning, its past can only be told without
            // the thoughts; and a model that does not think in the way it was told to answers without thinking.
            Err(ModelError::Rejected { reason, .. }) if reason.contains("thinking") => {
                self.ask(request, Thinking::LeftOut, on_delta).await
            }
            other => other,
        }
    }
}

impl Anthropic {
    async fn ask(
        &self,
        request: &ModelRequest,
        thinking: Thinking,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let witness = &self.endpoint.witness;
        let body = request::body(request, &self.models.facts(&request.model), thinking)
            .map_err(|reason| witness.rejected(reason))?;
        let mut answer = Answer::new(witness.clone());
        let question =
            Question { path: "/messages".to_owned(), body, framing: Framing::sse(), timeout: request.timeout };
        self.endpoint.ask(question, &mut answer, on_delta).await?;
        answer.finish()
    }
}
