//! Opening a data folder.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_core::clock::Clock;

use crate::blob::FolderBlobs;
use crate::database::{Database, DatabaseError, DatabaseOpenError};
use crate::event::LocalEvents;
use crate::queue::SqliteQueue;
use crate::schedule::SqliteSchedules;
use crate::session::SqliteSessions;

/// The adapters on one data folder. Dropping the last of them finishes what they were asked and closes the folder.
pub struct Embedded {
    /// Sessions and who may talk to us.
    pub sessions: Arc<SqliteSessions>,
    /// The three lanes.
    pub queue: Arc<SqliteQueue>,
    /// Files.
    pub blobs: Arc<FolderBlobs>,
    /// Schedules.
    pub schedules: Arc<SqliteSchedules>,
    /// Lifecycle events.
    pub events: Arc<LocalEvents>,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written to.
    #[error("the data folder {} cannot be written to ({reason}): give the user that runs chela the right to, or \
        choose another folder with --data", .folder.display())]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Another process works on it.
    #[error("the data folder {} is in use by {}: stop it, or choose another folder with --data", .folder.display(),
        .process.map_or("another chela".to_owned(), |id| format!("process {id}")))]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The other process, if it left its id.
        process: Option<u32>,
    },
    /// The disk is full.
    #[error("the disk that holds {} is full: free space there and start again", .0.display())]
    Full(PathBuf),
    /// A newer chela wrote the database.
    #[error("{0}")]
    Newer(String),
    /// The database is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The database cannot be used now: try again.
    #[error("{0}")]
    Unavailable(String),
}

impl Embedded {
    /// Opens the data folder, which is made if there is none, and everything in it. Opening it twice at once is
    /// refused.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let in_words = |error: std::io::Error| OpenError::of(folder, &error);
        make_folder(folder).map_err(in_words)?;
        let lock = lock(folder)?;
        let blobs = FolderBlobs::open(&folder.join("files"), &folder.join("incoming")).map_err(in_words)?;
        let now = clock.now();
        let first = |connection: &_| {
            SqliteSessions::release_all(connection)?;
            SqliteQueue::restore(connection, now)
        };
        let (database, lines) = Database::open(&folder.join("chela.sqlite"), first, lock)?;
        let database = Arc::new(database);
        Ok(Self {
            sessions: Arc::new(SqliteSessions::new(database.clone(), clock.clone())),
            queue: Arc::new(SqliteQueue::new(database.clone(), clock.clone(), lines)),
            blobs: Arc::new(blobs),
            schedules: Arc::new(SqliteSchedules::new(database, clock)),
            events: Arc::new(LocalEvents::new()),
        })
    }
}

impl OpenError {
    fn of(folder: &Path, error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(folder.to_owned()),
            _ => Self::NotWritable { folder: folder.to_owned(), reason: error.to_string() },
        }
    }
}

impl From<DatabaseOpenError> for OpenError {
    fn from(error: DatabaseOpenError) -> Self {
        let text = error.to_string();
        match error {
            DatabaseOpenError::Newer { .. } => Self::Newer(text),
            DatabaseOpenError::Database(DatabaseError::Full(path)) => Self::Full(path),
            DatabaseOpenError::Database(DatabaseError::Damaged { .. }) => Self::Damaged(text),
            DatabaseOpenError::Database(DatabaseError::Unavailable { .. }) => Self::Unavailable(text),
        }
    }
}

/// What is said in private is readable for its owner only.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The lock ends with the process that holds it, however that ends; the id in the file is for people.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let in_words = |error: std::io::Error| OpenError::of(folder, &error);
    let path = folder.join("chela.lock");
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(in_words)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut id = String::new();
            let process = file.read_to_string(&mut id).ok().and_then(|_| id.trim().parse().ok());
            return Err(OpenError::Locked { folder: folder.to_owned(), process });
        }
        Err(TryLockError::Error(error)) => return Err(in_words(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(in_words)?;
    Ok(file)
}
