//! `memory_get`: some lines of a note, as OpenClaw has it.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_memory::is_note;
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::read::part;
use crate::text_file::TextFile;

pub(crate) struct MemoryGet;

#[derive(Deserialize)]
struct Arguments {
    path: String,
    #[serde(default)]
    from: Option<usize>,
    #[serde(default)]
    lines: Option<usize>,
}

#[async_trait]
impl Tool for MemoryGet {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "memory_get".into(),
            description: "Read lines of a note that memory_search found.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string" },
                    "from": { "type": "integer", "minimum": 1, "description": "first line" },
                    "lines": { "type": "integer", "minimum": 1 },
                },
                "required": ["path"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        get(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn get(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { path, from, lines } = arguments(call.input)?;
    let file = TextFile::to_read(call, &path)?;
    if !is_note(&file.path) {
        return Err(format!("{} is no note: notes are MEMORY.md, USER.md and memory/….md. Use read.", file.path));
    }
    let Some(version) = file.read().await? else { return Err(format!("There is no note {}.", file.path)) };
    Ok(part(&version.text, from.unwrap_or(1).max(1), lines.unwrap_or(usize::MAX).max(1)))
}
