//! `grep`: lines of files of the workspace.

use async_trait::async_trait;
use chela_core::clock::Clock;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use futures_util::stream::{self, StreamExt as _};
use regex::Regex;
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

/// Most bytes of one line that are looked into: between two lines the time is looked at.
const LOOKED_INTO: usize = 16 * 1024;

/// Milliseconds of searching. A pattern takes time in proportion to the text, but some take a lot for each byte.
const SEARCH_MS: u64 = 4_000;

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
    let (mut lines, cut) = found(&texts, &expression, call.clock);
    more |= cut;
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

/// The lines that match, each with its place, and whether the time was over before the last.
fn found(texts: &[Option<(String, String)>], expression: &Regex, clock: &dyn Clock) -> (Vec<String>, bool) {
    let end = clock.now().plus(SEARCH_MS);
    let mut found = Vec::new();
    for (path, text) in texts.iter().flatten() {
        for (line, number) in text.lines().zip(1usize..) {
            if clock.now() >= end {
                return (found, true);
            }
            let head = line.get(..line.floor_char_boundary(LOOKED_INTO)).unwrap_or_default();
            if expression.is_match(head) {
                found.push(format!("{path}:{number}: {}", head.chars().take(LINE_MAX).collect::<String>()));
            }
        }
    }
    (found, false)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use chela_core::clock::Millis;

    use super::*;

    /// A second between any two looks.
    struct Slow(AtomicU64);

    impl Clock for Slow {
        fn now(&self) -> Millis {
            Millis(self.0.fetch_add(1_000, Ordering::Relaxed))
        }

        fn unique(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn a_search_that_takes_too_long_ends_and_says_so() {
        let texts = [Some(("a.md".to_owned(), "x\n".repeat(100)))];
        let (lines, cut) = found(&texts, &Regex::new("x").unwrap(), &Slow(AtomicU64::new(0)));
        assert_eq!((lines.len(), cut), (3, true));
        let long = [Some(("a.md".to_owned(), "x".repeat(LOOKED_INTO) + "y"))];
        let (lines, _) = found(&long, &Regex::new("y").unwrap(), &Slow(AtomicU64::new(0)));
        assert!(lines.is_empty(), "only so much of a line is looked into");
    }
}
