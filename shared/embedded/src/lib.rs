//! The ports on one machine: SQLite for sessions, queue and schedules, a folder for files, the environment for
//! secrets, a broadcast for events.
//!
//! Everything lives in one data folder:
//!
//! | name | what |
//! |---|---|
//! | `chela.sqlite` | the database, with `-wal` and `-shm` beside it while it is open |
//! | `files/` | the files, each under its key |
//! | `incoming/` | files being written |
//! | `chela.lock` | held by the process that works on the folder, with its process id |
//!
//! What is answered is durable. A folder belongs to one process at a time.

mod access;
mod approval;
mod blob;
mod channel_log;
mod cooldown;
mod database;
mod directory;
mod erasure;
mod event;
#[cfg(test)]
mod full_disk;
mod open;
mod queue;
mod schedule;
mod secret;
mod session;
mod spend;

pub use blob::FolderBlobs;
pub use event::LocalEvents;
pub use open::{Embedded, OpenError};
pub use queue::SqliteQueue;
pub use schedule::{Expression, SqliteSchedules};
pub use secret::LocalSecrets;
pub use session::SqliteSessions;
