use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use chela_core::blob::{BlobError, BlobStore, Precondition};
use chela_embedded::FolderBlobs;
use tempfile::TempDir;

fn blobs(folder: &TempDir) -> FolderBlobs {
    FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap()
}

fn text() -> Bytes {
    Bytes::from_static(b"text")
}

#[tokio::test]
async fn a_file_stands_under_its_key_for_people_to_read_and_edit() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(&folder);
    let etag = blobs.put("agents/main/SOUL.md", text(), Precondition::None).await.unwrap();
    let path = folder.path().join("files/agents/main/SOUL.md");
    assert_eq!(fs::read(&path).unwrap(), b"text");
    fs::write(&path, "edited").unwrap();
    let changed = blobs.get_if_changed("agents/main/SOUL.md", &etag).await.unwrap().unwrap();
    assert_eq!(changed.bytes.as_ref(), b"edited");
    let refused = blobs.put("agents/main/SOUL.md", text(), Precondition::Matches(etag)).await;
    assert!(matches!(refused, Err(BlobError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn p03_links_are_not_followed_out_of_the_folder_or_within() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(&folder);
    let (files, outside) = (folder.path().join("files"), folder.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::create_dir(files.join("real")).unwrap();
    symlink(&outside, files.join("linked")).unwrap();
    symlink(outside.join("secret"), files.join("real/file")).unwrap();
    symlink(files.join("real"), files.join("within")).unwrap();
    symlink(outside.join("new"), files.join("dangling")).unwrap();

    for key in ["linked/secret", "linked/new", "real/file", "within/new", "dangling"] {
        let refused = |error: BlobError| {
            let told = matches!(&error, BlobError::Unavailable(text) if text.contains("symbolic link"));
            assert!(told, "{key}: {error}");
        };
        refused(blobs.get(key).await.unwrap_err());
        for precondition in [Precondition::None, Precondition::Absent, Precondition::Matches("x".into())] {
            refused(blobs.put(key, text(), precondition).await.unwrap_err());
        }
    }
    assert_eq!(blobs.list("", 100).await.unwrap(), []);
    assert!(blobs.list("linked/", 100).await.is_err());
    let names = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!((names(&outside), names(&files.join("real"))), (1, 1), "nothing was written");
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_listing_does_not_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(&folder);
    fs::write(folder.path().join("outside"), "secret").unwrap();
    blobs.put("a/b", text(), Precondition::None).await.unwrap();
    for prefix in ["../", "../out", "a/../../", "/", "/etc/", "a//", "./"] {
        assert_eq!(blobs.list(prefix, 100).await.unwrap(), [], "{prefix:?}");
    }
}

#[tokio::test]
async fn a_key_that_no_file_can_have_here_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(&folder);
    blobs.put("a/file", text(), Precondition::None).await.unwrap();
    let long = "x".repeat(300);
    for key in ["a", "a/file/below", &long] {
        let refused = blobs.put(key, text(), Precondition::None).await;
        assert!(matches!(refused, Err(BlobError::BadKey(_))), "{key}: {refused:?}");
    }
    for key in ["a", "a/file/below"] {
        assert_eq!(blobs.get(key).await.unwrap(), None, "{key}");
    }
    let left = fs::read_dir(folder.path().join("incoming")).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

#[tokio::test]
async fn what_was_being_written_when_the_process_ended_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    drop(blobs(&folder));
    fs::write(folder.path().join("incoming/0"), "half").unwrap();
    let blobs = blobs(&folder);
    assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    blobs.put("a", text(), Precondition::None).await.unwrap();
    assert_eq!(blobs.list("", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_nobody_has_written_for_long_expires_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(&folder);
    for key in ["media/main/old.pdf", "media/main/new.pdf", "agents/main/old.md"] {
        blobs.put(key, text(), Precondition::None).await.unwrap();
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 24 * 60 * 60);
    for key in ["media/main/old.pdf", "agents/main/old.md"] {
        fs::File::options()
            .write(true)
            .open(folder.path().join("files").join(key))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    let month = std::time::Duration::from_secs(30 * 24 * 60 * 60);
    assert_eq!(blobs.expire("media", month).await.unwrap(), 1);
    assert_eq!(blobs.expire("media", month).await.unwrap(), 0);
    assert_eq!(blobs.expire("nothing", month).await.unwrap(), 0);
    let left: Vec<String> = blobs.list("", 10).await.unwrap().into_iter().map(|file| file.key).collect();
    assert_eq!(left, ["agents/main/old.md", "media/main/new.pdf"]);
}
