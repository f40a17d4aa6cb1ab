//! Files in a folder: each key is a path below it, so that people can read and edit them with any tool.
//!
//! A file is written beside the folder, made durable, and renamed into place, so nobody ever sees a part of one.
//! A symbolic link anywhere on the way is not followed: what the folder names stays in the folder.

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed, Precondition, check_key};
use sha2::{Digest, Sha256};

/// Writers of different keys rarely share one of these.
const LOCKS: usize = 64;

/// [`BlobStore`] in a folder. What `put` answered is durable.
#[derive(Clone, Debug)]
pub struct FolderBlobs {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    files: PathBuf,
    incoming: PathBuf,
    written: AtomicU64,
    locks: [Mutex<()>; LOCKS],
}

impl FolderBlobs {
    /// Files below `files`. `incoming` is a folder on the same disk, emptied here, for files being written. Both are
    /// made if they do not exist.
    pub fn open(files: &Path, incoming: &Path) -> io::Result<Self> {
        fs::create_dir_all(files)?;
        fs::create_dir_all(incoming)?;
        for left in fs::read_dir(incoming)? {
            fs::remove_file(left?.path())?;
        }
        let folder = Folder {
            // The folder itself may be reached by links; what is below it may not.
            files: files.canonicalize()?,
            incoming: incoming.canonicalize()?,
            written: AtomicU64::new(0),
            locks: std::array::from_fn(|_| Mutex::new(())),
        };
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Removes the files below the folder `folder` (`media`) that nobody has written for this long, as a lifecycle rule
    /// does on S3, and says how many. A file that cannot be removed stays.
    pub async fn expire(&self, folder: &str, unwritten_for: Duration) -> Result<u32, BlobError> {
        let below = format!("{folder}/");
        self.run(move |files| files.expire(&below, unwritten_for)).await
    }

    /// Does what waits for the disk away from the threads that wait for nothing.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.map_err(|error| BlobError::Unavailable(error.to_string()))?
    }
}

#[async_trait]
impl BlobStore for FolderBlobs {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        check_key(key)?;
        let key = key.to_owned();
        self.run(move |folder| folder.read(&key)).await
    }

    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError> {
        Ok(self.get(key).await?.filter(|blob| blob.etag != etag))
    }

    async fn put(&self, key: &str, bytes: Bytes, precondition: Precondition) -> Result<String, BlobError> {
        check_key(key)?;
        let key = key.to_owned();
        self.run(move |folder| folder.write(&key, &bytes, &precondition)).await
    }

    async fn delete(&self, key: &str, etag: Option<&str>) -> Result<(), BlobError> {
        check_key(key)?;
        let (key, etag) = (key.to_owned(), etag.map(str::to_owned));
        self.run(move |folder| folder.remove(&key, etag.as_deref())).await
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Listed>, BlobError> {
        let prefix = prefix.to_owned();
        self.run(move |folder| folder.list(&prefix, limit)).await
    }
}

impl Folder {
    fn read(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        let Some(metadata) = self.look_up(key)? else { return Ok(None) };
        if !metadata.is_file() {
            return Ok(None);
        }
        match fs::read(self.files.join(key)) {
            Ok(bytes) => Ok(Some(Blob { etag: etag(&bytes), bytes: bytes.into() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(key, &error)),
        }
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: &Precondition) -> Result<String, BlobError> {
        let _writing = self.lock(key).lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever the precondition, links on the way are refused.
        let found = self.look_up(key)?;
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => found.is_none(),
            Precondition::Matches(etag) => self.read(key)?.is_some_and(|blob| blob.etag == *etag),
        };
        if !holds {
            return Err(BlobError::Conflict(key.to_owned()));
        }
        self.replace(key, bytes).map_err(|error| failed(key, &error))?;
        Ok(etag(bytes))
    }

    /// The folders on the way stay, so that nobody who writes beside it finds one gone.
    fn remove(&self, key: &str, etag: Option<&str>) -> Result<(), BlobError> {
        let _writing = self.lock(key).lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stored) = self.read(key)? else { return Ok(()) };
        if etag.is_some_and(|etag| etag != stored.etag) {
            return Err(BlobError::Conflict(key.to_owned()));
        }
        let path = self.files.join(key);
        let removed = fs::remove_file(&path).and_then(|()| sync_folder(path.parent().unwrap_or(&self.files)));
        removed.map_err(|error| failed(key, &error))
    }

    fn replace(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.files.join(key);
        let parent = path.parent().unwrap_or(&self.files);
        make_folders(parent)?;
        let incoming = self.incoming.join(self.written.fetch_add(1, Ordering::Relaxed).to_string());
        let written = (|| {
            let mut file = File::create_new(&incoming)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&incoming, &path)?;
            sync_folder(parent)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&incoming);
        }
        written
    }

    /// What is stored under a key, or `None`. Refuses links on the way to it.
    fn look_up(&self, key: &str) -> Result<Option<Metadata>, BlobError> {
        let mut path = self.files.clone();
        let mut found = None;
        for segment in key.split('/') {
            path.push(segment);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => {
                    let link = path.display();
                    return Err(BlobError::Unavailable(format!(
                        "{link} is a symbolic link, which is not followed: put the file itself there"
                    )));
                }
                Ok(metadata) => found = Some(metadata),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                Err(error) => return Err(failed(key, &error)),
            }
        }
        Ok(found)
    }

    fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Listed>, BlobError> {
        // Only what is in the folder that the prefix names can begin with it.
        let folder = match prefix.rsplit_once('/') {
            None => String::new(),
            Some((folder, _)) if self.is_folder(folder)? => format!("{folder}/"),
            Some(_) => return Ok(Vec::new()),
        };
        let mut keys = self.collect(folder, prefix).map_err(|error| failed(prefix, &error))?;
        keys.sort_unstable();
        keys.truncate(limit);
        let mut listed = Vec::with_capacity(keys.len());
        for key in keys {
            // A file that went away in the meantime is not listed.
            if let Some(blob) = self.read(&key)? {
                listed.push(Listed { key, etag: blob.etag, size: blob.bytes.len() as u64 });
            }
        }
        Ok(listed)
    }

    fn expire(&self, below: &str, unwritten_for: Duration) -> Result<u32, BlobError> {
        if !self.is_folder(below.trim_end_matches('/'))? {
            return Ok(0);
        }
        let keys = self.collect(below.to_owned(), below).map_err(|error| failed(below, &error))?;
        let old = |key: &String| {
            let written = fs::metadata(self.files.join(key)).and_then(|metadata| metadata.modified());
            written.ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= unwritten_for)
        };
        let removed = keys.iter().filter(|key| old(key)).filter(|key| fs::remove_file(self.files.join(key)).is_ok());
        Ok(u32::try_from(removed.count()).unwrap_or(u32::MAX))
    }

    fn is_folder(&self, key: &str) -> Result<bool, BlobError> {
        Ok(check_key(key).is_ok() && self.look_up(key)?.is_some_and(|found| found.is_dir()))
    }

    /// All keys below `folder` ("" or ending in '/') that begin with `prefix`. Names that are no keys are left out.
    fn collect(&self, folder: String, prefix: &str) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.files.join(&folder))? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let key = format!("{folder}{name}");
                let kind = entry.file_type()?;
                if !key.starts_with(prefix) || check_key(&key).is_err() {
                    continue;
                }
                if kind.is_dir() {
                    folders.push(format!("{key}/"));
                } else if kind.is_file() {
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }

    fn lock(&self, key: &str) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let [first, ..] = &self.locks;
        let at = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default();
        self.locks.get(at).unwrap_or(first)
    }
}

/// Makes the missing folders on the way, durably.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_folders(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

/// A name is durable when its folder is. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// 128 bits of a hash of the content.
fn etag(bytes: &[u8]) -> String {
    let mut hex = hex::encode(Sha256::digest(bytes));
    hex.truncate(32);
    hex
}

fn failed(key: &str, error: &io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::Full(key.to_owned()),
        // A folder cannot be a file too, and names have a length: on these keys no file can be.
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
            BlobError::BadKey(key.to_owned())
        }
        _ => BlobError::Unavailable(format!("\"{key}\": {error}")),
    }
}
