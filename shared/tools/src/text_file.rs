//! One text file of an agent's workspace.

use bytes::Bytes;
use chela_core::blob::{Blob, BlobError, BlobStore, Precondition, check_key};
use chela_core::tool::ToolCall;
use chela_memory::Audience;

/// Largest file a tool writes, and largest it looks into.
pub(crate) const WRITE_MAX: usize = 256 * 1024;

/// Folder of what is derived from other files; tools for the model neither see nor change it.
pub(crate) const DERIVED: &str = "index";

/// What pins the skills that were installed (`chela skills`): who may write it can change a skill and its pin alike.
const PINS: &str = "skills/lock.json";

/// A file that may or may not exist.
pub(crate) struct TextFile<'a> {
    files: &'a dyn BlobStore,
    /// As the model named it, cleaned: what answers call it.
    pub(crate) path: String,
    key: String,
}

/// A file's text and the tag that proves which version it is.
pub(crate) struct Version {
    pub(crate) text: String,
    pub(crate) etag: String,
}

/// What came of a write.
pub(crate) enum Written {
    /// It is done.
    Stored,
    /// Somebody else changed the file since it was read: nothing is done.
    Conflict,
}

impl<'a> TextFile<'a> {
    /// Names a file by its path in the workspace, to be read.
    pub(crate) fn to_read(call: &ToolCall<'a>, path: &str) -> Result<Self, String> {
        Self::named(call, path, Audience::may_read)
    }

    /// Names a file by its path in the workspace, to be written.
    pub(crate) fn to_write(call: &ToolCall<'a>, path: &str) -> Result<Self, String> {
        let file = Self::named(call, path, Audience::may_write)?;
        if file.path.eq_ignore_ascii_case(PINS) {
            return Err(format!(
                "{PINS} says how installed skills must look; only your human changes it, with `chela skills`."
            ));
        }
        Ok(file)
    }

    fn named(call: &ToolCall<'a>, path: &str, may: fn(&Audience, &str) -> bool) -> Result<Self, String> {
        let path = clean(path)?;
        if !may(&Audience::of(call.caller, call.session), &path) {
            return Err(format!("{path} is your human's: it is out of reach in a turn for guests."));
        }
        let key = format!("agents/{}/{path}", call.agent.as_str());
        check_key(&key).map_err(|_| outside(&path))?;
        Ok(Self { files: call.files, path, key })
    }

    /// What is stored, whatever it is; `None` if there is no such file.
    pub(crate) async fn stored(&self) -> Result<Option<Blob>, String> {
        self.files.get(&self.key).await.map_err(|error| self.trouble(&error))
    }

    /// The current version, `None` if there is no such file.
    pub(crate) async fn read(&self) -> Result<Option<Version>, String> {
        self.stored().await?.map(|blob| self.version(blob)).transpose()
    }

    /// The text of what is stored.
    pub(crate) fn version(&self, blob: Blob) -> Result<Version, String> {
        if blob.bytes.contains(&0) {
            return Err(self.binary());
        }
        let text = String::from_utf8(blob.bytes.to_vec()).map_err(|_| self.binary())?;
        Ok(Version { text, etag: blob.etag })
    }

    /// Stores a text if the file is still as it was read; `None` for a file that was not there.
    pub(crate) async fn replace(&self, read: Option<&Version>, text: String) -> Result<Written, String> {
        if text.len() > WRITE_MAX {
            return Err(format!(
                "{} would have {} bytes; at most {WRITE_MAX} can be written. Split it into several files.",
                self.path,
                text.len()
            ));
        }
        let precondition = read.map_or(Precondition::Absent, |version| Precondition::Matches(version.etag.clone()));
        match self.files.put(&self.key, Bytes::from(text), precondition).await {
            Ok(_) => Ok(Written::Stored),
            Err(BlobError::Conflict(_)) => Ok(Written::Conflict),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Removes the file if it is still as it was read.
    pub(crate) async fn remove(&self, read: &Version) -> Result<Written, String> {
        match self.files.delete(&self.key, Some(&read.etag)).await {
            Ok(()) => Ok(Written::Stored),
            Err(BlobError::Conflict(_)) => Ok(Written::Conflict),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Removes any file that still has this tag.
    pub(crate) async fn discard(&self, etag: &str) -> Result<(), BlobError> {
        self.files.delete(&self.key, Some(etag)).await
    }

    /// Stores any bytes.
    pub(crate) async fn store(&self, bytes: Bytes, precondition: Precondition) -> Result<(), BlobError> {
        self.files.put(&self.key, bytes, precondition).await.map(drop)
    }

    /// Names of files below this one, if it is a folder.
    pub(crate) async fn below(&self, limit: usize) -> Result<Vec<String>, String> {
        let folder = format!("{}/", self.key);
        let listed = self.files.list(&folder, limit).await.map_err(|error| self.trouble(&error))?;
        let names = listed.into_iter().filter_map(|file| file.key.strip_prefix(&folder).map(str::to_owned));
        Ok(names.collect())
    }

    /// What to say when two conflicts followed each other.
    pub(crate) fn contended(&self) -> String {
        format!("{} was changed by somebody else at the same time. Read it again, then repeat your change.", self.path)
    }

    fn binary(&self) -> String {
        format!("{} is not a text file, so it cannot be shown or edited here.", self.path)
    }

    fn trouble(&self, error: &BlobError) -> String {
        match error {
            BlobError::BadKey(_) => outside(&self.path),
            BlobError::Full(_) => format!("There is no room left to write {}. Tell your human.", self.path),
            BlobError::Conflict(_) => self.contended(),
            BlobError::Unavailable(reason) => format!("The file store does not answer ({reason}). Try again later."),
        }
    }
}

/// Whether a file that a listing named may be seen: it must be one that could be read by its name.
pub(crate) fn visible(call: &ToolCall<'_>, path: &str) -> bool {
    TextFile::to_read(call, path).is_ok_and(|file| file.path == path)
}

fn outside(path: &str) -> String {
    format!("\"{path}\" is not a path in your workspace. Use a relative one, such as notes/plan.md, without \"..\".")
}

/// A relative path without decoration. What would leave the workspace is refused, never repaired.
fn clean(path: &str) -> Result<String, String> {
    let mut rest = path.trim();
    while let Some(shorter) = rest.strip_prefix("./") {
        rest = shorter;
    }
    let rest = rest.trim_end_matches('/');
    let absolute = path.trim().starts_with(['/', '~']) || rest.contains(':');
    let first = rest.split('/').next().unwrap_or_default();
    if absolute || rest.is_empty() || rest == "." || first.eq_ignore_ascii_case(DERIVED) {
        return Err(outside(path));
    }
    Ok(rest.to_owned())
}
