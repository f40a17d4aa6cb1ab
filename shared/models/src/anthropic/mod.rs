//! Anthropic's Messages API: <https://docs.claude.com/en/api/messages>.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::endpoint::Endpoint;

pub(crate) use self::answer::Answer;
use self::request::Thinking;

/// The dialect on one endpoint.
pub(crate) struct Anthropic {
    endpoint: Endpoint,
}

impl Anthropic {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
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
            // A seal is only good at whoever made it. After a conversation moved here from another provider of this
            // dialect, its past can only be told without the thoughts.
            Err(ModelError::Rejected { reason, .. }) if reason.contains("signature") && reason.contains("thinking") => {
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
        let body = request::body(request, thinking).map_err(|reason| witness.rejected(reason))?;
        let mut answer = Answer::new(witness.clone());
        self.endpoint.ask(body, request.timeout, &mut answer, on_delta).await?;
        answer.finish()
    }
}
