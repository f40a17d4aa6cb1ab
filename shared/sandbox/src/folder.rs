//! The folder a command works in: fresh, filled from an archive, looked through afterwards, wiped. The command may leave
//! anything there: links, devices, FIFOs, folders a thousand deep that nobody may enter.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use chela_archive::{Files, Limits, MAX_DEPTH, check_name, from_text, to_text};
use chela_core::sandbox::{CommandResult, MAX_ARCHIVE};

use crate::limits::{BYTES_BACK, FILES_BACK, MOST_FILES, NOBODY};

/// What may be brought.
const BROUGHT: Limits = Limits { entries: 1024, file_bytes: 16 * 1024 * 1024, total_bytes: 16 * 1024 * 1024 };

/// Most names of what is left out.
const NAMED: usize = 20;

/// Where this program lies in Lambda, and in a jail, which is made to look alike: there `/tmp` is its alone.
const LAMBDA: &str = "/var/task/";

/// That `/tmp`.
const OWN: &str = "/tmp";

/// A folder, gone when it is dropped.
pub(crate) struct Folder {
    root: tempfile::TempDir,
    brought: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    /// A fresh folder with the files of an archive. What others left in a `/tmp` of our own is wiped first: they may have
    /// been killed before they could.
    pub(crate) fn with(archive: &str) -> io::Result<Self> {
        let files = from_text(archive, BROUGHT).map_err(io::Error::other)?;
        let place = if alone() { PathBuf::from(OWN) } else { std::env::temp_dir() };
        if alone() {
            wipe(&place)?;
        }
        let root = tempfile::Builder::new().prefix("chela-sandbox-").tempdir_in(place)?;
        give_away(root.path())?;
        let folder = Self { root, brought: BTreeMap::new() };
        folder.fill(files)
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    fn fill(mut self, files: Files) -> io::Result<Self> {
        for (name, bytes) in files {
            let path = self.path().join(&name);
            for folder in name.match_indices('/').filter_map(|(end, _)| name.get(..end)) {
                let folder = self.path().join(folder);
                if !folder.exists() {
                    fs::create_dir(&folder)?;
                    give_away(&folder)?;
                }
            }
            let mode = if bytes.starts_with(b"#!") { 0o700 } else { 0o600 };
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?.write_all(&bytes)?;
            give_away(&path)?;
            self.brought.insert(name, bytes.to_vec());
        }
        Ok(self)
    }

    /// Packs what was made or changed into the result and names the rest.
    pub(crate) fn bring_back(&self, result: &mut CommandResult) -> io::Result<()> {
        let mut found = Found::default();
        found.look_through(self.path());
        let changed: Vec<(&str, &[u8])> = found
            .files
            .iter()
            .filter(|(name, bytes)| self.brought.get(*name) != Some(bytes))
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        let count = changed.len();
        let archive = to_text(changed).map_err(io::Error::other)?;
        if archive.len() > MAX_ARCHIVE {
            found.leave("everything", &format!("{count} files are over {MAX_ARCHIVE} bytes even when packed"));
        } else {
            result.archive = archive;
        }
        // What only cannot be looked at, below a folder that was closed, is not gone.
        let gone = |name: &&String| {
            let looked = fs::symlink_metadata(self.path().join(name));
            looked.is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        result.removed = self.brought.keys().filter(gone).cloned().collect();
        result.left_out = found.left_out;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is wiped before the next command; where `/tmp` is shared, the temporary folder
        // itself tries once more.
        let _ = wipe(self.path());
    }
}

/// Whether this process has a `/tmp` of its own: only then may it wipe all of it.
fn alone() -> bool {
    std::env::current_exe().is_ok_and(|exe| exe.starts_with(LAMBDA))
}

/// Where this process is root, commands are somebody else, who must own their files.
fn give_away(path: &Path) -> io::Result<()> {
    if rustix::process::geteuid().is_root() { chown(path, Some(NOBODY), Some(NOBODY)) } else { Ok(()) }
}

/// What a command left.
#[derive(Default)]
struct Found {
    files: BTreeMap<String, Vec<u8>>,
    left_out: Vec<String>,
    bytes: usize,
    seen: u64,
}

impl Found {
    fn look_through(&mut self, root: &Path) {
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(root.join(&folder)) else {
                self.leave(&folder.to_string_lossy(), "the folder cannot be read");
                continue;
            };
            for entry in entries.flatten() {
                self.seen = self.seen.saturating_add(1);
                if self.seen > MOST_FILES {
                    return self.leave("the rest", "there are too many files");
                }
                let path = folder.join(entry.file_name());
                let Some(name) = path.to_str().filter(|name| check_name(name).is_ok()).map(str::to_owned) else {
                    self.leave(&path.to_string_lossy(), "its name cannot be kept");
                    continue;
                };
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && path.components().count() < MAX_DEPTH => folders.push(path),
                    Ok(kind) if kind.is_file() => self.take(root, name),
                    Ok(kind) if kind.is_symlink() => self.leave(&name, "links are not brought back"),
                    _ => self.leave(&name, "it is neither a file nor a folder that can be kept"),
                }
            }
        }
    }

    fn take(&mut self, root: &Path, name: String) {
        match read(&root.join(&name), BYTES_BACK.saturating_sub(self.bytes)) {
            _ if self.files.len() >= FILES_BACK => self.leave(&name, "there are too many files"),
            Ok(Some(bytes)) => {
                self.bytes = self.bytes.saturating_add(bytes.len());
                self.files.insert(name, bytes);
            }
            Ok(None) => self.leave(&name, "it is too large"),
            Err(error) => self.leave(&name, &error.to_string()),
        }
    }

    fn leave(&mut self, name: &str, why: &str) {
        if self.left_out.len() < NAMED {
            let name: String = name.chars().take(chela_archive::MAX_NAME).flat_map(char::escape_debug).collect();
            self.left_out.push(format!("{name}: {why}"));
        }
    }
}

/// A file's bytes, `None` if there are more than `most`. Nothing is waited for: the name may have become a FIFO, and what
/// a hard link leads to may be anything.
fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(io::Error::other("it has several names, or is no file"));
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    if metadata.len() > limit {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Empties a folder, however deep: what lies in a folder is moved up before the folder is removed, so that no path is ever
/// longer than two names and nothing is kept open.
fn wipe(root: &Path) -> io::Result<()> {
    let mut moved: u64 = 0;
    loop {
        let entries: Vec<PathBuf> = fs::read_dir(root)?.flatten().map(|entry| entry.path()).collect();
        if entries.is_empty() {
            return Ok(());
        }
        for path in entries {
            if !fs::symlink_metadata(&path)?.is_dir() {
                fs::remove_file(&path)?;
                continue;
            }
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
            for inner in fs::read_dir(&path)?.flatten() {
                moved = moved.saturating_add(1);
                let inner = inner.path();
                if fs::symlink_metadata(&inner)?.is_dir() {
                    // A folder is moved by changing it, too.
                    fs::set_permissions(&inner, Permissions::from_mode(0o700))?;
                    fs::rename(&inner, root.join(format!(".wiped-{moved}-{}", std::process::id())))?;
                } else {
                    fs::remove_file(&inner)?;
                }
            }
            fs::remove_dir(&path)?;
        }
    }
}
