//! Calls models, one after the other until one answers, and shows the answer while it grows.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use chela_core::channel::{OutboundPart, SendError};
use chela_core::clock::Millis;
use chela_core::event::EventName;
use chela_core::model::{Block, Delta, ModelAnswer, ModelError, ModelMessage, ModelRequest};
use chela_core::queue::Task;
use chela_core::session::{AssistantEntry, Intent};
use chela_core::turn::{add_open_turn, idempotency_key};
use futures_util::future::join;
use tokio::sync::Notify;

use crate::answer::{Agent, Attempt, LEASE_MS, Stop};
use crate::settings::{ModelChoice, Outlet};

/// Longest wait for one model call. With the rest of a step it stays under the lease.
const MODEL_TIMEOUT: Duration = Duration::from_secs(75);

/// A step that could not even begin to be answered in this time is left to the next slice.
const STEP_NEEDS_MS: u64 = 10_000;

/// Answers quicker than this need no typing signal.
const TYPING_AFTER: Duration = Duration::from_millis(700);

/// A preview shorter than this looks like a mistake.
const PREVIEW_MIN_CHARS: usize = 24;

/// Attempts at a turn during which an unreachable model is waited for; then its sender is told.
const MODEL_ATTEMPTS: u32 = 5;

/// Rough characters of JSON and text per token, on the careful side for all dialects.
const CHARS_PER_TOKEN: usize = 3;

/// The reply that ends a turn without a word, as in OpenClaw.
const SILENT: &str = "NO_REPLY";

/// A heartbeat's answer that ends it without a word, as in OpenClaw: alone, or before or after at most this much.
const HEARTBEAT_OK: &str = "HEARTBEAT_OK";
const HEARTBEAT_OK_MAX_CHARS: usize = 300;

impl Agent {
    /// Asks a model for this step and stores its answer.
    pub(crate) async fn think(&self, attempt: &mut Attempt<'_>, step: u16) -> Result<(), Stop> {
        let now = self.clock.now();
        if attempt.slice.deadline.since(now) < STEP_NEEDS_MS {
            return Err(Stop::Later { after_s: 0, reason: "the slice is used up".into(), progress: step > 0 });
        }
        if step > 0 {
            // A turn of many steps outlives one lease.
            attempt.head.lease_until = now.plus(LEASE_MS);
            self.sessions.save(attempt.session, &attempt.head, &attempt.fence(now, 0)).await?;
        }
        match self.ask_in_turn(attempt, step).await? {
            Ok((choice, answer)) => self.store_model_answer(attempt, step, &choice, answer).await,
            Err(error) => self.model_failed(attempt, step, &error).await,
        }
    }

    async fn ask_in_turn(
        &self,
        attempt: &mut Attempt<'_>,
        step: u16,
    ) -> Result<Result<(ModelChoice, ModelAnswer), ModelError>, Stop> {
        let choices = attempt.settings.models.clone();
        let mut failure = None;
        for choice in choices {
            let mut budget = context_budget(&choice);
            loop {
                let request = self.request(attempt, step, &choice, budget);
                attempt.report.steps = attempt.report.steps.saturating_add(1);
                match self.ask(attempt, &choice, &request).await {
                    Ok(answer) => return Ok(Ok((choice, answer))),
                    // Half of the past once; then the next model.
                    Err(ModelError::TooLong { .. }) if budget == context_budget(&choice) => budget /= 2,
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
        Ok(Err(failure.unwrap_or_else(none)))
    }

    fn request(&self, attempt: &Attempt<'_>, step: u16, choice: &ModelChoice, budget: usize) -> ModelRequest {
        let mut open = Vec::new();
        add_open_turn(&mut open, &attempt.user(), &attempt.turn);
        let mut messages = recent_enough(&attempt.past, budget.saturating_sub(chars(&open)));
        messages.append(&mut open);
        let last = step.saturating_add(1) >= attempt.settings.max_steps;
        let tools = if last { vec![] } else { attempt.settings.tools.iter().map(|tool| tool.spec()).collect() };
        let left = Duration::from_millis(attempt.slice.deadline.since(self.clock.now()));
        ModelRequest {
            model: choice.id.clone(),
            system: attempt.settings.system.to_string(),
            messages,
            tools,
            max_tokens: choice.max_tokens,
            timeout: MODEL_TIMEOUT.min(left),
        }
    }

    /// One call, with typing and the growing preview beside it.
    async fn ask(
        &self,
        attempt: &mut Attempt<'_>,
        choice: &ModelChoice,
        request: &ModelRequest,
    ) -> Result<ModelAnswer, ModelError> {
        let draft = Draft::default();
        let call = async {
            let mut on_delta = |delta: &Delta| match delta {
                Delta::Text(text) => draft.push(text),
            };
            let answer = choice.model.call(request, &mut on_delta).await;
            draft.end();
            answer
        };
        let (answer, ()) = join(call, self.show_progress(attempt, &draft)).await;
        if let Ok(answer) = &answer {
            let used = &mut attempt.report.usage;
            used.input = used.input.saturating_add(answer.usage.input);
            used.output = used.output.saturating_add(answer.usage.output);
            used.cache_read = used.cache_read.saturating_add(answer.usage.cache_read);
            used.cache_write = used.cache_write.saturating_add(answer.usage.cache_write);
        }
        answer
    }

    async fn show_progress(&self, attempt: &mut Attempt<'_>, draft: &Draft) {
        let Some(to) = attempt.deliver_to.clone() else { return };
        if matches!(attempt.accepted.task, Task::Heartbeat { .. }) {
            return; // Nobody is waiting, and it may well end silently.
        }
        let Some(outlet) = attempt.installation.outlet(&to).cloned() else { return };
        let channel = &outlet.channel;
        let limits = channel.limits();
        let mut wait = TYPING_AFTER;
        let mut typed_at = None;
        let mut shown = String::new();
        while !draft.ended_within(wait).await {
            wait = limits.edit_every.unwrap_or(TYPING_AFTER);
            let text = draft.text();
            if outlet.streaming && limits.edit_every.is_some() && text.chars().count() >= PREVIEW_MIN_CHARS {
                if text != shown && self.preview(attempt, &outlet, &text).await.is_ok() {
                    shown = text;
                }
                continue;
            }
            let now = self.clock.now();
            let due = limits.typing_for.is_some_and(|lasts| {
                typed_at.is_none_or(|at: Millis| {
                    now.since(at) + 500 >= u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX)
                })
            });
            if due {
                typed_at = Some(now);
                let _ = channel.typing(&to).await; // Only a courtesy.
            }
        }
    }

    /// Sends the preview, marked before and recorded after, or edits it.
    async fn preview(&self, attempt: &mut Attempt<'_>, outlet: &Outlet, text: &str) -> Result<(), SendError> {
        let Some(to) = attempt.deliver_to.clone() else { return Ok(()) };
        let channel = &outlet.channel;
        let parts = outlet.parts(text);
        let Some(markdown) = parts.first() else { return Ok(()) };
        let timeout = Duration::from_secs(10);
        let key = idempotency_key(attempt.session, &attempt.accepted.event, "preview");
        let part = OutboundPart { to: &to, markdown, idempotency_key: &key, timeout };
        if let Some(id) = attempt.head.preview.clone() {
            return channel.edit(&id, &part).await;
        }
        let lost = |_| SendError::NotSent { channel: channel.id(), reason: "the session was lost".into() };
        let now = self.clock.now();
        let mark = Intent::Preview;
        if attempt.head.intents.contains(&mark) {
            return Ok(()); // Its fate is unknown; a second one would be one too many.
        }
        attempt.head.intents.push(mark);
        let needed = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.sessions.save(attempt.session, &attempt.head, &attempt.fence(now, needed)).await.map_err(lost)?;
        let receipt = channel.send(&part).await?;
        attempt.head.preview = Some(receipt.message_id);
        attempt.head.intents.retain(|intent| *intent != Intent::Preview);
        let now = self.clock.now();
        self.sessions.save(attempt.session, &attempt.head, &attempt.fence(now, 0)).await.map_err(lost)
    }

    async fn store_model_answer(
        &self,
        attempt: &mut Attempt<'_>,
        step: u16,
        choice: &ModelChoice,
        answer: ModelAnswer,
    ) -> Result<(), Stop> {
        let wants_tools = answer.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        let outbox = if wants_tools { None } else { Some(self.parts(attempt, &answer)) };
        let entry = AssistantEntry {
            user: vec![],
            blocks: answer.blocks,
            model: choice.name.clone(),
            usage: answer.usage,
            outbox,
        };
        self.store_answer(attempt, step, entry).await
    }

    /// The visible answer, cut to what the channel takes; empty if the model chose silence.
    fn parts(&self, attempt: &Attempt<'_>, answer: &ModelAnswer) -> Vec<String> {
        let texts: Vec<&str> = answer
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let text = texts.join("\n\n");
        let heartbeat = matches!(attempt.accepted.task, Task::Heartbeat { .. });
        let Some(text) = visible(&text, heartbeat) else { return vec![] };
        let outlet = attempt.deliver_to.as_ref().and_then(|to| attempt.installation.outlet(to));
        outlet.map_or_else(|| vec![text.clone()], |outlet| outlet.parts(&text))
    }

    async fn model_failed(&self, attempt: &mut Attempt<'_>, step: u16, error: &ModelError) -> Result<(), Stop> {
        let retry_after = match error {
            ModelError::RateLimited { after, .. } => Some(after.map_or(5, |after| after.as_secs())),
            ModelError::Unavailable { .. } => Some(0),
            ModelError::Credential { .. } | ModelError::TooLong { .. } | ModelError::Rejected { .. } => None,
        };
        if let Some(asked) = retry_after
            && attempt.head.attempts < MODEL_ATTEMPTS
        {
            let backoff = 2u64.saturating_pow(attempt.head.attempts);
            let after_s = u32::try_from(asked.max(backoff).min(900)).unwrap_or(900);
            return Err(Stop::Later { after_s, reason: error.to_string(), progress: false });
        }
        self.publish(EventName::TurnFailed, attempt).await;
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
        self.conclude(attempt, step, vec![apology]).await
    }
}

/// What is to be shown of an answer; `None` for silence.
pub(crate) fn visible(text: &str, heartbeat: bool) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.trim_end_matches('.').eq_ignore_ascii_case(SILENT) {
        return None;
    }
    if heartbeat {
        let rest = text.strip_prefix(HEARTBEAT_OK).or_else(|| text.strip_suffix(HEARTBEAT_OK));
        if let Some(rest) = rest {
            let rest = rest.trim();
            return (rest.chars().count() > HEARTBEAT_OK_MAX_CHARS).then(|| rest.to_owned());
        }
    }
    Some(text.to_owned())
}

fn context_budget(choice: &ModelChoice) -> usize {
    let tokens = choice.context_window.saturating_sub(choice.max_tokens) as usize;
    (tokens.saturating_mul(CHARS_PER_TOKEN) / 10).saturating_mul(8)
}

/// The newest messages that fit, beginning with a question: a tool result never loses its call.
fn recent_enough(past: &[ModelMessage], budget: usize) -> Vec<ModelMessage> {
    let mut start = past.len();
    let mut used = 0usize;
    for (index, message) in past.iter().enumerate().rev() {
        used = used.saturating_add(chars(std::slice::from_ref(message)));
        if used > budget {
            break;
        }
        let opens =
            matches!(message.blocks.first(), Some(Block::Text { .. })) && message.role == chela_core::model::Role::User;
        if opens {
            start = index;
        }
    }
    past.get(start..).unwrap_or_default().to_vec()
}

fn chars(messages: &[ModelMessage]) -> usize {
    let of_block = |block: &Block| match block {
        Block::Text { text } | Block::Thinking { text, .. } | Block::ToolResult { text, .. } => text.len(),
        Block::RedactedThinking { data } => data.len(),
        Block::ToolUse { input, .. } => input.to_string().len(),
    };
    messages.iter().flat_map(|message| message.blocks.iter()).map(of_block).sum()
}

/// The visible text of an answer while it grows, shared between the call and the preview.
#[derive(Default)]
struct Draft {
    state: Mutex<(String, bool)>,
    ended: Notify,
}

impl Draft {
    fn push(&self, text: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.push_str(text);
    }

    fn text(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.ended.notify_one();
    }

    async fn ended_within(&self, wait: Duration) -> bool {
        if !self.state.lock().unwrap_or_else(PoisonError::into_inner).1 {
            let _ = tokio::time::timeout(wait, self.ended.notified()).await;
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_core::model::Role;

    #[test]
    fn silence_is_recognised_and_nothing_else_is_swallowed() {
        for silent in ["", "  ", "NO_REPLY", "no_reply.", " NO_REPLY \n"] {
            assert_eq!(visible(silent, false), None, "{silent:?}");
        }
        assert_eq!(visible("HEARTBEAT_OK", true), None);
        assert_eq!(visible("HEARTBEAT_OK nothing new", true), None);
        assert_eq!(visible("HEARTBEAT_OK", false).as_deref(), Some("HEARTBEAT_OK"));
        assert_eq!(visible("The dentist is at 9.", true).as_deref(), Some("The dentist is at 9."));
        let long = format!("HEARTBEAT_OK {}", "x".repeat(400));
        assert!(visible(&long, true).is_some());
    }

    #[test]
    fn a_shortened_past_never_begins_with_a_tool_result() {
        let user = |text: &str| ModelMessage { role: Role::User, blocks: vec![Block::Text { text: text.into() }] };
        let call = Block::ToolUse { id: "a".into(), name: "read".into(), input: serde_json::json!({}) };
        let result = Block::ToolResult { id: "a".into(), text: "x".repeat(50), is_error: false };
        let past = [
            user("old"),
            ModelMessage { role: Role::Assistant, blocks: vec![call] },
            ModelMessage { role: Role::User, blocks: vec![result] },
            user("new"),
        ];
        assert_eq!(recent_enough(&past, 55), vec![user("new")]);
        assert_eq!(recent_enough(&past, 1000).len(), 4);
    }
}
