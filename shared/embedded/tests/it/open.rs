use std::fs;
use std::os::unix::fs::PermissionsExt;

use chela_embedded::{Embedded, OpenError};

use crate::support::World;

#[test]
fn a_folder_belongs_to_one_process_at_a_time() {
    let mut world = World::new();
    let clock = world.clock.clone();
    let Err(error) = Embedded::open(world.path(), clock) else { panic!("opened twice") };
    assert!(matches!(error, OpenError::Locked { process: Some(id), .. } if id == std::process::id()), "{error}");
    let told = error.to_string();
    assert!(told.contains(&format!("process {}", std::process::id())) && told.contains("--data"), "{told}");
    world.reopen();
}

#[test]
fn the_folder_is_made_and_private() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("some/data");
    let embedded = Embedded::open(&folder, World::new().clock).unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    drop(embedded);
    assert!(folder.join("chela.sqlite").is_file());
    assert!(!folder.join("chela.sqlite-wal").exists(), "closing leaves one file");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named_with_the_fix() {
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("file"), "").unwrap();
    let folder = parent.path().join("file/data");
    let Err(error) = Embedded::open(&folder, World::new().clock) else { panic!("opened in a file") };
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains(folder.to_str().unwrap()) && told.contains("--data"), "{told}");
}

#[test]
fn a_database_of_a_newer_chela_is_left_alone() {
    let mut world = World::new();
    world.rows().pragma_update(None, "user_version", 1000).unwrap();
    world.close();
    let Err(error) = world.try_open() else { panic!("opened a newer form") };
    assert!(matches!(&error, OpenError::Newer(told) if told.contains("1000")), "{error}");
    let form: u32 = world.rows().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(form, 1000);
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let mut world = World::new();
    world.close();
    let path = world.path().join("chela.sqlite");
    fs::write(&path, "this is no database".repeat(1000)).unwrap();
    let Err(error) = world.try_open() else { panic!("opened rubbish") };
    assert!(matches!(&error, OpenError::Damaged(told) if told.contains("restore a copy")), "{error}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("this is no database"));
}
