//! `grep`: lines of files of the workspace.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::pattern::{Glob, expression};
use crate::text_file::{TextFile, WRITE_MAX};
use crate::tree::{Leaf, Tree};

/// Most files that are read for one answer: each is a request to the store.
const FILES: usize = 200;

/// Read at once.
const AT_ONCE: usize = 8;

/// Most lines of an answer.
const LINES: usize = 200;

/// Most characters of one line.
const LINE_MAX: usize = 300;

pub(crate) struct Grep;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    pattern: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
}

#[async_trait]
impl Tool for Grep {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "grep".into(),
            description: "Find lines in files of your workspace with a regular expression.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "pattern": { "type": "string" },
                    "path": { "type": "string", "description": "a folder or a file" },
                    "glob": { "type": "string", "description": "which files, e.g. *.md" },
                    "ignoreCase": { "type": "boolean" },
                },
                "required": ["pattern"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        grep(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn grep(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { pattern, path, glob, ignore_case } = arguments(call.input)?;
    let expression = expression(&pattern, ignore_case)?;
    let glob = glob.as_deref().map(Glob::new).transpose()?;
    let tree = Tree::at(call, path.as_deref())?;
    let (leaves, mut more) = tree.leaves().await?;
    let wanted = |leaf: &Leaf| {
        leaf.listed.size <= WRITE_MAX as u64 && glob.as_ref().is_none_or(|glob| glob.matches(&leaf.below))
    };
    let mut paths: Vec<String> = leaves.into_iter().filter(wanted).map(|leaf| leaf.path).collect();
    if paths.is_empty() && !tree.folder.is_empty() {
        paths.push(tree.folder.clone());
    }
    more |= paths.len() > FILES;
    paths.truncate(FILES);
    let texts = stream::iter(paths.into_iter().map(async |path| {
        // What is no text has no lines.
        let version = TextFile::to_read(call, &path).ok()?.read().await.ok()??;
        Some((path, version.text))
    }));
    let texts: Vec<Option<(String, String)>> = texts.buffered(AT_ONCE).collect().await;
    let mut lines = Vec::new();
    for (path, text) in texts.into_iter().flatten() {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| expression.is_match(line)) {
            let line: String = line.chars().take(LINE_MAX).collect();
            lines.push(format!("{path}:{}: {line}", index.saturating_add(1)));
        }
    }
    if lines.is_empty() {
        return Ok(format!(
            "No line in {} matches.{}",
            tree.name(),
            if more { " Not all files were read." } else { "" }
        ));
    }
    more |= lines.len() > LINES;
    lines.truncate(LINES);
    if more {
        lines.push("(There may be more: narrow the pattern, the glob or the folder.)".to_owned());
    }
    Ok(lines.join("\n"))
}
