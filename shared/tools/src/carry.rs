//! Files of a workspace on their way into the sandbox and back. The sandbox reaches no store: what goes in is read here, and
//! what comes out, which a stranger wrote, is unpacked under caps and stored only where nobody else has written meanwhile.

use std::collections::BTreeMap;

use bytes::Bytes;
use chela_archive::{Limits, check_name, from_text, to_text};
use chela_core::blob::{BlobError, Precondition};
use chela_core::sandbox::{CommandResult, MAX_ARCHIVE};
use chela_core::tool::ToolCall;
use futures_util::stream::{self, StreamExt as _};

use crate::text_file::TextFile;
use crate::tree::Tree;

/// Most files that are brought.
const FILES: usize = 400;

/// Most bytes of them.
const BYTES: u64 = 12 * 1024 * 1024;

/// What is taken back at most.
const BACK: Limits = Limits { entries: 512, file_bytes: 8 * 1024 * 1024, total_bytes: 16 * 1024 * 1024 };

/// Read at once.
const AT_ONCE: usize = 16;

/// A folder that was packed.
pub(crate) struct Carried {
    folder: String,
    /// The tags of its files as they were then, by their paths below it.
    tags: BTreeMap<String, String>,
    /// For the sandbox.
    pub(crate) archive: String,
}

/// Packs a folder of the workspace, or all of it.
pub(crate) async fn pack(call: &ToolCall<'_>, folder: Option<&str>) -> Result<Carried, String> {
    let tree = Tree::at(call, folder)?;
    let (leaves, more) = tree.leaves().await?;
    let leaves: Vec<_> = leaves.into_iter().filter(|leaf| check_name(&leaf.below).is_ok()).collect();
    let bytes: u64 = leaves.iter().map(|leaf| leaf.listed.size).sum();
    let too_much =
        || format!("{} is too large to be brought to a command: name a smaller folder as workdir.", tree.name());
    if more || leaves.len() > FILES || bytes > BYTES {
        return Err(too_much());
    }
    let read = stream::iter(leaves.into_iter().map(async |leaf| {
        let blob = call.files.get(&leaf.listed.key).await;
        blob.map(|blob| blob.map(|blob| (leaf.below, blob))).map_err(|error| trouble(&error))
    }));
    let read: Vec<Result<Option<_>, String>> = read.buffered(AT_ONCE).collect().await;
    let files: Vec<_> = read.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let archive = to_text(files.iter().map(|(name, blob)| (name.as_str(), blob.bytes.as_ref())));
    let archive = archive.map_err(|error| error.to_string())?;
    if archive.len() > MAX_ARCHIVE {
        return Err(too_much());
    }
    let tags = files.into_iter().map(|(name, blob)| (name, blob.etag)).collect();
    Ok(Carried { folder: tree.folder, tags, archive })
}

/// Stores what a command changed; answers with what became of each file, for the model.
pub(crate) async fn unpack(call: &ToolCall<'_>, carried: &Carried, result: &CommandResult) -> Vec<String> {
    let mut notes = Vec::new();
    let files = match from_text(&result.archive, BACK) {
        Ok(files) => files,
        Err(error) => {
            notes.push(format!("Nothing it wrote is kept: {error}."));
            Vec::new()
        }
    };
    let mut stored = Vec::new();
    for (name, bytes) in files {
        match store(call, carried, &name, bytes).await {
            Ok(path) => stored.push(path),
            Err(problem) => notes.push(problem),
        }
    }
    if !stored.is_empty() {
        notes.insert(0, format!("Files made or changed: {}.", stored.join(", ")));
    }
    let mut removed = Vec::new();
    for (name, tag) in carried.tags.iter().filter(|(name, _)| result.removed.contains(name)) {
        match remove(call, carried, name, tag).await {
            Ok(path) => removed.push(path),
            Err(problem) => notes.push(problem),
        }
    }
    if !removed.is_empty() {
        notes.push(format!("Files removed: {}.", removed.join(", ")));
    }
    if !result.left_out.is_empty() {
        notes.push(format!("Not kept: {}.", result.left_out.join("; ")));
    }
    notes
}

impl Carried {
    fn file<'a>(&self, call: &ToolCall<'a>, name: &str) -> Result<TextFile<'a>, String> {
        let path = if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) };
        TextFile::to_write(call, &path)
    }
}

/// Removes a file that was brought, if it is still as it was then.
async fn remove(call: &ToolCall<'_>, carried: &Carried, name: &str, tag: &str) -> Result<String, String> {
    let file = carried.file(call, name)?;
    match file.discard(tag).await {
        Ok(()) => Ok(file.path),
        Err(BlobError::Conflict(_)) => {
            Err(format!("{} was changed by somebody else while the command ran; it is still there.", file.path))
        }
        Err(error) => Err(trouble(&error)),
    }
}

async fn store(call: &ToolCall<'_>, carried: &Carried, name: &str, bytes: Bytes) -> Result<String, String> {
    let file = carried.file(call, name)?;
    let precondition = carried.tags.get(name).map_or(Precondition::Absent, |tag| Precondition::Matches(tag.clone()));
    match file.store(bytes, precondition).await {
        Ok(()) => Ok(file.path),
        Err(BlobError::Conflict(_)) => Err(format!(
            "{} was changed by somebody else while the command ran; what it wrote there is lost.",
            file.path
        )),
        Err(error) => Err(trouble(&error)),
    }
}

fn trouble(error: &BlobError) -> String {
    format!("The file store failed: {error}.")
}
