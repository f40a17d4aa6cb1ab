//! `ls`: what is in a folder of the workspace.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::tree::Tree;

/// Most lines of an answer.
const LINES: usize = 500;

pub(crate) struct Ls;

#[derive(Deserialize)]
struct Arguments {
    #[serde(default)]
    path: Option<String>,
}

#[async_trait]
impl Tool for Ls {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "ls".into(),
            description: "List a folder of your workspace, with sizes in bytes.".into(),
            input_schema: json!({
                "type": "object",
                "properties": { "path": { "type": "string", "description": "the folder; the whole workspace if left out" } },
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        list(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn list(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { path } = arguments(call.input)?;
    let tree = Tree::at(call, path.as_deref())?;
    let (leaves, more) = tree.leaves().await?;
    if leaves.is_empty() {
        return Err(format!("There is nothing in {}.", tree.name()));
    }
    // A folder is its files, so it is there once for all of them.
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for leaf in leaves {
        match leaf.below.split_once('/') {
            Some((folder, _)) => names.insert(format!("{folder}/"), String::new()),
            None => names.insert(leaf.below, format!("  {}", leaf.listed.size)),
        };
    }
    let count = names.len();
    let mut lines: Vec<String> = names.into_iter().take(LINES).map(|(name, size)| format!("{name}{size}")).collect();
    if more || count > LINES {
        lines.push("(There is more: list one folder at a time.)".to_owned());
    }
    Ok(lines.join("\n"))
}
