use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::blob::{Blob, Listed, Precondition};

use super::*;
use crate::variables::MissingVariable;

/// A store in memory that counts what it is asked and can be out of reach.
#[derive(Default)]
struct Shelf {
    files: StdMutex<BTreeMap<String, String>>,
    asked: AtomicUsize,
    down: StdMutex<bool>,
}

impl Shelf {
    fn put_text(&self, key: &str, text: &str) {
        self.files.lock().unwrap().insert(key.into(), text.into());
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl BlobStore for Shelf {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if *self.down.lock().unwrap() {
            return Err(BlobError::Unavailable("down".into()));
        }
        let files = self.files.lock().unwrap();
        Ok(files.get(key).map(|text| Blob { bytes: Bytes::from(text.clone()), etag: text.clone() }))
    }

    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError> {
        Ok(self.get(key).await?.filter(|blob| blob.etag != etag))
    }

    async fn put(&self, _: &str, _: Bytes, _: Precondition) -> Result<String, BlobError> {
        unreachable!("the configuration is never written")
    }

    async fn delete(&self, _: &str, _: Option<&str>) -> Result<(), BlobError> {
        unreachable!("the configuration is never removed")
    }

    async fn list(&self, _: &str, _: usize) -> Result<Vec<Listed>, BlobError> {
        unreachable!("the configuration is never listed")
    }
}

const KEY: &str = "config/chela.json5";
const SURROUNDINGS: Surroundings<'static> =
    Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

async fn load(shelf: &Shelf) -> LiveConfig {
    LiveConfig::load(KEY, shelf, &SURROUNDINGS, Millis(0)).await.unwrap().0
}

async fn refresh(live: &LiveConfig, shelf: &Shelf, now: u64) -> Refreshed {
    live.refresh(shelf, &SURROUNDINGS, Millis(now)).await
}

fn cap(live: &LiveConfig) -> u32 {
    live.current().messages.queue.cap
}

#[test]
fn a_change_is_live_after_thirty_seconds_and_asked_for_no_earlier() {
    run(async {
        let shelf = Shelf::default();
        shelf.put_text(KEY, "{ messages: { queue: { cap: 5 } } }");
        let live = load(&shelf).await;
        assert_eq!((cap(&live), shelf.asked()), (5, 1));
        shelf.put_text(KEY, "{ messages: { queue: { cap: 6 } } }");
        assert!(matches!(refresh(&live, &shelf, REREAD_MS - 1).await, Refreshed::Same));
        assert_eq!((cap(&live), shelf.asked()), (5, 0));
        let before = live.current();
        assert!(matches!(refresh(&live, &shelf, REREAD_MS).await, Refreshed::Changed(_)));
        assert_eq!((cap(&live), before.messages.queue.cap), (6, 5), "who holds the old one keeps it");
        shelf.asked();
        assert!(matches!(refresh(&live, &shelf, REREAD_MS * 2).await, Refreshed::Same));
        assert_eq!(shelf.asked(), 1, "an unchanged file costs one request");
    });
}

#[test]
fn a_broken_version_is_reported_once_and_the_old_one_stays() {
    run(async {
        let shelf = Shelf::default();
        shelf.put_text(KEY, "{ messages: { queue: { cap: 5 } } }");
        let live = load(&shelf).await;
        shelf.put_text(KEY, "{ messages: { queue: { cap: 0 } } }");
        let Refreshed::Broken(report) = refresh(&live, &shelf, REREAD_MS).await else { panic!("it is broken") };
        assert_eq!(report.errors.len(), 1);
        assert!(matches!(refresh(&live, &shelf, REREAD_MS * 2).await, Refreshed::Same));
        assert_eq!(cap(&live), 5);
        shelf.put_text(KEY, "{ messages: { queue: { cap: 7 } } }");
        assert!(matches!(refresh(&live, &shelf, REREAD_MS * 3).await, Refreshed::Changed(_)));
        assert_eq!(cap(&live), 7);
    });
}

#[test]
fn included_files_are_found_in_the_same_folder_and_watched_too() {
    run(async {
        let shelf = Shelf::default();
        shelf.put_text(KEY, "{ messages: { $include: 'sub/messages.json5' } }");
        shelf.put_text("config/sub/messages.json5", "{ queue: { $include: 'queue.json5' } }");
        shelf.put_text("config/sub/queue.json5", "{ cap: 8 }");
        let live = load(&shelf).await;
        assert_eq!(cap(&live), 8);
        shelf.put_text("config/sub/queue.json5", "{ cap: 9 }");
        assert!(matches!(refresh(&live, &shelf, REREAD_MS).await, Refreshed::Changed(_)));
        assert_eq!(cap(&live), 9);
    });
}

#[test]
fn without_a_file_there_are_defaults_until_there_is_one() {
    run(async {
        let shelf = Shelf::default();
        let live = load(&shelf).await;
        assert_eq!(*live.current(), Config::default());
        shelf.put_text(KEY, "{ messages: { queue: { cap: 3 } } }");
        assert!(matches!(refresh(&live, &shelf, REREAD_MS).await, Refreshed::Changed(_)));
        assert_eq!(cap(&live), 3);
    });
}

#[test]
fn an_absent_included_file_is_an_error_until_it_is_there() {
    run(async {
        let shelf = Shelf::default();
        shelf.put_text(KEY, "{ messages: { $include: 'gone.json5' } }");
        let Err(LoadError::Broken(report)) = LiveConfig::load(KEY, &shelf, &SURROUNDINGS, Millis(0)).await else {
            panic!("a file is missing")
        };
        assert!(report.render().contains("gone.json5 is not there"));
        shelf.put_text("config/gone.json5", "{ queue: { cap: 4 } }");
        assert_eq!(cap(&load(&shelf).await), 4);
    });
}

#[test]
fn a_store_out_of_reach_changes_nothing() {
    run(async {
        let shelf = Shelf::default();
        shelf.put_text(KEY, "{ messages: { queue: { cap: 5 } } }");
        let live = load(&shelf).await;
        *shelf.down.lock().unwrap() = true;
        assert!(matches!(refresh(&live, &shelf, REREAD_MS).await, Refreshed::Unreachable(_)));
        assert_eq!(cap(&live), 5);
        assert!(matches!(
            LiveConfig::load(KEY, &shelf, &SURROUNDINGS, Millis(0)).await,
            Err(LoadError::Unreachable(_))
        ));
    });
}

#[test]
fn a_file_that_is_no_text_is_refused_wherever_the_foreign_byte_stands() {
    for (before, after) in
        [("{ name: 'a", "' }"), ("{", "}"), ("{} // a", ""), ("{ /* a", "*/ }"), ("{ // a", "\n}"), ("", "{}")]
    {
        let bytes = [before.as_bytes(), b"\xff", after.as_bytes()].concat();
        let checked = check(KEY, &text_of(&bytes), &|_| None, &SURROUNDINGS);
        assert!(!checked.report.is_usable(), "{before:?} {after:?}");
        assert_eq!(&*text_of(before.as_bytes()), before);
    }
}
