//! `edit`: one exact passage of a file.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::text_file::{TextFile, Written};

pub(crate) struct Edit;

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    #[serde(rename = "oldText", alias = "old_string")]
    old: String,
    #[serde(rename = "newText", alias = "new_string")]
    new: String,
}

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "edit".into(),
            description: "Replace one passage of a text file of your workspace. oldText must occur exactly once, letter by letter.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "relative, e.g. USER.md" },
                    "oldText": { "type": "string", "description": "the passage as it is" },
                    "newText": { "type": "string", "description": "what stands there afterwards" },
                },
                "required": ["path", "oldText", "newText"],
            }),
        }
    }

    /// A repetition might find its own result and change it again.
    fn effect(&self) -> Effect {
        Effect::Unkeyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        edit(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn edit(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { path, old, new } = arguments(call.input)?;
    let file = TextFile::to_write(call, &path)?;
    // The second look is for a file that was changed between reading and writing.
    for _ in 0..2 {
        let Some(before) = file.read().await? else {
            return Err(format!("There is no file {}. Create it with write.", file.path));
        };
        let (text, line) = replaced(&before.text, &old, &new).map_err(|problem| format!("{}: {problem}", file.path))?;
        if let Written::Stored = file.replace(Some(&before), text).await? {
            return Ok(format!("Edited {} at line {line}.", file.path));
        }
    }
    Err(file.contended())
}

/// The text with its one passage replaced, and the line of the passage.
fn replaced(text: &str, old: &str, new: &str) -> Result<(String, usize), &'static str> {
    if old.is_empty() {
        return Err("oldText is empty. Name the passage to replace.");
    }
    if old == new {
        return Err("oldText and newText are the same, so there is nothing to do.");
    }
    let Some((before, after)) = text.split_once(old) else {
        return Err(
            "oldText does not occur. Read the file and copy the passage exactly, spaces and line breaks included.",
        );
    };
    // A second occurrence may overlap the first: it begins anywhere after the first's first character.
    let rest = text.get(before.len()..).unwrap_or_default();
    let second = rest.chars().next().and_then(|first| rest.get(first.len_utf8()..)).unwrap_or_default();
    if second.contains(old) {
        return Err("oldText occurs more than once. Add lines before or after it until it is unique.");
    }
    let line = before.split('\n').count();
    Ok((format!("{before}{new}{after}"), line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_is_replaced_only_where_it_is_unique() {
        assert_eq!(replaced("a\nbc\n", "b", "x"), Ok(("a\nxc\n".into(), 2)));
        assert_eq!(replaced("ä ö", "ö", ""), Ok(("ä ".into(), 1)));
        for (text, old) in [("b b", "b"), ("aaa", "aa"), ("abab", "ab"), ("öö", "ö")] {
            assert!(replaced(text, old, "x").unwrap_err().contains("more than once"), "{old} in {text}");
        }
        assert!(replaced("abc", "d", "x").unwrap_err().contains("does not occur"));
        assert!(replaced("abc", "", "x").unwrap_err().contains("empty"));
        assert!(replaced("abc", "b", "b").unwrap_err().contains("the same"));
        assert!(replaced("a\r\nb", "a\nb", "x").unwrap_err().contains("does not occur"));
    }
}
