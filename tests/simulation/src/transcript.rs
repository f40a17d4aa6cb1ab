//! What providers find wrong with a transcript.

use std::collections::BTreeSet;

use chela_core::model::{Block, ModelMessage, Role};
use chela_core::session::{Entry, EntryBody};

/// The first thing both providers would refuse: roles that do not alternate, a beginning that is not the user's, an
/// empty message, a tool use without its result right after it, a result without its use, an id that stands twice.
pub(crate) fn wrong(messages: &[ModelMessage]) -> Option<String> {
    if messages.first().is_none_or(|first| first.role != Role::User) {
        return Some("the user does not begin".into());
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if index > 0 && messages[index - 1].role == message.role {
            return Some(format!("message {index} has the role of the one before"));
        }
        if message.blocks.is_empty() {
            return Some(format!("message {index} is empty"));
        }
        let results: Vec<&str> = message.blocks.iter().filter_map(result_id).collect();
        if results != open {
            return Some(format!("message {index} answers {results:?} where {open:?} were called"));
        }
        open = message.blocks.iter().filter_map(use_id).collect();
        if open.iter().collect::<BTreeSet<_>>().len() < open.len() {
            return Some(format!("message {index} gives two calls one id: {open:?}"));
        }
        if !open.is_empty() && message.role == Role::User {
            return Some(format!("message {index}: the user calls tools"));
        }
    }
    (!open.is_empty()).then(|| format!("{open:?} have no results"))
}

/// The same of a session as it is stored, apart from a turn's question, which is stored with its first answer.
pub(crate) fn wrong_at_rest(entries: &[Entry]) -> Option<String> {
    entries.iter().find_map(|entry| {
        let EntryBody::Assistant(answer) = &entry.body else { return None };
        let called: Vec<&str> = answer.blocks.iter().filter_map(use_id).collect();
        if called.is_empty() {
            return None;
        }
        let results = entries.iter().find_map(|other| match &other.body {
            EntryBody::ToolResults { results } if (other.turn, other.step) == (entry.turn, entry.step) => Some(results),
            _ => None,
        });
        let answered: Vec<&str> = results.into_iter().flatten().filter_map(result_id).collect();
        (called != answered)
            .then(|| format!("turn {}, step {}: {called:?} called, {answered:?} answered", entry.turn, entry.step))
    })
}

fn use_id(block: &Block) -> Option<&str> {
    match block {
        Block::ToolUse { id, .. } => Some(id),
        _ => None,
    }
}

fn result_id(block: &Block) -> Option<&str> {
    match block {
        Block::ToolResult { id, .. } => Some(id),
        _ => None,
    }
}
