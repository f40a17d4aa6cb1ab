//! What models are asked for one step, one after the other until one answers.

use std::time::Duration;

use chela_core::clock::{Clock, Millis};
use chela_core::model::{Block, Delta, ModelAnswer, ModelError, ModelMessage, ModelRequest, ToolSpec};
use chela_core::queue::Task;
use chela_core::session::AssistantEntry;
use chela_core::turn::{Answer, Input, Spent, Unanswered, Way, add_open_turn};

use crate::answer::Attempt;
use crate::draft::Draft;
use crate::settings::{AgentSettings, ModelChoice, Outlet};
use crate::visible::visible;
use crate::window::{chars, context_budget, recent_enough};

/// Longest wait for one model call.
const MODEL_TIMEOUT: Duration = Duration::from_secs(75);

/// One step's question.
pub(crate) struct Question<'a> {
    settings: &'a AgentSettings,
    outlet: Option<&'a Outlet>,
    heartbeat: bool,
    past: Vec<ModelMessage>,
    plain_past: Vec<ModelMessage>,
    open: Vec<ModelMessage>,
    tools: Vec<ToolSpec>,
    deadline: Millis,
}

impl<'a> Question<'a> {
    pub(crate) fn of(attempt: &Attempt<'a>, step: u16) -> Self {
        let machine = &attempt.machine;
        let mut open = Vec::new();
        add_open_turn(&mut open, machine.user(), machine.turn());
        let last = step.saturating_add(1) >= attempt.settings.max_steps;
        let tools = if last { vec![] } else { attempt.settings.tools.iter().map(|tool| tool.spec()).collect() };
        let outlet = match machine.way() {
            Way::To { address, .. } => attempt.installation.outlet(address),
            Way::Collected | Way::Gone { .. } => None,
        };
        Self {
            settings: attempt.settings,
            outlet,
            heartbeat: matches!(attempt.task(), Some(Task::Heartbeat { .. })),
            past: machine.past(false),
            plain_past: machine.past(true),
            open,
            tools,
            deadline: machine.deadline(),
        }
    }

    /// Asks until a model answers.
    pub(crate) async fn put(self, clock: &dyn Clock, draft: &Draft) -> Input {
        let mut spent = Spent::default();
        let mut failure = None;
        for choice in &self.settings.models {
            let (mut budget, mut plain) = (context_budget(choice), false);
            loop {
                let request = self.request(choice, budget, plain, clock.now());
                spent.calls = spent.calls.saturating_add(1);
                draft.clear();
                let mut on_delta = |delta: &Delta| match delta {
                    Delta::Text(text) => draft.push(text),
                };
                match choice.model.call(&request, &mut on_delta).await {
                    Ok(answer) => return self.answered(choice, answer, spent, plain),
                    // Half of the past once; then the next model.
                    Err(ModelError::TooLong { .. }) if budget == context_budget(choice) => budget /= 2,
                    // What one provider wrote another may not take: its words alone, once.
                    Err(ModelError::Rejected { .. }) if !plain && self.past != self.plain_past => plain = true,
                    Err(error) => {
                        // A later provider's "wait" must not hide that an earlier one only asked for patience.
                        if !matches!(failure, Some(ModelError::RateLimited { .. } | ModelError::Unavailable { .. })) {
                            failure = Some(error);
                        }
                        break;
                    }
                }
            }
        }
        let none = || ModelError::Rejected {
            provider: "the configuration".into(),
            reason: "none of the configured models can be opened; the owner finds the reason with `chela doctor`"
                .into(),
        };
        Input::Unanswered(unanswered(&failure.unwrap_or_else(none), spent))
    }

    fn request(&self, choice: &ModelChoice, budget: usize, plain: bool, now: Millis) -> ModelRequest {
        let past = if plain { &self.plain_past } else { &self.past };
        let mut messages = recent_enough(past, budget.saturating_sub(chars(&self.open)));
        messages.extend(self.open.iter().cloned());
        ModelRequest {
            model: choice.id.clone(),
            system: self.settings.system.to_string(),
            messages,
            tools: self.tools.clone(),
            max_tokens: choice.max_tokens,
            timeout: MODEL_TIMEOUT.min(Duration::from_millis(self.deadline.since(now))),
        }
    }

    fn answered(&self, choice: &ModelChoice, answer: ModelAnswer, mut spent: Spent, plain: bool) -> Input {
        spent.usage = answer.usage;
        let wants_tools = answer.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        let outbox = if wants_tools { None } else { Some(self.parts(&answer)) };
        let entry = AssistantEntry {
            user: vec![],
            blocks: answer.blocks,
            model: choice.name.clone(),
            usage: answer.usage,
            outbox,
            forget: false,
            plain,
        };
        Input::Answered(Box::new(Answer { entry, spent, plain }))
    }

    /// The visible answer, cut to what the channel takes; empty if the model chose silence.
    fn parts(&self, answer: &ModelAnswer) -> Vec<String> {
        let texts: Vec<&str> = answer
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let Some(text) = visible(&texts.join("\n\n"), self.heartbeat) else { return vec![] };
        self.outlet.map_or_else(|| vec![text.clone()], |outlet| outlet.parts(&text))
    }
}

fn unanswered(error: &ModelError, spent: Spent) -> Unanswered {
    let again_after_s = match error {
        ModelError::RateLimited { after, .. } => Some(after.map_or(5, |after| after.as_secs())),
        ModelError::Unavailable { .. } => Some(0),
        ModelError::Credential { .. } | ModelError::TooLong { .. } | ModelError::Rejected { .. } => None,
    };
    let apology = match error {
        ModelError::RateLimited { .. } | ModelError::Unavailable { .. } => {
            format!(
                "I cannot reach my model at the moment ({error}). Your message is kept; please ask again in a while."
            )
        }
        ModelError::Credential { provider, .. } => format!(
            "I cannot answer: {provider} refuses the configured credential. The owner can mend it at \
             models.providers.{provider}.apiKey."
        ),
        ModelError::TooLong { .. } => {
            "This conversation has grown too long for my model. Send /new to begin afresh.".into()
        }
        ModelError::Rejected { .. } => {
            format!("I cannot answer: {error}. Send /new to begin afresh if it happens again.")
        }
    };
    Unanswered { again_after_s, reason: error.to_string(), apology, spent }
}
