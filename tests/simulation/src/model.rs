//! A model that answers as models do, and looks at every transcript it is handed as providers do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelMessage, ModelRequest, Role, Stop, Usage};
use serde_json::json;
use tokio::time::sleep;

use crate::fault::{Fault, Place};
use crate::history::Happening;
use crate::process::Process;
use crate::transcript::wrong;

/// Steps after which the model has used enough tools.
const TOOL_STEPS: usize = 3;

/// One process's way to a provider.
pub(crate) struct SimulatedModel {
    pub(crate) process: Arc<Process>,
    pub(crate) provider: &'static str,
}

/// What a request is about.
struct Question {
    message: u32,
    /// Model answers of this turn so far.
    steps: usize,
    shown: Vec<u32>,
}

impl Question {
    fn of(request: &ModelRequest) -> Self {
        let texts = |message: &ModelMessage| -> Vec<u32> {
            let texts = message.blocks.iter().filter_map(|block| match block {
                Block::Text { text } if message.role == Role::User => message_of(text),
                _ => None,
            });
            texts.collect()
        };
        let shown: Vec<u32> = request.messages.iter().flat_map(texts).collect();
        let asked = request.messages.iter().rposition(|message| !texts(message).is_empty()).unwrap_or_default();
        let steps = request.messages[asked..].iter().filter(|message| message.role == Role::Assistant).count();
        Self { message: *shown.last().expect("somebody asked something"), steps, shown }
    }
}

/// The message a text `m7 …` comes from.
pub(crate) fn message_of(text: &str) -> Option<u32> {
    text.split(' ').next()?.strip_prefix('m')?.parse().ok()
}

#[async_trait]
impl Model for SimulatedModel {
    async fn call(
        &self,
        request: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let Question { message, steps, shown } = Question::of(request);
        let (process, sim) = (&self.process, &self.process.sim);
        sim.happens(Happening::Asked { message, shown, wrong: wrong(&request.messages) });
        let fault = process.draw(Place::Model, Some(message));
        match fault {
            Some(Fault::DiesBefore) => process.die().await,
            Some(Fault::RateLimited) => {
                let after = [None, Some(2), Some(5), Some(120), Some(600)][sim.rng().usize(..5)];
                return Err(ModelError::RateLimited {
                    provider: self.provider.into(),
                    after: after.map(Duration::from_secs),
                });
            }
            Some(Fault::Unavailable) => {
                sleep(sim.span(10, 5_000)).await;
                return Err(self.unavailable("simulated"));
            }
            Some(Fault::Hangs) => {
                sleep(request.timeout).await;
                return Err(self.unavailable("no answer in time"));
            }
            Some(Fault::Slow) => sleep(sim.span(8_000, 74_000).min(request.timeout)).await,
            _ => sleep(sim.span(300, 8_000).min(request.timeout)).await,
        }
        let tools = !request.tools.is_empty() && steps < TOOL_STEPS;
        let answer = match fault {
            Some(Fault::UnknownTool) if tools => self.calls(message, &["teleport", "lamp"], false),
            Some(Fault::DuplicateIds) if tools => self.calls(message, &["lamp", "lamp"], true),
            Some(Fault::MixedCalls) if tools => self.calls(message, &["lamp", "ledger", "lamp"], false),
            Some(Fault::ManyCalls) if tools => self.calls(message, &["look"; 40], false),
            Some(Fault::Silent) => self.says(message, ""),
            _ if tools && sim.chance(0.35) => {
                let count = sim.rng().usize(1..=3);
                let acts = if sim.chance(0.5) { "lamp" } else { "ledger" };
                let names: Vec<&str> = (0..count).map(|_| if sim.chance(0.3) { "look" } else { acts }).collect();
                self.calls(message, &names, false)
            }
            _ if sim.chance(0.02) => self.says(message, "NO_REPLY"),
            _ => self.replies(message),
        };
        match fault {
            Some(Fault::DiesAfter) => process.die().await,
            Some(Fault::PausedAfter) => process.pause().await,
            _ => {}
        }
        Ok(answer)
    }
}

impl SimulatedModel {
    fn unavailable(&self, reason: &str) -> ModelError {
        ModelError::Unavailable { provider: self.provider.into(), reason: reason.into() }
    }

    /// A reply of which every word says whose answer it is, which one, and its place in it.
    fn replies(&self, message: u32) -> ModelAnswer {
        let sim = &self.process.sim;
        let words = if sim.chance(0.3) { sim.rng().usize(30..100) } else { sim.rng().usize(1..12) };
        let answer = sim.unique();
        let text: Vec<String> = (0..words).map(|word| format!("m{message}.a{answer}.{word}/{words}")).collect();
        said(text.join(" "))
    }

    fn says(&self, message: u32, text: &str) -> ModelAnswer {
        self.process.sim.happens(Happening::Silence { message });
        said(text.to_owned())
    }

    fn calls(&self, message: u32, names: &[&str], one_id: bool) -> ModelAnswer {
        let sim = &self.process.sim;
        let answer = sim.unique();
        let block = |(index, name): (usize, &&str)| Block::ToolUse {
            id: format!("call{answer}n{}", if one_id { 0 } else { index }),
            name: (*name).to_owned(),
            input: json!({"call": format!("m{message}.a{answer}.c{index}")}),
        };
        let blocks = names.iter().enumerate().map(block).collect();
        ModelAnswer { blocks, stop: Stop::ToolUse, usage: Usage::default() }
    }
}

fn said(text: String) -> ModelAnswer {
    let blocks = if text.is_empty() { vec![] } else { vec![Block::Text { text }] };
    ModelAnswer { blocks, stop: Stop::End, usage: Usage::default() }
}
