//! The files of an agent's workspace: what a new agent begins with, and what becomes of them in its prompt.

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, BlobStore, Precondition};
use chela_core::outside::without_hidden;
use futures_util::future::try_join_all;

/// What every agent is told before its own files. Short, because it is paid for with every call.
const STANDING: &str = include_str!("workspace/STANDING.md");

/// The birth of an agent: only a workspace that holds nothing yet gets it.
const BIRTH: (&str, &str) = ("BOOTSTRAP.md", include_str!("workspace/BOOTSTRAP.md"));

/// What a new workspace holds, in OpenClaw's layout.
const SEEDS: &[(&str, &str)] = &[
    ("AGENTS.md", include_str!("workspace/AGENTS.md")),
    ("SOUL.md", include_str!("workspace/SOUL.md")),
    ("IDENTITY.md", include_str!("workspace/IDENTITY.md")),
    ("USER.md", include_str!("workspace/USER.md")),
    ("TOOLS.md", include_str!("workspace/TOOLS.md")),
    ("HEARTBEAT.md", include_str!("workspace/HEARTBEAT.md")),
    ("MEMORY.md", include_str!("workspace/MEMORY.md")),
];

/// Files of the prompt: those that change least come first, so that providers can cache the beginning. HEARTBEAT.md is
/// read by heartbeats alone.
const PROMPT: &[&str] = &["AGENTS.md", "SOUL.md", "IDENTITY.md", "TOOLS.md", "USER.md", "MEMORY.md", "BOOTSTRAP.md"];

/// Those of them that only the owner may hear of. A birth is finished with the owner, too.
const OWNERS: &[&str] = &["USER.md", "MEMORY.md", "BOOTSTRAP.md"];

/// How much of the files goes into a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most characters of one file.
    pub per_file: usize,
    /// Most characters of all files.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_file: 8_000, total: 24_000 }
    }
}

/// Writes what is missing and touches nothing that is there; doing it twice changes nothing. Answers how many files were
/// written.
pub async fn seed(files: &dyn BlobStore, agent: &AgentId) -> Result<usize, BlobError> {
    let folder = key(agent, "");
    let mut written: usize = 0;
    // Written first: a seeding that breaks off after it must not look like an old workspace without it.
    let birth = files.list(&folder, 1).await?.is_empty().then_some(BIRTH);
    for (name, text) in birth.iter().chain(SEEDS) {
        match files.put(&key(agent, name), Bytes::from_static(text.as_bytes()), Precondition::Absent).await {
            Ok(_) => written = written.saturating_add(1),
            Err(BlobError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// System prompts: standing instructions and the workspace's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// For the owner.
    pub owner: String,
    /// For a turn in which a guest's words are: without what is known of the owner.
    pub guests: String,
}

/// The system prompts, their files always in the same order. The same files give the same texts.
pub async fn context(files: &dyn BlobStore, agent: &AgentId, limits: &Limits) -> Result<Prompts, BlobError> {
    let read = PROMPT.iter().map(|name| async move { files.get(&key(agent, name)).await.map(|blob| (*name, blob)) });
    let found = try_join_all(read).await?;
    // A file may come from elsewhere, with the help of a tool or of its owner, who sees what is seen.
    let read = |bytes: &[u8]| without_hidden(&String::from_utf8_lossy(bytes)).trim().to_owned();
    let texts: Vec<(&str, String)> = found
        .into_iter()
        .filter_map(|(name, blob)| Some((name, read(&blob?.bytes))))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    let for_guests = texts.iter().filter(|(name, _)| !OWNERS.contains(name));
    Ok(Prompts { owner: prompt(texts.iter(), limits), guests: prompt(for_guests, limits) })
}

fn prompt<'a>(files: impl Iterator<Item = &'a (&'a str, String)>, limits: &Limits) -> String {
    let mut prompt = STANDING.trim_end().to_owned();
    let mut room = limits.total;
    for (name, text) in files {
        let shown = shortened(text, limits.per_file.min(room));
        room = room.saturating_sub(text.chars().count().min(limits.per_file));
        prompt.push_str(&format!("\n\n## {name}\n\n{shown}"));
    }
    prompt
}

/// A text of at most `most` characters of the file: its beginning and its end, and a word about what is left out.
fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let head = most.saturating_sub(most / 4);
    let tail = most.saturating_sub(head);
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let (begin, end) = (at(head), at(length.saturating_sub(tail)));
    let left_out = length.saturating_sub(most);
    format!(
        "{}\n[{left_out} characters are left out here; use read for the whole file]\n{}",
        text.get(..begin).unwrap_or_default(),
        text.get(end..).unwrap_or_default()
    )
}

fn key(agent: &AgentId, name: &str) -> String {
    format!("agents/{}/{name}", agent.as_str())
}

#[cfg(test)]
mod tests;
