//! `apply_patch`: several files at once, in the patch format of Codex and OpenClaw. Nothing is written unless all of it
//! fits; what fits is written file by file, each only if it is still as it was read.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::patch::{Change, applied, parse};
use crate::text_file::{TextFile, Version, WRITE_MAX, Written};

pub(crate) struct ApplyPatch;

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "patch")]
    input: String,
}

#[async_trait]
impl Tool for ApplyPatch {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "apply_patch".into(),
            description: "Change several text files of your workspace at once: *** Begin Patch, then *** Add File: path with \
                          +lines, *** Update File: path with @@ hunks of lines that begin with a space, - or +, then *** End Patch."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": { "input": { "type": "string", "description": "the whole patch" } },
                "required": ["input"],
            }),
        }
    }

    /// A patch that was applied does not fit any more, or fits elsewhere.
    fn effect(&self) -> Effect {
        Effect::Unkeyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        apply(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

/// A file as it was, and as it is to be.
struct Planned<'a> {
    file: TextFile<'a>,
    before: Option<Version>,
    text: String,
}

async fn apply(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { input } = arguments(call.input)?;
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for change in parse(&input)? {
        let next = plan(call, change).await?;
        if planned.iter().any(|other| other.file.path.eq_ignore_ascii_case(&next.file.path)) {
            return Err(format!("{} is in the patch twice. Nothing was changed.", next.file.path));
        }
        planned.push(next);
    }
    // New files last: a change can be taken back, a new file cannot be deleted.
    planned.sort_by_key(|planned| planned.before.is_none());
    let mut done: Vec<&Planned<'_>> = Vec::new();
    for next in &planned {
        let written = next.file.replace(next.before.as_ref(), next.text.clone()).await;
        let problem = match written {
            Ok(Written::Stored) => {
                done.push(next);
                continue;
            }
            Ok(Written::Conflict) => next.file.contended(),
            Err(problem) => problem,
        };
        return Err(format!("{problem} {}", take_back(&done).await));
    }
    let line = |planned: &Planned<'_>| {
        format!("{} {}", if planned.before.is_some() { "Updated" } else { "Added" }, planned.file.path)
    };
    Ok(planned.iter().map(line).collect::<Vec<_>>().join("\n"))
}

async fn plan<'a>(call: &ToolCall<'a>, change: Change) -> Result<Planned<'a>, String> {
    let (path, update) = match change {
        Change::Add { path, text } => {
            let file = TextFile::to_write(call, &path)?;
            if file.read().await?.is_some() {
                return Err(format!("{path} is there already: update it instead. Nothing was changed."));
            }
            return fitting(Planned { file, before: None, text });
        }
        Change::Update { path, hunks } => (path, hunks),
    };
    let file = TextFile::to_write(call, &path)?;
    let before = file.read().await?.ok_or_else(|| format!("There is no file {path}. Nothing was changed."))?;
    let text = applied(&before.text, &update).map_err(|problem| format!("{path}: {problem} Nothing was changed."))?;
    fitting(Planned { file, before: Some(before), text })
}

fn fitting(planned: Planned<'_>) -> Result<Planned<'_>, String> {
    if planned.text.len() > WRITE_MAX {
        return Err(format!("{} would be larger than {WRITE_MAX} bytes. Nothing was changed.", planned.file.path));
    }
    Ok(planned)
}

/// Puts back what was changed before a change failed, where nobody has written since.
async fn take_back(done: &[&Planned<'_>]) -> String {
    let mut left = Vec::new();
    for planned in done {
        let restored = match (&planned.before, planned.file.read().await) {
            (Some(before), Ok(Some(now))) if now.text == planned.text => {
                planned.file.replace(Some(&now), before.text.clone()).await
            }
            _ => Ok(Written::Conflict),
        };
        if !matches!(restored, Ok(Written::Stored)) {
            left.push(planned.file.path.as_str());
        }
    }
    match left.as_slice() {
        [] => "Nothing was changed.".to_owned(),
        left => format!("These files are changed all the same: {}.", left.join(", ")),
    }
}
