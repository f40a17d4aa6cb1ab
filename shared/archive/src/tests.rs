//! What is refused, each against an archive made by the crate `tar` itself.

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;

const LIMITS: Limits = Limits { entries: 8, file_bytes: 1000, total_bytes: 2000 };

/// An archive with raw names, as no honest program writes them.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn unpacked(entries: &[(&str, EntryType, &[u8])]) -> Result<Files, ArchiveError> {
    untar(archive(entries).as_slice(), LIMITS, |_| true)
}

fn file(name: &str) -> Result<Files, ArchiveError> {
    unpacked(&[(name, EntryType::Regular, b"x")])
}

#[test]
fn files_come_back_as_they_were_packed() {
    let long = format!("{}/deep", "folder".repeat(30));
    let files = [("a.txt", &b"one"[..]), ("b/c.sh", b"#!/bin/sh\n"), (long.as_str(), b""), ("ö/ü", &[0, 255])];
    let text = to_text(files).unwrap();
    assert_eq!(text, to_text(files).unwrap());
    let back = from_text(&text, LIMITS).unwrap();
    let back: Vec<(&str, &[u8])> = back.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref())).collect();
    assert_eq!(back, files);
    assert_eq!((to_text([]).unwrap().as_str(), from_text("", LIMITS).unwrap()), ("", Files::new()));
    assert!(matches!(from_text("no archive", LIMITS), Err(ArchiveError::Unreadable(_))));
    assert!(matches!(from_text("bm8gYXJjaGl2ZQ==", LIMITS), Err(ArchiveError::Unreadable(_))));
}

#[test]
fn p04_names_that_lead_out_are_refused_and_never_repaired() {
    assert_eq!(file("./a/b").unwrap().first().unwrap().0, "a/b");
    for name in ["../x", "/etc/x", "a/../../x", "a/./b", "a//b", "..", "a\\b", "C:x", "a\nb", "././a", "a/"] {
        assert!(matches!(file(name), Err(ArchiveError::Name(_))), "{name:?}");
    }
    let deep = "d/".repeat(MAX_DEPTH) + "x";
    assert!(matches!(file(&deep), Err(ArchiveError::Name(_))));
    assert!(matches!(pack([("../x", &b""[..])]), Err(ArchiveError::Name(_))));
}

#[test]
fn p04_only_files_and_folders_come_out() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Symlink};
    for kind in [Symlink, Link, Char, Block, Fifo, EntryType::new(b's'), EntryType::new(b'Z')] {
        let refused = unpacked(&[("fine", EntryType::Regular, b""), ("x", kind, b"")]);
        assert_eq!(refused, Err(ArchiveError::Kind("x".into())), "{kind:?}");
    }
    let files = unpacked(&[("a/", Directory, b""), ("a/b", EntryType::Regular, b"x")]).unwrap();
    assert_eq!(files.len(), 1);
}

#[test]
fn one_name_is_one_file_on_every_system() {
    let pair = |a: &str, b: &str| unpacked(&[(a, EntryType::Regular, b""), (b, EntryType::Regular, b"")]);
    for (a, b) in [("x", "x"), ("x", "X"), ("x", "x/y"), ("x/y", "x"), ("X/y", "x"), ("./x", "x"), ("Ä", "ä")] {
        assert!(matches!(pair(a, b), Err(ArchiveError::Twice(_))), "{a} {b}");
    }
    assert!(pair("x/a", "x/b").is_ok());
}

#[test]
fn p04_what_comes_out_is_counted_as_it_comes() {
    let sized = |sizes: &[usize]| {
        let bytes = vec![0; sizes.iter().copied().max().unwrap_or_default()];
        let names: Vec<String> = (0..sizes.len()).map(|n| n.to_string()).collect();
        let entries: Vec<_> =
            names.iter().zip(sizes).map(|(name, size)| (name.as_str(), EntryType::Regular, &bytes[..*size])).collect();
        unpacked(&entries)
    };
    assert!(sized(&[1000, 1000]).is_ok());
    assert!(matches!(sized(&[1001]), Err(ArchiveError::TooLarge(_))));
    assert!(matches!(sized(&[1000, 900, 101]), Err(ArchiveError::TooLarge(_))));
    assert!(sized(&[0; 8]).is_ok());
    assert!(matches!(sized(&[0; 9]), Err(ArchiveError::TooLarge(_))));
    // A thousandfold: nothing beyond the cap is ever held.
    let zeros = vec![0; 10_000_000];
    let bomb = pack([("zeros", zeros.as_slice())]).unwrap();
    assert!(bomb.len() < 100_000);
    assert!(matches!(untar_gz(bomb.as_slice(), LIMITS, |_| true), Err(ArchiveError::TooLarge(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = untar(bytes.as_slice(), LIMITS, |_| true);
        let _ = untar_gz(bytes.as_slice(), LIMITS, |_| true);
    }

    #[test]
    fn no_name_leads_out(name in "\\PC{0,40}|[./a\\\\:~]{0,12}") {
        if check_name(&name).is_ok() {
            let joined = std::path::Path::new("/work").join(&name);
            let plain = joined.components().all(|part| matches!(part, std::path::Component::RootDir | std::path::Component::Normal(_)));
            prop_assert!(plain && joined.starts_with("/work") && joined != std::path::Path::new("/work"));
        }
    }
}

/// The names that come before an entry are read whole by whoever reads tar: a thousandfold of zeros there, too.
#[test]
fn p04_a_name_as_long_as_a_bomb_is_never_held() {
    let before = |kind: EntryType, megabytes: usize| {
        let zeros = vec![b'0'; megabytes * 1_000_000];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(zeros.len() as u64);
        header.set_cksum();
        let mut archive = Builder::new(&mut gzip);
        archive.append(&header, zeros.as_slice()).unwrap();
        drop(archive);
        gzip.finish().unwrap()
    };
    use EntryType::{GNULongLink, GNULongName, Regular, XGlobalHeader, XHeader};
    for kind in [GNULongName, GNULongLink, XHeader, XGlobalHeader, Regular] {
        let refused = untar_gz(before(kind, 1).as_slice(), LIMITS, |_| false);
        assert!(matches!(refused, Err(ArchiveError::TooLarge(_))), "{kind:?}: {refused:?}");
    }
}
