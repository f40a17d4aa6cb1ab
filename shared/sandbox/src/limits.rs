//! How much a command may use. All together fit a function of 512 MB with 512 MB of `/tmp`.

/// Most memory of a command and all it started.
pub const MEMORY_BYTES: u64 = 320 * 1024 * 1024;

/// Most bytes of files.
pub const DISK_BYTES: u64 = 64 * 1024 * 1024;

/// Largest file.
pub(crate) const FILE_BYTES: u64 = 32 * 1024 * 1024;

/// Most files and folders.
pub const MOST_FILES: u64 = 10_000;

/// Most processes and threads.
pub const MOST_PROCESSES: u64 = 128;

/// Most open files of a process.
pub(crate) const OPEN_FILES: u64 = 256;

/// Most files that are brought back.
pub(crate) const FILES_BACK: usize = 256;

/// What they may hold together, unpacked.
pub(crate) const BYTES_BACK: usize = 16 * 1024 * 1024;

/// Who runs commands where the house is root: a user that owns nothing, in a range that systemd leaves free
/// (<https://systemd.io/UIDS-GIDS/>), so that no other process is its.
pub(crate) const NOBODY: u32 = 60_700;
