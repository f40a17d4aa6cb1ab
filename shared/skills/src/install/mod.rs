//! Skills from outside: fetched, pinned, scanned, and only then put on a shelf.

mod archive;
mod git;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use chela_core::blob::{BlobError, BlobStore, Precondition};

use crate::bundle::{Bundle, BundleError, MAX_FILE_BYTES};
use crate::lock::{LOCK_NAME, Lock, Locked};
use crate::scan::{Finding, Severity, scan};
use crate::skill::Skill;

/// Rounds of writing the lock; each round somebody else's installation is stored.
const ROUNDS: usize = 16;

/// Where a skill comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder with a SKILL.md.
    Folder(PathBuf),
    /// A `.zip`, `.tar`, `.tar.gz` or `.tgz`.
    Archive(PathBuf),
    /// A repository; the skill may be in a folder of it, at a commit, tag or branch.
    Git {
        /// `https://…` or `file://…`.
        url: String,
        /// What is checked out; the default branch if `None`.
        revision: Option<String>,
        /// The folder in it.
        folder: Option<String>,
    },
}

/// Why a skill was not installed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The source is none that can be fetched.
    #[error(
        "\"{0}\" is no source: name a folder, a .zip or .tar.gz, or a repository as https://host/path.git[#revision[:folder]]"
    )]
    Source(String),
    /// It could not be fetched or read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// It is no skill.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Several skills, and nobody said which.
    #[error("it holds several skills: {}; name one behind the source as #:<folder>", .0.join(", "))]
    Several(Vec<String>),
    /// It is not what was pinned.
    #[error("its hash is {found} and not the pinned {pinned}: somebody changed it, so it is not installed")]
    NotAsPinned {
        /// What it is.
        found: String,
        /// What was wanted.
        pinned: String,
    },
    /// The scan forbids it.
    #[error("the scan forbids it: {}", summary(.0))]
    Blocked(Vec<Finding>),
    /// The scan warns, and the owner has not accepted the warnings.
    #[error("the scan warns: {}; read it, and install it with --accept if you mean to", summary(.0))]
    Warned(Vec<Finding>),
    /// Another skill has its name.
    #[error(
        "{name} is installed from {source_of}: remove that first (`chela skills remove {name}`) if you mean to replace it"
    )]
    Taken {
        /// The name of the one that is there.
        name: String,
        /// Where that came from.
        source_of: String,
    },
    /// The file store.
    #[error(transparent)]
    Store(#[from] BlobError),
}

fn summary(findings: &[Finding]) -> String {
    let shown = findings.iter().take(5).map(|it| format!("{}:{} {} ({})", it.path, it.line, it.why, it.rule));
    let more = findings.len().saturating_sub(5);
    let more = (more > 0).then(|| format!("and {more} more"));
    shown.chain(more).collect::<Vec<_>>().join("; ")
}

impl Source {
    /// Reads a source as people write it.
    pub fn parse(text: &str) -> Result<Self, InstallError> {
        let (address, fragment) = text.split_once('#').map_or((text, None), |(address, rest)| (address, Some(rest)));
        let address = address.strip_prefix("git+").unwrap_or(address);
        if address.starts_with("https://") || address.starts_with("file://") {
            let (revision, folder) = match fragment {
                None => (None, None),
                Some(rest) => {
                    let (revision, folder) =
                        rest.split_once(':').map_or((rest, None), |(it, folder)| (it, Some(folder)));
                    (Some(revision).filter(|it| !it.is_empty()), folder.filter(|it| !it.is_empty()))
                }
            };
            let owned = |text: Option<&str>| text.map(str::to_owned);
            return Ok(Self::Git { url: address.to_owned(), revision: owned(revision), folder: owned(folder) });
        }
        if address.contains("://") || address.contains("@") && address.contains(':') {
            return Err(InstallError::Source(text.to_owned()));
        }
        let path = PathBuf::from(text);
        if path.is_dir() {
            return Ok(Self::Folder(path));
        }
        let name = text.to_ascii_lowercase();
        if [".zip", ".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end)) && path.is_file() {
            return Ok(Self::Archive(path));
        }
        Err(InstallError::Source(text.to_owned()))
    }

    /// Fetches the files, with the name of the folder they were in. `scratch` is an empty folder for what must lie on
    /// disk meanwhile. Runs no program but `git`, and nothing of what it fetches.
    pub fn fetch(&self, scratch: &Path) -> Result<(String, Bundle), InstallError> {
        match self {
            Self::Folder(folder) => Ok((file_name(folder), read_folder(folder)?)),
            Self::Archive(path) => archive::read(path),
            Self::Git { url, revision, folder } => git::read(url, revision.as_deref(), folder.as_deref(), scratch),
        }
    }
}

/// What the owner demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The hash it must have.
    pub pin: Option<String>,
    /// The owner has read the warnings and wants it all the same.
    pub accept: bool,
}

/// Judges fetched files: they are the pinned ones, a skill, and pass the scan. Answers the skill and the accepted
/// warnings.
pub fn judge(folder: &str, bundle: &Bundle, terms: &Terms) -> Result<(Skill, Vec<Finding>), InstallError> {
    let skill = bundle.skill(folder)?;
    let found = bundle.hash();
    if let Some(pinned) = terms.pin.as_ref().filter(|pinned| !pinned.eq_ignore_ascii_case(&found)) {
        return Err(InstallError::NotAsPinned { found, pinned: pinned.clone() });
    }
    let (blocked, warned): (Vec<_>, Vec<_>) =
        scan(bundle).into_iter().partition(|finding| finding.severity == Severity::Block);
    if !blocked.is_empty() {
        return Err(InstallError::Blocked(blocked));
    }
    if !warned.is_empty() && !terms.accept {
        return Err(InstallError::Warned(warned));
    }
    Ok((skill, warned))
}

/// A source as it may be written down: without what opens it (`https://user:token@…`).
pub fn without_secrets(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or(host))
}

/// Who publishes a source: all of it but the revision.
fn publisher(source: &str) -> String {
    without_secrets(source.split('#').next().unwrap_or(source))
}

/// Puts a judged skill on the shelf `root` (`skills/` or `agents/<id>/skills/`) and pins it. The lock is written first:
/// an installation that breaks off leaves files that are not followed, never files that nobody has pinned. Twice is
/// harmless; another version replaces the one before, but none of another source, and none whose name differs only in case.
pub async fn put(
    files: &dyn BlobStore,
    root: &str,
    name: &str,
    bundle: &Bundle,
    locked: Locked,
) -> Result<(), InstallError> {
    let (lock, _) = read_lock(files, root).await?;
    let same = |before: &str| before.eq_ignore_ascii_case(name);
    if let Some((known, before)) = lock.skills.iter().find(|(known, _)| same(known))
        && (known != name || publisher(&before.source) != publisher(&locked.source))
    {
        return Err(InstallError::Taken { name: known.clone(), source_of: before.source.clone() });
    }
    change_lock(files, root, |lock| {
        lock.skills.insert(name.to_owned(), locked.clone());
    })
    .await?;
    for (path, bytes) in bundle.files() {
        files.put(&format!("{root}{name}/{path}"), bytes.clone(), Precondition::None).await?;
    }
    Ok(())
}

/// Forgets that a skill was installed; its files are the caller's to remove.
pub async fn forget(files: &dyn BlobStore, root: &str, name: &str) -> Result<bool, InstallError> {
    let mut known = false;
    change_lock(files, root, |lock| known = lock.skills.remove(name).is_some()).await?;
    Ok(known)
}

/// The lock of a shelf.
pub async fn lock(files: &dyn BlobStore, root: &str) -> Result<Lock, InstallError> {
    Ok(read_lock(files, root).await?.0)
}

async fn read_lock(files: &dyn BlobStore, root: &str) -> Result<(Lock, Precondition), InstallError> {
    let key = format!("{root}{LOCK_NAME}");
    let Some(blob) = files.get(&key).await? else { return Ok((Lock::default(), Precondition::Absent)) };
    let damaged = |error: serde_json::Error| InstallError::Unreadable { what: key, reason: error.to_string() };
    Ok((serde_json::from_slice(&blob.bytes).map_err(damaged)?, Precondition::Matches(blob.etag)))
}

async fn change_lock(files: &dyn BlobStore, root: &str, mut change: impl FnMut(&mut Lock)) -> Result<(), InstallError> {
    let key = format!("{root}{LOCK_NAME}");
    for _ in 0..ROUNDS {
        let (mut lock, precondition) = read_lock(files, root).await?;
        change(&mut lock);
        let text = serde_json::to_vec_pretty(&lock)
            .map_err(|error| InstallError::Unreadable { what: key.clone(), reason: error.to_string() })?;
        match files.put(&key, Bytes::from(text), precondition).await {
            Err(BlobError::Conflict(_)) => {}
            done => return Ok(done.map(drop)?),
        }
    }
    Err(InstallError::Store(BlobError::Conflict(key)))
}

/// What of the installed skills is not as it was installed: missing, changed, or added files, by skill.
pub async fn verify(files: &dyn BlobStore, root: &str) -> Result<Vec<(String, Vec<String>)>, InstallError> {
    let (lock, _) = read_lock(files, root).await?;
    let mut report = Vec::new();
    for (name, locked) in &lock.skills {
        let folder = format!("{root}{name}/");
        let mut wrong = Vec::new();
        for path in locked.files.keys() {
            match files.get(&format!("{folder}{path}")).await? {
                None => wrong.push(format!("{path} is missing")),
                Some(blob) if !locked.holds(path, &blob.bytes) => wrong.push(format!("{path} was changed")),
                Some(_) => {}
            }
        }
        let added = files.list(&folder, 1_000).await?;
        let added = added.iter().filter_map(|file| file.key.strip_prefix(&folder));
        wrong.extend(added.filter(|path| !locked.files.contains_key(*path)).map(|path| format!("{path} was added")));
        report.push((name.clone(), wrong));
    }
    Ok(report)
}

/// The files below a folder. Hidden ones are left out; links are refused, because nobody knows what they will name.
fn read_folder(folder: &Path) -> Result<Bundle, InstallError> {
    let mut bundle = Bundle::default();
    let mut open = vec![(folder.to_path_buf(), String::new())];
    while let Some((at, prefix)) = open.pop() {
        let unreadable = |error: std::io::Error| InstallError::Unreadable {
            what: at.display().to_string(),
            reason: error.to_string(),
        };
        for entry in std::fs::read_dir(&at).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(BundleError::Path(entry.file_name().to_string_lossy().into_owned()).into());
            };
            if name.starts_with('.') {
                continue;
            }
            let (path, metadata) = (format!("{prefix}{name}"), entry.path().symlink_metadata().map_err(unreadable)?);
            if metadata.is_symlink() {
                return Err(BundleError::Path(format!("{path} (a link)")).into());
            }
            if metadata.is_dir() {
                open.push((entry.path(), format!("{path}/")));
            } else if metadata.len() > MAX_FILE_BYTES as u64 {
                return Err(BundleError::TooLarge(path).into());
            } else {
                bundle.add(&path, Bytes::from(std::fs::read(entry.path()).map_err(unreadable)?))?;
            }
        }
    }
    Ok(bundle)
}

fn file_name(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
