//! The tools of one step: marked before, journalled where there are several, stored as one entry.

use std::collections::VecDeque;

use super::{MARGIN_MS, Machine, Phase, ToolRun};
use crate::clock::Millis;
use crate::model::Block;
use crate::session::{Entry, EntryBody, Head, Intent, Put};
use crate::shown::MOST_FILES;
use crate::tool::{Effect, ToolAnswer};
use crate::turn::command::Command;
use crate::turn::{Fate, OUTCOME_UNKNOWN, PlannedCall, idempotency_key};

/// Longest run of one tool.
pub(super) const TOOL_MS: u64 = 30_000;

/// Tool calls of one step beyond this are refused: a model that asks for more has lost its way.
const CALLS_PER_STEP: usize = 16;

/// Characters of one tool result the model reads; the rest is cut, and the model is told.
const RESULT_MAX_CHARS: usize = 60_000;

impl Machine {
    pub(super) fn act(&mut self, now: Millis, step: u16, calls: Vec<PlannedCall>) -> Command {
        if self.deadline.since(now) < TOOL_MS.saturating_add(MARGIN_MS) {
            return self.later(0, "the slice is used up".to_owned());
        }
        let fresh = |call: &PlannedCall| {
            call.fate == Fate::Fresh && self.effect(call).is_some_and(|effect| effect != Effect::None)
        };
        if !self.hopeless() && calls.iter().any(fresh) {
            return self.wait(Phase::Admitting(step, calls.clone()), Command::Admit { calls });
        }
        self.admitted(now, step, calls, &[])
    }

    /// Calls that are not to be begun have their results already; the others are marked and run.
    pub(super) fn admitted(
        &mut self,
        now: Millis,
        step: u16,
        mut calls: Vec<PlannedCall>,
        results: &[Block],
    ) -> Command {
        for call in calls.iter_mut().filter(|call| call.fate == Fate::Fresh) {
            let own = |result: &&Block| matches!(result, Block::ToolResult { id, .. } if *id == call.id);
            if let Some(result) = results.iter().find(own) {
                call.fate = Fate::Done(result.clone());
            }
        }
        let runs = |call: &&PlannedCall| !self.hopeless() && self.effect(call).is_some_and(|it| call.may_run(it));
        let effects: Vec<String> = calls
            .iter()
            .take(CALLS_PER_STEP)
            .filter(runs)
            .filter(|call| self.effect(call) != Some(Effect::None))
            .map(|call| call.id.clone())
            .collect();
        // A call that must not run again keeps its mark: without it the next attempt would take it for a fresh one.
        let marks = |call: &&PlannedCall| call.fate == Fate::Begun || effects.contains(&call.id);
        let intents = calls.iter().filter(marks).map(|call| Intent::Tool { step, id: call.id.clone() }).collect();
        let run = ToolRun { step, calls: VecDeque::from(calls), effects, results: Vec::new() };
        if run.effects.is_empty() {
            return self.next_call(now, run);
        }
        let head = self.marked(now, intents);
        self.save_marked(now, TOOL_MS, head.clone(), Phase::MarkingTools(Box::new(head), run))
    }

    pub(super) fn tools_marked(&mut self, now: Millis, head: Head, run: ToolRun) -> Command {
        self.head = head;
        self.next_call(now, run)
    }

    fn next_call(&mut self, now: Millis, run: ToolRun) -> Command {
        let Some(call) = run.calls.front() else {
            let body = EntryBody::ToolResults { results: run.results };
            let entry = self.entry(now, run.step, body);
            return self.store(entry);
        };
        let effect = self.effect(call);
        let refused = self.hopeless() || run.results.len() >= CALLS_PER_STEP;
        if refused || !effect.is_some_and(|effect| call.may_run(effect)) {
            let answer = self.without_running(call, run.results.len());
            return self.returned(now, run, answer);
        }
        if run.effects.contains(&call.id) && self.head.lease_until.since(now) < TOOL_MS.saturating_add(MARGIN_MS) {
            // The tools before took most of the lease.
            let head = self.marked(now, self.head.intents.clone());
            return self.save_marked(now, TOOL_MS, head.clone(), Phase::MarkingTools(Box::new(head), run));
        }
        let Some(session_event) = self.accepted.as_ref().map(|accepted| accepted.event.clone()) else {
            return self.end_again(30, "a tool without an event");
        };
        let what = format!("tool:{}:{}", run.step, call.id);
        let idempotency_key = idempotency_key(&self.session, &session_event, &what);
        let (call, until) = (call.clone(), self.until(now, TOOL_MS));
        self.wait(Phase::Running(run), Command::Run { call, idempotency_key, until })
    }

    pub(super) fn tool_returned(&mut self, now: Millis, run: ToolRun, answer: ToolAnswer) -> Command {
        self.returned(now, run, answer)
    }

    fn returned(&mut self, now: Millis, mut run: ToolRun, answer: ToolAnswer) -> Command {
        let Some(call) = run.calls.pop_front() else { return self.next_call(now, run) };
        let ToolAnswer { text, is_error, mut files } = answer;
        files.truncate(if is_error { 0 } else { MOST_FILES });
        let result = Block::ToolResult { id: call.id.clone(), text: cut(text), is_error, files };
        run.results.push(result.clone());
        if run.effects.len() > 1 && run.effects.contains(&call.id) {
            let entry = Box::new(self.entry(now, run.step, EntryBody::ToolDone { result }));
            return self.wait(Phase::Journalling(run, entry.clone()), Command::Append(entry));
        }
        self.next_call(now, run)
    }

    /// The journal's first writer has the result that counts.
    pub(super) fn journalled(&mut self, now: Millis, mut run: ToolRun, entry: Entry, put: Put<Entry>) -> Command {
        if let Put::Exists(Entry { body: EntryBody::ToolDone { result }, .. }) = &put
            && let Some(last) = run.results.last_mut()
        {
            *last = result.clone();
        }
        self.adopt(entry, put);
        self.next_call(now, run)
    }

    fn effect(&self, call: &PlannedCall) -> Option<Effect> {
        self.rules.tools.get(&call.name).copied()
    }

    fn without_running(&self, call: &PlannedCall, before: usize) -> ToolAnswer {
        match (&call.fate, self.effect(call)) {
            (Fate::Done(Block::ToolResult { text, is_error, files, .. }), _) => {
                ToolAnswer { text: text.clone(), is_error: *is_error, files: files.clone() }
            }
            (Fate::Begun, Some(_)) => ToolAnswer::error(OUTCOME_UNKNOWN),
            _ if self.hopeless() => ToolAnswer::error("Not run: this turn has broken off too often."),
            (_, Some(_)) if before >= CALLS_PER_STEP => ToolAnswer::error(format!(
                "At most {CALLS_PER_STEP} tool calls are allowed at once; this one was not run."
            )),
            _ => {
                let names: Vec<&str> = self.rules.tools.keys().map(String::as_str).collect();
                ToolAnswer::error(format!("There is no tool \"{}\". There are: {}.", call.name, names.join(", ")))
            }
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
