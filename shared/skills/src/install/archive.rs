//! Archives, expanded in memory under the caps of a bundle.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use super::{InstallError, file_name};
use crate::bundle::{Bundle, BundleError, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};

/// Most entries that are looked at, folders and hidden files included.
const MOST_ENTRIES: usize = 16 * MAX_FILES;

/// The skill in an archive: at its top, or in the one folder that holds everything, as archives of repositories have it.
pub(super) fn read(path: &Path) -> Result<(String, Bundle), InstallError> {
    let what = path.display().to_string();
    let unreadable = |reason: String| InstallError::Unreadable { what: what.clone(), reason };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let name = what.to_ascii_lowercase();
    let files = if name.ends_with(".zip") {
        unzip(file).map_err(|error| error.unwrap_or_else(unreadable))?
    } else if name.ends_with(".tar") {
        untar(file).map_err(|error| error.unwrap_or_else(unreadable))?
    } else {
        untar(flate2::read::GzDecoder::new(file)).map_err(|error| error.unwrap_or_else(unreadable))?
    };
    let stem = file_name(path);
    let stem = [".zip", ".tar.gz", ".tgz", ".tar"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(&stem);
    bundle(stem, files)
}

/// Either an error of ours, or why the archive cannot be read.
enum Failure {
    Ours(InstallError),
    Theirs(String),
}

impl Failure {
    fn unwrap_or_else(self, unreadable: impl FnOnce(String) -> InstallError) -> InstallError {
        match self {
            Self::Ours(error) => error,
            Self::Theirs(reason) => unreadable(reason),
        }
    }
}

fn theirs(error: impl std::fmt::Display) -> Failure {
    Failure::Theirs(error.to_string())
}

type Files = Vec<(String, Bytes)>;

/// What is unpacked is counted as it comes: what an archive says of its sizes may be a lie.
struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    fn new() -> Self {
        Self { entries: MOST_ENTRIES, bytes: MAX_TOTAL_BYTES }
    }

    fn take(&mut self, path: &str, from: impl Read) -> Result<Bytes, Failure> {
        let too_large = || Failure::Ours(BundleError::TooLarge(path.to_owned()).into());
        let most = self.bytes.min(MAX_FILE_BYTES);
        let mut bytes = Vec::new();
        let limit = u64::try_from(most.saturating_add(1)).unwrap_or(u64::MAX);
        from.take(limit).read_to_end(&mut bytes).map_err(theirs)?;
        if bytes.len() > most {
            return Err(too_large());
        }
        self.bytes = self.bytes.saturating_sub(bytes.len());
        Ok(bytes.into())
    }

    fn enter(&mut self, path: &str) -> Result<(), Failure> {
        self.entries =
            self.entries.checked_sub(1).ok_or_else(|| Failure::Ours(BundleError::TooLarge(path.to_owned()).into()))?;
        Ok(())
    }
}

fn link(path: &str) -> Failure {
    Failure::Ours(BundleError::Path(format!("{path} (a link)")).into())
}

fn unzip(file: File) -> Result<Files, Failure> {
    let mut archive = zip::ZipArchive::new(file).map_err(theirs)?;
    let (mut files, mut room) = (Files::new(), Room::new());
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(theirs)?;
        let path = entry.name().map_err(theirs)?.into_owned();
        room.enter(&path)?;
        if entry.is_symlink() {
            return Err(link(&path));
        }
        if entry.is_file() && wanted(&path) {
            let bytes = room.take(&path, entry)?;
            files.push((path, bytes));
        }
    }
    Ok(files)
}

fn untar(from: impl Read) -> Result<Files, Failure> {
    let mut archive = tar::Archive::new(from);
    let (mut files, mut room) = (Files::new(), Room::new());
    for entry in archive.entries().map_err(theirs)? {
        let entry = entry.map_err(theirs)?;
        let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(theirs)?;
        room.enter(&path)?;
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            return Err(link(&path));
        }
        if kind.is_file() && wanted(&path) {
            let bytes = room.take(&path, entry)?;
            files.push((path, bytes));
        }
    }
    Ok(files)
}

/// Hidden files, and what macOS packs beside everything, are left out.
fn wanted(path: &str) -> bool {
    let hidden = |segment: &str| segment.starts_with('.') && segment != "." && segment != "..";
    !path.split('/').any(|segment| hidden(segment) || segment == "__MACOSX")
}

fn bundle(stem: &str, files: Files) -> Result<(String, Bundle), InstallError> {
    let plain = |path: &str| path.strip_prefix("./").unwrap_or(path).to_owned();
    let files: Vec<(String, Bytes)> = files.into_iter().map(|(path, bytes)| (plain(&path), bytes)).collect();
    let at_top = files.iter().any(|(path, _)| path == "SKILL.md");
    let top = files.first().and_then(|(path, _)| path.split_once('/')).map(|(top, _)| format!("{top}/"));
    let shared = top.filter(|top| !at_top && files.iter().all(|(path, _)| path.starts_with(top.as_str())));
    let mut bundle = Bundle::default();
    for (path, bytes) in files {
        bundle.add(shared.as_deref().and_then(|top| path.strip_prefix(top)).unwrap_or(&path), bytes)?;
    }
    let folder = shared.map_or_else(|| stem.to_owned(), |top| top.trim_end_matches('/').to_owned());
    Ok((folder, bundle))
}
