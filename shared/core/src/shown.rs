//! Files that a model looks at: pictures and documents that came with a message, or that a tool shows beside its words.
//! The file lies in the store; transcripts hold where, and what it is by its own bytes.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::agent_id::AgentId;
use crate::blob::Precondition;
use crate::model::Block;
use crate::tool::ToolCall;

/// Largest picture that is shown: in base64, as requests carry it, it is 5 MiB, which is what the strictest provider takes.
pub const PICTURE_BYTES: usize = 15 * 1024 * 1024 / 4;

/// Largest document.
pub const DOCUMENT_BYTES: usize = 5 * 1024 * 1024;

/// Most files that one result shows.
pub const MOST_FILES: usize = 4;

/// A file in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its key in the file store.
    pub key: String,
    /// What it is, by its own bytes.
    pub content_type: String,
}

/// Why a file that a result shows is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The model takes none of this kind.
    ByThisModel,
    /// Newer ones are looked at.
    Old,
    /// It stands further up already.
    Again,
    /// It is gone, or more than a provider takes.
    Unfit,
}

impl StoredFile {
    /// The line that stands for it among words: `[a picture: a1b2.png]`.
    pub fn line(&self, unseen: Option<Unseen>) -> String {
        let what = match self.content_type.as_str() {
            "application/pdf" => "a document",
            kind if kind.starts_with("image/") => "a picture",
            _ => "a file",
        };
        let why = match unseen {
            None => "",
            Some(Unseen::ByThisModel) => ", which this model cannot see",
            Some(Unseen::Old) => ", which is not shown any more",
            Some(Unseen::Again) => ", which is shown above",
            Some(Unseen::Unfit) => ", which cannot be shown",
        };
        let name = self.key.rsplit('/').next().unwrap_or(&self.key);
        format!("[{what}{why}: {name}]")
    }
}

/// The words of a result with a line for each file that it shows.
pub fn in_words<'a>(text: &'a str, files: &[StoredFile]) -> Cow<'a, str> {
    if files.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut words = text.to_owned();
    files.iter().for_each(|file| add_line(&mut words, &file.line(None)));
    Cow::Owned(words)
}

/// Puts a line under words.
pub fn add_line(words: &mut String, line: &str) {
    if !words.is_empty() {
        words.push('\n');
    }
    words.push_str(line);
}

/// The files in a block, as key and type.
pub fn files_of(block: &Block) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    let (own, shown) = match block {
        Block::File { key, content_type } => (Some((key.as_str(), content_type.as_str())), &[][..]),
        Block::ToolResult { files, .. } => (None, files.as_slice()),
        _ => (None, &[][..]),
    };
    own.into_iter().chain(shown.iter().map(|file| (file.key.as_str(), file.content_type.as_str())))
}

/// Whether a key is one of those under which an agent's models find files.
pub fn is_own(agent: &AgentId, key: &str) -> bool {
    key.strip_prefix("media/")
        .and_then(|rest| rest.strip_prefix(agent.as_str()))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The type and extension of a picture or document that models look at, by its first bytes.
pub fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(("image/png", "png")),
        [0xff, 0xd8, 0xff, ..] => Some(("image/jpeg", "jpg")),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(("image/gif", "gif")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("image/webp", "webp")),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(("application/pdf", "pdf")),
        _ => None,
    }
}

/// Stores a file that a call shows, a copy that stays what it is while the workspace changes. The same file twice in a
/// conversation is one. Says in words for the model why it cannot be shown: another kind, too large, no store.
pub async fn store(call: &ToolCall<'_>, bytes: Bytes) -> Result<StoredFile, String> {
    let (content_type, extension) = kind(&bytes).ok_or("Only png, jpeg, gif, webp and PDF can be looked at.")?;
    let most = if extension == "pdf" { DOCUMENT_BYTES } else { PICTURE_BYTES };
    if bytes.len() > most {
        return Err(format!("It has {} bytes and cannot be looked at: at most {most}.", bytes.len()));
    }
    let mut hash = Sha256::new();
    // A conversation's files go with it, so no two share one.
    hash.update((call.session.as_str().len() as u64).to_be_bytes());
    hash.update(call.session.as_str());
    hash.update(&bytes);
    let mut name = hex::encode(hash.finalize());
    name.truncate(24);
    let key = format!("media/{}/{name}.{extension}", call.agent.as_str());
    let stored = call.files.put(&key, bytes, Precondition::None).await;
    stored.map_err(|error| format!("It cannot be looked at now: {error}."))?;
    Ok(StoredFile { key, content_type: content_type.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str, content_type: &str) -> StoredFile {
        StoredFile { key: key.into(), content_type: content_type.into() }
    }

    #[test]
    fn a_line_says_what_and_why() {
        let picture = file("media/main/a.png", "image/png");
        assert_eq!(picture.line(None), "[a picture: a.png]");
        assert_eq!(picture.line(Some(Unseen::ByThisModel)), "[a picture, which this model cannot see: a.png]");
        assert_eq!(
            file("b.pdf", "application/pdf").line(Some(Unseen::Old)),
            "[a document, which is not shown any more: b.pdf]"
        );
        assert_eq!(
            in_words("Done.", &[picture.clone(), picture.clone()]),
            "Done.\n[a picture: a.png]\n[a picture: a.png]"
        );
        assert_eq!((in_words("", &[picture]), in_words("Done.", &[])), ("[a picture: a.png]".into(), "Done.".into()));
    }

    #[test]
    fn results_of_before_are_read_and_words_alone_are_stored_as_before() {
        let stored = serde_json::json!({"type": "tool_result", "id": "a", "text": "seen", "is_error": false});
        let block: Block = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(files_of(&block).count(), 0);
        assert_eq!(serde_json::to_value(&block).unwrap(), stored);
        let Block::ToolResult { id, text, is_error, .. } = block else { panic!("a result") };
        let showing = Block::ToolResult { id, text, is_error, files: vec![file("media/main/a.png", "image/png")] };
        let again: Block = serde_json::from_value(serde_json::to_value(&showing).unwrap()).unwrap();
        assert_eq!(again, showing);
        assert_eq!(files_of(&again).collect::<Vec<_>>(), [("media/main/a.png", "image/png")]);
    }

    #[test]
    fn the_bytes_say_what_can_be_looked_at() {
        let kinds = [
            (&b"\x89PNG\r\n\x1a\n.."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"%PDF-1.7", Some("application/pdf")),
            (b"RIFF\0\0\0\0WAVE", None),
            (b"<svg xmlns", None),
            (b"II*\0", None),
            (b"", None),
        ];
        for (bytes, expected) in kinds {
            assert_eq!(kind(bytes).map(|(content_type, _)| content_type), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_agents_files_are_its_own() {
        let agent = AgentId::new("main");
        assert!(is_own(&agent, "media/main/a.png"));
        for other in ["media/mainly/a.png", "media/other/a.png", "agents/main/MEMORY.md", "media/main", "a.png"] {
            assert!(!is_own(&agent, other), "{other}");
        }
    }
}
