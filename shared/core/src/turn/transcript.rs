//! What the model reads: stored entries as messages that both dialects accept.

use super::{COMMAND, OUTCOME_UNKNOWN, Turn};
use crate::model::{Block, ModelMessage, Role};
use crate::session::{AssistantEntry, Entry, EntryBody, UserFragment};

/// A transcript for the model from stored entries, and the entries that were missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// Alternating, beginning with the user; every tool use is followed by its result.
    pub messages: Vec<ModelMessage>,
    /// Results of finished turns that were never stored; append them, so that the transcript is valid at rest too.
    pub repairs: Vec<Entry>,
}

/// Builds the transcript of all turns before `turn`, those up to `plain` as text only. Answers that no model gave
/// (commands) are left out. A tool use without results gets [`OUTCOME_UNKNOWN`], and the missing entry is reported.
pub fn transcript(entries: &[Entry], before_turn: u64, plain: u64) -> Transcript {
    let mut out = Transcript::default();
    let mut turns = entries.iter().filter(|entry| entry.turn < before_turn).peekable();
    while let Some(first) = turns.peek() {
        let number = first.turn;
        let mut of_turn = Vec::new();
        while let Some(entry) = turns.next_if(|entry| entry.turn == number) {
            of_turn.push(entry);
        }
        let mut messages = add_turn(&mut out.repairs, &of_turn);
        if number <= plain {
            messages.iter_mut().for_each(|message| message.blocks.retain(|block| matches!(block, Block::Text { .. })));
        }
        messages.into_iter().for_each(|message| push_message(&mut out.messages, message.role, message.blocks));
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
            EntryBody::Steered { user } => push_steered(messages, user),
            EntryBody::ToolDone { .. } => {}
        }
    }
}

/// The messages of a finished turn.
fn add_turn(repairs: &mut Vec<Entry>, entries: &[&Entry]) -> Vec<ModelMessage> {
    let mut out = Vec::new();
    // A window may begin in the middle of a turn; half a turn would begin with an orphaned tool result.
    let Some(Entry { step: 0, body: EntryBody::Assistant(first), .. }) = entries.first() else { return out };
    if first.model == COMMAND {
        return out;
    }
    push_message(&mut out, Role::User, vec![Block::Text { text: user_text(&first.user) }]);
    for entry in entries {
        match &entry.body {
            EntryBody::Assistant(answer) => {
                push_message(&mut out, Role::Assistant, answer.blocks.clone());
                let results = entries
                    .iter()
                    .any(|other| other.step == entry.step && matches!(other.body, EntryBody::ToolResults { .. }));
                if !results && let Some(results) = missing_results(answer) {
                    push_message(&mut out, Role::User, results.clone());
                    repairs.push(Entry { body: EntryBody::ToolResults { results }, ..(*entry).clone() });
                }
            }
            EntryBody::ToolResults { results } => push_message(&mut out, Role::User, results.clone()),
            EntryBody::Steered { user } => push_steered(&mut out, user),
            EntryBody::ToolDone { .. } => {}
        }
    }
    out
}

/// What was said while the turn ran.
fn push_steered(out: &mut Vec<ModelMessage>, user: &[UserFragment]) {
    push_message(out, Role::User, vec![Block::Text { text: user_text(user) }]);
}

/// Results for calls whose own were never stored.
fn missing_results(answer: &AssistantEntry) -> Option<Vec<Block>> {
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
    (!results.is_empty()).then_some(results)
}

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
