//! `read`: a file of the workspace, or a part of it; a picture or PDF is shown.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::shown;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::text_file::TextFile;

/// Most bytes of one answer: below what a tool result may hold, so that the note how to go on is never cut off.
const READ_MAX: usize = 48 * 1024;

/// Most names in the listing of a folder.
const NAMES_MAX: usize = 100;

pub(crate) struct Read;

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    /// First line, from 1.
    #[serde(default)]
    offset: Option<usize>,
    /// Most lines.
    #[serde(default)]
    limit: Option<usize>,
}

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "read".into(),
            description:
                "Read a text or picture of your workspace, or list a folder. For long files pass offset and limit."
                    .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "relative, e.g. MEMORY.md or memory" },
                    "offset": { "type": "integer", "minimum": 1, "description": "first line" },
                    "limit": { "type": "integer", "minimum": 1, "description": "most lines" },
                },
                "required": ["path"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        read(&call).await.unwrap_or_else(ToolAnswer::error)
    }
}

async fn read(call: &ToolCall<'_>) -> Result<ToolAnswer, String> {
    let Arguments { path, offset, limit } = arguments(call.input)?;
    let file = TextFile::to_read(call, &path)?;
    let Some(stored) = file.stored().await? else {
        let names = file.below(NAMES_MAX).await?;
        if names.is_empty() {
            return Err(format!("There is no file {}.", file.path));
        }
        return Ok(ToolAnswer::ok(format!("{} is a folder:\n{}", file.path, names.join("\n"))));
    };
    if let Some((content_type, _)) = shown::kind(&stored.bytes) {
        let said = format!("{} ({content_type}, {} bytes)", file.path, stored.bytes.len());
        let seen = shown::store(call, stored.bytes).await.map_err(|reason| format!("{said}: {reason}"))?;
        return Ok(ToolAnswer::showing(said, seen));
    }
    let text = file.version(stored)?.text;
    Ok(ToolAnswer::ok(part(&text, offset.unwrap_or(1).max(1), limit.unwrap_or(usize::MAX).max(1))))
}

/// Whole lines from `first` on, as many as fit, and how to go on if there are more.
pub(crate) fn part(text: &str, first: usize, limit: usize) -> String {
    let total = text.lines().count();
    if text.is_empty() {
        return "(The file is empty.)".to_owned();
    }
    if first > total {
        return format!("(The file has only {total} lines.)");
    }
    let mut out = String::new();
    let mut shown: usize = 0;
    for line in text.lines().skip(first.saturating_sub(1)).take(limit) {
        if out.len().saturating_add(line.len()) > READ_MAX {
            break;
        }
        out.push_str(line);
        out.push('\n');
        shown = shown.saturating_add(1);
    }
    if shown == 0 {
        let line = text.lines().nth(first.saturating_sub(1)).unwrap_or_default();
        let end = (0..=READ_MAX).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
        let head = line.get(..end).unwrap_or_default();
        return format!("{head}\n(Line {first} of {total} is longer than can be shown; this is its beginning.)");
    }
    let next = first.saturating_add(shown);
    if first > 1 || next <= total {
        let last = next.saturating_sub(1);
        let more = if next <= total { format!(" Go on with offset {next}.") } else { String::new() };
        out.push_str(&format!("(Lines {first} to {last} of {total}.{more})"));
    }
    out
}
