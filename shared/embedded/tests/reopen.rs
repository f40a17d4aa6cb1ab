//! A folder opened again has no living owner of anything.

use std::sync::Arc;

use chela_clock::SystemClock;
use chela_core::clock::Clock as _;
use chela_core::message::EventKey;
use chela_core::session::{Claim, Claimed, SessionStore as _};
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;

#[tokio::test]
async fn the_lease_of_a_dead_process_does_not_hold_up_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let key = SessionKey::from_stored("agent:main:main");
    let event = EventKey::of("telegram", "default", "1");
    let now = SystemClock.now();
    let claim = |owner| Claim { event: &event, owner, now, until: now.plus(90_000) };
    let store = Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap();
    assert!(matches!(store.sessions.claim(&key, &claim("first")).await.unwrap(), Claimed::Held(_)));
    assert!(matches!(store.sessions.claim(&key, &claim("second")).await.unwrap(), Claimed::Busy { .. }));
    drop(store);
    let store = Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap();
    let Claimed::Held(head) = store.sessions.claim(&key, &claim("second")).await.unwrap() else { panic!("free") };
    assert_eq!((head.epoch, head.attempts, head.current.as_ref()), (2, 2, Some(&event)), "the turn goes on");
}
