//! `write`: a whole file of the workspace.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::text_file::{TextFile, Written};

pub(crate) struct Write;

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    content: String,
}

#[async_trait]
impl Tool for Write {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "write".into(),
            description: "Write a whole text file of your workspace; what it held before is lost. \
                          To change a part use edit, to remember something use memory_save."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "relative, e.g. SOUL.md" },
                    "content": { "type": "string" },
                },
                "required": ["path", "content"],
            }),
        }
    }

    /// The same text twice is harmless, but between two attempts somebody else may have written.
    fn effect(&self) -> Effect {
        Effect::Unkeyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        write(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn write(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { path, content } = arguments(call.input)?;
    let file = TextFile::to_write(call, &path)?;
    // The second look is for a file that was changed between reading and writing.
    for _ in 0..2 {
        let before = file.read().await?;
        if let Written::Stored = file.replace(before.as_ref(), content.clone()).await? {
            let what = if before.is_some() { "Replaced" } else { "Created" };
            return Ok(format!("{what} {} ({} bytes).", file.path, content.len()));
        }
    }
    Err(file.contended())
}
