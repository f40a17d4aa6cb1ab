//! Files: memory, media, configuration. An S3 bucket or a folder.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// A stored file.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    /// The content.
    pub bytes: Bytes,
    /// Changes whenever the content does; what [`Precondition::Matches`] takes.
    pub etag: String,
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Precondition {
    /// Nothing: the last writer wins.
    None,
    /// The key must be free.
    Absent,
    /// The stored file must still have this tag.
    Matches(String),
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The precondition did not hold: read again, merge, write again.
    #[error("\"{0}\" was changed by somebody else")]
    Conflict(String),
    /// The key is not one: empty, absolute, or with `.`/`..` or empty segments.
    #[error("\"{0}\" is not a key: use relative names separated by '/', without '.' or '..' segments")]
    BadKey(String),
    /// The disk is full or the bucket refuses more.
    #[error("no room to write \"{0}\"")]
    Full(String),
    /// The store did not answer: try again.
    #[error("the file store is unavailable: {0}")]
    Unavailable(String),
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The whole key.
    pub key: String,
    /// As in [`Blob::etag`].
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

/// Keeps files under keys such as `agents/main/SOUL.md`.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// The file, or `None`.
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError>;

    /// The file unless it still has `etag`: `None` then, or when it does not exist.
    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError>;

    /// Writes the whole file if `precondition` holds and answers its new tag. Two racing writers with the same
    /// precondition: exactly one wins, the other gets [`BlobError::Conflict`].
    async fn put(&self, key: &str, bytes: Bytes, precondition: Precondition) -> Result<String, BlobError>;

    /// Removes the file, if it still has `etag` where one is given; else [`BlobError::Conflict`]. A file that is not there
    /// is removed already, so twice is the same as once.
    async fn delete(&self, key: &str, etag: Option<&str>) -> Result<(), BlobError>;

    /// A URL under which anybody can fetch the file for a while; `None` where files have none.
    async fn link(&self, _key: &str, _valid: Duration) -> Result<Option<String>, BlobError> {
        Ok(None)
    }

    /// All files whose key begins with `prefix`, in key order, at most `limit`.
    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Listed>, BlobError>;
}

/// Refuses what could name anything outside the store. Adapters call it first.
pub fn check_key(key: &str) -> Result<(), BlobError> {
    let bad_segment = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    let bad_char = |c: char| c.is_control() || c == '\\';
    if key.len() > 1000 || key.split('/').any(bad_segment) || key.chars().any(bad_char) {
        return Err(BlobError::BadKey(key.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_the_store() {
        for key in ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "a\\..\\b", "a\0b", "./a"] {
            assert!(check_key(key).is_err(), "{key:?} must be refused");
        }
        assert!(check_key("agents/main/memory/2026-01-01.md").is_ok());
    }
}
