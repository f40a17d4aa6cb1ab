//! Gemini's own API: <https://ai.google.dev/api/generate-content>.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::endpoint::{Endpoint, Question, in_path};
use crate::facts::Models;
use crate::framing::Framing;

pub(crate) use self::answer::Answer;

/// The dialect on one endpoint.
pub(crate) struct Gemini {
    endpoint: Endpoint,
    models: Models,
}

impl Gemini {
    pub(crate) fn new(endpoint: Endpoint, models: Models) -> Self {
        Self { endpoint, models }
    }
}

#[async_trait]
impl Model for Gemini {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let witness = &self.endpoint.witness;
        let facts = self.models.facts(&request.model);
        let body = request::body(request, &facts).map_err(|reason| witness.rejected(reason))?;
        let path = format!("/models/{}:streamGenerateContent?alt=sse", in_path(&request.model));
        let question = Question { path, body, framing: Framing::sse(), timeout: request.timeout };
        let mut answer = Answer::new(witness.clone(), request.messages.len());
        self.endpoint.ask(question, &mut answer, on_delta).await?;
        answer.finish()
    }
}
