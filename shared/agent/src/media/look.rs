//! Which files of a conversation a model looks at.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chela_core::blob::BlobStore;
use chela_core::model::{Block, ModelMessage};
use futures_util::future::join_all;

use crate::settings::Sees;

/// Most files a model is shown at once, the newest ones.
const MOST_FILES: usize = 8;

/// Largest of them: what the strictest provider takes.
pub(super) const MOST_BYTES: usize = 5 * 1024 * 1024;

/// Most bytes of all of them. In a request they grow by a third, and some providers take 20 MB.
const MOST_BYTES_IN_ALL: usize = 8 * 1024 * 1024;

/// The files among `messages` that a model with these eyes is shown, by key. What it is not shown is taken out of
/// `messages`; the line that tells of it stays. A file that cannot be read is not shown.
pub(crate) async fn files_for(
    store: &dyn BlobStore,
    sees: Sees,
    messages: &mut [ModelMessage],
) -> BTreeMap<String, Bytes> {
    let mut wanted: Vec<&str> = Vec::new();
    let newest_first = messages.iter().rev().flat_map(|message| message.blocks.iter().rev());
    for block in newest_first {
        if let Block::File { key, content_type } = block
            && shown(sees, content_type)
            && !wanted.contains(&key.as_str())
            && wanted.len() < MOST_FILES
        {
            wanted.push(key);
        }
    }
    let read = join_all(wanted.into_iter().map(async |key| {
        let blob = store.get(key).await.ok().flatten();
        blob.map(|blob| (key.to_owned(), blob.bytes))
    }));
    let mut files = BTreeMap::new();
    let mut left = MOST_BYTES_IN_ALL;
    for (key, bytes) in read.await.into_iter().flatten().filter(|(_, bytes)| bytes.len() <= MOST_BYTES) {
        // What is older than the first that does not fit is left out as well: a gap would be hard to explain.
        let Some(rest) = left.checked_sub(bytes.len()) else { break };
        left = rest;
        files.insert(key, bytes);
    }
    let mut known = BTreeSet::new();
    for message in messages {
        message.blocks.retain(|block| match block {
            // The same file twice is looked at once.
            Block::File { key, .. } => files.contains_key(key) && known.insert(key.clone()),
            _ => true,
        });
    }
    files
}

/// Whether a model with these eyes takes files of this type. Others (TIFF, HEIF, SVG) no provider takes.
fn shown(sees: Sees, content_type: &str) -> bool {
    match content_type {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => sees.image,
        "application/pdf" => sees.pdf,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chela_core::blob::Precondition;
    use chela_core::model::Role;
    use chela_embedded::FolderBlobs;

    use super::*;

    const FILES: [(&str, &str); 4] =
        [("a.png", "image/png"), ("b.pdf", "application/pdf"), ("c.tiff", "image/tiff"), ("d.webp", "image/webp")];

    /// What a provider would refuse is neither read nor sent, and nothing of it stays in the messages.
    #[tokio::test]
    async fn a_model_is_shown_what_it_sees() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap();
        for (key, _) in FILES {
            store.put(key, Bytes::from_static(b"x"), Precondition::None).await.unwrap();
        }
        let blocks = || FILES.map(|(key, kind)| Block::File { key: key.into(), content_type: kind.into() }).to_vec();
        for (sees, expected) in [
            (Sees { image: true, pdf: true }, vec!["a.png", "b.pdf", "d.webp"]),
            (Sees { image: true, pdf: false }, vec!["a.png", "d.webp"]),
            (Sees { image: false, pdf: true }, vec!["b.pdf"]),
            (Sees { image: false, pdf: false }, vec![]),
        ] {
            let mut messages = [ModelMessage { role: Role::User, blocks: blocks() }];
            let shown = files_for(&store, sees, &mut messages).await;
            assert_eq!(shown.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{sees:?}");
            assert_eq!(messages[0].blocks.len(), expected.len(), "{sees:?}");
        }
    }
}
