//! Runs the tools of one step.

use std::sync::Arc;
use std::time::Duration;

use chela_core::model::Block;
use chela_core::session::{Entry, EntryBody, Intent};
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_core::turn::{Fate, OUTCOME_UNKNOWN, PlannedCall, idempotency_key};

use crate::answer::{Agent, Attempt, LEASE_MS, Stop};
use crate::settings::AgentSettings;

/// Longest run of one tool.
const TOOL_TIMEOUT: Duration = Duration::from_secs(30);

/// Tool calls of one step beyond this are refused: a model that asks for more has lost its way.
const CALLS_PER_STEP: usize = 16;

/// Characters of one tool result the model reads; the rest is cut, and the model is told.
const RESULT_MAX_CHARS: usize = 60_000;

impl Agent {
    /// Runs every call of the step that has no result, and stores one result for each.
    pub(crate) async fn act(&self, attempt: &mut Attempt<'_>, step: u16, calls: Vec<PlannedCall>) -> Result<(), Stop> {
        let settings = attempt.settings;
        let to_run = |call: &PlannedCall| runnable(settings, call).is_some();
        let effects: Vec<&PlannedCall> = calls
            .iter()
            .take(CALLS_PER_STEP)
            .filter(|call| to_run(call) && tool(settings, &call.name).is_some_and(|tool| tool.effect() != Effect::None))
            .collect();
        if !effects.is_empty() {
            self.mark(attempt, step, &effects).await?;
        }
        let journal = effects.len() > 1;
        let mut results = Vec::with_capacity(calls.len());
        for (index, call) in calls.iter().enumerate() {
            let answer = if index >= CALLS_PER_STEP {
                ToolAnswer::error(format!(
                    "At most {CALLS_PER_STEP} tool calls are allowed at once; this one was not run."
                ))
            } else {
                match runnable(settings, call) {
                    Some(tool) => self.run_tool(attempt, step, call, tool).await,
                    None => without_running(settings, call),
                }
            };
            let result = Block::ToolResult { id: call.id.clone(), text: cut(answer.text), is_error: answer.is_error };
            if journal && effects.iter().any(|effect| effect.id == call.id) {
                let body = EntryBody::ToolDone { result: result.clone() };
                self.store_entry(attempt, Entry { turn: attempt.turn.number, step, at: self.clock.now(), body })
                    .await?;
            }
            results.push(result);
        }
        attempt.head.intents.clear();
        let body = EntryBody::ToolResults { results };
        self.store_entry(attempt, Entry { turn: attempt.turn.number, step, at: self.clock.now(), body }).await
    }

    /// Writes the marks of all effects under a lease that outlives them.
    async fn mark(&self, attempt: &mut Attempt<'_>, step: u16, effects: &[&PlannedCall]) -> Result<(), Stop> {
        let now = self.clock.now();
        attempt.head.intents = effects.iter().map(|call| Intent::Tool { step, id: call.id.clone() }).collect();
        let needed = u64::try_from(TOOL_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        let fence = attempt.fence(now, needed.min(LEASE_MS / 2));
        let mut head = attempt.head.clone();
        head.lease_until = now.plus(needed.saturating_mul(effects.len() as u64).max(LEASE_MS));
        self.sessions.save(attempt.session, &head, &fence).await?;
        attempt.head = head;
        Ok(())
    }

    async fn run_tool(&self, attempt: &Attempt<'_>, step: u16, call: &PlannedCall, tool: &Arc<dyn Tool>) -> ToolAnswer {
        let what = format!("tool:{step}:{}", call.id);
        let idempotency_key = idempotency_key(attempt.session, &attempt.accepted.event, &what);
        let status = attempt.status();
        let run = tool.run(ToolCall {
            input: &call.input,
            idempotency_key: &idempotency_key,
            agent: attempt.agent,
            session: attempt.session,
            files: self.files.as_ref(),
            clock: self.clock.as_ref(),
            status: &status,
        });
        match tokio::time::timeout(TOOL_TIMEOUT, run).await {
            Ok(answer) => answer,
            Err(_) => ToolAnswer::error(format!(
                "\"{}\" did not end within {} s and was abandoned; it may have taken effect.",
                call.name,
                TOOL_TIMEOUT.as_secs()
            )),
        }
    }
}

fn tool<'a>(settings: &'a AgentSettings, name: &str) -> Option<&'a Arc<dyn Tool>> {
    settings.tools.iter().find(|tool| tool.spec().name == name)
}

fn runnable<'a>(settings: &'a AgentSettings, call: &PlannedCall) -> Option<&'a Arc<dyn Tool>> {
    tool(settings, &call.name).filter(|tool| call.may_run(tool.effect()))
}

fn without_running(settings: &AgentSettings, call: &PlannedCall) -> ToolAnswer {
    match &call.fate {
        Fate::Done(Block::ToolResult { text, is_error, .. }) => ToolAnswer { text: text.clone(), is_error: *is_error },
        Fate::Begun if tool(settings, &call.name).is_some() => ToolAnswer::error(OUTCOME_UNKNOWN),
        _ => {
            let names: Vec<String> = settings.tools.iter().map(|tool| tool.spec().name).collect();
            ToolAnswer::error(format!("There is no tool \"{}\". There are: {}.", call.name, names.join(", ")))
        }
    }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(RESULT_MAX_CHARS) {
        text.truncate(end);
        text.push_str("\n[cut here: the result was longer]");
    }
    text
}
