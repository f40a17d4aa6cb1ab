//! What the model reads: stored entries as messages that both dialects accept.

use std::collections::BTreeSet;

use super::tokens::{tokens, tokens_of, tokens_of_block};
use super::{COMMAND, OUTCOME_UNKNOWN, Turn};
use crate::model::{Block, ModelMessage, Role, Usage};
use crate::queue::Authority;
use crate::session::{AssistantEntry, Entry, EntryBody, UserFragment};

/// What the model reads of a message that has no text: a picture alone.
const NO_WORDS: &str = "(a message without words)";

/// What the model reads behind an answer that broke off after blocks of it were sent.
const GO_ON: &str = "(Your answer broke off here. What stands above was sent already: go on exactly where it stops, and \
                     repeat nothing of it.)";

/// A transcript for the model from stored entries, and the entries that were missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// What was said.
    pub past: Past,
    /// Results of finished turns that were never stored; append them, so that the transcript is valid at rest too.
    pub repairs: Vec<Entry>,
}

/// The turns before the one in progress, as far as they were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Oldest first; a summary of what was before them stands at their head.
    pub turns: Vec<PastTurn>,
    /// The turn before the first that was wanted.
    pub after: u64,
    /// The first turn of which everything was read, or the one in progress. Turns between `after` and this one are stored
    /// and were not read.
    pub first: u64,
    /// Entries read.
    pub entries: usize,
}

/// One turn of the past, or the summary of many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastTurn {
    /// Its number; of a summary that of the last turn in it.
    pub number: u64,
    /// Whether it stands for all turns up to it.
    pub summary: bool,
    /// What is read of it: beginning with the user; every tool use is followed by its result.
    pub messages: Vec<ModelMessage>,
    /// Their [`tokens_of`].
    pub tokens: u64,
    /// Stored entries.
    pub entries: usize,
    /// What a provider counted.
    pub measured: Option<Measured>,
    /// The lowest of all who spoke in it.
    pub authority: Authority,
}

/// What a provider counted at the last call of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The model, as [`AssistantEntry::model`].
    pub model: String,
    /// All that it read, and what it answered.
    pub tokens: u64,
    /// An estimate of what came into the turn after that answer.
    pub since: u64,
}

impl Measured {
    /// Of the last answer among the entries of one turn whose input was counted.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let mut since = 0u64;
        for entry in entries.iter().rev() {
            match &entry.body {
                EntryBody::Assistant(answer) if answer.is_block() => {
                    since = answer.interim.iter().fold(since, |sum, part| sum.saturating_add(tokens(part)));
                }
                EntryBody::Assistant(answer) => {
                    let Usage { input, output, cache_read, cache_write } = answer.usage;
                    let read = input.saturating_add(cache_read).saturating_add(cache_write);
                    if read > 0 {
                        return Some(Self { model: answer.model.clone(), tokens: read.saturating_add(output), since });
                    }
                    since = answer.blocks.iter().fold(since, |sum, block| sum.saturating_add(tokens_of_block(block)));
                }
                EntryBody::ToolResults { results } => {
                    since = results.iter().fold(since, |sum, block| sum.saturating_add(tokens_of_block(block)));
                }
                EntryBody::Steered { user } => since = since.saturating_add(tokens(&user_text(user))),
                EntryBody::ToolDone { .. } | EntryBody::Summary { .. } => {}
            }
        }
        None
    }
}

impl PastTurn {
    /// A summary of all turns up to `number`.
    pub fn summary(number: u64, text: String) -> Self {
        let messages = vec![ModelMessage { role: Role::User, blocks: vec![Block::Text { text }] }];
        let tokens = tokens_of(&messages);
        Self { number, summary: true, messages, tokens, entries: 1, ..Self::default() }
    }

    /// The turn from its entries; `None` if no model answered in it, or a part of it is missing. With `plain` its words
    /// alone. Results that were never stored are added to `repairs`.
    pub fn read(entries: &[Entry], plain: bool, repairs: &mut Vec<Entry>) -> Option<Self> {
        let Entry { turn, step: 0, body: EntryBody::Assistant(first), .. } = entries.first()? else { return None };
        if first.model == COMMAND {
            return None;
        }
        let mut messages = Vec::new();
        add_turn(&mut messages, repairs, &first.user, entries);
        if plain {
            messages.iter_mut().for_each(|message| message.blocks.retain(|block| matches!(block, Block::Text { .. })));
        }
        let said = entries.iter().flat_map(|entry| match &entry.body {
            EntryBody::Assistant(AssistantEntry { user, .. }) | EntryBody::Steered { user } => user.as_slice(),
            _ => &[],
        });
        Some(Self {
            number: *turn,
            summary: false,
            tokens: tokens_of(&messages),
            messages,
            entries: entries.len(),
            measured: Measured::of(entries),
            authority: said.map(|fragment| fragment.authority).min().unwrap_or_default(),
        })
    }
}

impl Past {
    /// The turns that count while turns up to `forgotten` do not; a summary of just those does.
    pub fn since(&self, forgotten: u64) -> impl DoubleEndedIterator<Item = &PastTurn> + Clone {
        let counts = move |turn: &&PastTurn| turn.number > forgotten || (turn.summary && turn.number == forgotten);
        self.turns.iter().filter(counts)
    }

    /// All of it: alternating, beginning with the user.
    pub fn messages(&self) -> Vec<ModelMessage> {
        together(self.turns.iter())
    }
}

/// The messages of turns, so that the sides alternate.
pub fn together<'a>(turns: impl Iterator<Item = &'a PastTurn>) -> Vec<ModelMessage> {
    let mut messages = Vec::new();
    turns.for_each(|turn| join(&mut messages, turn.messages.iter().cloned()));
    messages
}

/// Builds the transcript of all turns after `after` and before `turn`, those up to `plain` as text only. Answers that no
/// model gave (commands) are left out. A call without a result gets that of its journal or [`OUTCOME_UNKNOWN`]; a step
/// without its results entry is reported.
pub fn transcript(entries: &[Entry], after: u64, before_turn: u64, plain: u64) -> Transcript {
    let mut out = Transcript { past: Past { after, ..Past::default() }, repairs: Vec::new() };
    let before = entries.partition_point(|entry| entry.turn < before_turn);
    let past = &mut out.past;
    for entries in entries.get(..before).unwrap_or_default().chunk_by(|a, b| a.turn == b.turn) {
        past.entries = past.entries.saturating_add(entries.len());
        let Some(Entry { turn, step, body, .. }) = entries.first() else { continue };
        if let EntryBody::Summary { text } = body {
            past.turns.push(PastTurn::summary(*turn, text.clone()));
            continue;
        }
        // A window may begin in the middle of a turn; half a turn would begin with an orphaned tool result.
        let whole = *step == 0 && matches!(body, EntryBody::Assistant(_));
        if past.first == 0 {
            past.first = if whole { *turn } else { turn.saturating_add(1) };
        }
        past.turns.extend(PastTurn::read(entries, *turn <= plain, &mut out.repairs));
    }
    if past.first == 0 {
        past.first = before_turn;
    }
    out
}

/// Appends the messages of one turn, as far as it has come, to `messages`.
pub fn add_open_turn(messages: &mut Vec<ModelMessage>, user: &[UserFragment], turn: &Turn) {
    add_turn(messages, &mut Vec::new(), user, &turn.entries);
    if let Some(text) = turn.begun(u16::MAX) {
        push_message(messages, Role::Assistant, vec![Block::Text { text }]);
        push_message(messages, Role::User, vec![Block::Text { text: GO_ON.to_owned() }]);
    }
}

/// The same without calls, results and thoughts.
pub fn plain(messages: &[ModelMessage]) -> Vec<ModelMessage> {
    let text = |block: &&Block| matches!(block, Block::Text { .. });
    let mut plain = Vec::new();
    for message in messages {
        push_message(&mut plain, message.role, message.blocks.iter().filter(text).cloned().collect());
    }
    plain
}

/// Appends messages so that the sides still alternate: what one side says twice in a row becomes one message.
pub fn join(messages: &mut Vec<ModelMessage>, more: impl IntoIterator<Item = ModelMessage>) {
    more.into_iter().for_each(|ModelMessage { role, blocks }| push_message(messages, role, blocks));
}

fn add_turn(out: &mut Vec<ModelMessage>, repairs: &mut Vec<Entry>, user: &[UserFragment], entries: &[Entry]) {
    let summary = entries.iter().rev().find_map(|entry| match &entry.body {
        EntryBody::Assistant(answer) => answer.summary.as_ref(),
        _ => None,
    });
    let texts = summary.cloned().into_iter().chain([user_text(user)]);
    let mut asked: Vec<Block> = texts.map(|text| Block::Text { text }).collect();
    asked.extend(files(user));
    push_message(out, Role::User, asked);
    for entry in entries {
        match &entry.body {
            EntryBody::Assistant(answer) => {
                let blocks = said(answer);
                let results = results(&blocks, entries, entry.step);
                let stored =
                    |other: &Entry| other.step == entry.step && matches!(other.body, EntryBody::ToolResults { .. });
                if !results.is_empty() && !entries.iter().any(stored) {
                    let body = EntryBody::ToolResults { results: results.clone() };
                    repairs.push(Entry { body, ..entry.clone() });
                }
                push_message(out, Role::Assistant, blocks);
                push_message(out, Role::User, results);
            }
            EntryBody::Steered { user } => {
                let mut blocks = vec![Block::Text { text: user_text(user) }];
                blocks.extend(files(user));
                push_message(out, Role::User, blocks);
            }
            // They were added behind their calls.
            EntryBody::ToolResults { .. } | EntryBody::ToolDone { .. } | EntryBody::Summary { .. } => {}
        }
    }
}

/// An answer as it may be repeated: no two calls with one name, and nothing if it has neither words nor calls, because
/// thoughts that led to nothing are refused.
fn said(answer: &AssistantEntry) -> Vec<Block> {
    let mut known = BTreeSet::new();
    let blocks: Vec<Block> = answer
        .blocks
        .iter()
        .filter(|block| match block {
            Block::ToolUse { id, .. } => known.insert(id),
            Block::Text { text } => !text.trim().is_empty(),
            Block::ToolResult { .. } | Block::File { .. } => false,
            Block::Thinking { .. } | Block::RedactedThinking { .. } => true,
        })
        .cloned()
        .collect();
    let readable = |block: &Block| matches!(block, Block::Text { .. } | Block::ToolUse { .. });
    if blocks.iter().any(readable) { blocks } else { Vec::new() }
}

/// One result for each call among `blocks`: the step's own, the journal's, or that nobody knows.
fn results(blocks: &[Block], entries: &[Entry], step: u16) -> Vec<Block> {
    let of_step = || entries.iter().filter(|entry| entry.step == step);
    let own = of_step().filter_map(|entry| match &entry.body {
        EntryBody::ToolResults { results } => Some(results.as_slice()),
        _ => None,
    });
    let journal = of_step().filter_map(|entry| match &entry.body {
        EntryBody::ToolDone { result } => Some(std::slice::from_ref(result)),
        _ => None,
    });
    let stored: Vec<&Block> = own.chain(journal).flatten().collect();
    let result = |block: &Block| {
        let Block::ToolUse { id: call, .. } = block else { return None };
        let found = stored.iter().find(|result| matches!(result, Block::ToolResult { id, .. } if id == call));
        let unknown =
            || Block::ToolResult { id: call.clone(), text: OUTCOME_UNKNOWN.to_owned(), is_error: true, files: vec![] };
        Some(found.map_or_else(unknown, |result| (*result).clone()))
    };
    blocks.iter().filter_map(result).collect()
}

/// Adds blocks to the last message if it is of the same side, else as a message of their own.
pub(super) fn push_message(messages: &mut Vec<ModelMessage>, role: Role, blocks: Vec<Block>) {
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

fn files(user: &[UserFragment]) -> impl Iterator<Item = Block> {
    let files = user.iter().flat_map(|fragment| &fragment.files);
    files.map(|file| Block::File { key: file.key.clone(), content_type: file.content_type.clone() })
}

/// What the model reads for one or several fragments. With several senders each line says whose it is.
fn user_text(user: &[UserFragment]) -> String {
    let lines = user.iter().map(|fragment| match &fragment.name {
        Some(name) => format!("[{name}] {}", fragment.text),
        None => fragment.text.clone(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if text.trim().is_empty() { NO_WORDS.to_owned() } else { text }
}

#[cfg(test)]
mod tests;
