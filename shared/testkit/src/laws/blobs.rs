//! Laws of [`BlobStore`].

use bytes::Bytes;
use chela_core::blob::{BlobError, BlobStore, Precondition};
use futures_util::future::join_all;

async fn put(store: &dyn BlobStore, key: &str, text: &str) -> String {
    store.put(key, Bytes::copy_from_slice(text.as_bytes()), Precondition::None).await.unwrap()
}

async fn text(store: &dyn BlobStore, key: &str) -> Option<String> {
    let blob = store.get(key).await.unwrap();
    blob.map(|blob| String::from_utf8(blob.bytes.to_vec()).unwrap())
}

/// A file comes back as it was written, with the tag the write answered; the last writer wins.
pub async fn a_file_comes_back_with_its_tag(store: &dyn BlobStore) {
    let key = "agents/main/SOUL.md";
    assert_eq!(store.get(key).await.unwrap(), None);
    let first = put(store, key, "one").await;
    let got = store.get(key).await.unwrap().unwrap();
    assert_eq!((got.bytes.as_ref(), got.etag.as_str()), (b"one".as_slice(), first.as_str()));
    let second = put(store, key, "two").await;
    assert_ne!(first, second);
    let got = store.get(key).await.unwrap().unwrap();
    assert_eq!((got.bytes.as_ref(), got.etag), (b"two".as_slice(), second));
}

/// Any bytes, none, and two megabytes come back whole.
pub async fn any_bytes_come_back(store: &dyn BlobStore) {
    let binary: Vec<u8> = (0..=255).cycle().take(2 * 1024 * 1024 + 1).collect();
    for (key, bytes) in [("media/empty", Vec::new()), ("media/small", vec![0, 255, 13, 10, 0]), ("media/large", binary)]
    {
        let bytes = Bytes::from(bytes);
        let etag = store.put(key, bytes.clone(), Precondition::None).await.unwrap();
        let got = store.get(key).await.unwrap().unwrap();
        assert!(got.bytes == bytes, "{key} is not what was written");
        assert_eq!(got.etag, etag);
    }
}

/// `Absent` writes only where nothing is, and a refusal changes nothing.
pub async fn absent_refuses_what_exists(store: &dyn BlobStore) {
    let key = "notes/a.md";
    let put = |text: &'static str| store.put(key, Bytes::from_static(text.as_bytes()), Precondition::Absent);
    put("first").await.unwrap();
    let refused = put("second").await;
    assert!(matches!(&refused, Err(BlobError::Conflict(name)) if name == key), "{refused:?}");
    assert_eq!(text(store, key).await.as_deref(), Some("first"));
}

/// `Matches` writes only over what was read, and a refusal changes nothing.
pub async fn matches_refuses_what_was_changed(store: &dyn BlobStore) {
    let key = "notes/a.md";
    let put_if = |text: &'static str, tag: &str| {
        store.put(key, Bytes::from_static(text.as_bytes()), Precondition::Matches(tag.to_owned()))
    };
    let first = put(store, key, "one").await;
    let second = put_if("two", &first).await.unwrap();
    let refused = put_if("three", &first).await;
    assert!(matches!(&refused, Err(BlobError::Conflict(name)) if name == key), "{refused:?}");
    assert_eq!(text(store, key).await.as_deref(), Some("two"));
    put_if("four", &second).await.unwrap();
    assert_eq!(text(store, key).await.as_deref(), Some("four"));
}

/// What is not there matches no tag.
pub async fn matches_refuses_what_does_not_exist(store: &dyn BlobStore) {
    let tag = put(store, "notes/a.md", "one").await;
    let refused = store.put("notes/b.md", Bytes::from_static(b"two"), Precondition::Matches(tag)).await;
    assert!(matches!(refused, Err(BlobError::Conflict(_))), "{refused:?}");
    assert_eq!(text(store, "notes/b.md").await, None);
}

/// Of many first writers at once exactly one wins, and what is stored is its content.
pub async fn of_sixteen_first_writers_one_wins(store: &dyn BlobStore) {
    race(store, "notes/new.md", &Precondition::Absent).await;
}

/// Of many writers over the same content exactly one wins, and what is stored is its content.
pub async fn of_sixteen_rewriters_one_wins(store: &dyn BlobStore) {
    let tag = put(store, "notes/old.md", "old").await;
    race(store, "notes/old.md", &Precondition::Matches(tag)).await;
}

async fn race(store: &dyn BlobStore, key: &str, precondition: &Precondition) {
    let texts: Vec<String> = (0..16).map(|n| format!("writer {n}")).collect();
    let writes = texts.iter().map(|text| store.put(key, Bytes::from(text.clone()), precondition.clone()));
    let answers = join_all(writes).await;
    let mut winners = Vec::new();
    for (answer, text) in answers.into_iter().zip(&texts) {
        match answer {
            Ok(etag) => winners.push((text.clone(), etag)),
            Err(BlobError::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let stored = store.get(key).await.unwrap().unwrap();
    assert_eq!((stored.bytes.as_ref(), stored.etag), (winners[0].0.as_bytes(), winners[0].1.clone()));
}

/// A removed file is gone, and removing it again, or what never was, changes nothing.
pub async fn a_removed_file_is_gone(store: &dyn BlobStore) {
    put(store, "notes/a.md", "one").await;
    put(store, "notes/a.md.bak", "other").await;
    for _ in 0..2 {
        store.delete("notes/a.md", None).await.unwrap();
        assert_eq!(text(store, "notes/a.md").await, None);
    }
    store.delete("never/was.md", Some("tag")).await.unwrap();
    let left = store.list("notes/", 10).await.unwrap();
    assert_eq!(left.iter().map(|file| file.key.as_str()).collect::<Vec<_>>(), ["notes/a.md.bak"]);
    // The name is free again.
    store.put("notes/a.md", Bytes::from_static(b"two"), Precondition::Absent).await.unwrap();
    assert_eq!(text(store, "notes/a.md").await.as_deref(), Some("two"));
}

/// With a tag only what was read is removed.
pub async fn a_changed_file_is_not_removed(store: &dyn BlobStore) {
    let first = put(store, "notes/a.md", "one").await;
    let second = put(store, "notes/a.md", "two").await;
    let refused = store.delete("notes/a.md", Some(&first)).await;
    assert!(matches!(&refused, Err(BlobError::Conflict(key)) if key == "notes/a.md"), "{refused:?}");
    assert_eq!(text(store, "notes/a.md").await.as_deref(), Some("two"));
    store.delete("notes/a.md", Some(&second)).await.unwrap();
    assert_eq!(text(store, "notes/a.md").await, None);
}

/// A reader who knows the tag is sent nothing until the file changes.
pub async fn an_unchanged_file_is_not_sent_again(store: &dyn BlobStore) {
    let key = "config/chela.json5";
    assert_eq!(store.get_if_changed(key, "any").await.unwrap(), None, "it does not exist");
    let first = put(store, key, "one").await;
    assert_eq!(store.get_if_changed(key, &first).await.unwrap(), None);
    let second = put(store, key, "two").await;
    let changed = store.get_if_changed(key, &first).await.unwrap().unwrap();
    assert_eq!((changed.bytes.as_ref(), changed.etag), (b"two".as_slice(), second));
}

/// A listing is in the order of the keys' bytes, begins with the prefix, and is cut at the limit.
pub async fn a_listing_is_ordered_and_limited(store: &dyn BlobStore) {
    let keys =
        ["m/a-b", "m/a.b", "m/a/b", "m/a/c/d", "m/a0", "m/A", "m/memo.md", "m/memory/1.md", "m/é", "m/🦀", "n/a"];
    for key in keys.iter().rev() {
        put(store, key, key).await;
    }
    let listed = |prefix: &'static str, limit| async move {
        let listed = store.list(prefix, limit).await.unwrap();
        listed.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    let mut expected = keys.map(str::to_owned);
    expected.sort();
    assert_eq!(listed("", 100).await, expected);
    assert_eq!(listed("m/", 100).await, expected[..10]);
    assert_eq!(listed("m/", 3).await, expected[..3]);
    assert_eq!(listed("m/", 0).await, expected[..0]);
    assert_eq!(listed("m/a/", 100).await, ["m/a/b", "m/a/c/d"]);
    assert_eq!(listed("m/mem", 100).await, ["m/memo.md", "m/memory/1.md"], "a prefix need not end at a '/'");
    assert_eq!(listed("m/a-b", 100).await, ["m/a-b"]);
    assert_eq!(listed("nothing/", 100).await, expected[..0]);
}

/// A listing carries the tag and size that reading would.
pub async fn a_listing_carries_tag_and_size(store: &dyn BlobStore) {
    let etag = put(store, "m/a.md", "twelve bytes").await;
    let listed = store.list("m/", 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].key.as_str(), &listed[0].etag, listed[0].size), ("m/a.md", &etag, 12));
}

/// No key leaves the store: such names are refused by every method that takes one.
pub async fn a_bad_key_is_refused(store: &dyn BlobStore) {
    for key in ["", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", ".", "..", "a\\..\\b", "a\0b", "a\nb"] {
        let refused = |error: BlobError| assert!(matches!(error, BlobError::BadKey(_)), "{key:?}: {error}");
        refused(store.get(key).await.unwrap_err());
        refused(store.get_if_changed(key, "x").await.unwrap_err());
        refused(store.delete(key, None).await.unwrap_err());
        refused(store.put(key, Bytes::from_static(b"x"), Precondition::None).await.unwrap_err());
    }
    assert_eq!(store.list("", 10).await.unwrap(), []);
}

/// Names that only look alike are files of their own.
pub async fn odd_keys_are_separate(store: &dyn BlobStore) {
    let keys =
        ["m/a b", "m/a+b", "m/a%20b", "m/ a", "m/á", "m/a\u{301}", "m/🦀", "m/a#b?c=d", "m/.hidden", "m/a:b*\"'"];
    for key in keys {
        put(store, key, key).await;
    }
    for key in keys {
        assert_eq!(text(store, key).await.as_deref(), Some(key));
    }
    assert_eq!(store.list("m/", 100).await.unwrap().len(), keys.len());
}

/// Declares one test for each law of files; `$make` is an `async fn() -> Subject<dyn BlobStore>`.
#[macro_export]
macro_rules! blob_laws {
    ($make:expr) => {
        $crate::law_tests!(
            blobs,
            $make,
            [
                a_file_comes_back_with_its_tag,
                any_bytes_come_back,
                absent_refuses_what_exists,
                matches_refuses_what_was_changed,
                matches_refuses_what_does_not_exist,
                of_sixteen_first_writers_one_wins,
                of_sixteen_rewriters_one_wins,
                a_removed_file_is_gone,
                a_changed_file_is_not_removed,
                an_unchanged_file_is_not_sent_again,
                a_listing_is_ordered_and_limited,
                a_listing_carries_tag_and_size,
                a_bad_key_is_refused,
                odd_keys_are_separate,
            ]
        );
    };
}
