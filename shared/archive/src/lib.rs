//! Archives of strangers, expanded in memory under caps: the one way in which this house unpacks anything. What an archive
//! says of its sizes may be a lie, so what comes out is counted as it comes. Only files and folders come out: an archive
//! with a link, a device, a FIFO, a sparse file, or a name that could lead anywhere, is refused whole.

mod pack;

use std::collections::BTreeSet;
use std::io::Read;

use bytes::Bytes;

pub use pack::{from_text, pack, to_text};

/// Most folders a file may be in.
pub const MAX_DEPTH: usize = 16;

/// Longest name of a file, its folders included.
pub const MAX_NAME: usize = 200;

/// Bytes of an archive around each of its files: headers, a long name, times and owners, and what fills up blocks.
const AROUND: usize = 4096;

/// Files by their names, in the order of the archive.
pub type Files = Vec<(String, Bytes)>;

/// What an archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most entries that are looked at, folders and unwanted files included.
    pub entries: usize,
    /// Largest file.
    pub file_bytes: usize,
    /// All files together. It bounds how much a small archive can become, what is not wanted of it included.
    pub total_bytes: usize,
}

/// Why an archive was not unpacked. Nothing came out of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is no archive, or a damaged one.
    #[error("the archive cannot be read: {0}")]
    Unreadable(String),
    /// A name that could lead out of a folder.
    #[error("\"{0}\" is no name of a file in an archive: relative, without `..`, at most 200 bytes and 16 folders")]
    Name(String),
    /// Neither a file nor a folder.
    #[error("\"{0}\" is neither a file nor a folder, and nothing else is unpacked")]
    Kind(String),
    /// Too many files, or too many bytes.
    #[error("\"{0}\" goes beyond what an archive may hold")]
    TooLarge(String),
    /// Two entries that one name or one folder would be made from, also if only their case differs.
    #[error("\"{0}\" is there twice")]
    Twice(String),
}

/// Unpacks a tar archive; files that are not `wanted` are counted and dropped.
pub fn untar(from: impl Read, limits: Limits, wanted: impl Fn(&str) -> bool) -> Result<Files, ArchiveError> {
    // Names that stand before their entries are read whole, however long, so the archive itself has an end, too.
    let most = limits.entries.saturating_mul(AROUND).saturating_add(limits.total_bytes);
    let mut from = from.take(u64::try_from(most).unwrap_or(u64::MAX));
    let files = entries(&mut from, limits, wanted);
    // What was cut off looks like the end of an archive, or like a damaged one.
    if from.limit() == 0 { Err(ArchiveError::TooLarge("the archive".to_owned())) } else { files }
}

fn entries(from: impl Read, limits: Limits, wanted: impl Fn(&str) -> bool) -> Result<Files, ArchiveError> {
    let mut archive = tar::Archive::new(from);
    let mut room = Room::new(limits);
    for entry in archive.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            room.enter("")?;
            continue;
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(unreadable)?;
        room.enter(&name)?;
        if !(kind.is_file() || kind.is_dir() || kind.is_contiguous()) {
            return Err(ArchiveError::Kind(shown(&name)));
        }
        if !kind.is_dir() && wanted(&name) {
            room.take(&name, entry)?;
        }
    }
    Ok(room.files)
}

/// Unpacks a gzipped tar archive.
pub fn untar_gz(from: impl Read, limits: Limits, wanted: impl Fn(&str) -> bool) -> Result<Files, ArchiveError> {
    untar(flate2::read::GzDecoder::new(from), limits, wanted)
}

/// Unpacks a zip archive.
#[cfg(feature = "zip")]
pub fn unzip(
    from: impl Read + std::io::Seek,
    limits: Limits,
    wanted: impl Fn(&str) -> bool,
) -> Result<Files, ArchiveError> {
    let mut archive = zip::ZipArchive::new(from).map_err(unreadable)?;
    let mut room = Room::new(limits);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(unreadable)?;
        let name = entry.name().map_err(unreadable)?.into_owned();
        room.enter(&name)?;
        if entry.is_symlink() {
            return Err(ArchiveError::Kind(shown(&name)));
        }
        if entry.is_file() && wanted(&name) {
            room.take(&name, entry)?;
        }
    }
    Ok(room.files)
}

fn unreadable(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Unreadable(error.to_string())
}

/// A name as errors show it.
fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

/// What has come out, and how much more may.
struct Room {
    files: Files,
    limits: Limits,
    names: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Room {
    fn new(limits: Limits) -> Self {
        Self { files: Files::new(), limits, names: BTreeSet::new(), folders: BTreeSet::new() }
    }

    fn enter(&mut self, name: &str) -> Result<(), ArchiveError> {
        let left = self.limits.entries.checked_sub(1);
        self.limits.entries = left.ok_or_else(|| ArchiveError::TooLarge(shown(name)))?;
        Ok(())
    }

    fn take(&mut self, name: &str, from: impl Read) -> Result<(), ArchiveError> {
        let name = name.strip_prefix("./").unwrap_or(name);
        check_name(name)?;
        self.place(name)?;
        let most = self.limits.total_bytes.min(self.limits.file_bytes);
        let mut bytes = Vec::new();
        let limit = u64::try_from(most.saturating_add(1)).unwrap_or(u64::MAX);
        from.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > most {
            return Err(ArchiveError::TooLarge(shown(name)));
        }
        self.limits.total_bytes = self.limits.total_bytes.saturating_sub(bytes.len());
        self.files.push((name.to_owned(), bytes.into()));
        Ok(())
    }

    /// A place of its own for a file, on any file system: neither its name nor one of its folders is taken.
    fn place(&mut self, name: &str) -> Result<(), ArchiveError> {
        let lower = name.to_lowercase();
        let folders: Vec<String> =
            lower.match_indices('/').filter_map(|(end, _)| lower.get(..end)).map(str::to_owned).collect();
        if self.folders.contains(&lower) || folders.iter().any(|folder| self.names.contains(folder)) {
            return Err(ArchiveError::Twice(shown(name)));
        }
        if !self.names.insert(lower) {
            return Err(ArchiveError::Twice(shown(name)));
        }
        self.folders.extend(folders);
        Ok(())
    }
}

/// Refuses a name that could lead out of the folder it is put in, on any system.
pub fn check_name(name: &str) -> Result<(), ArchiveError> {
    let bad_segment = |segment: &str| matches!(segment, "" | "." | "..");
    let bad_char = |c: char| c.is_control() || matches!(c, '\\' | ':');
    if name.len() > MAX_NAME
        || name.split('/').count() > MAX_DEPTH
        || name.split('/').any(bad_segment)
        || name.chars().any(bad_char)
    {
        return Err(ArchiveError::Name(shown(name)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
