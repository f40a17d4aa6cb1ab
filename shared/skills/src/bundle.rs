//! The files of one skill, with a hash that pins them.

use std::collections::BTreeMap;

use bytes::Bytes;
use chela_core::blob::check_key;
use sha2::{Digest, Sha256};

use crate::skill::{BadSkill, Skill, read_skill};

/// Most files of a skill: OpenClaw's limit.
pub const MAX_FILES: usize = 256;

/// Largest file.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Largest skill.
pub const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;

/// The files of a skill, each under its path below the skill's folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    files: BTreeMap<String, Bytes>,
}

/// Why files are no skill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// A path that could name anything outside the skill's folder, or hidden files.
    #[error("\"{0}\" is no name of a file of a skill: relative, without `..`, no hidden files")]
    Path(String),
    /// Too much of something.
    #[error(
        "a skill may have {MAX_FILES} files of {MAX_FILE_BYTES} bytes, {MAX_TOTAL_BYTES} bytes in all: {0} is beyond that"
    )]
    TooLarge(String),
    /// Two files with one name, also if only their case differs.
    #[error("\"{0}\" is there twice")]
    Twice(String),
    /// No SKILL.md.
    #[error("there is no SKILL.md in it")]
    NoSkillMd,
    /// SKILL.md is not one.
    #[error(transparent)]
    Skill(#[from] BadSkill),
}

impl Bundle {
    /// Adds a file.
    pub fn add(&mut self, path: &str, bytes: Bytes) -> Result<(), BundleError> {
        let hidden = path.split('/').any(|segment| segment.starts_with('.'));
        if check_key(path).is_err() || hidden || path.len() > 200 {
            return Err(BundleError::Path(path.chars().take(200).collect()));
        }
        if self.files.keys().any(|known| known.eq_ignore_ascii_case(path)) {
            return Err(BundleError::Twice(path.to_owned()));
        }
        let total = self.files.values().map(Bytes::len).sum::<usize>().saturating_add(bytes.len());
        if self.files.len() >= MAX_FILES || bytes.len() > MAX_FILE_BYTES || total > MAX_TOTAL_BYTES {
            return Err(BundleError::TooLarge(path.to_owned()));
        }
        self.files.insert(path.to_owned(), bytes);
        Ok(())
    }

    /// The files by path.
    pub fn files(&self) -> &BTreeMap<String, Bytes> {
        &self.files
    }

    /// What SKILL.md says; `folder` names it if it does not.
    pub fn skill(&self, folder: &str) -> Result<Skill, BundleError> {
        let skill_md = self.files.get("SKILL.md").ok_or(BundleError::NoSkillMd)?;
        Ok(read_skill(skill_md, folder)?)
    }

    /// SHA-256 over paths and contents, 64 hexadecimal digits: the same files give the same hash, wherever they came
    /// from.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (path, bytes) in &self.files {
            for part in [path.as_bytes(), bytes] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hex::encode(hash.finalize())
    }
}

/// SHA-256 of one file.
pub(crate) fn file_hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        let mut bundle = Bundle::default();
        files.iter().for_each(|(path, text)| bundle.add(path, Bytes::from((*text).to_owned())).unwrap());
        bundle
    }

    #[test]
    fn the_hash_pins_names_and_contents() {
        let one = bundle(&[("SKILL.md", "ab"), ("x", "c")]);
        assert_eq!(one.hash(), bundle(&[("x", "c"), ("SKILL.md", "ab")]).hash());
        for other in
            [[("SKILL.md", "ab"), ("y", "c")], [("SKILL.md", "a"), ("x", "bc")], [("SKILL.md", "ab"), ("x", "d")]]
        {
            assert_ne!(one.hash(), bundle(&other).hash());
        }
    }

    #[test]
    fn what_could_leave_the_folder_or_fill_it_is_refused() {
        let mut some = bundle(&[("SKILL.md", "x")]);
        for path in ["../x", "/x", "a/../b", ".git/config", "a/.env", "a\\b", "", "a//b", "c:\\x\\..\\y"] {
            assert!(matches!(some.add(path, Bytes::new()), Err(BundleError::Path(_))), "{path:?}");
        }
        assert_eq!(some.add("skill.MD", Bytes::new()), Err(BundleError::Twice("skill.MD".into())));
        let large = Bytes::from(vec![0; MAX_FILE_BYTES + 1]);
        assert!(matches!(some.add("large", large), Err(BundleError::TooLarge(_))));
        for number in 1..MAX_FILES {
            some.add(&number.to_string(), Bytes::new()).unwrap();
        }
        assert!(matches!(some.add("one-more", Bytes::new()), Err(BundleError::TooLarge(_))));
        let mut heavy = Bundle::default();
        let added = (0..9).map(|n| heavy.add(&n.to_string(), Bytes::from(vec![0; MAX_FILE_BYTES])));
        assert_eq!(added.filter(Result::is_err).count(), 1, "eight megabytes fit");
    }
}
