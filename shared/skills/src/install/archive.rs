//! Archives, expanded in memory under the caps of a bundle.

use std::fs::File;
use std::path::Path;

use chela_archive::{ArchiveError, Files, Limits, untar, untar_gz, unzip};

use super::{InstallError, file_name};
use crate::bundle::{Bundle, BundleError, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};

/// What is unpacked at most; most entries are folders and hidden files.
const LIMITS: Limits = Limits { entries: 16 * MAX_FILES, file_bytes: MAX_FILE_BYTES, total_bytes: MAX_TOTAL_BYTES };

/// The skill in an archive: at its top, or in the one folder that holds everything, as archives of repositories have it.
pub(super) fn read(path: &Path) -> Result<(String, Bundle), InstallError> {
    let what = path.display().to_string();
    let unreadable = |reason: String| InstallError::Unreadable { what: what.clone(), reason };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let name = what.to_ascii_lowercase();
    let unpacked = if name.ends_with(".zip") {
        unzip(file, LIMITS, wanted)
    } else if name.ends_with(".tar") {
        untar(file, LIMITS, wanted)
    } else {
        untar_gz(file, LIMITS, wanted)
    };
    let files = unpacked.map_err(|error| match error {
        ArchiveError::Unreadable(reason) => unreadable(reason),
        ArchiveError::Name(path) => BundleError::Path(path).into(),
        ArchiveError::Kind(path) => BundleError::Path(format!("{path} (a link or a device)")).into(),
        ArchiveError::TooLarge(path) => BundleError::TooLarge(path).into(),
        ArchiveError::Twice(path) => BundleError::Twice(path).into(),
    })?;
    let stem = file_name(path);
    let stem = [".zip", ".tar.gz", ".tgz", ".tar"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(&stem);
    bundle(stem, files)
}

/// Hidden files, and what macOS packs beside everything, are left out.
fn wanted(path: &str) -> bool {
    let hidden = |segment: &str| segment.starts_with('.') && segment != "." && segment != "..";
    !path.split('/').any(|segment| hidden(segment) || segment == "__MACOSX")
}

fn bundle(stem: &str, files: Files) -> Result<(String, Bundle), InstallError> {
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
