//! Laws of [`DeadLetters`].

use chela_core::queue::{Buried, DeadLetters, Delivery, Lane};

use super::sample::{envelope, prompt, session};

/// A visibility that does not end while a law runs.
const LONG: u32 = 30;

async fn bury(queue: &dyn DeadLetters, lane: Lane, name: &str, id: &str, reason: &str) -> Delivery {
    queue.push(lane, &envelope(&session(name), id, id)).await.unwrap();
    let poison = one(queue, lane).await;
    queue.bury(&poison, reason).await.unwrap();
    poison
}

async fn one(queue: &dyn DeadLetters, lane: Lane) -> Delivery {
    queue.receive(lane, 1, LONG).await.unwrap().pop().expect("a message can be received")
}

async fn nothing(queue: &dyn DeadLetters, lane: Lane) {
    assert!(queue.receive(lane, 10, LONG).await.unwrap().is_empty());
}

async fn ids(queue: &dyn DeadLetters) -> Vec<String> {
    queue.buried(100).await.unwrap().into_iter().map(|letter| letter.id).collect()
}

/// A buried message is shown as it was, with the reason, however often somebody looks.
pub async fn a_buried_message_is_shown_again_and_again(queue: &dyn DeadLetters) {
    assert_eq!(queue.buried(10).await.unwrap(), []);
    let poison = bury(queue, Lane::Scheduled, "a", "aß∂🦀", "its form is newer than this code").await;
    for _ in 0..2 {
        let shown = queue.buried(10).await.unwrap().pop().expect("one is buried");
        let Buried { lane, id, group, at, receives, reason, body } = shown;
        assert_eq!((lane, group, body), (Lane::Scheduled, poison.group.clone(), poison.body.clone()));
        assert_eq!(reason, "its form is newer than this code");
        assert!(at.0 > 0 && receives > 0);
        assert!(!id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id:?}");
    }
}

/// Messages of all lanes and sessions are shown, no more than asked for.
pub async fn all_lanes_and_sessions_are_shown(queue: &dyn DeadLetters) {
    for lane in Lane::ALL {
        for name in ["a", "b"] {
            bury(queue, lane, name, lane.name(), name).await;
        }
    }
    let all = queue.buried(100).await.unwrap();
    for lane in Lane::ALL {
        let mut reasons: Vec<_> = all.iter().filter(|l| l.lane == lane).map(|l| l.reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["a", "b"], "{lane:?}");
    }
    assert!(all.is_sorted_by(|newer, older| newer.at >= older.at), "newest first");
    for limit in [0, 1, 5] {
        assert_eq!(queue.buried(limit).await.unwrap().len(), limit);
    }
}

/// A redriven message comes once, with the same body, behind those that wait; also right after its first push.
pub async fn a_redriven_message_comes_back_once_at_the_end(queue: &dyn DeadLetters) {
    let poison = bury(queue, Lane::Live, "a", "a1", "poison").await;
    queue.push(Lane::Live, &envelope(&session("a"), "a2", "a2")).await.unwrap();
    let id = ids(queue).await.pop().expect("one is buried");
    assert!(!queue.redrive(Lane::Background, &id).await.unwrap(), "it is of another lane");
    assert!(queue.redrive(Lane::Live, &id).await.unwrap());
    assert!(!queue.redrive(Lane::Live, &id).await.unwrap(), "it is not buried any more");
    assert!(ids(queue).await.is_empty());
    let first = one(queue, Lane::Live).await;
    assert_eq!(prompt(&first.body), "a2");
    queue.delete(Lane::Live, &first.receipt).await.unwrap();
    let again = one(queue, Lane::Live).await;
    assert_eq!((&again.body, &again.group), (&poison.body, &poison.group));
    queue.delete(Lane::Live, &again.receipt).await.unwrap();
    nothing(queue, Lane::Live).await;
}

/// A message that is buried, redriven and buried again is one that can be redriven again, under a new name.
pub async fn a_message_can_be_buried_and_redriven_again(queue: &dyn DeadLetters) {
    bury(queue, Lane::Live, "a", "a1", "first").await;
    let first = ids(queue).await.pop().expect("one is buried");
    assert!(queue.redrive(Lane::Live, &first).await.unwrap());
    queue.bury(&one(queue, Lane::Live).await, "second").await.unwrap();
    let second = ids(queue).await.pop().expect("one is buried");
    assert_ne!(first, second);
    assert!(!queue.discard(Lane::Live, &first).await.unwrap(), "the name of the earlier burial means nothing");
    assert!(queue.redrive(Lane::Live, &second).await.unwrap());
    assert_eq!(prompt(&one(queue, Lane::Live).await.body), "a1");
}

/// A discarded message is gone, and no other.
pub async fn a_discarded_message_is_gone_for_good(queue: &dyn DeadLetters) {
    for name in ["a", "b"] {
        bury(queue, Lane::Live, name, name, name).await;
    }
    let dead = queue.buried(10).await.unwrap().into_iter().find(|letter| letter.reason == "a").expect("it is buried");
    assert!(!queue.discard(Lane::Scheduled, &dead.id).await.unwrap(), "it is of another lane");
    assert!(queue.discard(Lane::Live, &dead.id).await.unwrap());
    assert!(!queue.discard(Lane::Live, &dead.id).await.unwrap(), "twice");
    for nonsense in ["", "nobody", "-1", "9223372036854775808"] {
        assert!(!queue.discard(Lane::Live, nonsense).await.unwrap(), "{nonsense:?}");
        assert!(!queue.redrive(Lane::Live, nonsense).await.unwrap(), "{nonsense:?}");
    }
    let left: Vec<_> = queue.buried(10).await.unwrap().into_iter().map(|letter| letter.reason).collect();
    assert_eq!(left, ["b"]);
    nothing(queue, Lane::Live).await;
}

/// Declares one test for each law of dead letters; `$make` is an `async fn() -> Subject<dyn DeadLetters>`.
#[macro_export]
macro_rules! dead_letter_laws {
    ($make:expr) => {
        $crate::law_tests!(
            dead_letters,
            $make,
            [
                a_buried_message_is_shown_again_and_again,
                all_lanes_and_sessions_are_shown,
                a_redriven_message_comes_back_once_at_the_end,
                a_message_can_be_buried_and_redriven_again,
                a_discarded_message_is_gone_for_good,
            ]
        );
    };
}
