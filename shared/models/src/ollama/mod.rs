//! Ollama's own API: <https://github.com/ollama/ollama/blob/main/docs/api.md>. Unlike its imitation of OpenAI's, it takes
//! the size of the context with each request; without one it cuts what does not fit its default without a word.

mod answer;
pub(crate) mod request;

use async_trait::async_trait;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};

use crate::endpoint::{Endpoint, Question};
use crate::facts::Models;
use crate::framing::Framing;

pub(crate) use self::answer::Answer;
use self::request::Think;

/// The dialect on one endpoint.
pub(crate) struct Ollama {
    endpoint: Endpoint,
    models: Models,
}

impl Ollama {
    pub(crate) fn new(endpoint: Endpoint, models: Models) -> Self {
        Self { endpoint, models }
    }

    async fn ask(
        &self,
        request: &ModelRequest,
        think: Option<Think>,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let witness = &self.endpoint.witness;
        let facts = self.models.facts(&request.model);
        let body = request::body(request, &facts, think).map_err(|reason| witness.rejected(reason))?;
        let framing = Framing::Lines(Vec::new());
        let question = Question { path: "/api/chat".to_owned(), body, framing, timeout: request.timeout };
        let mut answer = Answer::new(witness.clone(), request.messages.len());
        self.endpoint.ask(question, &mut answer, on_delta).await?;
        answer.finish()
    }
}

#[async_trait]
impl Model for Ollama {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let think = request::think(request, &self.models.facts(&request.model));
        match self.ask(request, think, on_delta).await {
            Err(ModelError::Rejected { reason, .. }) if reason.contains("does not support thinking") => {
                self.ask(request, None, on_delta).await
            }
            other => other,
        }
    }
}
