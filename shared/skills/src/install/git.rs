//! Repositories, cloned without history by the `git` of this machine, which runs nothing of what it fetches.

use std::path::{Component, Path};
use std::process::{Command, Stdio};

use super::{InstallError, file_name, read_folder};
use crate::bundle::{Bundle, BundleError};

/// Settings under which a repository can make `git` run nothing: no hooks, no helpers, no other transports.
const CAREFUL: [&str; 12] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "protocol.allow=never",
    "-c",
    "protocol.https.allow=always",
    "-c",
    "protocol.file.allow=always",
    "-c",
    "core.symlinks=false",
    "-c",
    "core.fsmonitor=false",
];

pub(super) fn read(
    url: &str,
    revision: Option<&str>,
    folder: Option<&str>,
    scratch: &Path,
) -> Result<(String, Bundle), InstallError> {
    let into = scratch.join("repository");
    let failed = |reason: String| InstallError::Unreadable { what: url.to_owned(), reason };
    // A revision that begins with a dash would be an option.
    if revision.is_some_and(|revision| revision.starts_with('-') || revision.chars().any(char::is_whitespace)) {
        return Err(failed("its revision is no commit, tag or branch".to_owned()));
    }
    std::fs::create_dir_all(&into).map_err(|error| failed(error.to_string()))?;
    git(&into, &["init", "--quiet"]).map_err(failed)?;
    git(&into, &["fetch", "--quiet", "--depth", "1", "--no-tags", "--", url, revision.unwrap_or("HEAD")])
        .map_err(failed)?;
    git(&into, &["checkout", "--quiet", "FETCH_HEAD"]).map_err(failed)?;
    let root = match folder {
        Some(folder) => {
            let inside = Path::new(folder).components().all(|part| matches!(part, Component::Normal(_)));
            if !inside {
                return Err(BundleError::Path(folder.to_owned()).into());
            }
            into.join(folder)
        }
        None => into.clone(),
    };
    if root.join("SKILL.md").is_file() {
        let name = if folder.is_some() { file_name(&root) } else { repository_name(url) };
        return Ok((name, read_folder(&root)?));
    }
    let mut skills = found(&into, &root, 0);
    skills.sort();
    match skills.as_slice() {
        [] => Err(BundleError::NoSkillMd.into()),
        [one] => Ok((file_name(&into.join(one)), read_folder(&into.join(one))?)),
        _ => Err(InstallError::Several(skills)),
    }
}

fn git(at: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("git")
        .args(CAREFUL)
        .args(arguments)
        .current_dir(at)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be run ({error}): install it"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(words.lines().find(|line| !line.trim().is_empty()).unwrap_or("git failed").to_owned())
}

/// Folders with a SKILL.md below `at`, as paths below `root`.
fn found(root: &Path, at: &Path, depth: usize) -> Vec<String> {
    if at.join("SKILL.md").is_file() {
        let path = at.strip_prefix(root).map(|path| path.to_string_lossy().into_owned());
        return path.into_iter().collect();
    }
    let Ok(entries) = std::fs::read_dir(at) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        !hidden && entry.file_type().is_ok_and(|kind| kind.is_dir())
    });
    if depth >= 4 {
        Vec::new()
    } else {
        folders.flat_map(|entry| found(root, &entry.path(), depth.saturating_add(1))).collect()
    }
}

fn repository_name(url: &str) -> String {
    let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".git").unwrap_or(name).to_owned()
}
