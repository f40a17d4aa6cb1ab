//! A store of files in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed, Precondition};

/// A bucket in memory: its answers take no time.
#[derive(Default)]
pub(super) struct Bucket {
    files: Mutex<BTreeMap<String, Bytes>>,
}

#[async_trait]
impl BlobStore for Bucket {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        let found = self.files.lock().unwrap().get(key).cloned();
        Ok(found.map(|bytes| Blob { etag: format!("{}", bytes.len()), bytes }))
    }

    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError> {
        Ok(self.get(key).await?.filter(|blob| blob.etag != etag))
    }

    async fn put(&self, key: &str, bytes: Bytes, _: Precondition) -> Result<String, BlobError> {
        let etag = bytes.len().to_string();
        self.files.lock().unwrap().insert(key.to_owned(), bytes);
        Ok(etag)
    }

    async fn delete(&self, key: &str, _: Option<&str>) -> Result<(), BlobError> {
        self.files.lock().unwrap().remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Listed>, BlobError> {
        let files = self.files.lock().unwrap();
        let below = files.iter().filter(|(key, _)| key.starts_with(prefix)).take(limit);
        let listed = |(key, bytes): (&String, &Bytes)| Listed {
            key: key.clone(),
            etag: bytes.len().to_string(),
            size: bytes.len() as u64,
        };
        Ok(below.map(listed).collect())
    }
}
