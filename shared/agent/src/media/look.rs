//! Which files of a conversation a model looks at.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::model::{Block, ModelMessage};
use chela_core::shown::{DOCUMENT_BYTES, PICTURE_BYTES, StoredFile, Unseen, add_line, files_of, is_own};
use futures_util::future::join_all;

use crate::settings::Sees;

/// Most files a model is shown at once, the newest ones.
const MOST_FILES: usize = 8;

/// Most bytes of all of them. In a request they grow by a third, and some providers take 20 MB.
const MOST_BYTES_IN_ALL: usize = 8 * 1024 * 1024;

/// Most pixels of a picture along one side: <https://docs.claude.com/en/docs/build-with-claude/vision#faq>.
const MOST_PIXELS: usize = 8_000;

/// The files among `messages` that a model with these eyes is shown, by key. What it is not shown is taken out of
/// `messages`; the line that tells of a message's file stays, and one is put under the result that would have shown it.
/// A file that cannot be read is not shown, nor is one of another agent.
pub(crate) async fn files_for(
    store: &dyn BlobStore,
    agent: &AgentId,
    sees: Sees,
    messages: &mut [ModelMessage],
) -> BTreeMap<String, Bytes> {
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    let newest_first = messages.iter().rev().flat_map(|message| message.blocks.iter().rev());
    for (key, content_type) in newest_first.flat_map(|block| files_of(block).rev()) {
        let known = wanted.iter().any(|(wanted, _)| *wanted == key);
        if shown(sees, content_type) && is_own(agent, key) && !known && wanted.len() < MOST_FILES {
            wanted.push((key, content_type));
        }
    }
    let read = join_all(wanted.into_iter().map(async |(key, content_type)| {
        let blob = store.get(key).await.ok().flatten()?;
        fits(content_type, &blob.bytes).then(|| (key.to_owned(), blob.bytes))
    }));
    let mut files = BTreeMap::new();
    let mut left = MOST_BYTES_IN_ALL;
    for (key, bytes) in read.await.into_iter().flatten() {
        // What is older than the first that does not fit is left out as well: a gap would be hard to explain.
        let Some(rest) = left.checked_sub(bytes.len()) else { break };
        left = rest;
        files.insert(key, bytes);
    }
    // The same file twice is looked at once.
    let mut known = BTreeSet::new();
    for message in messages {
        message.blocks.retain_mut(|block| match block {
            Block::File { key, .. } => files.contains_key(key) && known.insert(key.clone()),
            Block::ToolResult { text, files: of_result, .. } => {
                unsee(text, of_result, |file| match files.contains_key(&file.key) {
                    true => (!known.insert(file.key.clone())).then_some(Unseen::Again),
                    false if shown(sees, &file.content_type) => Some(Unseen::Unfit),
                    false => Some(Unseen::ByThisModel),
                });
                true
            }
            _ => true,
        });
    }
    files
}

/// Takes files out of a result for which there is a reason, and puts a line for each under its words.
pub(crate) fn unsee(
    text: &mut String,
    files: &mut Vec<StoredFile>,
    mut reason: impl FnMut(&StoredFile) -> Option<Unseen>,
) {
    files.retain(|file| {
        let unseen = reason(file);
        if unseen.is_some() {
            add_line(text, &file.line(unseen));
        }
        unseen.is_none()
    });
}

/// Whether every provider takes a file of this size. A picture whose size cannot be read nobody could look at.
pub(super) fn fits(content_type: &str, bytes: &[u8]) -> bool {
    if !content_type.starts_with("image/") {
        return bytes.len() <= DOCUMENT_BYTES;
    }
    let size = imagesize::blob_size(bytes);
    bytes.len() <= PICTURE_BYTES && size.is_ok_and(|size| size.width <= MOST_PIXELS && size.height <= MOST_PIXELS)
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

    const SEES: Sees = Sees { image: true, pdf: true };

    const FILES: [(&str, &str); 4] = [
        ("media/main/a.png", "image/png"),
        ("media/main/b.pdf", "application/pdf"),
        ("media/main/c.tiff", "image/tiff"),
        ("media/main/d.webp", "image/webp"),
    ];

    fn png(width: u32, height: u32) -> Bytes {
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        [head, width.to_be_bytes().to_vec(), height.to_be_bytes().to_vec(), vec![8, 6, 0, 0, 0]].concat().into()
    }

    struct World {
        store: FolderBlobs,
        _folder: tempfile::TempDir,
    }

    impl World {
        async fn of(files: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap();
            for key in files {
                store.put(key, png(16, 16), Precondition::None).await.unwrap();
            }
            Self { store, _folder: folder }
        }

        async fn shown(&self, sees: Sees, blocks: Vec<Block>) -> (Vec<String>, Vec<Block>) {
            let mut messages = [ModelMessage { role: Role::User, blocks }];
            let shown = files_for(&self.store, &AgentId::new("main"), sees, &mut messages).await;
            let [message] = messages;
            (shown.into_keys().collect(), message.blocks)
        }
    }

    fn result(files: &[(&str, &str)]) -> Block {
        let file = |(key, kind): &(&str, &str)| StoredFile { key: (*key).into(), content_type: (*kind).into() };
        Block::ToolResult {
            id: "a".into(),
            text: "Seen.".into(),
            is_error: false,
            files: files.iter().map(file).collect(),
        }
    }

    /// What a provider would refuse is neither read nor sent, and nothing of it stays in the messages; beside a result
    /// stands why.
    #[tokio::test]
    async fn a_model_is_shown_what_it_sees() {
        let world = World::of(&FILES.map(|(key, _)| key)).await;
        for (sees, expected) in [
            (SEES, vec!["media/main/a.png", "media/main/b.pdf", "media/main/d.webp"]),
            (Sees { image: true, pdf: false }, vec!["media/main/a.png", "media/main/d.webp"]),
            (Sees { image: false, pdf: true }, vec!["media/main/b.pdf"]),
            (Sees { image: false, pdf: false }, vec![]),
        ] {
            let blocks = FILES.map(|(key, kind)| Block::File { key: key.into(), content_type: kind.into() }).to_vec();
            let (shown, left) = world.shown(sees, blocks).await;
            assert_eq!(
                (shown.clone(), left.len()),
                (expected.iter().map(|key| (*key).to_owned()).collect(), expected.len())
            );
            let (of_result, left) = world.shown(sees, vec![result(&FILES)]).await;
            assert_eq!(of_result, shown, "{sees:?}");
            let Block::ToolResult { text, files, .. } = &left[0] else { panic!("it stays a result") };
            assert_eq!(files.len(), expected.len(), "{sees:?}");
            assert_eq!(text.matches("which this model cannot see").count(), 4 - expected.len(), "{text}");
        }
    }

    /// A result in a stored conversation cannot name whatever lies in the store.
    #[tokio::test]
    async fn nothing_but_the_agents_own_files_is_shown() {
        let strange = ["media/other/a.png", "agents/main/a.png", "config/a.png"];
        let world = World::of(&strange).await;
        let (shown, left) = world.shown(SEES, vec![result(&strange.map(|key| (key, "image/png")))]).await;
        assert_eq!(shown, Vec::<String>::new());
        assert!(
            matches!(&left[0], Block::ToolResult { text, files, .. } if files.is_empty() && text.contains("cannot be shown"))
        );
    }

    #[tokio::test]
    async fn what_is_gone_or_no_provider_would_take_is_told_and_the_same_twice_is_shown_once() {
        let world = World::of(&["media/main/a.png"]).await;
        world.store.put("media/main/wide.png", png(8_001, 2), Precondition::None).await.unwrap();
        world.store.put("media/main/torn.png", Bytes::from_static(b"\x89PNG"), Precondition::None).await.unwrap();
        let keys = ["a", "wide", "torn", "gone", "a"].map(|name| format!("media/main/{name}.png"));
        let files: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "image/png")).collect();
        let (shown, left) = world.shown(SEES, vec![result(&files)]).await;
        assert_eq!(shown, ["media/main/a.png"]);
        let Block::ToolResult { text, files, .. } = &left[0] else { panic!("it stays a result") };
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(
            lines,
            [
                "[a picture, which cannot be shown: wide.png]",
                "[a picture, which cannot be shown: torn.png]",
                "[a picture, which cannot be shown: gone.png]",
                "[a picture, which is shown above: a.png]",
            ]
        );
    }
}
