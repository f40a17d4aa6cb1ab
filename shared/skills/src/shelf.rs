//! The skills an agent has: its own in `agents/<id>/skills/`, those of all agents in `skills/`. Its own go first.
//!
//! What was read stays in memory by entity tag, so that a turn asks the store for two lists at most, and for those only
//! every [`FRESH_MS`] milliseconds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, BlobStore, Listed};
use chela_core::clock::Millis;
use futures_util::future::{join_all, try_join};

use crate::eligible::{Ground, Missing};
use crate::lock::{LOCK_NAME, Lock};
use crate::skill::{Skill, read_skill};

/// How long a list counts.
const FRESH_MS: u64 = 30_000;

/// Most files of one folder of skills that are looked at.
const MOST_LISTED: usize = 4_000;

/// How deep a folder of skills is looked into, as OpenClaw does.
const DEPTH: usize = 6;

/// What configuration says about an agent's skills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShelfSettings {
    /// Where the agent works.
    pub ground: Ground,
    /// Skills that are switched off (`skills.entries.<name>.enabled: false`).
    pub disabled: BTreeSet<String>,
    /// The only skills it may use; all if `None` (`agents.….skills`).
    pub allowed: Option<BTreeSet<String>>,
}

/// A skill on the shelf.
#[derive(Clone, Debug, PartialEq)]
pub struct Stocked {
    /// The skill.
    pub skill: Skill,
    /// The key of its folder in the file store, without a slash at the end.
    pub folder: String,
    /// What it lacks; it is offered only if nothing is missing.
    pub missing: Vec<Missing>,
    /// Whether it was installed from outside and is pinned.
    pub pinned: bool,
}

/// Finds skills.
pub struct Shelf {
    files: Arc<dyn BlobStore>,
    read: Mutex<HashMap<String, (String, Bytes)>>,
    lists: Mutex<HashMap<String, (Millis, Vec<Listed>)>>,
}

impl Shelf {
    /// A shelf that has read nothing yet.
    pub fn new(files: Arc<dyn BlobStore>) -> Self {
        Self { files, read: Mutex::default(), lists: Mutex::default() }
    }

    /// The skills of an agent by name, those that lack something included. What is no skill, or changed since it was
    /// installed, is left out and named in the second list.
    pub async fn stock(
        &self,
        agent: &AgentId,
        settings: &ShelfSettings,
        now: Millis,
    ) -> Result<(Vec<Stocked>, Vec<String>), BlobError> {
        let own = format!("agents/{}/skills/", agent.as_str());
        let (own, shared) = try_join(self.folder(&own, now), self.folder("skills/", now)).await?;
        let mut stock: BTreeMap<String, Stocked> = BTreeMap::new();
        let mut problems = Vec::new();
        for found in own.into_iter().chain(shared) {
            match found {
                Ok(found) if settings.disabled.contains(&found.skill.name) => {}
                Ok(found) if settings.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&found.skill.name)) => {}
                Ok(mut found) => {
                    found.missing = found.skill.missing(&settings.ground);
                    stock.entry(found.skill.name.clone()).or_insert(found);
                }
                Err(problem) => problems.push(problem),
            }
        }
        Ok((stock.into_values().collect(), problems))
    }

    /// One file of a skill; `None` if it is not there. A pinned skill's file is given out only as it was installed.
    pub async fn file(&self, stocked: &Stocked, path: &str) -> Result<Option<Bytes>, String> {
        let key = format!("{}/{path}", stocked.folder);
        let blob = self.files.get(&key).await.map_err(|error| error.to_string())?;
        let Some(blob) = blob else { return Ok(None) };
        let (root, name) = stocked.folder.rsplit_once('/').unwrap_or(("", &stocked.folder));
        let lock = self.lock(&format!("{root}/")).await.map_err(|error| error.to_string())?;
        match lock.skills.get(name) {
            Some(locked) if !locked.holds(path, &blob.bytes) => Err(changed(&stocked.folder)),
            _ => Ok(Some(blob.bytes)),
        }
    }

    /// The skills below one folder.
    async fn folder(&self, root: &str, now: Millis) -> Result<Vec<Result<Stocked, String>>, BlobError> {
        let listed = self.listed(root, now).await?;
        let mut heads: Vec<&Listed> = listed.iter().filter(|file| is_skill_md(root, &file.key)).collect();
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        // A SKILL.md below another one belongs to that one.
        heads.sort_by_key(|file| file.key.len());
        let mut folders: Vec<&str> = Vec::new();
        heads.retain(|file| {
            let folder = file.key.trim_end_matches("SKILL.md");
            let below = folders.iter().any(|known| folder.starts_with(known));
            if !below {
                folders.push(folder);
            }
            !below
        });
        let lock = self.lock(root).await?;
        let read = heads.into_iter().map(|file| self.stocked(root, file, &lock));
        Ok(join_all(read).await)
    }

    async fn stocked(&self, root: &str, file: &Listed, lock: &Lock) -> Result<Stocked, String> {
        let folder = file.key.trim_end_matches("/SKILL.md");
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let bytes = self.content(file).await.map_err(|error| format!("{folder}: {error}"))?;
        let locked = folder.strip_prefix(root).and_then(|name| lock.skills.get(name));
        if locked.is_some_and(|locked| !locked.holds("SKILL.md", &bytes)) {
            return Err(changed(folder));
        }
        let skill = read_skill(&bytes, name).map_err(|error| format!("{folder}: {error}"))?;
        Ok(Stocked { skill, folder: folder.to_owned(), missing: Vec::new(), pinned: locked.is_some() })
    }

    async fn listed(&self, root: &str, now: Millis) -> Result<Vec<Listed>, BlobError> {
        let known = self.lists.lock().unwrap_or_else(PoisonError::into_inner).get(root).cloned();
        if let Some((at, listed)) = known
            && now.since(at) < FRESH_MS
        {
            return Ok(listed);
        }
        let listed = self.files.list(root, MOST_LISTED).await?;
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).insert(root.to_owned(), (now, listed.clone()));
        Ok(listed)
    }

    async fn content(&self, file: &Listed) -> Result<Bytes, BlobError> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&file.key).cloned();
        if let Some((etag, bytes)) = known
            && etag == file.etag
        {
            return Ok(bytes);
        }
        let blob = self.files.get(&file.key).await?;
        let (etag, bytes) = blob.map_or_else(Default::default, |blob| (blob.etag, blob.bytes));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(file.key.clone(), (etag, bytes.clone()));
        Ok(bytes)
    }

    /// What is pinned in a folder. A lock that cannot be read is an error: then nothing in the folder can be trusted.
    async fn lock(&self, root: &str) -> Result<Lock, BlobError> {
        let Some(blob) = self.files.get(&format!("{root}{LOCK_NAME}")).await? else { return Ok(Lock::default()) };
        serde_json::from_slice(&blob.bytes).map_err(|error| {
            BlobError::Unavailable(format!("{root}{LOCK_NAME} is damaged ({error}): run `chela skills verify`"))
        })
    }
}

fn changed(folder: &str) -> String {
    format!("{folder} is not as it was installed: run `chela skills verify`, then install it again or remove it")
}

fn is_skill_md(root: &str, key: &str) -> bool {
    let Some(below) = key.strip_prefix(root).and_then(|path| path.strip_suffix("/SKILL.md")) else { return false };
    below.split('/').count() <= DEPTH
}
