//! `memory_save`: one more note in the file of the day.
//!
//! Two writers at once both keep their note: each reads, appends and writes only over what it has read. The call's key
//! stays in the file as an HTML comment, so a repeated call finds its note and adds nothing.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use jiff::civil::DateTime;
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::session_status::local_time;
use crate::text_file::{TextFile, Version, Written};

/// Longest note.
const NOTE_MAX: usize = 16 * 1024;

/// Each round somebody's note is stored, so this is how many writers may meet.
const ROUNDS: usize = 32;

pub(crate) struct MemorySave;

#[derive(Deserialize)]
struct Arguments {
    text: String,
}

#[async_trait]
impl Tool for MemorySave {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "memory_save".into(),
            description: "Remember something: adds a note to today's memory file. Write whole sentences with names and dates. No secrets.".into(),
            input_schema: json!({
                "type": "object",
                "properties": { "text": { "type": "string", "description": "what to remember" } },
                "required": ["text"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        save(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn save(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { text } = arguments(call.input)?;
    let text = text.trim();
    if text.is_empty() {
        return Err("There is nothing to remember: the text is empty.".into());
    }
    if text.len() > NOTE_MAX {
        return Err(format!(
            "The note has {} bytes; at most {NOTE_MAX} can be saved. Shorten it, or write a file.",
            text.len()
        ));
    }
    let now = local_time(call);
    let marker = format!("<!-- saved {} -->", call.idempotency_key);
    let today = day_file(call, now)?;
    // A call that is repeated after midnight finds its note in the file of the day before.
    let yesterday = day_file(call, now.yesterday().unwrap_or(now))?;
    if holds(yesterday.read().await?.as_ref(), &marker) {
        return Ok(format!("Saved in {}.", yesterday.path));
    }
    for _ in 0..ROUNDS {
        let before = today.read().await?;
        if holds(before.as_ref(), &marker) {
            return Ok(format!("Saved in {}.", today.path));
        }
        let after = with_note(before.as_ref(), now, text, &marker);
        if let Written::Stored = today.replace(before.as_ref(), after).await? {
            return Ok(format!("Saved in {}.", today.path));
        }
    }
    Err(today.contended())
}

fn day_file<'a>(call: &ToolCall<'a>, day: DateTime) -> Result<TextFile<'a>, String> {
    TextFile::named(call.files, call.agent, &format!("memory/{}.md", day.date()))
}

fn holds(version: Option<&Version>, marker: &str) -> bool {
    version.is_some_and(|version| version.text.lines().any(|line| line == marker))
}

/// The file with one more note. The marker has a line of its own, which a note's own lines, being indented, never are.
fn with_note(before: Option<&Version>, now: DateTime, text: &str, marker: &str) -> String {
    let mut file = before.map_or_else(|| format!("# {}\n", now.date()), |version| version.text.clone());
    if !file.is_empty() && !file.ends_with('\n') {
        file.push('\n');
    }
    let note = text.lines().collect::<Vec<_>>().join("\n  ");
    file.push_str(&format!("\n- {} {note}\n{marker}\n", now.strftime("%H:%M")));
    file
}
