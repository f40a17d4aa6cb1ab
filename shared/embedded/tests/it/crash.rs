//! A process that is killed at any instant has lost nothing that it answered.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use chela_clock::SystemClock;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::clock::Clock;
use chela_core::model::Block;
use chela_core::queue::{DeadLetters, Lane, Queue};
use chela_core::session::{Claim, Claimed, Entry, EntryBody, Fence, Head, SessionStore};
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;
use chela_testkit::laws::NOW;
use futures_util::future::join_all;

use crate::support::{envelope, prompt};

/// Tells the child which folder to write to; the test that is the child does nothing without it.
const FOLDER: &str = "CHELA_CRASH_TEST_FOLDER";
const SESSIONS: usize = 8;
const ANSWERS_BEFORE_DEATH: usize = 400;

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, Arc::new(SystemClock)).unwrap()
}

fn session(n: usize) -> SessionKey {
    SessionKey::from_stored(format!("session{n}"))
}

fn entry(turn: u64) -> Entry {
    let result = Block::ToolResult { id: "call".into(), text: turn.to_string(), is_error: false, files: vec![] };
    Entry { turn, step: 0, at: NOW, body: EntryBody::ToolDone { result } }
}

#[tokio::test]
async fn a_killed_process_has_lost_nothing_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for round in 0..3 {
        let lines = answers_until_killed(folder.path());
        assert!(lines.len() >= ANSWERS_BEFORE_DEATH, "round {round}: {} answers", lines.len());
        for line in lines {
            let (kind, what) = line.split_once(' ').unwrap();
            answered.entry(kind.to_owned()).or_default().insert(what.to_owned());
        }
        let stored = stored(&open(folder.path())).await;
        for (kind, answered) in &answered {
            let lost: Vec<_> = answered.difference(&stored[kind]).collect();
            assert!(lost.is_empty(), "round {round}: answered and lost: {kind} {lost:?}");
        }
    }
    let kinds: Vec<_> = answered.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["append", "push", "put", "save"], "each kind of write was answered");
}

/// Starts a process that writes, and kills it in the middle of that: the writes it had answered, one a line.
fn answers_until_killed(folder: &Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    let out = BufReader::new(child.stdout.take().unwrap());
    for line in out.lines().map_while(Result::ok) {
        if let Some((_, answer)) = line.split_once("answered: ") {
            lines.push(answer.to_owned());
        }
        if lines.len() == ANSWERS_BEFORE_DEATH {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    lines
}

async fn stored(embedded: &Embedded) -> BTreeMap<String, BTreeSet<String>> {
    let mut stored: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for n in 0..SESSIONS {
        let key = session(n);
        for entry in embedded.sessions.history(&key, 0, usize::MAX).await.unwrap() {
            stored.entry("append".into()).or_default().insert(format!("{n} {}", entry.turn));
        }
        let saved = embedded.sessions.head(&key).await.unwrap().map_or(0, |head| head.forgotten);
        stored.entry("save".into()).or_default().extend((1..=saved).map(|turn| format!("{n} {turn}")));
    }
    loop {
        let batch = embedded.queue.receive(Lane::Live, 100, 3600).await.unwrap();
        if batch.is_empty() {
            break;
        }
        for delivery in batch {
            embedded.queue.bury(&delivery, "counted").await.unwrap();
        }
    }
    for buried in embedded.queue.buried(usize::MAX).await.unwrap() {
        stored.entry("push".into()).or_default().insert(prompt(&buried.body));
    }
    for listed in embedded.blobs.list("notes/", usize::MAX).await.unwrap() {
        let (n, turn) = listed.key.trim_start_matches("notes/").split_once('/').unwrap();
        let turn = turn.to_owned();
        stored.entry("put".into()).or_default().insert(format!("{n} {turn}"));
        let blob = embedded.blobs.get(&listed.key).await.unwrap().unwrap();
        assert_eq!(blob.bytes, content(&turn), "{} is whole", listed.key);
    }
    stored
}

fn content(turn: &str) -> Bytes {
    Bytes::from(turn.repeat(5000))
}

#[tokio::test]
#[ignore = "is the process that a_killed_process_has_lost_nothing_that_it_answered kills"]
async fn writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let embedded = open(Path::new(&folder));
    join_all((0..SESSIONS).map(|n| write(&embedded, n))).await;
}

async fn write(embedded: &Embedded, n: usize) {
    let key = session(n);
    let first = embedded.sessions.head(&key).await.unwrap().map_or(1, |head| head.forgotten + 1);
    let event = envelope("", "event", "").event;
    let owner = format!("process{}", std::process::id());
    // A lease that is over before the next process comes.
    let now = SystemClock.now();
    let claim = Claim { event: &event, owner: &owner, now, until: now.plus(1) };
    let Claimed::Held(head) = embedded.sessions.claim(&key, &claim).await.unwrap() else { panic!("not held") };
    let fence = Fence { epoch: head.epoch, owner: &owner, lease_reaches: now };
    for turn in first.. {
        let name = format!("{n} {turn}");
        embedded.queue.push(Lane::Live, &envelope(key.as_str(), &name, &name)).await.unwrap();
        answer("push", &name);
        embedded.sessions.append(&key, &entry(turn)).await.unwrap();
        answer("append", &name);
        let saved = Head { forgotten: turn, ..head.clone() };
        embedded.sessions.save(&key, &saved, &fence).await.unwrap();
        answer("save", &name);
        if turn % 8 == 0 {
            let key = format!("notes/{n}/{turn}");
            embedded.blobs.put(&key, content(&turn.to_string()), Precondition::None).await.unwrap();
            answer("put", &name);
        }
    }
}

fn answer(kind: &str, what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "answered: {kind} {what}").and_then(|()| out.flush()).unwrap();
}
