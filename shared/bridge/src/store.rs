//! What a bridge must not forget when its process dies: one SQLite file, written through to the disk.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chela_channel_kit::bridge::BridgeMessage;
use chela_core::clock::Millis;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::Notify;

/// How long keys of orders are remembered, as the contract promises.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The tables. `waiting`: what was heard and not yet acknowledged. `said`: orders by key; `id` is there once the
/// platform confirmed. `state`: what a connection remembers, by name.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS waiting (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, chat TEXT NOT NULL, body BLOB NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE INDEX IF NOT EXISTS waiting_by_chat ON waiting (chat, seq);
    CREATE TABLE IF NOT EXISTS said (
        key TEXT PRIMARY KEY, id TEXT, lines INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS said_by_time ON said (at);
    CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Why the store did not do its work. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made.
    #[error("{folder} cannot be made: {reason}")]
    Folder {
        /// The folder.
        folder: String,
        /// The system's words.
        reason: String,
    },
    /// SQLite's words.
    #[error("the bridge's store failed (is the disk full, or does another bridge use the folder?): {0}")]
    Database(#[from] rusqlite::Error),
    /// A message cannot be written as JSON.
    #[error("a message cannot be kept: {0}")]
    Message(#[from] serde_json::Error),
}

/// A message that waits for its acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the queue.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// The chat whose order it keeps.
    pub chat: String,
    /// The body to post, the same for each attempt.
    pub body: Vec<u8>,
    /// How often it was posted.
    pub attempts: u32,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// So many lines of it were written; the platform confirmed none.
    Begun(usize),
    /// All of it, under this id.
    Done(String),
}

/// The store of one bridge. One process at a time.
pub struct Store {
    connection: Mutex<Connection>,
    arrived: Notify,
}

impl Store {
    /// Opens the store in a folder, which is made if there is none, readable for its owner only.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(folder)
            .map_err(|error| StoreError::Folder { folder: folder.display().to_string(), reason: error.to_string() })?;
        let connection = Connection::open(folder.join("bridge.sqlite"))?;
        connection.busy_timeout(Duration::from_secs(1))?;
        // Two bridges on one connection's state would both speak and both forget: the second is refused.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A message counts as kept when it is on the disk, not when the system has it.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection: Mutex::new(connection), arrived: Notify::new() })
    }

    fn with<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Keeps what was heard, together with what the connection must remember to not hear it again. A message whose id
    /// still waits is kept once.
    pub fn keep(&self, heard: &[BridgeMessage], state: Option<(&str, &str)>) -> Result<(), StoreError> {
        let bodies: Vec<Vec<u8>> = heard.iter().map(serde_json::to_vec).collect::<Result<_, _>>()?;
        self.with(|all| {
            for (message, body) in heard.iter().zip(&bodies) {
                let chat = (&message.chat.id, &message.thread);
                let chat = format!("{}\n{}", chat.0, chat.1.as_deref().unwrap_or_default());
                all.prepare_cached("INSERT OR IGNORE INTO waiting (id, chat, body) VALUES (?1, ?2, ?3)")?
                    .execute(params![message.id, chat, body])?;
            }
            state.map_or(Ok(()), |(name, value)| set(all, name, value))
        })?;
        if !heard.is_empty() {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Resolves when something was kept since the last time.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// The first message of each chat whose time has come, oldest first.
    pub fn due(&self, now: Millis, most: usize) -> Result<Vec<Waiting>, StoreError> {
        self.with(|all| {
            let mut query = all.prepare_cached(
                "SELECT seq, id, chat, body, attempts FROM waiting WHERE due <= ?1 AND seq IN
                 (SELECT min(seq) FROM waiting GROUP BY chat) ORDER BY seq LIMIT ?2",
            )?;
            let rows = query.query_map(params![signed(now.0), signed(most as u64)], |row| {
                let (seq, id, chat) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Waiting { seq, id, chat, body: row.get(3)?, attempts: row.get(4)? })
            })?;
            rows.collect()
        })
    }

    /// When the next first message of a chat is due, of chats that are not `busy`.
    pub fn next_due(&self, busy: &HashSet<String>) -> Result<Option<Millis>, StoreError> {
        self.with(|all| {
            let mut query = all.prepare_cached(
                "SELECT chat, due FROM waiting WHERE seq IN (SELECT min(seq) FROM waiting GROUP BY chat)
                 ORDER BY due LIMIT ?1",
            )?;
            let most = busy.len() as u64 + 1;
            let rows = query.query_map([signed(most)], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            let rows: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
            let next = rows.into_iter().find(|(chat, _)| !busy.contains(chat));
            Ok(next.map(|(_, due)| Millis(unsigned(due))))
        })
    }

    /// How many messages wait.
    pub fn waiting(&self) -> Result<u64, StoreError> {
        self.with(|all| all.query_row("SELECT count(*) FROM waiting", [], |row| row.get(0)).map(unsigned))
    }

    /// The message is acknowledged.
    pub fn forget(&self, seq: i64) -> Result<(), StoreError> {
        self.with(|all| all.prepare_cached("DELETE FROM waiting WHERE seq = ?1")?.execute([seq]).map(drop))
    }

    /// The message will never be taken. Gives how many there were in all.
    pub fn discard(&self, seq: i64) -> Result<u64, StoreError> {
        self.with(|all| {
            all.execute("DELETE FROM waiting WHERE seq = ?1", [seq])?;
            let count = get(all, "discarded")?.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0) + 1;
            set(all, "discarded", &count.to_string())?;
            Ok(count)
        })
    }

    /// The message is tried again at `due`.
    pub fn postpone(&self, seq: i64, due: Millis) -> Result<(), StoreError> {
        self.with(|all| {
            all.prepare_cached("UPDATE waiting SET attempts = attempts + 1, due = ?2 WHERE seq = ?1")?
                .execute(params![seq, signed(due.0)])
                .map(drop)
        })
    }

    /// What became of the order with this key.
    pub fn said(&self, key: &str) -> Result<Said, StoreError> {
        self.with(|all| {
            let row = all
                .prepare_cached("SELECT id, lines FROM said WHERE key = ?1")?
                .query_row([key], |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?)))
                .optional()?;
            Ok(match row {
                None => Said::Nothing,
                Some((Some(id), _)) => Said::Done(id),
                Some((None, lines)) => Said::Begun(usize::try_from(lines).unwrap_or(0)),
            })
        })
    }

    /// So many lines of the order were written.
    pub fn saying(&self, key: &str, lines: usize, now: Millis) -> Result<(), StoreError> {
        self.with(|all| {
            let mut upsert = all.prepare_cached(
                "INSERT INTO said (key, lines, at) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET lines = ?2",
            )?;
            upsert.execute(params![key, signed(lines as u64), signed(now.0)]).map(drop)
        })
    }

    /// The order is done. Keys older than a day are forgotten.
    pub fn done(&self, key: &str, id: &str, now: Millis) -> Result<(), StoreError> {
        let limit = now.0.saturating_sub(u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX));
        self.with(|all| {
            let mut upsert = all.prepare_cached(
                "INSERT INTO said (key, id, at) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET id = ?2",
            )?;
            upsert.execute(params![key, id, signed(now.0)])?;
            all.prepare_cached("DELETE FROM said WHERE at < ?1")?.execute([signed(limit)]).map(drop)
        })
    }

    /// What the connection remembers under a name.
    pub fn state(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.with(|all| get(all, name))
    }

    /// Remembers several things at once; `None` forgets.
    pub fn remember(&self, things: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
        self.with(|all| {
            things.iter().try_for_each(|(name, value)| match value {
                Some(value) => set(all, name, value),
                None => all.execute("DELETE FROM state WHERE name = ?1", [name]).map(drop),
            })
        })
    }
}

fn get(all: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<String>> {
    all.prepare_cached("SELECT value FROM state WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

fn set(all: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    let mut upsert =
        all.prepare_cached("INSERT INTO state VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?;
    upsert.execute([name, value]).map(drop)
}

/// SQLite has no unsigned integers.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use chela_channel_kit::bridge::{BridgeAuthor, BridgeChat, BridgeChatKind};

    use super::*;

    pub(crate) fn message(id: &str, chat: &str) -> BridgeMessage {
        BridgeMessage {
            id: id.to_owned(),
            ts_ms: 1,
            chat: BridgeChat { kind: BridgeChatKind::Group, id: chat.to_owned() },
            thread: None,
            from: BridgeAuthor { id: "u".to_owned(), name: None, is_self: false, is_bot: false },
            text: "hi".to_owned(),
            mentions_bot: false,
            reply_to: None,
            message_id: None,
            edited: false,
            attachments: Vec::new(),
            guild: None,
            parent: None,
            roles: Vec::new(),
        }
    }

    fn due(store: &Store, now: u64) -> Vec<String> {
        store.due(Millis(now), 10).unwrap().into_iter().map(|waiting| waiting.id).collect()
    }

    #[test]
    fn one_message_of_each_chat_is_due_and_a_later_one_never_overtakes_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.keep(&[message("1", "a"), message("2", "a"), message("3", "b"), message("1", "a")], None).unwrap();
        assert_eq!(due(&store, 0), ["1", "3"]);
        let first = store.due(Millis(0), 1).unwrap().remove(0);
        store.postpone(first.seq, Millis(50)).unwrap();
        assert_eq!(due(&store, 49), ["3"], "its successor waits with it");
        let busy = |chats: &[&str]| chats.iter().map(|chat| format!("{chat}\n")).collect::<HashSet<_>>();
        assert_eq!(store.next_due(&busy(&[])).unwrap(), Some(Millis(0)));
        assert_eq!(store.next_due(&busy(&["b"])).unwrap(), Some(Millis(50)));
        assert_eq!(store.next_due(&busy(&["a", "b"])).unwrap(), None);
        assert_eq!(store.due(Millis(50), 9).unwrap()[0].attempts, 1);
        store.forget(first.seq).unwrap();
        assert_eq!(due(&store, 0), ["2", "3"]);
        assert_eq!((store.discard(first.seq + 1).unwrap(), store.discard(first.seq + 2).unwrap()), (1, 2));
        assert_eq!((store.waiting().unwrap(), store.next_due(&busy(&[])).unwrap()), (0, None));
    }

    #[test]
    fn everything_is_there_after_the_process_died() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.keep(&[message("1", "a")], Some(("session", "s1"))).unwrap();
        store.saying("k1", 2, Millis(1)).unwrap();
        store.done("k2", "id2", Millis(1)).unwrap();
        // Another process is refused while this one lives.
        assert!(Store::open(folder.path()).is_err());
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!((due(&store, 0), store.state("session").unwrap()), (vec!["1".to_owned()], Some("s1".to_owned())));
        let said = |key| store.said(key).unwrap();
        assert_eq!((said("k1"), said("k2"), said("k3")), (Said::Begun(2), Said::Done("id2".to_owned()), Said::Nothing));
        store.remember(&[("session", None), ("me", Some("7"))]).unwrap();
        assert_eq!((store.state("session").unwrap(), store.state("me").unwrap()), (None, Some("7".to_owned())));
    }

    #[test]
    fn keys_are_remembered_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let day = 24 * 60 * 60 * 1000;
        store.done("old", "1", Millis(5)).unwrap();
        store.done("new", "2", Millis(5 + day)).unwrap();
        assert_eq!(store.said("old").unwrap(), Said::Done("1".to_owned()));
        store.done("newer", "3", Millis(6 + day)).unwrap();
        assert_eq!(
            (store.said("old").unwrap(), store.said("new").unwrap()),
            (Said::Nothing, Said::Done("2".to_owned()))
        );
    }
}
