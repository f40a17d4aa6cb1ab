//! What was installed from outside, pinned: a file that changed since is not followed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, file_hash};
use crate::scan::Finding;

/// The file's name in a folder of skills.
pub const LOCK_NAME: &str = "lock.json";

/// The installed skills of a folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// By the name of their folder.
    #[serde(default)]
    pub skills: BTreeMap<String, Locked>,
}

/// One installed skill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Locked {
    /// Where it came from.
    pub source: String,
    /// [`Bundle::hash`].
    pub hash: String,
    /// SHA-256 of each file.
    pub files: BTreeMap<String, String>,
    /// When, as RFC 3339.
    pub installed: String,
    /// What the scan warned of and the owner accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Finding>,
}

impl Locked {
    /// The record of a bundle.
    pub fn of(bundle: &Bundle, source: &str, installed: &str, accepted: Vec<Finding>) -> Self {
        let files = bundle.files().iter().map(|(path, bytes)| (path.clone(), file_hash(bytes))).collect();
        Self { source: source.to_owned(), hash: bundle.hash(), files, installed: installed.to_owned(), accepted }
    }

    /// Whether a file is as it was installed.
    pub fn holds(&self, path: &str, bytes: &[u8]) -> bool {
        self.files.get(path).is_some_and(|known| *known == file_hash(bytes))
    }
}
