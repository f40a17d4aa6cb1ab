//! `find`: files of the workspace by their names.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::pattern::Glob;
use crate::tree::Tree;

/// Most paths of an answer.
const PATHS: usize = 200;

pub(crate) struct Find;

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "glob")]
    pattern: String,
    #[serde(default)]
    path: Option<String>,
}

#[async_trait]
impl Tool for Find {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "find".into(),
            description:
                "Find files of your workspace by name: * is any part of a name, ** any folders, ? one character.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "pattern": { "type": "string", "description": "e.g. *.md or memory/**/2026-*" },
                    "path": { "type": "string", "description": "the folder to look in" },
                },
                "required": ["pattern"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        find(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn find(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { pattern, path } = arguments(call.input)?;
    let glob = Glob::new(&pattern)?;
    let tree = Tree::at(call, path.as_deref())?;
    let (leaves, more) = tree.leaves().await?;
    let found: Vec<String> =
        leaves.into_iter().filter(|leaf| glob.matches(&leaf.below)).map(|leaf| leaf.path).collect();
    if found.is_empty() {
        return Ok(format!("No file in {} is called {pattern}.", tree.name()));
    }
    let count = found.len();
    let mut lines: Vec<String> = found.into_iter().take(PATHS).collect();
    if more || count > PATHS {
        lines.push("(There is more: narrow the pattern or the folder.)".to_owned());
    }
    Ok(lines.join("\n"))
}
