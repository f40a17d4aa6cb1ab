//! A model that makes the same call again and again and learns nothing from it.

use chela_core::model::Block;
use chela_core::session::{Entry, EntryBody};
use chela_core::shown::StoredFile;
use chela_core::tool::ToolAnswer;
use serde_json::Value;

/// As often the same call may give the same result before the model is told.
const WARN_AT: usize = 3;

/// As often it may before tools are taken away.
const STOP_AT: usize = 6;

/// Begins the warning, which is not part of the result it stands under.
const WARNING: &str = "\n[The same call has given the same result ";

/// Whether tools are taken away from the turn.
pub(crate) fn stuck(entries: &[Entry]) -> bool {
    let done = done(entries);
    done.last().is_some_and(|last| in_a_row(&done, last) >= STOP_AT)
}

/// The result of a call with a warning under it, if it is one of too many.
pub(crate) fn with_warning(entries: &[Entry], name: &str, input: &Value, mut answer: ToolAnswer) -> ToolAnswer {
    let times =
        in_a_row(&done(entries), &Done { name, input, result: &answer.text, files: &answer.files }).saturating_add(1);
    if times >= WARN_AT {
        answer.text.push_str(WARNING);
        answer.text.push_str(&format!(
            "{times} times in a row. Repeating it will not help: try something else, or say what is missing.]"
        ));
    }
    answer
}

/// A call and its result.
#[derive(PartialEq)]
struct Done<'a> {
    name: &'a str,
    input: &'a Value,
    result: &'a str,
    /// They bear the names of what is in them.
    files: &'a [StoredFile],
}

fn in_a_row(done: &[Done<'_>], last: &Done<'_>) -> usize {
    done.iter().rev().take_while(|one| *one == last).count()
}

/// The calls of the finished steps, in order.
fn done(entries: &[Entry]) -> Vec<Done<'_>> {
    let mut done = Vec::new();
    let mut calls: Vec<(&str, &str, &Value)> = Vec::new();
    for entry in entries {
        match &entry.body {
            EntryBody::Assistant(answer) => {
                calls = answer.blocks.iter().filter_map(call).collect();
            }
            EntryBody::ToolResults { results } => {
                let results = results.iter().filter_map(|block| match block {
                    Block::ToolResult { id, text, files, .. } => {
                        let (_, name, input) = calls.iter().find(|(call, ..)| call == id)?;
                        let result = text.split_once(WARNING).map_or(text.as_str(), |(result, _)| result);
                        Some(Done { name, input, result, files })
                    }
                    _ => None,
                });
                done.extend(results);
            }
            _ => {}
        }
    }
    done
}

fn call(block: &Block) -> Option<(&str, &str, &Value)> {
    match block {
        Block::ToolUse { id, name, input } => Some((id, name, input)),
        _ => None,
    }
}
