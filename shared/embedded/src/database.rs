//! The database: one file, one thread that owns the connection, and group commit.
//!
//! A commit waits for the disk, which costs more than the rows it makes durable. So work arrives over a channel, all
//! that waits is run in one transaction, the disk is awaited once, and only then is everybody answered: what was
//! answered is durable. If anything in a transaction fails it is rolled back as a whole and each piece of work is
//! run again in a transaction of its own, so that one that cannot succeed harms no other.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

/// Most pieces of work in one transaction: bounds how long the first of them waits for the last.
const BATCH: usize = 512;

/// Pages of 4 KB in the log before they are copied to the database: 16 MB, four times the default, because each copy
/// awaits the disk twice while everybody waits. <https://sqlite.org/wal.html#performance_considerations>
const CHECKPOINT_PAGES: u32 = 4000;

/// Statements kept compiled; more than this crate has.
const STATEMENTS: usize = 80;

/// How long another program that reads the file (a backup) may keep us waiting.
const BUSY: Duration = Duration::from_secs(5);

/// The forms of the file, oldest first: each step leads from one to the next, and `PRAGMA user_version` counts them.
/// A step is never changed once released.
const MIGRATIONS: [&str; 7] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
];

/// Why the database did not do its work. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// The disk is full.
    #[error("the disk that holds {} is full: free space there and try again", .0.display())]
    Full(PathBuf),
    /// Try again.
    #[error("{} cannot be used now: {}", .path.display(), .reason)]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// The file is not what was written: restore a copy.
    #[error("{} is damaged ({}): stop chela, move the file away and restore a copy", .path.display(), .reason)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseOpenError {
    /// As for any work.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A newer chela wrote the file.
    #[error("{} has form {found}, this chela knows forms up to {known}: use the chela that wrote it, or a newer one",
        .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest known form.
        known: u32,
    },
}

/// A piece of work on the database. It may be run more than once, each time after everything the last run did was
/// rolled back, so `run` does nothing that `rolled_back` cannot undo.
pub(crate) trait Work: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// Does it, inside a transaction.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<Self::Answer>;

    /// Called on the database's thread once the answer is durable, before anybody learns it.
    fn committed(&mut self, _answer: &mut Self::Answer) {}

    /// Called when the transaction was undone.
    fn rolled_back(&mut self) {}
}

impl<F, T> Work for F
where
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    T: Send + 'static,
{
    type Answer = T;

    fn run(&mut self, connection: &Connection) -> rusqlite::Result<T> {
        self(connection)
    }
}

/// Work and whoever waits for it.
trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn rolled_back(&mut self);
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: DatabaseError);
}

struct Call<W: Work> {
    work: W,
    answer: Option<W::Answer>,
    reply: oneshot::Sender<Result<W::Answer, DatabaseError>>,
}

impl<W: Work> Job for Call<W> {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.answer = Some(self.work.run(connection)?);
        Ok(())
    }

    fn rolled_back(&mut self) {
        self.answer = None;
        self.work.rolled_back();
    }

    // A caller that went away in the meantime is no reason to undo what it asked for.
    fn committed(mut self: Box<Self>) {
        if let Some(mut answer) = self.answer.take() {
            self.work.committed(&mut answer);
            let _ = self.reply.send(Ok(answer));
        }
    }

    fn failed(self: Box<Self>, error: DatabaseError) {
        let _ = self.reply.send(Err(error));
    }
}

/// A handle on the open database. Dropping it finishes the work that waits and closes the file.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Database {
    /// Opens or creates the file and brings it to the newest form. `first` reads what the caller keeps in memory;
    /// `held` is dropped when the file has been closed.
    pub(crate) fn open<T>(
        path: &Path,
        first: impl FnOnce(&Connection) -> rusqlite::Result<T>,
        held: impl Send + 'static,
    ) -> Result<(Self, T), DatabaseOpenError> {
        let in_words = |error: rusqlite::Error| DatabaseError::of(path, &error);
        let mut connection = Connection::open(path).map_err(in_words)?;
        configure(&connection).map_err(in_words)?;
        migrate(path, &mut connection)?;
        let read = first(&connection).map_err(in_words)?;
        let (jobs, inbox) = mpsc::channel();
        let owned_path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("database".to_owned())
            .spawn(move || {
                serve(&owned_path, &connection, &inbox);
                drop(connection);
                drop(held);
            })
            .map_err(|error| DatabaseError::Unavailable { path: path.to_owned(), reason: error.to_string() })?;
        Ok((Self { path: path.to_owned(), jobs: Some(jobs), thread: Some(thread) }, read))
    }

    /// Has the work done and waits until it is durable. Dropping the future does not undo it.
    pub(crate) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, DatabaseError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(Box::new(Call { work, answer: None, reply })));
        match (sent, answer.await) {
            (Some(Ok(())), Ok(answer)) => answer,
            _ => Err(DatabaseError::Unavailable { path: self.path.clone(), reason: "it is being closed".to_owned() }),
        }
    }
}

impl Database {
    /// Writes the file anew without what was deleted from it, and empties the log: neither holds a word of it afterwards.
    /// Takes as long as copying the file; work waits meanwhile.
    pub(crate) async fn wipe(&self) -> Result<(), DatabaseError> {
        let path = self.path.clone();
        let wiped = tokio::task::spawn_blocking(move || {
            let in_words = |error: rusqlite::Error| DatabaseError::of(&path, &error);
            // A transaction of the one that serves could not do either.
            let connection = Connection::open(&path).map_err(in_words)?;
            connection.busy_timeout(BUSY).map_err(in_words)?;
            // Pages are zeroed before they are filled. https://sqlite.org/pragma.html#pragma_secure_delete
            connection.pragma_update(None, "secure_delete", true).map_err(in_words)?;
            connection.execute_batch("VACUUM").map_err(in_words)?;
            // https://sqlite.org/pragma.html#pragma_wal_checkpoint
            let busy: i64 =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(in_words)?;
            if busy == 0 {
                return Ok(());
            }
            let reason = "another program reads it, so that its log could not be emptied: try again".to_owned();
            Err(DatabaseError::Unavailable { path: path.clone(), reason })
        });
        let path = self.path.clone();
        wiped.await.unwrap_or_else(|error| Err(DatabaseError::Unavailable { path, reason: error.to_string() }))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl DatabaseError {
    fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, reason },
            _ => Self::Unavailable { path, reason },
        }
    }
}

/// Integers of SQLite are signed; what is beyond them is as large as they go.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What [`integer`] stored.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "wal")?;
    // In WAL mode FULL awaits the disk at every commit: an answer means that the row survives a power cut.
    // https://sqlite.org/pragma.html#pragma_synchronous
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "temp_store", "memory")
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), DatabaseOpenError> {
    let in_words = |error: rusqlite::Error| DatabaseError::of(path, &error);
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_words)?;
    let steps = (1u32..).zip(MIGRATIONS);
    let known = steps.clone().map(|(form, _)| form).max().unwrap_or(0);
    if found > known {
        return Err(DatabaseOpenError::Newer { path: path.to_owned(), found, known });
    }
    for (form, sql) in steps.filter(|(form, _)| *form > found) {
        let transaction = connection.transaction().map_err(in_words)?;
        transaction.execute_batch(sql).map_err(in_words)?;
        transaction.pragma_update(None, "user_version", form).map_err(in_words)?;
        transaction.commit().map_err(in_words)?;
    }
    Ok(())
}

fn serve(path: &Path, connection: &Connection, inbox: &mpsc::Receiver<Box<dyn Job>>) {
    let mut batch: Vec<Box<dyn Job>> = Vec::new();
    let mut returning = Returning { count: 0, until: Instant::now() };
    while let Ok(job) = inbox.recv() {
        batch.push(job);
        batch.extend(inbox.try_iter().take(BATCH - 1));
        returning.join(&mut batch, inbox);
        let began = Instant::now();
        let result = together(connection, &mut batch);
        let count = batch.len();
        if result.is_ok() {
            batch.drain(..).for_each(Job::committed);
        } else {
            batch.drain(..).for_each(|job| alone(path, connection, job));
        }
        returning = Returning::after(count, began);
    }
}

/// Those who were answered a moment ago, most of whom ask for the next thing at once. Without waiting for them they
/// would come just too late for each commit, and commits would be half as full and take twice as long to get through.
struct Returning {
    count: usize,
    until: Instant,
}

impl Returning {
    /// A quarter of a commit is waited for them: less than they lose by being late, and nothing where the disk is fast.
    fn after(count: usize, began: Instant) -> Self {
        let now = Instant::now();
        Self { count, until: now + now.duration_since(began) / 4 }
    }

    fn join(&self, batch: &mut Vec<Box<dyn Job>>, inbox: &mpsc::Receiver<Box<dyn Job>>) {
        while batch.len() < self.count.min(BATCH) {
            let patience = self.until.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(patience) {
                Ok(job) => batch.push(job),
                Err(_) => return,
            }
        }
    }
}

fn alone(path: &Path, connection: &Connection, job: Box<dyn Job>) {
    let mut batch = [job];
    let result = together(connection, &mut batch);
    let [job] = batch;
    match result {
        Ok(()) => job.committed(),
        Err(error) => job.failed(DatabaseError::of(path, &error)),
    }
}

/// Runs the batch in one transaction; if it fails, all of it is undone.
fn together(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let result = (|| {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
        for job in batch.iter_mut() {
            job.run(&transaction)?;
        }
        transaction.commit()
    })();
    if result.is_err() {
        for job in batch {
            job.rolled_back();
        }
    }
    result
}

#[cfg(test)]
mod tests;
