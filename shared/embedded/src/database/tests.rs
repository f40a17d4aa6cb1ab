use std::sync::{Arc, Mutex};

use rusqlite::params;
use tempfile::TempDir;

use super::*;

fn open() -> (Arc<Database>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.sqlite");
    let first = |connection: &Connection| {
        connection.execute_batch(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
             CREATE TABLE links (note INTEGER REFERENCES notes DEFERRABLE INITIALLY DEFERRED);",
        )
    };
    let (database, ()) = Database::open(&path, first, ()).unwrap();
    (Arc::new(database), folder)
}

fn insert(text: &str) -> impl FnMut(&Connection) -> rusqlite::Result<usize> + Send + use<> {
    let text = text.to_owned();
    move |connection| connection.execute("INSERT INTO notes (text) VALUES (?1)", params![text])
}

fn texts(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT text FROM notes ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
}

/// Keeps the database's thread busy, so that what is asked meanwhile is one batch; dropping it lets it go on.
async fn busy(database: &Arc<Database>) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (began, beginning) = oneshot::channel();
    let (database, mut began) = (database.clone(), Some(began));
    let released = Mutex::new(released);
    tokio::spawn(async move {
        let work = move |_: &Connection| {
            began.take().map(|began| began.send(()));
            let _ = released.lock().unwrap().recv();
            Ok(())
        };
        database.run(work).await.unwrap();
    });
    beginning.await.unwrap();
    release
}

/// Work that notes what happens to it.
struct Noted {
    events: Arc<Mutex<Vec<&'static str>>>,
    sql: &'static str,
}

impl Work for Noted {
    type Answer = ();

    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.events.lock().unwrap().push("run");
        connection.execute_batch(self.sql)
    }

    fn committed(&mut self, _answer: &mut ()) {
        self.events.lock().unwrap().push("committed");
    }

    fn rolled_back(&mut self) {
        self.events.lock().unwrap().push("rolled back");
    }
}

#[tokio::test]
async fn a_commit_awaits_the_disk() {
    let (database, _folder) = open();
    let settings = |connection: &Connection| {
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let synchronous: u32 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        Ok((mode, synchronous))
    };
    // No test can cut the power; 2 is FULL. https://sqlite.org/pragma.html#pragma_synchronous
    assert_eq!(database.run(settings).await.unwrap(), ("wal".to_owned(), 2));
}

#[tokio::test]
async fn all_that_waits_is_one_transaction() {
    let (database, folder) = open();
    database.run(insert("first")).await.unwrap();
    let log = || std::fs::metadata(folder.path().join("test.sqlite-wal")).unwrap().len();
    let before = log();
    let release = busy(&database).await;
    let texts: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let asked = futures_util::future::join_all(texts.iter().map(|text| database.run(insert(text))));
    let released = async { drop(release) };
    let (answers, ()) = tokio::join!(asked, released);
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    let pages = (log() - before) / 4096;
    assert!(pages < 20, "200 rows in {pages} pages: each commit writes at least one");
}

#[tokio::test]
async fn work_that_fails_harms_no_other() {
    let (database, _folder) = open();
    let release = busy(&database).await;
    let events: [Arc<Mutex<Vec<&str>>>; 3] = Default::default();
    let noted = |at: usize, sql| database.run(Noted { events: events[at].clone(), sql });
    let batch = async {
        tokio::join!(
            noted(0, "INSERT INTO notes (text) VALUES ('first')"),
            noted(1, "INSERT INTO notes (text) VALUES ('half'); INSERT INTO notes (text) VALUES (NULL)"),
            noted(2, "INSERT INTO notes (text) VALUES ('last')"),
        )
    };
    let ((first, failing, last), ()) = tokio::join!(batch, async { drop(release) });
    assert!(first.is_ok() && last.is_ok());
    assert!(matches!(failing, Err(DatabaseError::Unavailable { .. })), "{failing:?}");
    assert_eq!(database.run(texts).await.unwrap(), ["first", "last"]);
    let happened = events.map(|events| events.lock().unwrap().clone());
    assert_eq!(happened[0], ["run", "rolled back", "run", "committed"]);
    assert_eq!(happened[1], ["run", "rolled back", "run", "rolled back"]);
    assert_eq!(happened[2].last(), Some(&"committed"));
    assert_eq!(happened[2].iter().filter(|event| **event == "run").count(), 1, "the batch ended before it");
}

#[tokio::test]
async fn what_fails_at_the_commit_is_not_answered_as_done() {
    let (database, _folder) = open();
    let release = busy(&database).await;
    // A reference to nothing is found at the end of the transaction.
    let dangling = |connection: &Connection| connection.execute("INSERT INTO links (note) VALUES (42)", []);
    let batch = async { tokio::join!(database.run(insert("first")), database.run(dangling)) };
    let ((first, dangling), ()) = tokio::join!(batch, async { drop(release) });
    assert!(first.is_ok());
    assert!(dangling.is_err());
    let links = |connection: &Connection| connection.query_row("SELECT count(*) FROM links", [], |row| row.get(0));
    let counted: u32 = database.run(links).await.unwrap();
    assert_eq!((database.run(texts).await.unwrap(), counted), (vec!["first".to_owned()], 0));
}

#[tokio::test]
async fn work_is_done_also_when_nobody_waits_for_it() {
    let (database, folder) = open();
    let release = busy(&database).await;
    let mut unwanted = Box::pin(database.run(insert("unwanted")));
    assert!(futures_util::future::poll_immediate(&mut unwanted).await.is_none());
    drop(unwanted);
    drop(release);
    drop(database);
    let connection = Connection::open(folder.path().join("test.sqlite")).unwrap();
    // The task that kept the thread busy may hold the database a little longer.
    while texts(&connection).unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&connection).unwrap(), ["unwanted"]);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_answered_and_recovers() {
    let (database, _folder) = open();
    let limit = |pages: u32| {
        move |connection: &Connection| {
            connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, u32>(0))
        }
    };
    let pages = |connection: &Connection| connection.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0));
    let used = database.run(pages).await.unwrap();
    database.run(limit(used + 20)).await.unwrap();
    let text = |n: usize| format!("{n} {}", "x".repeat(1000));
    let mut answered = Vec::new();
    let mut refused = 0;
    for round in 0..50 {
        let asked: Vec<String> = (0..8).map(|n| text(round * 8 + n)).collect();
        let answers = futures_util::future::join_all(asked.iter().map(|text| database.run(insert(text)))).await;
        for (answer, text) in answers.into_iter().zip(asked) {
            match answer {
                Ok(_) => answered.push(text),
                Err(DatabaseError::Full(path)) => {
                    refused += 1;
                    assert!(path.ends_with("test.sqlite"));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(answered.len() > 20 && refused > 20, "{} answered, {refused} refused", answered.len());
    assert_eq!(database.run(texts).await.unwrap(), answered, "reading goes on, and nothing refused is there");
    database.run(limit(1_000_000)).await.unwrap();
    database.run(insert("room again")).await.unwrap();
    answered.push("room again".to_owned());
    assert_eq!(database.run(texts).await.unwrap(), answered);
}
