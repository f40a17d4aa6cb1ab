//! What a stored row has room for. A row that is refused for its size would be refused at every attempt, and with it the
//! session; so what is too long is cut, and whoever reads it is told.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::Block;
use crate::queue::{Envelope, Task};
use crate::session::{AssistantEntry, Entry, EntryBody};

/// Most bytes of what is stored as one row, as JSON. DynamoDB takes 400 KB with names and keys:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const ROW_BYTES: usize = 300 * 1024;

/// Where cutting begins; it is halved until the row fits.
const FIRST_CHARS: usize = 128 * 1024;

/// Where it ends: shorter texts are not what fills a row.
const LAST_CHARS: usize = 128;

/// Blocks of an answer that is too long for a row; the few calls that may be run at once are well among them.
const MOST_BLOCKS: usize = 64;

/// Arguments that are deeper than this are not kept: a row is read only so deep (`serde_json` stops at 128), and one that
/// cannot be read would end its session for ever.
const MOST_DEPTH: usize = 64;

/// The name of a call whose arguments have no room. No tool is called so, and the model is told: other arguments than
/// the model's must never run.
const ARGUMENTS_TOO_LONG: &str = "arguments_too_long";

const CUT: &str = "\n[cut here: it was too long to be kept]";

/// The entry, its longest texts cut if it would not fit into a row.
pub fn fit_entry(mut entry: Entry) -> Entry {
    if let EntryBody::Assistant(answer) = &mut entry.body {
        answer.blocks.iter_mut().for_each(flatten);
    }
    let mut chars = FIRST_CHARS;
    while chars >= LAST_CHARS && bytes(&entry) > ROW_BYTES {
        match &mut entry.body {
            EntryBody::Assistant(answer) => shorten_answer(answer, chars),
            EntryBody::ToolDone { result } => shorten(std::slice::from_mut(result), chars),
            EntryBody::ToolResults { results } => shorten(results, chars),
            EntryBody::Summary { text } => cut(text, chars),
            EntryBody::Steered { user } => user.iter_mut().for_each(|fragment| cut(&mut fragment.text, chars)),
        }
        chars /= 2;
    }
    entry
}

/// The envelope, its text cut if the row of its event would not hold it.
pub fn fit_envelope(mut envelope: Envelope) -> Envelope {
    let mut chars = FIRST_CHARS;
    while chars >= LAST_CHARS && bytes(&envelope.task) > ROW_BYTES {
        match &mut envelope.task {
            Task::Heartbeat { prompt, .. } => cut(prompt, chars),
            Task::Relay { text, .. } | Task::Wrote { text, .. } => cut(text, chars),
            Task::Redeliver { .. } | Task::Approval { .. } | Task::Decision { .. } | Task::Lapsed { .. } => {}
            Task::Message { inbound, .. } => {
                cut(&mut inbound.text, chars);
                inbound.media.truncate(chars / LAST_CHARS);
                inbound.roles.truncate(chars / LAST_CHARS);
                if let Some(name) = &mut inbound.sender.name {
                    cut(name, chars);
                }
            }
        }
        chars /= 2;
    }
    envelope
}

/// The reply goes to a person, so it keeps most; of what only the model reads again less is kept.
fn shorten_answer(answer: &mut AssistantEntry, chars: usize) {
    // No provider needs the thoughts behind an answer to be repeated.
    answer.blocks.retain(|block| !matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. }));
    answer.blocks.truncate(MOST_BLOCKS);
    shorten(&mut answer.blocks, chars / 4);
    answer.user.iter_mut().for_each(|fragment| cut(&mut fragment.text, chars / 4));
    if let Some(parts) = &mut answer.outbox {
        // Whole parts: one that grew would no longer fit its platform.
        let mut left = chars;
        let (before, fits) = (parts.len(), |part: &mut String| {
            left = left.saturating_sub(part.chars().count());
            left > 0
        });
        parts.retain_mut(fits);
        if parts.len() < before {
            parts.push(CUT.trim().to_owned());
        }
    }
}

fn shorten(blocks: &mut [Block], chars: usize) {
    for block in blocks {
        match block {
            Block::Text { text } | Block::ToolResult { text, .. } => cut(text, chars),
            Block::ToolUse { name, input, .. } if bytes(input) > chars => without_arguments(name, input),
            _ => {}
        }
    }
}

fn flatten(block: &mut Block) {
    if let Block::ToolUse { name, input, .. } = block
        && is_deeper(input, MOST_DEPTH)
    {
        without_arguments(name, input);
    }
}

fn without_arguments(name: &mut String, input: &mut Value) {
    ARGUMENTS_TOO_LONG.clone_into(name);
    *input = json!({});
}

fn is_deeper(value: &Value, most: usize) -> bool {
    let Some(below) = most.checked_sub(1) else { return true };
    match value {
        Value::Object(fields) => fields.values().any(|value| is_deeper(value, below)),
        Value::Array(items) => items.iter().any(|item| is_deeper(item, below)),
        _ => false,
    }
}

fn cut(text: &mut String, chars: usize) {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
        text.push_str(CUT);
    }
}

/// What cannot be written is not too long; storing it says what is wrong with it.
/// Counts what is written.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn bytes<T: Serialize>(value: &T) -> usize {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_or(0, |()| count.0)
}

#[cfg(test)]
mod tests;
