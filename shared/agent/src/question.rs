//! What models are asked for one step, one after the other until one answers.

use std::collections::BTreeMap;
use std::time::Duration;

use chela_core::clock::{Clock, Millis};
use chela_core::message::ReplyAddress;
use chela_core::model::{Block, Delta, ModelAnswer, ModelError, ModelRequest, Stop, Thinking, ToolSpec, Usage};
use chela_core::queue::Task;
use chela_core::reply::visible;
use chela_core::session::AssistantEntry;
use chela_core::turn::{Answer, COMMAND, Input, Spent, Unanswered, Way, tokens, tokens_of_tools};

use crate::answer::{Agent, Attempt};
use crate::compact::{Compactor, Hindrance, When, on_demand, told_to_user};
use crate::context::{Context, Form};
use crate::draft::Draft;
use crate::offer::offered;
use crate::settings::{AgentSettings, ModelChoice, Outlet};

/// Longest wait for one model call.
const MODEL_TIMEOUT: Duration = Duration::from_secs(75);

/// One step's question.
pub(crate) struct Question<'a> {
    settings: &'a AgentSettings,
    /// What sends the answer, and where to.
    outlet: Option<(&'a Outlet, ReplyAddress)>,
    heartbeat: bool,
    context: Context,
    compactor: Compactor<'a>,
    /// The user wants the past summed up and nothing else, perhaps with instructions.
    on_demand: Option<String>,
    first_step: bool,
    tools: Vec<ToolSpec>,
    deadline: Millis,
}

impl<'a> Question<'a> {
    pub(crate) fn of(agent: &'a Agent, attempt: &Attempt<'a>, step: u16) -> Self {
        let machine = &attempt.machine;
        let last = step.saturating_add(1) >= attempt.settings.max_steps;
        let tools = if last { vec![] } else { offered(&attempt.settings.tools, machine.turn()) };
        let base = tokens(&attempt.settings.system).saturating_add(tokens_of_tools(&tools));
        let outlet = match machine.way() {
            Way::To { address, .. } => attempt.installation.outlet(address).map(|outlet| (outlet, address.clone())),
            Way::Collected | Way::Gone { .. } => None,
        };
        Self {
            settings: attempt.settings,
            outlet,
            heartbeat: matches!(attempt.task(), Some(Task::Heartbeat { .. })),
            context: Context::of(machine, &attempt.settings.context, base),
            compactor: Compactor::of(agent, attempt),
            on_demand: on_demand(attempt),
            first_step: step == 0,
            tools,
            deadline: machine.deadline(),
        }
    }

    /// Asks until a model answers.
    pub(crate) async fn put(mut self, clock: &dyn Clock, draft: &Draft) -> Input {
        let mut spent = Spent::default();
        let mut failure = None;
        for choice in &self.settings.models {
            match self.make_room(choice, false, &mut spent).await {
                Ok(None) => {}
                Ok(Some(input)) => return input,
                Err(error) => {
                    failure = Some(failure.filter(patient).unwrap_or(error));
                    continue;
                }
            }
            let limit = self.context.budget(choice).limit;
            let (mut budget, mut form) = (limit, Form::Whole);
            loop {
                let request = self.request(choice, budget, form, clock.now());
                spent.calls = spent.calls.saturating_add(1);
                draft.clear();
                let mut on_delta = |delta: &Delta| match delta {
                    Delta::Text(text) => draft.push(text),
                };
                match choice.model.call(&request, &mut on_delta).await {
                    Ok(answer) => return self.answered(choice, answer, spent, form),
                    // The past in short; if it is short already, half of it once.
                    Err(ModelError::TooLong { .. }) if budget == limit => {
                        let compacted = self.context.compacted();
                        match self.make_room(choice, true, &mut spent).await {
                            Ok(Some(input)) => return input,
                            Ok(None) if self.context.compacted() != compacted => {}
                            Ok(None) | Err(_) => budget /= 2,
                        }
                    }
                    Err(error) => {
                        if let Some(simpler) = self.context.simpler(form, &error) {
                            form = simpler;
                            continue;
                        }
                        failure = Some(failure.filter(patient).unwrap_or(error));
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

    /// Sums up the past where it is time for that, and answers if the turn ends with it or cannot go on now. An error is
    /// the model's.
    async fn make_room(
        &mut self,
        choice: &ModelChoice,
        refused: bool,
        spent: &mut Spent,
    ) -> Result<Option<Input>, ModelError> {
        let when = match &self.on_demand {
            Some(wishes) => When::Asked(wishes),
            None if refused => When::Refused,
            None => When::Crowded { first_step: self.first_step },
        };
        let ask = |request: ModelRequest| async move { choice.model.call(&request, &mut |_: &Delta| {}).await };
        match self.compactor.make_room(&mut self.context, choice, when, spent, ask).await {
            Ok(compacted) if self.on_demand.is_some() => {
                let text = told_to_user(compacted);
                let answer =
                    ModelAnswer { blocks: vec![Block::Text { text }], stop: Stop::End, usage: Usage::default() };
                let mut input = self.answered(choice, answer, *spent, Form::Whole);
                if let Input::Answered(answer) = &mut input {
                    COMMAND.clone_into(&mut answer.entry.model);
                }
                Ok(Some(input))
            }
            Ok(_) => Ok(None),
            Err(Hindrance::Model(error)) => Err(error),
            Err(Hindrance::Store(error)) => Ok(Some(Input::Failed(error))),
            Err(Hindrance::NoTime) => Ok(Some(Input::Unanswered(Unanswered {
                again_after_s: Some(0),
                reason: "the rest of the slice is too short to sum up the past".to_owned(),
                apology: String::new(),
                spent: *spent,
                parked: true,
            }))),
        }
    }

    fn request(&self, choice: &ModelChoice, budget: u64, form: Form, now: Millis) -> ModelRequest {
        ModelRequest {
            model: choice.id.clone(),
            system: self.settings.system.to_string(),
            messages: self.context.messages(choice, budget, form),
            tools: self.tools.clone(),
            thinking: Thinking::Off,
            files: BTreeMap::new(),
            max_tokens: choice.max_tokens,
            timeout: MODEL_TIMEOUT.min(Duration::from_millis(self.deadline.since(now))),
        }
    }

    fn answered(&self, choice: &ModelChoice, answer: ModelAnswer, mut spent: Spent, form: Form) -> Input {
        let plain = form == Form::PlainPast;
        spent.add(&answer.usage);
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
            summary: if form == Form::Segment { self.context.words() } else { None },
            compacted: self.context.compacted().filter(|_| form != Form::Segment),
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
        let Some(text) = visible(&texts.join("\n\n"), self.heartbeat) else { return vec![] };
        self.outlet.as_ref().map_or_else(|| vec![text.clone()], |(outlet, to)| outlet.parts(to, &text))
    }
}

/// Whether a failure only asks for patience: a later provider's must not hide that.
fn patient(error: &ModelError) -> bool {
    matches!(error, ModelError::RateLimited { .. } | ModelError::Overloaded { .. } | ModelError::Unavailable { .. })
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
