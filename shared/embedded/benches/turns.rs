//! What a turn costs in state: its rows, without a model, a channel or a web server.
//!
//! A hundred sessions talk at once. Each turn is what a plain turn of the agent asks of the store: push, receive,
//! claim, accept, append, two saves, delete; each answered when it is durable. Printed are turns a second and CPU time
//! of the whole process for each turn, after a warm-up. `cargo bench -p chela-embedded`
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a measurement, not a product")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_clock::SystemClock;
use chela_core::clock::Clock;
use chela_core::message::{EventKey, Inbound};
use chela_core::model::{Block, Usage};
use chela_core::queue::{Authority, Delivery, ENVELOPE_VERSION, Envelope, Lane, Queue, Standing, Task};
use chela_core::session::{
    Accepted, AssistantEntry, Claim, Claimed, Entry, EntryBody, Fence, Head, Intent, Put, RECENT_EVENTS, SessionStore,
    Settled, UserFragment,
};
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;

const SESSIONS: usize = 100;
const WARM_UP: usize = 2_000;
const TURNS: usize = 20_000;
const LANE: Lane = Lane::Live;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Instant::now();
    let embedded = Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap();
    println!("making the data folder, ms           {:>8.1}", clock.elapsed().as_secs_f64() * 1e3);
    work(&embedded, 0, WARM_UP).await;
    let (cpu, clock) = (cpu_time(), Instant::now());
    work(&embedded, WARM_UP, TURNS).await;
    let (took, cpu) = (clock.elapsed().as_secs_f64(), cpu_time() - cpu);
    let turns = TURNS as f64;
    println!("durable turns/s with {SESSIONS} sessions  {:>8.0}", turns / took);
    println!("CPU µs for each turn                 {:>8.0}", cpu.as_secs_f64() * 1e6 / turns);
    println!("resident MB                          {:>8.1}", status_kb("VmRSS:") / 1024.0);
    println!("database MB                          {:>8.1}", megabytes(&folder.path().join("chela.sqlite")));
    drop(embedded);
    let clock = Instant::now();
    let embedded = Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap();
    println!("opening it with all that, ms         {:>8.1}", clock.elapsed().as_secs_f64() * 1e3);
    drop(embedded);
    println!("single sync of this disk, µs         {:>8.0}", sync_time(folder.path()).as_secs_f64() * 1e6);
}

/// Has each of the sessions answered turn by turn until so many turns are done.
async fn work(embedded: &Embedded, first: usize, turns: usize) {
    let mut begun = SESSIONS;
    let mut answering = FuturesUnordered::new();
    let mut pushing: FuturesUnordered<_> = (0..SESSIONS).map(|n| push(embedded, n, first + n)).collect();
    let mut done = 0;
    while done < turns {
        tokio::select! {
            Some(()) = pushing.next(), if !pushing.is_empty() => {}
            Some(session) = answering.next(), if !answering.is_empty() => {
                done += 1;
                if begun < turns {
                    pushing.push(push(embedded, session, first + begun));
                    begun += 1;
                }
            }
            () = embedded.queue.wait(LANE) => {
                for delivery in embedded.queue.receive(LANE, 10, 180).await.unwrap() {
                    answering.push(answer(embedded, delivery));
                }
            }
        }
    }
}

async fn push(embedded: &Embedded, session: usize, event: usize) {
    let envelope = envelope(session, event);
    embedded.queue.push(LANE, &envelope).await.unwrap();
}

/// One turn; its session's number.
async fn answer(embedded: &Embedded, delivery: Delivery) -> usize {
    let store = &embedded.sessions;
    let envelope: Envelope = serde_json::from_str(&delivery.body).unwrap();
    let (key, event, now, owner) = (envelope.session, envelope.event, SystemClock.now(), SystemClock.unique());
    let claim = Claim { event: &event, owner: &owner, now, until: now.plus(60_000) };
    let Claimed::Held(mut head) = store.claim(&key, &claim).await.unwrap() else { panic!("not held") };
    let Task::Message { inbound, .. } = &envelope.task else { panic!("not what was pushed") };
    let user = UserFragment {
        sender: inbound.sender.id.clone(),
        name: None,
        text: inbound.text.clone(),
        ..Default::default()
    };
    let session = inbound.peer.id.parse().unwrap();

    let accepted = Accepted { event: event.clone(), turn: head.turn(), at: now, task: Some(envelope.task) };
    assert_eq!(store.accept(&key, &accepted).await.unwrap(), Put::Stored);
    let said = "An answer of the length that answers have, which is a few sentences. ".repeat(6);
    let body = AssistantEntry {
        user: vec![user],
        blocks: vec![Block::Text { text: said.clone() }],
        model: "echo".into(),
        usage: Usage { input: 1200, output: 110, cache_read: 900, cache_write: 0 },
        outbox: Some(vec![said]),
        ..AssistantEntry::default()
    };
    let entry = Entry { turn: head.turn(), step: 0, at: now, body: EntryBody::Assistant(body) };
    assert_eq!(store.append(&key, &entry).await.unwrap(), Put::Stored);

    let epoch = head.epoch;
    head.intents = vec![Intent::Send { part: 0 }];
    let fence = Fence { epoch, owner: &owner, lease_reaches: now.plus(30_000) };
    store.save(&key, &head, &fence).await.unwrap();
    let finished = finished(head, &event);
    store.save(&key, &finished, &Fence { epoch, owner: &owner, lease_reaches: now }).await.unwrap();
    embedded.queue.delete(LANE, &delivery.receipt).await.unwrap();
    session
}

fn finished(head: Head, event: &EventKey) -> Head {
    let mut recent = head.recent;
    if recent.len() == RECENT_EVENTS {
        recent.remove(0);
    }
    recent.push(event.short().to_owned());
    let settled = vec![Settled::Sent { id: "1700000000.000100".into() }];
    Head { epoch: head.epoch, last_turn: head.last_turn + 1, settled, recent, ..Head::default() }
}

fn envelope(session: usize, event: usize) -> Envelope {
    let inbound: Inbound = serde_json::from_value(json!({
        "channel": "telegram",
        "account": "default",
        "event_id": event.to_string(),
        "peer": { "kind": "direct", "id": session.to_string() },
        "sender": { "id": "7012345678", "name": "Ada Lovelace" },
        "text": "What is on my calendar tomorrow, and do I need an umbrella on the way to the station?",
        "addressed": true,
        "sent_at": 1_800_000_000_000_u64,
        "reply_to": { "channel": "telegram", "account": "default", "to": session.to_string(), "message": "4711" },
    }))
    .unwrap();
    Envelope {
        version: ENVELOPE_VERSION,
        event: inbound.event_key(),
        session: SessionKey::from_stored(format!("agent:main:telegram:direct:{session}")),
        agent: serde_json::from_value(json!("main")).unwrap(),
        accepted_at: SystemClock.now(),
        task: Task::Message { inbound: Box::new(inbound), standing: Standing::Allowed, authority: Authority::Owner },
    }
}

/// User and system time of all threads (fields 14 and 15 of the file, in hundredths of a second).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn status_kb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn megabytes(path: &Path) -> f64 {
    std::fs::metadata(path).unwrap().len() as f64 / 1e6
}

/// How long this disk takes to make one small write durable: the floor of every answer.
fn sync_time(folder: &Path) -> Duration {
    let mut file = std::fs::File::create(folder.join("sync")).unwrap();
    let began = Instant::now();
    for _ in 0..50 {
        std::io::Write::write_all(&mut file, &[0; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    began.elapsed() / 50
}
