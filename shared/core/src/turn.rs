//! The turn as a state machine without I/O: from what is stored follows what is to be done next.
//!
//! ```text
//!            claim ─▶ accept ─▶ ┌──────────────────────────────────────────────┐
//!                               │                   next()                     │
//!                               └──┬──────────┬──────────────┬───────────┬─────┘
//!                                  ▼          ▼              ▼           ▼
//!                              AskModel    RunTools        Deliver     Finish ─▶ save head, acknowledge
//!                                  │          │              │
//!                           append Assistant  │   save {Send part} ▸ send ▸ save {settled}
//!                                             │
//!                     save {Tool ids} ▸ run ▸ append ToolDone (if several) ▸ append ToolResults
//! ```
//!
//! Nothing is remembered outside the stored rows, so an attempt that takes over after a crash computes the same next
//! step. What a crash can leave behind is an [`Intent`] without its record; each has one defined meaning, see
//! [`Fate`] and [`Next::Deliver`].

use crate::channel::Unconfirmed;
use crate::message::EventKey;
use crate::model::{Block, ModelMessage, Role};
use crate::session::{AssistantEntry, Entry, EntryBody, Head, Intent, Settled, UserFragment};
use crate::session_key::SessionKey;
use crate::tool::Effect;
use sha2::{Digest, Sha256};

/// What the model is told about a tool call whose outcome nobody knows.
pub const OUTCOME_UNKNOWN: &str = "The outcome of this call is unknown: it was begun and then interrupted. Check whether it took effect before repeating it.";

/// A turn as its stored rows tell it.
#[derive(Clone, Debug, Default)]
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
        !self.begun || unconfirmed == Unconfirmed::ResendWithKey
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
        if let Some(outbox) = &answer.outbox {
            return self.next_part(outbox);
        }
        if self.has_results(step) {
            return Next::AskModel { step: step.saturating_add(1) };
        }
        Next::RunTools { step, calls: self.plan_calls(step, answer) }
    }

    /// Adds an entry this attempt has stored, or adopted from one that was before it.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The parts of the reply, once the turn has its final answer.
    pub fn outbox(&self) -> Option<&[String]> {
        self.last_answer().and_then(|(_, answer)| answer.outbox.as_deref())
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

    fn next_part(&self, outbox: &[String]) -> Next {
        let Some(markdown) = outbox.get(self.settled.len()) else { return Next::Finish };
        let part = u16::try_from(self.settled.len()).unwrap_or(u16::MAX);
        Next::Deliver(Deliver {
            part,
            of: u16::try_from(outbox.len()).unwrap_or(u16::MAX),
            markdown: markdown.clone(),
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

/// The idempotency key of a tool call or of a part: the same for every attempt, different for every other one. A
/// UUID's length, so that every platform's key field takes it.
pub fn idempotency_key(session: &SessionKey, event: &EventKey, what: &str) -> String {
    let mut hash = Sha256::new();
    for part in [session.as_str(), event.as_str(), what] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(32);
    hex
}

/// A transcript for the model from stored entries, and the entries that were missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// Alternating, beginning with the user; every tool use is followed by its result.
    pub messages: Vec<ModelMessage>,
    /// Results of finished turns that were never stored; append them, so that the transcript is valid at rest too.
    pub repairs: Vec<Entry>,
}

/// Builds the transcript of all turns before `turn`. Answers that no model gave (commands) are left out.
/// A tool use without results gets [`OUTCOME_UNKNOWN`], and the missing entry is reported.
pub fn transcript(entries: &[Entry], before_turn: u64) -> Transcript {
    let mut out = Transcript::default();
    let mut turns = entries.iter().filter(|entry| entry.turn < before_turn).peekable();
    while let Some(first) = turns.peek() {
        let number = first.turn;
        let mut of_turn = Vec::new();
        while let Some(entry) = turns.next_if(|entry| entry.turn == number) {
            of_turn.push(entry);
        }
        add_turn(&mut out, &of_turn);
    }
    out
}

/// Appends the messages of one turn, as far as it has come, to `messages`.
pub fn add_open_turn(messages: &mut Vec<ModelMessage>, user: &[UserFragment], turn: &Turn) {
    push_message(messages, Role::User, vec![Block::Text { text: user_text(user) }]);
    for entry in &turn.entries {
        match &entry.body {
            EntryBody::Assistant(answer) => push_message(messages, Role::Assistant, answer.blocks.clone()),
            EntryBody::ToolResults { results } => push_message(messages, Role::User, results.clone()),
            EntryBody::ToolDone { .. } => {}
        }
    }
}

fn add_turn(out: &mut Transcript, entries: &[&Entry]) {
    // A window may begin in the middle of a turn; half a turn would begin with an orphaned tool result.
    let Some(Entry { step: 0, body: EntryBody::Assistant(first), .. }) = entries.first() else { return };
    if first.model == COMMAND {
        return;
    }
    push_message(&mut out.messages, Role::User, vec![Block::Text { text: user_text(&first.user) }]);
    for entry in entries {
        match &entry.body {
            EntryBody::Assistant(answer) => {
                push_message(&mut out.messages, Role::Assistant, answer.blocks.clone());
                let results = entries
                    .iter()
                    .any(|other| other.step == entry.step && matches!(other.body, EntryBody::ToolResults { .. }));
                if !results {
                    repair(out, entry, answer);
                }
            }
            EntryBody::ToolResults { results } => push_message(&mut out.messages, Role::User, results.clone()),
            EntryBody::ToolDone { .. } => {}
        }
    }
}

fn repair(out: &mut Transcript, entry: &Entry, answer: &AssistantEntry) {
    let results: Vec<Block> = answer
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::ToolUse { id, .. } => {
                Some(Block::ToolResult { id: id.clone(), text: OUTCOME_UNKNOWN.to_owned(), is_error: true })
            }
            _ => None,
        })
        .collect();
    if results.is_empty() {
        return;
    }
    push_message(&mut out.messages, Role::User, results.clone());
    out.repairs.push(Entry { body: EntryBody::ToolResults { results }, ..entry.clone() });
}

/// The model of an answer that no model gave: a command or an apology.
pub const COMMAND: &str = "command";

fn push_message(messages: &mut Vec<ModelMessage>, role: Role, blocks: Vec<Block>) {
    let blocks: Vec<Block> =
        blocks.into_iter().filter(|block| !matches!(block, Block::Text { text } if text.trim().is_empty())).collect();
    if blocks.is_empty() {
        return;
    }
    match messages.last_mut() {
        Some(last) if last.role == role => last.blocks.extend(blocks),
        _ => messages.push(ModelMessage { role, blocks }),
    }
}

/// What the model reads for one or several fragments. With several senders each line says whose it is.
fn user_text(user: &[UserFragment]) -> String {
    let lines = user.iter().map(|fragment| match &fragment.name {
        Some(name) => format!("[{name}] {}", fragment.text),
        None => fragment.text.clone(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::model::Usage;
    use serde_json::json;

    fn answer(step: u16, blocks: Vec<Block>, outbox: Option<Vec<String>>) -> Entry {
        let user =
            if step == 0 { vec![UserFragment { sender: "7".into(), name: None, text: "hi".into() }] } else { vec![] };
        let body =
            EntryBody::Assistant(AssistantEntry { user, blocks, model: "m".into(), usage: Usage::default(), outbox });
        Entry { turn: 1, step, at: Millis(0), body }
    }

    fn call(id: &str) -> Block {
        Block::ToolUse { id: id.into(), name: "write".into(), input: json!({}) }
    }

    fn result(id: &str) -> Block {
        Block::ToolResult { id: id.into(), text: "ok".into(), is_error: false }
    }

    fn text(text: &str) -> Block {
        Block::Text { text: text.into() }
    }

    #[test]
    fn a_turn_goes_from_question_over_tools_to_delivery() {
        let mut turn = Turn { number: 1, ..Turn::default() };
        assert_eq!(turn.next(), Next::AskModel { step: 0 });
        turn.push(answer(0, vec![call("a")], None));
        assert!(matches!(turn.next(), Next::RunTools { step: 0, calls } if calls[0].fate == Fate::Fresh));
        turn.push(Entry { body: EntryBody::ToolResults { results: vec![result("a")] }, ..answer(0, vec![], None) });
        assert_eq!(turn.next(), Next::AskModel { step: 1 });
        turn.push(answer(1, vec![text("done")], Some(vec!["one".into(), "two".into()])));
        assert!(matches!(turn.next(), Next::Deliver(Deliver { part: 0, of: 2, begun: false, .. })));
        turn.settled.push(Settled::Sent { id: "1".into() });
        assert!(matches!(turn.next(), Next::Deliver(Deliver { part: 1, .. })));
        turn.settled.push(Settled::Sent { id: "2".into() });
        assert_eq!(turn.next(), Next::Finish);
    }

    #[test]
    fn a_begun_call_is_repeated_only_with_a_key() {
        let left_over = vec![Intent::Tool { step: 0, id: "a".into() }];
        let turn =
            Turn { number: 1, entries: vec![answer(0, vec![call("a"), call("b")], None)], left_over, settled: vec![] };
        let Next::RunTools { calls, .. } = turn.next() else { panic!("tools are due") };
        assert_eq!(calls[0].fate, Fate::Begun);
        assert!(
            calls[0].may_run(Effect::Keyed) && calls[0].may_run(Effect::None) && !calls[0].may_run(Effect::Unkeyed)
        );
        assert!(calls[1].may_run(Effect::Unkeyed));
    }

    #[test]
    fn a_journalled_call_is_reused() {
        let mut turn =
            Turn { number: 1, entries: vec![answer(0, vec![call("a"), call("b")], None)], ..Turn::default() };
        turn.left_over = vec![Intent::Tool { step: 0, id: "a".into() }, Intent::Tool { step: 0, id: "b".into() }];
        turn.push(Entry { body: EntryBody::ToolDone { result: result("a") }, ..answer(0, vec![], None) });
        let Next::RunTools { calls, .. } = turn.next() else { panic!("tools are due") };
        assert_eq!(calls[0].fate, Fate::Done(result("a")));
        assert_eq!(calls[1].fate, Fate::Begun);
    }

    #[test]
    fn a_part_left_in_sending_is_sent_again_only_with_a_key() {
        let mut turn =
            Turn { number: 1, entries: vec![answer(0, vec![text("x")], Some(vec!["x".into()]))], ..Turn::default() };
        turn.left_over = vec![Intent::Send { part: 0 }];
        let Next::Deliver(part) = turn.next() else { panic!("a part is due") };
        assert!(part.begun && part.may_send(Unconfirmed::ResendWithKey) && !part.may_send(Unconfirmed::Flag));
    }

    #[test]
    fn a_missing_tool_result_is_repaired_and_reported() {
        let entries = [answer(0, vec![call("a")], None)];
        let transcript = transcript(&entries, 2);
        assert_eq!(transcript.repairs.len(), 1);
        assert_eq!(transcript.messages.len(), 3);
        assert!(matches!(&transcript.messages[2].blocks[0], Block::ToolResult { id, is_error: true, .. } if id == "a"));
    }

    #[test]
    fn a_window_that_begins_inside_a_turn_drops_the_half_turn() {
        let entries = [answer(1, vec![text("tail of an old turn")], Some(vec![]))];
        assert_eq!(transcript(&entries, 2), Transcript::default());
    }
}
