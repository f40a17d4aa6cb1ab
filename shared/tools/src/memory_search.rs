//! `memory_search`: finds passages of the agent's notes by their words.
//!
//! Each search first brings the index up to date by the notes' tags, so that a note is found the moment it is written,
//! by whatever means. The index is written back only if it changed, and only over the version that was read: whoever
//! loses that race has lost nothing, because the index can always be made again.

mod chunks;
mod index;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::blob::{Blob, BlobError, Precondition};
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use self::index::{Hit, Index};
use crate::arguments::arguments;
use crate::text_file::DERIVED;

/// Most passages of one answer, as in OpenClaw.
const HITS_MAX: usize = 6;

/// Most characters of one passage, as in OpenClaw.
const SNIPPET_MAX: usize = 700;

/// Most notes that are indexed: five years of days.
const NOTES_MAX: usize = 2_000;

/// Largest note that is indexed.
const NOTE_MAX: u64 = 1024 * 1024;

pub(crate) struct MemorySearch;

#[derive(Deserialize)]
struct Arguments {
    query: String,
    #[serde(rename = "maxResults", alias = "max_results", default)]
    most: Option<usize>,
}

#[async_trait]
impl Tool for MemorySearch {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "memory_search".into(),
            description: "Search MEMORY.md, USER.md and the notes in memory/ by words. \
                          Use it before you answer about people, plans, decisions or anything said earlier."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "query": { "type": "string", "description": "words that the note may contain" },
                    "maxResults": { "type": "integer", "minimum": 1, "maximum": HITS_MAX },
                },
                "required": ["query"],
            }),
        }
    }

    /// What it writes is derived.
    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        search(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn search(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { query, most } = arguments(call.input)?;
    let most = most.unwrap_or(HITS_MAX).clamp(1, HITS_MAX);
    let unreachable = |error: BlobError| format!("The notes cannot be reached ({error}). Try again later.");
    let notes = notes(call).await.map_err(unreachable)?;
    let stored = call.files.get(&index_key(call)).await.map_err(unreachable)?;
    // A stored index that fails anywhere on the way is made again from nothing, once.
    let from_stored = match &stored {
        Some(blob) => {
            answer(call, Index::open(&blob.bytes), &notes, stored.as_ref(), &query, most).await.map_err(unreachable)?
        }
        None => None,
    };
    let hits = match from_stored {
        Some(hits) => hits,
        None => answer(call, Index::empty(), &notes, stored.as_ref(), &query, most)
            .await
            .map_err(unreachable)?
            .ok_or("The notes cannot be searched at the moment. Read them with read.")?,
    };
    if hits.is_empty() {
        return Ok(format!("Nothing found in {} notes. Try other words.", notes.len()));
    }
    Ok(hits.iter().map(shown).collect::<Vec<_>>().join("\n\n"))
}

/// Brings the index up to date, keeps it, and asks it. `None` if it turns out to be damaged.
async fn answer(
    call: &ToolCall<'_>,
    index: rusqlite::Result<Index>,
    notes: &BTreeMap<String, String>,
    stored: Option<&Blob>,
    query: &str,
    most: usize,
) -> Result<Option<Vec<Hit>>, BlobError> {
    let Ok(mut index) = index else { return Ok(None) };
    let Ok(known) = index.known() else { return Ok(None) };
    let mut changed = false;
    for (path, etag) in notes.iter().filter(|(path, etag)| known.get(*path) != Some(etag)) {
        let Some(note) = call.files.get(&key(call, path)).await? else { continue };
        // The version that was read counts, though it may be newer than the listed one.
        let tag = if note.etag.is_empty() { etag } else { &note.etag };
        if index.put(path, tag, &String::from_utf8_lossy(&note.bytes)).is_err() {
            return Ok(None);
        }
        changed = true;
    }
    for path in known.keys().filter(|path| !notes.contains_key(*path)) {
        if index.forget(path).is_err() {
            return Ok(None);
        }
        changed = true;
    }
    let Ok(hits) = index.search(query, most) else { return Ok(None) };
    if changed && let Ok(bytes) = index.bytes() {
        let precondition = stored.map_or(Precondition::Absent, |blob| Precondition::Matches(blob.etag.clone()));
        // A lost race or a full disk costs the next search some time, nothing more.
        drop(call.files.put(&index_key(call), Bytes::from(bytes), precondition).await);
    }
    Ok(Some(hits))
}

/// Notes by their path in the workspace, with their tags.
async fn notes(call: &ToolCall<'_>) -> Result<BTreeMap<String, String>, BlobError> {
    let workspace = key(call, "");
    let mut notes = BTreeMap::new();
    for (prefix, limit) in [("MEMORY.md", 1), ("USER.md", 1), ("memory/", NOTES_MAX)] {
        for file in call.files.list(&key(call, prefix), limit).await? {
            let Some(path) = file.key.strip_prefix(&workspace) else { continue };
            let is_note = path == prefix || (prefix.ends_with('/') && path.ends_with(".md"));
            if is_note && file.size <= NOTE_MAX {
                notes.insert(path.to_owned(), file.etag);
            }
        }
    }
    Ok(notes)
}

fn key(call: &ToolCall<'_>, path: &str) -> String {
    format!("agents/{}/{path}", call.agent.as_str())
}

fn index_key(call: &ToolCall<'_>) -> String {
    key(call, &format!("{DERIVED}/memory.sqlite"))
}

fn shown(hit: &Hit) -> String {
    let Hit { path, start_line, end_line, text, score } = hit;
    let text = text.trim();
    let cut = text.char_indices().nth(SNIPPET_MAX).and_then(|(end, _)| text.get(..end));
    let text = cut.map_or_else(|| text.to_owned(), |head| format!("{head}…"));
    format!("{path}, lines {start_line}-{end_line} (score {score:.2}):\n{text}")
}
