//! What a tool answered, and what it shows.

use std::borrow::Cow;

use bytes::Bytes;
use chela_core::model::{Block, ModelRequest};
use chela_core::shown::{StoredFile, Unseen, add_line};

use crate::facts::{Documents, Facts, Kind};
use crate::transcript::Said;

/// A result as a model reads it.
pub(crate) struct Outcome<'a> {
    pub(crate) id: &'a str,
    /// The words, with a line for each file that the model cannot see.
    pub(crate) text: Cow<'a, str>,
    pub(crate) is_error: bool,
    /// The files it sees. None of a failure: Anthropic refuses them there.
    pub(crate) files: Vec<(Kind, &'a Bytes)>,
}

impl<'a> Outcome<'a> {
    /// What stands in a block, if it is a result.
    pub(crate) fn of(
        request: &'a ModelRequest,
        facts: &Facts<'_>,
        block: &'a Block,
        documents: Documents,
    ) -> Option<Self> {
        let Block::ToolResult { id, text, is_error, files } = block else { return None };
        let mut outcome = Self { id, text: Cow::Borrowed(text), is_error: *is_error, files: Vec::new() };
        for file in files {
            let StoredFile { key, content_type } = file;
            match facts.look(request, key, content_type, documents).filter(|_| !is_error) {
                Some(seen) => outcome.files.push(seen),
                None => add_line(outcome.text.to_mut(), &file.line(Some(Unseen::ByThisModel))),
            }
        }
        Some(outcome)
    }

    /// The same for a dialect without a mark for failures.
    pub(crate) fn told(&self) -> Cow<'a, str> {
        if self.is_error { Cow::Owned(format!("Error: {}", self.text)) } else { self.text.clone() }
    }

    /// What stands before its files where they cannot stand in the result and follow it as if the user had sent them.
    pub(crate) fn heading(&self, name: &str) -> String {
        format!("[Shown by the result of {name} ({}), not sent by the user:]", self.id)
    }
}

/// The tool that a result is of, by the calls in the message before.
pub(crate) fn called<'a>(before: Option<&'a Said<'_>>, result: &str) -> &'a str {
    let name = |block: &'a Cow<'_, Block>| match block.as_ref() {
        Block::ToolUse { id, name, .. } if id == result => Some(name.as_str()),
        _ => None,
    };
    before.and_then(|before| before.blocks.iter().find_map(name)).unwrap_or("a tool")
}
