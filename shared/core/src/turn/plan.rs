//! What is to be done next, as it follows from the stored rows of a turn and from nothing else. An attempt that takes over
//! after a crash computes the same next step. What a crash can leave behind is an [`Intent`] without its record; each
//! has one defined meaning, see [`Fate`] and [`Next::Deliver`].

use crate::channel::Unconfirmed;
use crate::model::Block;
use crate::session::{AssistantEntry, Entry, EntryBody, Head, Intent, Settled, UserFragment};
use crate::tool::Effect;

/// A turn as its stored rows tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// Its number in the session.
    pub number: u64,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
    /// Marks an earlier attempt left.
    pub left_over: Vec<Intent>,
    /// Parts that are settled.
    pub settled: Vec<Settled>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Call the model and append its answer as this step.
    AskModel {
        /// The step.
        step: u16,
    },
    /// Run the tools of this step and append their results.
    RunTools {
        /// The step.
        step: u16,
        /// One for each call of the model, in its order.
        calls: Vec<PlannedCall>,
    },
    /// Send this part. If an earlier attempt had begun to ([`Deliver::begun`]), the channel decides.
    Deliver(Deliver),
    /// Everything is done: finish the head.
    Finish,
}

/// A part to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// Its place in the outbox.
    pub part: u16,
    /// How many parts there are.
    pub of: u16,
    /// Its markdown.
    pub markdown: String,
    /// An earlier attempt marked it as being sent and did not record the end.
    pub begun: bool,
}

impl Deliver {
    /// Whether the part may be sent now. `false`: its fate is unknown for good; settle it as [`Settled::Unknown`].
    pub fn may_send(&self, unconfirmed: Unconfirmed) -> bool {
        !self.begun || matches!(unconfirmed, Unconfirmed::ResendWithKey | Unconfirmed::Resend)
    }
}

/// One tool call of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCall {
    /// The provider's id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments.
    pub input: serde_json::Value,
    /// What is known of it.
    pub fate: Fate,
}

/// What is known of a tool call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It was never begun: run it.
    Fresh,
    /// It was begun by an earlier attempt and has no result.
    Begun,
    /// Its result is in the journal.
    Done(Block),
}

impl PlannedCall {
    /// Whether to run it, given what running it twice does. `false` for a call without a result: answer
    /// [`OUTCOME_UNKNOWN`].
    pub fn may_run(&self, effect: Effect) -> bool {
        match self.fate {
            Fate::Fresh => true,
            Fate::Begun => effect != Effect::Unkeyed,
            Fate::Done(_) => false,
        }
    }
}

impl Turn {
    /// The turn in progress of `head`, from the session's entries.
    pub fn resume(head: &Head, entries: &[Entry]) -> Self {
        let number = head.turn();
        Self {
            number,
            entries: entries.iter().filter(|entry| entry.turn == number).cloned().collect(),
            left_over: head.intents.clone(),
            settled: head.settled.clone(),
        }
    }

    /// What is to be done next.
    pub fn next(&self) -> Next {
        let Some((step, answer)) = self.last_answer() else { return Next::AskModel { step: 0 } };
        let parts = self.parts();
        if let Some(part) = self.next_part(&parts) {
            return Next::Deliver(part);
        }
        if answer.outbox.is_some() {
            return Next::Finish;
        }
        if answer.is_block() || self.has_results(step) {
            return Next::AskModel { step: step.saturating_add(1) };
        }
        Next::RunTools { step, calls: self.plan_calls(step, answer) }
    }

    /// Adds an entry this attempt has stored, or adopted from one that was before it.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The parts of the reply so far, those sent on the way included; their places are their numbers.
    pub fn parts(&self) -> Vec<&String> {
        self.answers().flat_map(|answer| answer.interim.iter().chain(answer.outbox.iter().flatten())).collect()
    }

    /// Whether the turn has its final answer.
    pub fn is_answered(&self) -> bool {
        self.last_answer().is_some_and(|(_, answer)| answer.outbox.is_some())
    }

    /// What the models said, blocks of answers included.
    pub fn answers(&self) -> impl Iterator<Item = &AssistantEntry> {
        self.entries.iter().filter_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) => Some(answer),
            _ => None,
        })
    }

    /// The words of an answer that were sent in blocks before this step, if the answer itself is not stored: its model
    /// broke off, or is still speaking.
    pub fn begun(&self, before: u16) -> Option<String> {
        let mut words: Vec<&str> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.step < before) {
            match &entry.body {
                EntryBody::Assistant(answer) if answer.is_block() => {
                    words.extend(answer.interim.iter().map(String::as_str));
                }
                EntryBody::Assistant(_) => words.clear(),
                _ => {}
            }
        }
        (!words.is_empty()).then(|| words.join("\n\n"))
    }

    /// What users said, as far as it is stored.
    pub fn fragments(&self) -> impl Iterator<Item = &UserFragment> {
        self.entries.iter().flat_map(|entry| match &entry.body {
            EntryBody::Assistant(AssistantEntry { user, .. }) | EntryBody::Steered { user } => user.as_slice(),
            EntryBody::ToolDone { .. } | EntryBody::ToolResults { .. } | EntryBody::Summary { .. } => &[],
        })
    }

    fn last_answer(&self) -> Option<(u16, &AssistantEntry)> {
        self.entries.iter().rev().find_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) => Some((entry.step, answer)),
            _ => None,
        })
    }

    fn has_results(&self, step: u16) -> bool {
        self.entries.iter().any(|entry| entry.step == step && matches!(entry.body, EntryBody::ToolResults { .. }))
    }

    fn next_part(&self, parts: &[&String]) -> Option<Deliver> {
        let markdown = (*parts.get(self.settled.len())?).clone();
        let part = u16::try_from(self.settled.len()).unwrap_or(u16::MAX);
        Some(Deliver {
            part,
            of: u16::try_from(parts.len()).unwrap_or(u16::MAX),
            markdown,
            begun: self.left_over.contains(&Intent::Send { part }),
        })
    }

    fn plan_calls(&self, step: u16, answer: &AssistantEntry) -> Vec<PlannedCall> {
        let calls = answer.blocks.iter().filter_map(|block| match block {
            Block::ToolUse { id, name, input } => Some((id, name, input)),
            _ => None,
        });
        calls
            .map(|(id, name, input)| PlannedCall {
                id: id.clone(),
                name: name.clone(),
                input: input.clone(),
                fate: self.fate(step, id),
            })
            .collect()
    }

    fn fate(&self, step: u16, call: &str) -> Fate {
        let journal = self.entries.iter().filter(|entry| entry.step == step).find_map(|entry| match &entry.body {
            EntryBody::ToolDone { result: result @ Block::ToolResult { id, .. } } if id == call => Some(result.clone()),
            _ => None,
        });
        let begun = self.left_over.iter().any(|mark| *mark == Intent::Tool { step, id: call.to_owned() });
        match (journal, begun) {
            (Some(result), _) => Fate::Done(result),
            (None, true) => Fate::Begun,
            (None, false) => Fate::Fresh,
        }
    }
}
