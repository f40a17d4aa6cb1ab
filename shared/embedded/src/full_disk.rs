//! What the adapters answer when the disk is full. A test only: it needs a hand on the database's limit.

use std::sync::Arc;

use chela_core::message::EventKey;
use chela_core::model::Block;
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Lane, Queue, QueueError, Task};
use chela_core::session::{Entry, EntryBody, Put, SessionStore, StoreError};
use chela_core::session_key::SessionKey;
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::NOW;
use futures_util::future::join_all;
use rusqlite::Connection;

use crate::Embedded;

fn key() -> SessionKey {
    SessionKey::from_stored("agent:main:main")
}

fn entry(turn: u64) -> Entry {
    let result = Block::ToolResult { id: "call".into(), text: "x".repeat(1000), is_error: false, files: vec![] };
    Entry { turn, step: 0, at: NOW, body: EntryBody::ToolDone { result } }
}

fn envelope(n: u64) -> Envelope {
    let task = Task::Heartbeat {
        name: "n".into(),
        scheduled_at: NOW,
        prompt: "x".repeat(1000),
        deliver_to: None,
        made_for: None,
    };
    Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of("webhook", "default", &n.to_string()),
        session: key(),
        agent: serde_json::from_str("\"main\"").unwrap(),
        accepted_at: NOW,
        task,
    }
}

async fn room(embedded: &Embedded, pages: u32) {
    let limit = move |connection: &Connection| {
        let used: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", used + pages, |row| row.get::<_, u32>(0))
    };
    embedded.sessions.database.run(limit).await.unwrap();
}

/// Everything in the queue, by number.
async fn queued(embedded: &Embedded) -> Vec<EventKey> {
    let deliveries = embedded.queue.receive(Lane::Live, 10_000, 0).await.unwrap();
    deliveries.iter().map(|delivery| serde_json::from_str::<Envelope>(&delivery.body).unwrap().event).collect()
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_accepted_is_lost() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(NOW)));
    let embedded = Embedded::open(folder.path(), clock.clone()).unwrap();
    room(&embedded, 30).await;
    let (mut appended, mut pushed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..30 {
        let numbers: Vec<u64> = (1..=4).map(|n| round * 4 + n).collect();
        let envelopes: Vec<_> = numbers.iter().map(|n| envelope(*n)).collect();
        let pushes = join_all(envelopes.iter().map(|envelope| embedded.queue.push(Lane::Live, envelope)));
        let entries: Vec<_> = numbers.iter().map(|n| entry(*n)).collect();
        let (session, sessions) = (key(), &embedded.sessions);
        let appends = join_all(entries.iter().map(|entry| sessions.append(&session, entry)));
        let (pushes, appends) = tokio::join!(pushes, appends);
        for (answer, envelope) in pushes.into_iter().zip(envelopes) {
            match answer {
                Ok(()) => pushed.push(envelope.event),
                Err(QueueError::Unavailable(told)) if told.contains("full: free space") => refused.push(envelope),
                Err(other) => panic!("{other}"),
            }
        }
        for (answer, entry) in appends.into_iter().zip(entries) {
            match answer {
                Ok(Put::Stored) => appended.push(entry),
                Err(StoreError::Full(told)) => assert!(told.contains("chela.sqlite"), "{told}"),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(pushed.len() > 5 && appended.len() > 5 && refused.len() > 5, "{} {}", pushed.len(), appended.len());
    assert_eq!(queued(&embedded).await, pushed, "exactly what was accepted");
    assert_eq!(embedded.sessions.history(&key(), 0, 1000).await.unwrap(), appended);

    room(&embedded, 10_000).await;
    for envelope in &refused {
        embedded.queue.push(Lane::Live, envelope).await.unwrap();
        pushed.push(envelope.event.clone());
    }
    assert_eq!(queued(&embedded).await, pushed, "what was refused is no repetition when it comes again");
    drop(embedded);
    let embedded = Embedded::open(folder.path(), clock).unwrap();
    assert_eq!(queued(&embedded).await, pushed);
    assert_eq!(embedded.sessions.history(&key(), 0, 1000).await.unwrap(), appended);
}
