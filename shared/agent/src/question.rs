//! What models are asked for one step, one after the other until one answers.

use std::time::Duration;

use chela_core::clock::{Clock, Millis};
use chela_core::message::ReplyAddress;
use chela_core::model::{Block, Delta, ModelAnswer, ModelError, ModelMessage, ModelRequest, Role, ToolSpec};
use chela_core::queue::Task;
use chela_core::reply::visible;
use chela_core::session::AssistantEntry;
use chela_core::turn::{
    Answer, Input, Spent, Unanswered, Way, add_open_turn, chars, join, plain, recent_enough, told, validate,
};

use crate::answer::Attempt;
use crate::draft::Draft;
use crate::settings::{AgentSettings, ModelChoice, Outlet};
use crate::window::{context_budget, summary};

/// Longest wait for one model call.
const MODEL_TIMEOUT: Duration = Duration::from_secs(75);

/// How the conversation is put, each form simpler than the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it was.
    Whole,
    /// The turns before this one in words alone: what one provider wrote another may not take.
    PlainPast,
    /// A new segment: a summary of the turns before and this one, all in words.
    Segment,
}

/// One step's question.
pub(crate) struct Question<'a> {
    settings: &'a AgentSettings,
    /// What sends the answer, and where to.
    outlet: Option<(&'a Outlet, ReplyAddress)>,
    heartbeat: bool,
    past: Vec<ModelMessage>,
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
            Way::To { address, .. } => attempt.installation.outlet(address).map(|outlet| (outlet, address.clone())),
            Way::Collected | Way::Gone { .. } => None,
        };
        Self {
            settings: attempt.settings,
            outlet,
            heartbeat: matches!(attempt.task(), Some(Task::Heartbeat { .. })),
            past: machine.past(),
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
                        if let Some(simpler) = self.simpler(form, &error) {
                            form = simpler;
                            continue;
                        }
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

    /// The next form worth trying after this failure of one.
    fn simpler(&self, form: Form, error: &ModelError) -> Option<Form> {
        let rejected = match error {
            ModelError::Rejected { .. } => true,
            ModelError::TooLong { .. } => false,
            _ => return None,
        };
        match form {
            Form::Whole if rejected && self.past != self.plain_past() => Some(Form::PlainPast),
            Form::Whole | Form::PlainPast if !self.past.is_empty() || self.open != told(&self.open) => {
                Some(Form::Segment)
            }
            _ => None,
        }
    }

    fn request(&self, choice: &ModelChoice, budget: usize, form: Form, now: Millis) -> ModelRequest {
        let mut messages = self.messages(budget, form);
        if validate(&messages).is_err() {
            // A provider would only refuse it, and whatever broke it is stored for good.
            messages = told(&messages);
        }
        ModelRequest {
            model: choice.id.clone(),
            system: self.settings.system.to_string(),
            messages,
            tools: self.tools.clone(),
            max_tokens: choice.max_tokens,
            timeout: MODEL_TIMEOUT.min(Duration::from_millis(self.deadline.since(now))),
        }
    }

    fn messages(&self, budget: usize, form: Form) -> Vec<ModelMessage> {
        let words;
        let past = match form {
            Form::Whole => &self.past,
            Form::PlainPast => {
                words = self.plain_past();
                &words
            }
            Form::Segment => {
                let blocks = self.summary().map(|text| Block::Text { text }).into_iter().collect();
                let mut messages = Vec::new();
                join(&mut messages, [ModelMessage { role: Role::User, blocks }]);
                join(&mut messages, told(&self.open));
                return messages;
            }
        };
        let mut messages = recent_enough(past, budget.saturating_sub(chars(&self.open)));
        join(&mut messages, self.open.iter().cloned());
        messages
    }

    fn summary(&self) -> Option<String> {
        summary(&self.plain_past())
    }

    fn plain_past(&self) -> Vec<ModelMessage> {
        plain(&self.past)
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
            summary: if form == Form::Segment { self.summary() } else { None },
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chela_testkit::model::{ScriptedModel, assert_valid};
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Block {
        Block::Text { text: text.into() }
    }

    /// The rows of an open turn are as an earlier attempt left them; what broke them is not known here.
    #[test]
    fn what_a_provider_would_refuse_is_told_in_words_and_nothing_is_lost() {
        let choice = ModelChoice {
            name: "test/scripted".into(),
            id: "scripted".into(),
            max_tokens: 1_000,
            context_window: 100_000,
            model: Arc::new(ScriptedModel::default()),
        };
        let settings = AgentSettings {
            system: "".into(),
            models: vec![],
            timezone: "UTC".into(),
            max_steps: 1,
            tools: vec![],
            announce: false,
        };
        let said = |role, blocks| ModelMessage { role, blocks };
        let call = Block::ToolUse { id: "a".into(), name: "read".into(), input: json!({"path": "SOUL.md"}) };
        let orphan = Block::ToolResult { id: "b".into(), text: "be kind".into(), is_error: false };
        let question = Question {
            settings: &settings,
            outlet: None,
            heartbeat: false,
            past: vec![said(Role::User, vec![text("hello")]), said(Role::Assistant, vec![text("hi")])],
            open: vec![
                said(Role::User, vec![text("who are you?")]),
                said(Role::Assistant, vec![call]),
                said(Role::User, vec![orphan]),
            ],
            tools: vec![],
            deadline: Millis(1),
        };
        let request = question.request(&choice, context_budget(&choice), Form::Whole, Millis(0));
        assert_valid(&request);
        let words = format!("{:?}", request.messages);
        for said in ["hello", "hi", "who are you?", "SOUL.md", "be kind"] {
            assert!(words.contains(said), "{said} is missing in {words}");
        }
    }
}
