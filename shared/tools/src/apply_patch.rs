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
            description: "Change several text files at once: *** Begin Patch, *** Add File: a (+lines), *** Update File: a \
                          (*** Move to: b, @@ hunks of lines with a space, - or + before), *** Delete File: a, *** End Patch."
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

/// A file as it was, and as it is to be; `None` where there is none.
struct Planned<'a> {
    file: TextFile<'a>,
    before: Option<Version>,
    after: Option<String>,
}

impl Planned<'_> {
    /// Changes first, removals last: what was changed can be put back exactly, what was removed only as a new file.
    fn rank(&self) -> u8 {
        match (&self.before, &self.after) {
            (Some(_), Some(_)) => 0,
            (None, _) => 1,
            (Some(_), None) => 2,
        }
    }

    async fn perform(&self) -> Result<Written, String> {
        match (&self.before, &self.after) {
            (before, Some(after)) => self.file.replace(before.as_ref(), after.clone()).await,
            (Some(before), None) => self.file.remove(before).await,
            (None, None) => Ok(Written::Stored),
        }
    }

    /// Puts back what was, if what stands there is still what was performed.
    async fn take_back(&self) -> Result<Written, String> {
        let now = self.file.read().await?;
        if now.as_ref().map(|now| &now.text) != self.after.as_ref() {
            return Ok(Written::Conflict);
        }
        match (&self.before, &now) {
            (Some(before), now) => self.file.replace(now.as_ref(), before.text.clone()).await,
            (None, Some(now)) => self.file.remove(now).await,
            (None, None) => Ok(Written::Stored),
        }
    }
}

async fn apply(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { input } = arguments(call.input)?;
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for change in parse(&input)? {
        for next in plan(call, change).await? {
            if planned.iter().any(|other| other.file.path.eq_ignore_ascii_case(&next.file.path)) {
                return Err(format!("{} is in the patch twice. Nothing was changed.", next.file.path));
            }
            planned.push(next);
        }
    }
    planned.sort_by_key(Planned::rank);
    let mut done: Vec<&Planned<'_>> = Vec::new();
    for next in &planned {
        let problem = match next.perform().await {
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
        let what = ["Updated", "Added", "Deleted"].get(usize::from(planned.rank())).unwrap_or(&"Changed");
        format!("{what} {}", planned.file.path)
    };
    Ok(planned.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// What a change does, file by file: a move is a new file and a removed one.
async fn plan<'a>(call: &ToolCall<'a>, change: Change) -> Result<Vec<Planned<'a>>, String> {
    match change {
        Change::Add { path, text } => Ok(vec![fitting(new(call, &path, text).await?)?]),
        Change::Delete { path } => {
            let (file, before) = there(call, &path).await?;
            Ok(vec![Planned { file, before: Some(before), after: None }])
        }
        Change::Update { path, moved, hunks } => {
            let (file, before) = there(call, &path).await?;
            let text =
                applied(&before.text, &hunks).map_err(|problem| format!("{path}: {problem} Nothing was changed."))?;
            match moved {
                None => Ok(vec![fitting(Planned { file, before: Some(before), after: Some(text) })?]),
                Some(to) => {
                    let new = fitting(new(call, &to, text).await?)?;
                    Ok(vec![new, Planned { file, before: Some(before), after: None }])
                }
            }
        }
    }
}

async fn there<'a>(call: &ToolCall<'a>, path: &str) -> Result<(TextFile<'a>, Version), String> {
    let file = TextFile::to_write(call, path)?;
    let before = file.read().await?.ok_or_else(|| format!("There is no file {path}. Nothing was changed."))?;
    Ok((file, before))
}

async fn new<'a>(call: &ToolCall<'a>, path: &str, text: String) -> Result<Planned<'a>, String> {
    let file = TextFile::to_write(call, path)?;
    if file.read().await?.is_some() {
        return Err(format!("{path} is there already: update it instead. Nothing was changed."));
    }
    Ok(Planned { file, before: None, after: Some(text) })
}

fn fitting(planned: Planned<'_>) -> Result<Planned<'_>, String> {
    if planned.after.as_ref().is_some_and(|text| text.len() > WRITE_MAX) {
        return Err(format!("{} would be larger than {WRITE_MAX} bytes. Nothing was changed.", planned.file.path));
    }
    Ok(planned)
}

/// Puts back what was changed before a change failed, where nobody has written since.
async fn take_back(done: &[&Planned<'_>]) -> String {
    let mut left = Vec::new();
    for planned in done {
        if !matches!(planned.take_back().await, Ok(Written::Stored)) {
            left.push(planned.file.path.as_str());
        }
    }
    match left.as_slice() {
        [] => "Nothing was changed.".to_owned(),
        left => format!("These files are changed all the same: {}.", left.join(", ")),
    }
}
