//! Which folder of the file store each agent works in: `agents/<id>/`, or the one that configuration gives it, which may
//! be another agent's. Everybody else asks for the files of an agent and need not know.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed, Precondition};

/// The file store as agents see it.
pub(crate) struct Workspaces {
    inner: Arc<dyn BlobStore>,
    /// Folders by id, of agents that have another one than their own.
    elsewhere: RwLock<BTreeMap<String, String>>,
}

/// Two beginnings of a key: what is asked for, and what is stored.
struct Moved {
    from: String,
    to: String,
}

impl Workspaces {
    pub(crate) fn new(inner: Arc<dyn BlobStore>) -> Self {
        Self { inner, elsewhere: RwLock::default() }
    }

    /// From here on these agents work elsewhere, and all others in their own folders.
    pub(crate) fn assign(&self, elsewhere: BTreeMap<String, String>) {
        *self.elsewhere.write().unwrap_or_else(PoisonError::into_inner) = elsewhere;
    }

    fn moved(&self, key: &str) -> Option<Moved> {
        let (agent, _) = key.strip_prefix("agents/")?.split_once('/')?;
        let elsewhere = self.elsewhere.read().unwrap_or_else(PoisonError::into_inner);
        let folder = elsewhere.get(agent)?;
        Some(Moved { from: format!("agents/{agent}/"), to: format!("agents/{folder}/") })
    }

    fn there(&self, key: &str) -> String {
        let there = self.moved(key).and_then(|Moved { from, to }| Some(to + key.strip_prefix(&from)?));
        there.unwrap_or_else(|| key.to_owned())
    }
}

#[async_trait]
impl BlobStore for Workspaces {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        self.inner.get(&self.there(key)).await
    }

    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError> {
        self.inner.get_if_changed(&self.there(key), etag).await
    }

    async fn put(&self, key: &str, bytes: Bytes, precondition: Precondition) -> Result<String, BlobError> {
        self.inner.put(&self.there(key), bytes, precondition).await
    }

    async fn delete(&self, key: &str, etag: Option<&str>) -> Result<(), BlobError> {
        self.inner.delete(&self.there(key), etag).await
    }

    async fn link(&self, key: &str, valid: Duration) -> Result<Option<String>, BlobError> {
        self.inner.link(&self.there(key), valid).await
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Listed>, BlobError> {
        let mut listed = self.inner.list(&self.there(prefix), limit).await?;
        if let Some(Moved { from, to }) = self.moved(prefix) {
            for file in &mut listed {
                if let Some(rest) = file.key.strip_prefix(&to) {
                    file.key = format!("{from}{rest}");
                }
            }
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use chela_core::clock::Millis;
    use chela_embedded::Embedded;
    use chela_testkit::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn two_agents_share_a_folder_and_each_calls_it_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path(), Arc::new(ManualClock::at(Millis(0)))).unwrap();
        let files = Workspaces::new(store.blobs.clone());
        files.assign(BTreeMap::from([("fox".into(), "main".into()), ("owl".into(), "nest".into())]));
        let put = async |key: &str| files.put(key, Bytes::from(key.to_owned()), Precondition::Absent).await;
        put("agents/fox/memory/a.md").await.unwrap();
        put("agents/owl/SOUL.md").await.unwrap();
        put("media/fox/1").await.unwrap();
        let there = async |key: &str| store.blobs.get(key).await.unwrap().is_some();
        assert!(there("agents/main/memory/a.md").await && !there("agents/fox/memory/a.md").await);
        assert!(there("agents/nest/SOUL.md").await && there("media/fox/1").await);
        assert!(matches!(put("agents/main/memory/a.md").await, Err(BlobError::Conflict(_))), "it is the same file");
        assert!(files.get("agents/main/memory/a.md").await.unwrap().is_some());
        let listed = files.list("agents/fox/memory/", 9).await.unwrap();
        assert_eq!(listed[0].key, "agents/fox/memory/a.md");
        assert!(files.get_if_changed("agents/fox/memory/a.md", &listed[0].etag).await.unwrap().is_none());
        for key in ["agents/fox/../main/x", "agents/owl/../../config/chela.json5"] {
            assert!(matches!(put(key).await, Err(BlobError::BadKey(_))), "{key}");
        }
        files.assign(BTreeMap::new());
        assert!(files.get("agents/fox/memory/a.md").await.unwrap().is_none());
    }
}
