//! Where notes are, and who may see them.
//!
//! `MEMORY.md`, `USER.md` and everything in `memory/` are the owner's. Two places in there are not: `memory/shared/` is
//! for everybody, and `memory/guests/<company>.md` holds what guests had noted, a file for each company of them. A
//! guest's turn sees the shared notes and its own company's file, nothing else: what one guest said in private does not
//! come out in a turn in which another speaks as well.

use std::collections::BTreeMap;

use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, BlobStore};
use chela_core::queue::Authority;
use chela_core::session_key::SessionKey;
use chela_core::tool::Caller;
use jiff::civil::Date;

use crate::origin::{company, company_of};

/// Most notes that are searched, the owner's and guests' each: five years of days and as many topics.
const NOTES_MAX: usize = 4_000;

/// Most names of a listing.
const LISTED_MAX: usize = 20_000;

/// Largest note that is searched.
const NOTE_MAX: u64 = 1024 * 1024;

const MEMORY: &str = "MEMORY.md";
const USER: &str = "USER.md";
const FOLDER: &str = "memory/";
const GUESTS: &str = "memory/guests/";
const SHARED: &str = "memory/shared/";

/// Where the knowledge graph is.
pub(crate) const GRAPH: &str = "memory/graph.jsonl";

/// For whom notes are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The owner sees everything.
    Owner,
    /// Guests see what is shared, and this file.
    Guests {
        /// Its path in the workspace.
        own: String,
    },
}

impl Audience {
    /// Who sees what a turn finds.
    pub fn of(caller: &Caller, session: &SessionKey) -> Self {
        match caller.authority {
            Authority::Owner => Self::Owner,
            Authority::Guest => Self::Guests { own: format!("{GUESTS}{}.md", company(caller, session)) },
        }
    }

    /// Whether a file of the workspace may be read for them.
    pub fn may_read(&self, path: &str) -> bool {
        match self {
            Self::Owner => true,
            Self::Guests { own } => path == own || format!("{path}/").starts_with(SHARED) || !is_private(path),
        }
    }

    /// Whether a file of the workspace may be written for them by any other tool than `memory_save`. Guests may change
    /// neither memory nor what the agent is told about itself.
    pub fn may_write(&self, path: &str) -> bool {
        match self {
            Self::Owner => true,
            Self::Guests { .. } => !is_private(path) && !is_instruction(path) && !is_hidden(path),
        }
    }

    /// The places in the index that they see; `None` for all.
    pub(crate) fn places(&self) -> Option<[&str; 2]> {
        match self {
            Self::Owner => None,
            Self::Guests { own } => Some([SHARED, own]),
        }
    }
}

/// The file of the workspace with what a guest had noted while nobody else spoke.
pub fn guest_note(channel: &str, sender: &str) -> String {
    format!("{GUESTS}{}.md", company_of(channel, &[sender]))
}

/// A path as a disk may read it that takes both cases for the same. There and back, because some letters have only one
/// way: the sign of Kelvin becomes a `K` by it, and the long s an `S`.
fn folded(path: &str) -> String {
    path.to_lowercase().to_uppercase()
}

/// Whether a path leads through a name that programs look for by themselves: `.gitconfig`, `.git/hooks`, `.npmrc`, `.env`.
fn is_hidden(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with('.'))
}

/// Whether a path leads to the owner's memory.
fn is_private(path: &str) -> bool {
    let path = folded(path);
    let first = path.split('/').next().unwrap_or_default();
    ["MEMORY.MD", "USER.MD", "MEMORY"].contains(&first)
}

/// Files that tell the agent who it is and what to do.
fn is_instruction(path: &str) -> bool {
    let path = folded(path);
    let first = path.split('/').next().unwrap_or_default();
    ["AGENTS.MD", "SOUL.MD", "IDENTITY.MD", "TOOLS.MD", "HEARTBEAT.MD", "BOOTSTRAP.MD", "SKILLS"].contains(&first)
}

/// Whether a path is that of a note.
pub fn is_note(path: &str) -> bool {
    path == MEMORY || path == USER || (path.starts_with(FOLDER) && path.ends_with(".md"))
}

/// Whether a note is in the hands of guests.
pub(crate) fn is_guests(path: &str) -> bool {
    path.starts_with(GUESTS)
}

/// The place that decides who sees a note: empty for the owner's own.
pub(crate) fn place(path: &str) -> &str {
    if is_guests(path) {
        path
    } else if path.starts_with(SHARED) {
        SHARED
    } else {
        ""
    }
}

/// The day of a daily note, `memory/2026-03-04.md` or `memory/2026-03-04-journey.md`.
pub fn day(path: &str) -> Option<Date> {
    let name = path.strip_prefix(FOLDER)?;
    let (day, rest) = (name.get(..10)?, name.get(10..)?);
    if !rest.starts_with(['.', '-']) {
        return None;
    }
    day.parse().ok()
}

/// The key of a file of the workspace.
pub(crate) fn key(agent: &AgentId, path: &str) -> String {
    format!("agents/{}/{path}", agent.as_str())
}

/// One note, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its version.
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

/// All notes of an agent by their path in its workspace. However many guests' notes there are, they displace none of the
/// owner's.
pub async fn notes(files: &dyn BlobStore, agent: &AgentId) -> Result<BTreeMap<String, Listed>, BlobError> {
    let workspace = key(agent, "");
    let mut found = BTreeMap::new();
    let (mut own, mut guests) = (0_usize, 0_usize);
    for (prefix, limit) in [(MEMORY, 1), (USER, 1), (FOLDER, LISTED_MAX)] {
        for file in files.list(&key(agent, prefix), limit).await? {
            let Some(path) = file.key.strip_prefix(&workspace) else { continue };
            if !is_note(path) || (!prefix.ends_with('/') && path != prefix) || file.size > NOTE_MAX {
                continue;
            }
            let count = if is_guests(path) { &mut guests } else { &mut own };
            if *count < NOTES_MAX {
                *count = count.saturating_add(1);
                found.insert(path.to_owned(), Listed { etag: file.etag, size: file.size });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> Audience {
        Audience::Guests { own: "memory/guests/ab.md".into() }
    }

    #[test]
    fn guests_reach_nothing_of_the_owners_in_whatever_case() {
        for path in [
            "MEMORY.md",
            "memory.md",
            "USER.md",
            "U\u{17f}er.md",
            "memory",
            "memory/2026-03-04.md",
            "Memory/people.md",
            "memory/graph.jsonl",
            "memory/guests/cd.md",
            "memory/guests",
            "MEMORY/GUESTS/ab.md",
            "memory/Shared/x.md",
        ] {
            assert!(!guests().may_read(path) && !guests().may_write(path), "{path}");
            assert!(Audience::Owner.may_read(path) && Audience::Owner.may_write(path), "{path}");
        }
    }

    #[test]
    fn guests_read_what_is_shared_and_change_no_instruction() {
        assert!(guests().may_read("memory/shared") && !guests().may_read("memory/shared2"), "the folder can be listed");
        for path in ["memory/shared/faq.md", "memory/guests/ab.md", "SOUL.md", "skills/weather/SKILL.md"] {
            assert!(guests().may_read(path) && !guests().may_write(path), "{path}");
        }
        assert!(guests().may_write("drafts/poem.md") && guests().may_read("drafts/poem.md"));
        assert!(!guests().may_write("Soul.md") && !guests().may_write("Skills/x/SKILL.md"));
    }

    #[test]
    fn only_daily_notes_have_a_day() {
        assert_eq!(day("memory/2026-03-04.md"), Some(jiff::civil::date(2026, 3, 4)));
        assert_eq!(day("memory/2026-03-04-journey.md"), Some(jiff::civil::date(2026, 3, 4)));
        for path in [
            "MEMORY.md",
            "memory/people.md",
            "memory/2026-13-04.md",
            "memory/x/2026-03-04.md",
            "memory/2026-03-045.md",
            "memory/ééééééé.md",
        ] {
            assert_eq!(day(path), None, "{path}");
        }
    }
}
