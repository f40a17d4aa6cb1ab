//! The files of a workspace that a caller may see, below one of its folders.

use chela_core::blob::Listed;
use chela_core::tool::ToolCall;

use crate::text_file::{TextFile, visible};

/// Most files that are looked at; a workspace with more is asked for one folder at a time.
pub(crate) const MOST: usize = 2_000;

/// A folder of a workspace, or all of it.
pub(crate) struct Tree<'a> {
    call: &'a ToolCall<'a>,
    /// As the model named it, cleaned; empty for the whole workspace.
    pub(crate) folder: String,
    prefix: String,
}

/// One file of it.
pub(crate) struct Leaf {
    /// Its path in the workspace.
    pub(crate) path: String,
    /// Its path below the folder.
    pub(crate) below: String,
    /// Size and tag.
    pub(crate) listed: Listed,
}

impl<'a> Tree<'a> {
    /// A folder by its path; none, or `.`, is the whole workspace.
    pub(crate) fn at(call: &'a ToolCall<'a>, folder: Option<&str>) -> Result<Self, String> {
        let workspace = format!("agents/{}/", call.agent.as_str());
        let folder = match folder.map(str::trim) {
            None | Some("" | "." | "./") => String::new(),
            Some(folder) => TextFile::to_read(call, folder)?.path,
        };
        let prefix = if folder.is_empty() { workspace } else { format!("{workspace}{folder}/") };
        Ok(Self { call, folder, prefix })
    }

    /// Its files in the order of their paths, and whether there are more.
    pub(crate) async fn leaves(&self) -> Result<(Vec<Leaf>, bool), String> {
        let listed = self.call.files.list(&self.prefix, MOST.saturating_add(1)).await;
        let mut listed =
            listed.map_err(|error| format!("The file store does not answer ({error}). Try again later."))?;
        let more = listed.len() > MOST;
        listed.truncate(MOST);
        let leaf = |listed: Listed| {
            let below = listed.key.strip_prefix(&self.prefix)?.to_owned();
            let path = if self.folder.is_empty() { below.clone() } else { format!("{}/{below}", self.folder) };
            visible(self.call, &path).then_some(Leaf { path, below, listed })
        };
        Ok((listed.into_iter().filter_map(leaf).collect(), more))
    }

    /// What a place is called in answers.
    pub(crate) fn name(&self) -> &str {
        if self.folder.is_empty() { "the workspace" } else { &self.folder }
    }
}
