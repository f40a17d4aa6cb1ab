//! Amazon Bedrock's Converse: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>.
//! Requests are signed with keys of AWS, or bear a key of Bedrock.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use bytes::BytesMut;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::endpoint::{Endpoint, Question, in_path};
use crate::facts::Models;
use crate::framing::Framing;

pub(crate) use self::answer::Answer;
use self::request::Thinking;

/// The dialect on one endpoint.
pub(crate) struct Bedrock {
    endpoint: Endpoint,
    models: Models,
}

impl Bedrock {
    pub(crate) fn new(endpoint: Endpoint, models: Models) -> Self {
        Self { endpoint, models }
    }

    async fn ask(
        &self,
        request: &ModelRequest,
        thinking: Thinking,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let witness = &self.endpoint.witness;
        let facts = self.models.facts(&request.model);
        let body = request::body(request, &facts, thinking).map_err(|reason| witness.rejected(reason))?;
        let path = format!("/model/{}/converse-stream", in_path(&request.model));
        let framing = Framing::Aws(BytesMut::new());
        let question = Question { path, body, framing, timeout: request.timeout };
        let mut answer = Answer::new(witness.clone());
        self.endpoint.ask(question, &mut answer, on_delta).await?;
        answer.finish()
    }
}

#[async_trait]
impl Model for Bedrock {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        match self.ask(request, Thinking::Kept, on_delta).await {
            // As at Anthropic: seals of another model, or a model that does not think in the way it was told to.
            Err(ModelError::Rejected { reason, .. }) if reason.contains("thinking") || reason.contains("reasoning") => {
                self.ask(request, Thinking::LeftOut, on_delta).await
            }
            other => other,
        }
    }
}
