use chela_core::access::{AccessStore, Pairing, SenderRef};
use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::model::Usage;
use chela_core::queue::Task;
use chela_core::session::{
    Accepted, AssistantEntry, Claim, Claimed, Entry, EntryBody, Head, Put, SessionStore, StoreError,
};
use chela_core::session_key::SessionKey;
use chela_testkit::laws::NOW;

use crate::support::World;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn session() -> SessionKey {
    SessionKey::from_stored("agent:main:main")
}

fn event(id: usize) -> EventKey {
    EventKey::of("webhook", "default", &id.to_string())
}

fn accepted(id: usize, at: Millis) -> Accepted {
    let task =
        Task::Heartbeat { name: "n".into(), scheduled_at: at, prompt: "p".into(), deliver_to: None, made_for: None };
    Accepted { event: event(id), turn: 1, at, task: Some(task) }
}

fn entry(turn: u64) -> Entry {
    let body = AssistantEntry {
        user: vec![],
        blocks: vec![],
        model: "echo".into(),
        usage: Usage::default(),
        outbox: Some(vec!["said".into()]),
        ..AssistantEntry::default()
    };
    Entry { turn, step: 0, at: NOW, body: EntryBody::Assistant(body) }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let mut world = World::new();
    let (key, first) = (session(), event(1));
    let claim = Claim { event: &first, owner: "a", now: NOW, until: NOW.plus(30_000) };
    let who = SenderRef { channel: "telegram".into(), account: "main".into(), sender: "ada".into() };
    let sessions = &world.get().sessions;
    let Claimed::Held(held) = sessions.claim(&key, &claim).await.unwrap() else { panic!("not held") };
    sessions.accept(&key, &accepted(1, NOW)).await.unwrap();
    sessions.append(&key, &entry(1)).await.unwrap();
    sessions.request_pairing(&who, "AAAA2222", NOW).await.unwrap();
    sessions.approve("telegram", "main", "AAAA2222", NOW).await.unwrap();

    let sessions = &world.reopen().sessions;
    let released = Head { owner: String::new(), lease_until: Millis(0), ..held };
    assert_eq!(sessions.head(&key).await.unwrap(), Some(released), "its owner is dead");
    assert_eq!(sessions.accepted(&key, &event(1)).await.unwrap(), Some(accepted(1, NOW)));
    assert_eq!(sessions.history(&key, 0, 10).await.unwrap(), [entry(1)]);
    assert!(sessions.approved(&who).await.unwrap());
}

#[tokio::test]
async fn the_lease_of_a_dead_process_does_not_hold_up_the_next() {
    let mut world = World::new();
    let (key, damaged, event) = (session(), SessionKey::from_stored("damaged"), event(1));
    let claim = |owner| Claim { event: &event, owner, now: NOW, until: NOW.plus(90_000) };
    let sessions = &world.get().sessions;
    for key in [&key, &damaged] {
        assert!(matches!(sessions.claim(key, &claim("first")).await.unwrap(), Claimed::Held(_)));
        assert!(matches!(sessions.claim(key, &claim("second")).await.unwrap(), Claimed::Busy { .. }));
    }
    world.rows().execute_batch("UPDATE sessions SET body = '{' WHERE session = 'damaged'").unwrap();

    let sessions = &world.reopen().sessions;
    let Claimed::Held(head) = sessions.claim(&key, &claim("second")).await.unwrap() else { panic!("free") };
    assert_eq!((head.epoch, head.attempts, head.current.as_ref()), (2, 2, Some(&event)), "the turn goes on");
    let damage = sessions.claim(&damaged, &claim("second")).await;
    assert!(
        matches!(damage, Err(StoreError::Damaged(_))),
        "one damaged row does not keep the folder closed: {damage:?}"
    );
}

#[tokio::test]
async fn an_accepted_event_is_forgotten_after_eight_days() {
    let world = World::new();
    let (sessions, key) = (&world.get().sessions, session());
    sessions.accept(&key, &accepted(1, NOW)).await.unwrap();
    world.clock.advance(8 * DAY_MS - 1);
    let late = accepted(1, NOW.plus(8 * DAY_MS - 1));
    assert_eq!(sessions.accept(&key, &late).await.unwrap(), Put::Exists(accepted(1, NOW)));
    world.clock.advance(1);
    assert_eq!(sessions.accepted(&key, &event(1)).await.unwrap(), None);
    let again = accepted(1, NOW.plus(8 * DAY_MS));
    assert_eq!(sessions.accept(&key, &again).await.unwrap(), Put::Stored);
    assert_eq!(sessions.accepted(&key, &event(1)).await.unwrap(), Some(again));
}

#[tokio::test]
async fn expired_events_are_swept_a_few_at_a_time() {
    let world = World::new();
    let (sessions, key) = (&world.get().sessions, session());
    let rows = || {
        let count = "SELECT count(*) FROM accepted";
        world.rows().query_row(count, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    for id in 0..300 {
        sessions.accept(&key, &accepted(id, NOW)).await.unwrap();
    }
    assert_eq!(rows(), 300);
    world.clock.advance(8 * DAY_MS);
    let later = NOW.plus(8 * DAY_MS);
    let mut before = 300;
    for id in 300..600 {
        sessions.accept(&key, &accepted(id, later)).await.unwrap();
        let now = rows();
        assert!(now + 127 >= before, "{before} rows became {now} at once");
        before = now;
    }
    assert_eq!(rows(), 300, "what came later is all there is");
}

#[tokio::test]
async fn a_damaged_row_is_named_and_others_are_fine() {
    let world = World::new();
    let (sessions, key) = (&world.get().sessions, session());
    let other = SessionKey::from_stored("agent:main:other");
    for key in [&key, &other] {
        let claim = Claim { event: &event(1), owner: "a", now: NOW, until: NOW.plus(1) };
        sessions.claim(key, &claim).await.unwrap();
        sessions.append(key, &entry(1)).await.unwrap();
    }
    let damage = "UPDATE sessions SET body = '{\"secret words' WHERE session = 'agent:main:main'";
    world.rows().execute_batch(damage).unwrap();
    world.rows().execute_batch(&damage.replace("sessions", "entries")).unwrap();

    let claim = Claim { event: &event(1), owner: "a", now: NOW, until: NOW.plus(1) };
    let errors = [
        sessions.claim(&key, &claim).await.unwrap_err(),
        sessions.head(&key).await.unwrap_err(),
        sessions.history(&key, 0, 10).await.unwrap_err(),
        sessions.append(&key, &entry(1)).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
        assert!(error.to_string().contains("agent:main:main") && !error.to_string().contains("secret"), "{error}");
    }
    assert!(matches!(sessions.claim(&other, &claim).await.unwrap(), Claimed::Held(_)));
    assert_eq!(sessions.history(&other, 0, 10).await.unwrap(), [entry(1)]);
}

#[tokio::test]
async fn a_code_is_never_two_senders_at_once() {
    let world = World::new();
    let sessions = &world.get().sessions;
    let who = |sender: &str| SenderRef { channel: "telegram".into(), account: "main".into(), sender: sender.into() };
    sessions.request_pairing(&who("ada"), "AAAA2222", NOW).await.unwrap();
    assert_eq!(sessions.request_pairing(&who("eve"), "AAAA2222", NOW).await.unwrap(), Pairing::Full);
    assert_eq!(sessions.approve("telegram", "main", "AAAA2222", NOW).await.unwrap(), Some(who("ada")));
    assert!(!sessions.approved(&who("eve")).await.unwrap());
}
