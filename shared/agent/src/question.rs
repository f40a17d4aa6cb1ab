//! What models are asked for one step, one after the other until one answers.

use std::collections::BTreeMap;
use std::time::Duration;

use chela_core::clock::{Clock, Millis};
use chela_core::message::ReplyAddress;
use chela_core::model::{Block, Delta, ModelAnswer, ModelError, ModelRequest, Thinking, ToolSpec};
use chela_core::queue::Task;
use chela_core::reply::visible;
use chela_core::session::AssistantEntry;
use chela_core::turn::{Answer, Input, Spent, Unanswered, Way};

use crate::answer::Attempt;
use crate::context::{Context, Form};
use crate::draft::Draft;
use crate::relay::{is_relay, report};
use crate::settings::{AgentSettings, ModelChoice, Outlet};
use crate::voice::opened;
use crate::window::context_budget;

/// Longest wait for one model call.
const MODEL_TIMEOUT: Duration = Duration::from_secs(75);

/// One step's question.
pub(crate) struct Question<'a> {
    settings: &'a AgentSettings,
    /// What sends the answer, and where to.
    outlet: Option<(&'a Outlet, ReplyAddress)>,
    heartbeat: bool,
    /// What the answer begins with.
    opening: Option<&'a str>,
    context: Context,
    tools: Vec<ToolSpec>,
    deadline: Millis,
}

impl<'a> Question<'a> {
    pub(crate) fn of(attempt: &Attempt<'a>, step: u16) -> Self {
        let machine = &attempt.machine;
        let last = step.saturating_add(1) >= attempt.settings.max_steps;
        let tools = if last { vec![] } else { attempt.tools().into_iter().map(|tool| tool.spec()).collect() };
        let outlet = match machine.way() {
            Way::To { address, .. } => attempt.outlet(address).map(|outlet| (outlet, address.clone())),
            Way::Collected | Way::Gone { .. } => None,
        };
        Self {
            settings: attempt.settings,
            outlet,
            heartbeat: matches!(attempt.task(), Some(Task::Heartbeat { .. })),
            opening: attempt.settings.voice.opening(attempt.task()),
            context: Context::of(machine),
            tools,
            deadline: machine.deadline(),
        }
    }

    /// Asks until a model answers.
    pub(crate) async fn put(self, clock: &dyn Clock, draft: &Draft) -> Input {
        let mut spent = Spent::default();
        let mut failure = None;
        for choice in &self.settings.models {
            let (mut budget, mut form) = (context_budget(choice), Form::Whole);
            loop {
                let request = self.request(choice, budget, form, clock.now());
                spent.calls = spent.calls.saturating_add(1);
                draft.clear();
                let mut on_delta = |delta: &Delta| match delta {
                    Delta::Text(text) => draft.push(text),
                };
                match choice.model.call(&request, &mut on_delta).await {
                    Ok(answer) => return self.answered(choice, answer, spent, form),
                    // Half of the past once.
                    Err(ModelError::TooLong { .. }) if budget == context_budget(choice) => budget /= 2,
                    Err(error) => {
                        if let Some(simpler) = self.context.simpler(form, &error) {
                            form = simpler;
                            continue;
                        }
                        // A later provider's "wait" must not hide that an earlier one only asked for patience.
                        if !matches!(
                            failure,
                            Some(
                                ModelError::RateLimited { .. }
                                    | ModelError::Overloaded { .. }
                                    | ModelError::Unavailable { .. }
                            )
                        ) {
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

    fn request(&self, choice: &ModelChoice, budget: usize, form: Form, now: Millis) -> ModelRequest {
        ModelRequest {
            model: choice.id.clone(),
            system: self.settings.system.to_string(),
            messages: self.context.messages(budget, form),
            tools: self.tools.clone(),
            thinking: Thinking::Off,
            files: BTreeMap::new(),
            max_tokens: choice.max_tokens,
            timeout: MODEL_TIMEOUT.min(Duration::from_millis(self.deadline.since(now))),
        }
    }

    fn answered(&self, choice: &ModelChoice, answer: ModelAnswer, mut spent: Spent, form: Form) -> Input {
        let plain = form == Form::PlainPast;
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
            summary: if form == Form::Segment { self.context.summary() } else { None },
            compacted: None,
            choices: None,
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
        let text = visible(&texts.join("\n\n"), self.heartbeat);
        if self.outlet.as_ref().is_some_and(|(_, to)| is_relay(to)) {
            return report(text);
        }
        let Some(text) = text else { return vec![] };
        let text = opened(self.opening, text);
        self.outlet.as_ref().map_or_else(|| vec![text.clone()], |(outlet, to)| outlet.parts(to, &text))
    }
}

fn unanswered(error: &ModelError, spent: Spent) -> Unanswered {
    let again_after_s = match error {
        ModelError::RateLimited { after, .. } | ModelError::Overloaded { after, .. } => {
            Some(after.map_or(5, |after| after.as_secs()))
        }
        ModelError::Unavailable { .. } => Some(0),
        ModelError::Credential { .. }
        | ModelError::Billing { .. }
        | ModelError::TooLong { .. }
        | ModelError::Rejected { .. } => None,
    };
    let apology = match error {
        ModelError::RateLimited { .. } | ModelError::Overloaded { .. } | ModelError::Unavailable { .. } => {
            format!(
                "I cannot reach my model at the moment ({error}). Your message is kept; please ask again in a while."
            )
        }
        ModelError::Credential { provider, .. } => format!(
            "I cannot answer: {provider} refuses the configured credential. The owner can mend it at \
             models.providers.{provider}.apiKey."
        ),
        ModelError::Billing { provider, .. } => {
            format!("I cannot answer: the account with {provider} has run out of money. The owner can add some there.")
        }
        ModelError::TooLong { .. } => {
            "This conversation has grown too long for my model. Send /new to begin afresh.".into()
        }
        ModelError::Rejected { .. } => {
            format!("I cannot answer: {error}. Send /new to begin afresh if it happens again.")
        }
    };
    Unanswered { again_after_s, reason: error.to_string(), apology, spent, parked: false }
}
