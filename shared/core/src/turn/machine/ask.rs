//! The model's part: what it is asked, what is done while it answers, what becomes of the answer.

use std::collections::BTreeSet;

use super::{Beside, LEASE_MS, MAX_ATTEMPTS, Machine, Phase, TICK_MS};
use crate::clock::Millis;
use crate::model::{Block, Usage};
use crate::queue::Envelope;
use crate::session::{AssistantEntry, Control, Entry, EntryBody, Intent};
use crate::turn::command::{Answer, Command, Input, Reply, Spent, Unanswered};
use crate::turn::{COMMAND, fit_envelope};

/// A step that could not even begin to be answered in this time is left to the next slice.
const STEP_NEEDS_MS: u64 = 10_000;

/// Longest wait for a platform to show a preview.
const PREVIEW_MS: u64 = 10_000;

/// Attempts at a turn during which an unreachable model is waited for; then its sender is told.
const MODEL_ATTEMPTS: u32 = 5;

/// Longest wait in the queue.
const MAX_WAIT_S: u64 = 900;

/// Longest wait of a parked turn before it looks again.
const LONGEST_PARKED_S: u32 = 1_800;

const APOLOGY: &str = "Something broke each time I tried to answer this, so I have given up on it. Please ask again, \
                       perhaps in other words; the owner finds the reason in the logs.";

impl Machine {
    pub(super) fn before_asking(&mut self, now: Millis, step: u16) -> Command {
        if self.hopeless() {
            self.report.failed = Some(format!("{MAX_ATTEMPTS} attempts got nowhere"));
            self.report.given_up = true;
            return self.conclude(now, step, Reply { parts: vec![APOLOGY.to_owned()], ..Reply::default() });
        }
        if step == 0 {
            return self.wait(Phase::Consulting, Command::Consult);
        }
        self.wait(Phase::Looking(step), Command::Look)
    }

    pub(super) fn consulted(&mut self, now: Millis, reply: Option<Reply>) -> Command {
        match reply {
            Some(reply) => self.conclude(now, 0, reply),
            None => self.prepare_to_ask(now, 0),
        }
    }

    pub(super) fn looked(
        &mut self,
        now: Millis,
        step: u16,
        control: Option<(Control, Vec<String>)>,
        steering: Vec<Envelope>,
    ) -> Command {
        let accepted_at = self.accepted.as_ref().map_or(now, |accepted| accepted.at);
        if let Some((Control { stop_before }, parts)) = control
            && accepted_at < stop_before
        {
            return self.conclude(now, step, Reply { parts, ..Reply::default() });
        }
        let known = self.further_events();
        let first = self.accepted.as_ref().map(|accepted| accepted.event.clone());
        let fresh: Vec<Envelope> = steering
            .into_iter()
            .map(fit_envelope)
            .filter(|one| {
                !known.contains(&one.event) && first.as_ref() != Some(&one.event) && !self.head.finished(&one.event)
            })
            .collect();
        // There is one place for such messages behind a step; what comes later still waits for the next step.
        let before = step.saturating_sub(1);
        let steered = |entry: &Entry| entry.step == before && matches!(entry.body, EntryBody::Steered { .. });
        if fresh.is_empty() || self.turn.entries.iter().any(steered) {
            return self.prepare_to_ask(now, step);
        }
        let user = fresh.iter().map(|one| crate::turn::fragment(Some(&one.event), &one.task)).collect();
        self.envelopes.extend(fresh);
        // It stands behind the results of the step before; the model reads both together.
        let entry = self.entry(now, before, EntryBody::Steered { user });
        self.store(entry)
    }

    fn prepare_to_ask(&mut self, now: Millis, step: u16) -> Command {
        if self.deadline.since(now) < STEP_NEEDS_MS {
            return self.later(0, "the slice is used up".to_owned());
        }
        if self.head.lease_until.since(now) < LEASE_MS.saturating_sub(TICK_MS) {
            // A turn of many steps outlives one lease.
            self.head.lease_until = now.plus(LEASE_MS);
            return self.save(Phase::Renewing(step));
        }
        self.ask(step)
    }

    pub(super) fn ask(&mut self, step: u16) -> Command {
        self.asking = Some(step);
        self.wait(Phase::Asking(step, Beside::Idle), Command::Ask { step })
    }

    pub(super) fn keep_asking(&mut self, step: u16) -> Command {
        self.wait(Phase::Asking(step, Beside::Idle), Command::KeepAsking)
    }

    /// The lease is renewed and the preview shown while the model answers; one thing at a time.
    pub(super) fn while_asking(&mut self, now: Millis, step: u16, beside: Beside, input: Input) -> Command {
        match (beside, input) {
            (_, Input::Failed(error)) => self.store_failed(Phase::Asking(step, beside), &error),
            (Beside::Idle, Input::Answered(answer)) => self.answered(now, step, *answer),
            (Beside::Idle, Input::Unanswered(failure)) => self.unanswered(now, step, failure),
            (Beside::Idle, Input::Tick) => {
                self.head.lease_until = now.plus(LEASE_MS);
                self.save(Phase::Asking(step, Beside::Renewing))
            }
            (Beside::Idle, Input::Draft) => self.draft(now, step),
            (Beside::Idle, Input::Block(parts)) => self.block(now, step, parts),
            (Beside::Marking, Input::Saved) => {
                let until = self.until(now, PREVIEW_MS);
                self.wait(Phase::Asking(step, Beside::Showing), Command::SendPreview { until })
            }
            (Beside::Showing, Input::PreviewSent(Some(message))) => {
                self.head.preview = Some(message);
                self.head.intents.retain(|intent| *intent != Intent::Preview);
                self.save(Phase::Asking(step, Beside::Recording))
            }
            (Beside::Renewing | Beside::Recording, Input::Saved)
            | (Beside::Showing, Input::PreviewSent(None))
            | (Beside::Editing, Input::PreviewRenewed) => self.keep_asking(step),
            (beside, input) => {
                self.end_again(30, &format!("the driver answered {beside:?} beside a model with {input:?}"))
            }
        }
    }

    /// A block of the answer is stored before it is sent, at the place where the answer itself would stand: only one attempt
    /// can say how the turn goes on from there.
    fn block(&mut self, now: Millis, step: u16, parts: Vec<String>) -> Command {
        let user = if step == 0 { self.user.clone() } else { Vec::new() };
        let entry = self.entry(now, step, EntryBody::Assistant(AssistantEntry::block(user, parts)));
        self.store(entry)
    }

    /// An answer holds all that was sent of it. What a call before this one had begun to say stands before the words of
    /// this one, and behind its thoughts, which come first everywhere.
    fn with_beginning(&self, mut blocks: Vec<Block>, before: u16) -> Vec<Block> {
        if let Some(text) = self.turn.begun(before) {
            let thought = |block: &Block| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. });
            let place = blocks.iter().take_while(|block| thought(block)).count();
            blocks.insert(place, Block::Text { text });
        }
        blocks
    }

    fn draft(&mut self, now: Millis, step: u16) -> Command {
        if let Some(message) = self.head.preview.clone() {
            return self.wait(Phase::Asking(step, Beside::Editing), Command::RenewPreview { message });
        }
        if self.head.intents.contains(&Intent::Preview) {
            return self.keep_asking(step); // Its fate is unknown; a second one would be one too many.
        }
        self.head.intents.push(Intent::Preview);
        self.head = self.marked(now, self.head.intents.clone());
        let head = self.head.clone();
        self.save_marked(now, PREVIEW_MS, head, Phase::Asking(step, Beside::Marking))
    }

    fn spend(&mut self, spent: Spent) {
        let report = &mut self.report;
        report.steps = report.steps.saturating_add(spent.calls);
        report.usage.input = report.usage.input.saturating_add(spent.usage.input);
        report.usage.output = report.usage.output.saturating_add(spent.usage.output);
        report.usage.cache_read = report.usage.cache_read.saturating_add(spent.usage.cache_read);
        report.usage.cache_write = report.usage.cache_write.saturating_add(spent.usage.cache_write);
    }

    fn answered(&mut self, now: Millis, step: u16, answer: Answer) -> Command {
        let Answer { mut entry, spent, plain } = answer;
        self.spend(spent);
        entry.plain = plain;
        name_calls_apart(&mut entry.blocks);
        let from = self.asking.take().unwrap_or(step);
        entry.blocks = self.with_beginning(entry.blocks, from);
        if step == 0 {
            entry.user.clone_from(&self.user);
        }
        let entry = self.entry(now, step, EntryBody::Assistant(entry));
        self.store(entry)
    }

    fn unanswered(&mut self, now: Millis, step: u16, failure: Unanswered) -> Command {
        self.spend(failure.spent);
        self.asking = None;
        if let (Some(asked), true) = (failure.again_after_s, failure.parked) {
            self.progressed = true;
            return self.later(u32::try_from(asked).unwrap_or(u32::MAX).clamp(1, LONGEST_PARKED_S), failure.reason);
        }
        if let Some(asked) = failure.again_after_s
            && self.head.attempts < MODEL_ATTEMPTS
        {
            let backoff = 2u64.saturating_pow(self.head.attempts);
            let after_s = u32::try_from(asked.max(backoff).min(MAX_WAIT_S)).unwrap_or(u32::MAX);
            return self.later(after_s, failure.reason);
        }
        self.report.failed = Some(failure.reason);
        self.conclude(now, step, Reply { parts: vec![failure.apology], ..Reply::default() })
    }

    /// Ends the turn with words no model gave.
    fn conclude(&mut self, now: Millis, step: u16, reply: Reply) -> Command {
        let Reply { parts, forget, choices } = reply;
        let choices = choices.map(Box::new);
        let user = if step == 0 { self.user.clone() } else { Vec::new() };
        let blocks = parts.iter().map(|text| Block::Text { text: text.clone() }).collect();
        let blocks = self.with_beginning(blocks, step);
        let (model, usage, outbox) = (COMMAND.to_owned(), Usage::default(), Some(parts));
        let answer =
            AssistantEntry { user, blocks, model, usage, outbox, forget, choices, ..AssistantEntry::default() };
        let entry = self.entry(now, step, EntryBody::Assistant(answer));
        self.store(entry)
    }
}

/// Providers want every call of an answer to have a name of its own; models do not always see to it.
fn name_calls_apart(blocks: &mut [Block]) {
    let mut known = BTreeSet::new();
    for block in blocks {
        if let Block::ToolUse { id, .. } = block {
            let given = if id.is_empty() { "call".to_owned() } else { id.clone() };
            let mut number = 1u32;
            *id = given.clone();
            while !known.insert(id.clone()) {
                number = number.saturating_add(1);
                *id = format!("{given}_{number}");
            }
        }
    }
}
