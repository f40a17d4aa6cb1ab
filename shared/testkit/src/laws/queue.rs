//! Laws of [`Queue`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use chela_core::queue::{Delivery, Lane, Queue, QueueError};
use chela_core::session_key::SessionKey;
use futures_util::future::{BoxFuture, join_all};

use super::Subject;
use super::sample::{envelope, prompt, session};

/// A visibility that does not end while a law runs.
const LONG: u32 = 30;

/// A fresh, empty queue, and the way to let its clock go on: an adapter with a clock of its own moves it, one on a
/// real service waits. No law lets more than two seconds pass.
pub struct QueueSubject {
    /// The queue.
    pub queue: Subject<dyn Queue>,
    /// Returns when so many seconds have passed for the queue.
    pub advance: Box<dyn Fn(u32) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl QueueSubject {
    async fn push(&self, session: &SessionKey, id: &str) {
        self.push_to(Lane::Live, session, id).await;
    }

    async fn push_to(&self, lane: Lane, session: &SessionKey, id: &str) {
        self.queue.push(lane, &envelope(session, id, id)).await.unwrap();
    }

    async fn receive(&self, max: usize, visibility_s: u32) -> Vec<Delivery> {
        self.receive_from(Lane::Live, max, visibility_s).await
    }

    async fn receive_from(&self, lane: Lane, max: usize, visibility_s: u32) -> Vec<Delivery> {
        let deliveries = self.queue.receive(lane, max, visibility_s).await.unwrap();
        assert!(deliveries.len() <= max, "asked for {max}, got {}", deliveries.len());
        assert!(deliveries.iter().all(|delivery| delivery.lane == lane));
        deliveries
    }

    /// The one message that can be received.
    async fn one(&self, visibility_s: u32) -> Delivery {
        let mut deliveries = self.receive(1, visibility_s).await;
        deliveries.pop().expect("a message can be received")
    }

    async fn nothing(&self, why: &str) {
        let deliveries = self.receive(10, LONG).await;
        assert!(deliveries.is_empty(), "{why}: {:?}", texts(&deliveries));
    }

    async fn delete(&self, delivery: &Delivery) {
        self.queue.delete(delivery.lane, &delivery.receipt).await.unwrap();
    }

    /// Receives and deletes all there is, batch by batch: the texts of each group, in order.
    async fn drain(&self, lane: Lane) -> BTreeMap<String, Vec<String>> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        loop {
            let deliveries = self.receive_from(lane, 10, LONG).await;
            if deliveries.is_empty() {
                return groups;
            }
            for delivery in deliveries {
                groups.entry(delivery.group.clone()).or_default().push(prompt(&delivery.body));
                self.delete(&delivery).await;
            }
        }
    }
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| prompt(&delivery.body)).collect()
}

fn group_of(deliveries: &[Delivery], group: &SessionKey) -> Vec<String> {
    let group = group.queue_group();
    deliveries.iter().filter(|d| d.group == group).map(|d| prompt(&d.body)).collect()
}

/// What comes out is what was put in, under the session's group, received for the first time.
pub async fn a_message_comes_back_as_it_was_sent(subject: &QueueSubject) {
    subject.nothing("a fresh queue is empty").await;
    let sent = envelope(&session("a"), "1", "aß∂🦀\u{1b}\"\\\n");
    subject.queue.push(Lane::Live, &sent).await.unwrap();
    let got = subject.one(LONG).await;
    assert_eq!(serde_json::from_str::<chela_core::queue::Envelope>(&got.body).unwrap(), sent);
    assert_eq!((got.group.as_str(), got.receives), (sent.session.queue_group().as_str(), 1));
    assert!(!got.message_id.is_empty() && !got.receipt.is_empty());
    subject.delete(&got).await;
    subject.nothing("it was deleted").await;
}

/// Messages of one session come in the order they were pushed.
pub async fn a_session_is_first_in_first_out(subject: &QueueSubject) {
    let a = session("a");
    let pushed: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    for id in &pushed {
        subject.push(&a, id).await;
    }
    assert_eq!(subject.drain(Lane::Live).await, BTreeMap::from([(a.queue_group(), pushed)]));
}

/// While one message of a session is in flight its others wait, and other sessions go on.
pub async fn a_session_in_flight_is_blocked_and_others_flow(subject: &QueueSubject) {
    let (a, b) = (session("a"), session("b"));
    subject.push(&a, "a1").await;
    let first = subject.one(LONG).await;
    subject.push(&a, "a2").await;
    subject.push(&b, "b1").await;
    let others = subject.receive(10, LONG).await;
    assert_eq!(texts(&others), ["b1"]);
    subject.nothing("both sessions are in flight").await;
    subject.delete(&first).await;
    assert_eq!(texts(&subject.receive(10, LONG).await), ["a2"], "a delete frees the next");
}

/// A session stays blocked until the last of its messages in flight is deleted.
pub async fn deleting_a_part_of_a_batch_keeps_its_session_blocked(subject: &QueueSubject) {
    let a = session("a");
    for id in ["a1", "a2"] {
        subject.push(&a, id).await;
    }
    let batch = subject.receive(2, LONG).await;
    subject.push(&a, "a3").await;
    for delivery in &batch {
        subject.nothing("a message of the session is in flight").await;
        subject.delete(delivery).await;
    }
    let seen = [texts(&batch), subject.drain(Lane::Live).await.remove(&a.queue_group()).unwrap_or_default()].concat();
    assert_eq!(seen, ["a1", "a2", "a3"]);
}

/// Hiding for 0 seconds returns the same message, first in its session, with one receive more.
pub async fn hiding_for_no_time_redelivers_the_same_head(subject: &QueueSubject) {
    let a = session("a");
    for id in ["a1", "a2"] {
        subject.push(&a, id).await;
    }
    for receives in 1..=3 {
        let head = subject.one(LONG).await;
        assert_eq!((prompt(&head.body).as_str(), head.receives), ("a1", receives));
        subject.queue.hide(Lane::Live, &head.receipt, 0).await.unwrap();
    }
}

/// Hiding for longer keeps the message and its session away for that long, counted from now.
pub async fn hiding_replaces_the_visibility(subject: &QueueSubject) {
    let a = session("a");
    for id in ["a1", "a2"] {
        subject.push(&a, id).await;
    }
    let head = subject.one(1).await;
    subject.queue.hide(Lane::Live, &head.receipt, LONG).await.unwrap();
    (subject.advance)(2).await;
    subject.nothing("longer than the first visibility").await;
    subject.queue.hide(Lane::Live, &head.receipt, 1).await.unwrap();
    subject.nothing("one second is not over").await;
    (subject.advance)(2).await;
    let again = subject.one(LONG).await;
    assert_eq!((prompt(&again.body).as_str(), again.receives), ("a1", 2));
    assert_eq!(again.message_id, head.message_id);
}

/// When the visibility ends the message comes again, before the others of its session.
pub async fn the_end_of_the_visibility_redelivers(subject: &QueueSubject) {
    let a = session("a");
    for id in ["a1", "a2"] {
        subject.push(&a, id).await;
    }
    let first = subject.one(1).await;
    subject.nothing("the visibility lasts").await;
    (subject.advance)(2).await;
    let second = subject.one(LONG).await;
    assert_eq!(texts(&[first.clone(), second.clone()]), ["a1", "a1"]);
    assert_eq!((first.receives, second.receives), (1, 2));
    assert_eq!(first.message_id, second.message_id);
}

/// A receipt of an earlier receive has no power over the message somebody else holds now.
pub async fn an_old_receipt_cannot_delete_a_redelivered_message(subject: &QueueSubject) {
    subject.push(&session("a"), "a1").await;
    let first = subject.one(1).await;
    (subject.advance)(2).await;
    let second = subject.one(LONG).await;
    let deleted = subject.queue.delete(Lane::Live, &first.receipt).await;
    assert!(matches!(deleted, Ok(()) | Err(QueueError::Expired)), "{deleted:?}");
    subject.nothing("the second receive holds it").await;
    subject.queue.hide(Lane::Live, &second.receipt, 0).await.unwrap();
    let third = subject.one(LONG).await;
    assert_eq!((prompt(&third.body).as_str(), third.receives), ("a1", 3));
    subject.delete(&third).await;
    subject.nothing("deleted").await;
}

/// A receipt whose time ran out cannot hide, and nothing like a receipt is one.
pub async fn an_old_receipt_cannot_hide_a_redelivered_message(subject: &QueueSubject) {
    subject.push(&session("a"), "a1").await;
    let first = subject.one(1).await;
    (subject.advance)(2).await;
    let second = subject.one(LONG).await;
    let hidden = subject.queue.hide(Lane::Live, &first.receipt, 0).await;
    assert!(matches!(hidden, Ok(()) | Err(QueueError::Expired)), "{hidden:?}");
    subject.nothing("the second receive holds it").await;
    subject.delete(&second).await;
}

/// Deleting twice is harmless.
pub async fn deleting_twice_is_harmless(subject: &QueueSubject) {
    let a = session("a");
    subject.push(&a, "a1").await;
    let first = subject.one(LONG).await;
    subject.delete(&first).await;
    subject.push(&a, "a2").await;
    subject.delete(&first).await;
    assert_eq!(texts(&subject.receive(10, LONG).await), ["a2"]);
}

/// A platform's retry of an event is taken once, waiting, in flight or already done.
pub async fn an_event_pushed_again_is_taken_once(subject: &QueueSubject) {
    let a = session("a");
    subject.push(&a, "a1").await;
    subject.push(&a, "a1").await;
    let first = subject.one(LONG).await;
    subject.push(&a, "a1").await;
    subject.delete(&first).await;
    subject.nothing("waiting and in flight").await;
    subject.push(&a, "a1").await;
    subject.nothing("already done").await;
}

/// The name of an event is its own within a session: in two sessions it is two messages.
pub async fn an_event_in_two_sessions_arrives_in_both(subject: &QueueSubject) {
    let (a, b) = (session("a"), session("b"));
    subject.push(&a, "same").await;
    subject.push(&b, "same").await;
    let one = vec!["same".to_owned()];
    let expected = BTreeMap::from([(a.queue_group(), one.clone()), (b.queue_group(), one)]);
    assert_eq!(subject.drain(Lane::Live).await, expected);
}

/// A lane delivers its own messages only, and a session in flight in one lane does not block it in another.
pub async fn lanes_are_separate(subject: &QueueSubject) {
    let a = session("a");
    for lane in Lane::ALL {
        subject.push_to(lane, &a, "same").await;
        subject.push_to(lane, &a, lane.name()).await;
    }
    for lane in Lane::ALL {
        let head = subject.receive_from(lane, 1, LONG).await;
        assert_eq!(texts(&head), ["same"], "{lane:?}");
    }
}

/// A batch may span sessions, and keeps the order inside each; nothing is delivered twice.
pub async fn a_batch_spans_sessions_and_keeps_their_order(subject: &QueueSubject) {
    let sessions = ["a", "b", "c", "d"].map(session);
    let mut expected = BTreeMap::new();
    for n in 0..5 {
        for session in &sessions {
            let text = format!("{n} of {}", session.queue_group());
            subject.push(session, &text).await;
            expected.entry(session.queue_group()).or_insert_with(Vec::new).push(text);
        }
    }
    let batch = subject.receive(10, LONG).await;
    assert!(!batch.is_empty());
    for session in &sessions {
        let got = group_of(&batch, session);
        assert_eq!(got, expected[&session.queue_group()][..got.len()]);
    }
    let ids: BTreeSet<_> = batch.iter().map(|delivery| &delivery.message_id).collect();
    assert_eq!(ids.len(), batch.len(), "nothing twice in one batch");
    for delivery in batch.iter().rev() {
        subject.queue.hide(Lane::Live, &delivery.receipt, 0).await.unwrap();
    }
    assert_eq!(subject.drain(Lane::Live).await, expected, "a returned batch is back in its order");
}

/// A message over 1 MiB is refused, names its size and the limit, and leaves nothing; one just under it is taken.
pub async fn a_message_over_one_mebibyte_is_refused(subject: &QueueSubject) {
    let a = session("a");
    let refused = subject.queue.push(Lane::Live, &envelope(&a, "big", &"x".repeat(1024 * 1024))).await;
    let Err(QueueError::TooLarge { bytes, limit }) = refused else { panic!("{refused:?}") };
    assert!(bytes > limit && limit == 1024 * 1024, "{bytes} over {limit}");
    subject.nothing("refused").await;
    let large = "x".repeat(1024 * 1024 - 4096);
    subject.queue.push(Lane::Live, &envelope(&a, "large", &large)).await.unwrap();
    assert_eq!(prompt(&subject.one(LONG).await.body).len(), large.len());
}

/// A buried message is out of its lane for good and does not block its session.
pub async fn a_buried_message_frees_its_session(subject: &QueueSubject) {
    let a = session("a");
    for id in ["a1", "a2"] {
        subject.push(&a, id).await;
    }
    let poison = subject.one(1).await;
    subject.queue.bury(&poison, "its form is newer than this code").await.unwrap();
    let next = subject.one(LONG).await;
    assert_eq!(prompt(&next.body), "a2");
    subject.delete(&next).await;
    (subject.advance)(2).await;
    subject.nothing("the buried message does not come back").await;
}

/// Session names that are long, odd or almost alike are groups of their own.
pub async fn odd_session_keys_are_separate_groups(subject: &QueueSubject) {
    let long = "x".repeat(300);
    let mut keys: Vec<SessionKey> =
        ["a", "A", "a#", "a b", "🦀:群", "á", "a\u{301}"].map(SessionKey::from_stored).into();
    keys.push(SessionKey::from_stored(long.clone()));
    keys.push(SessionKey::from_stored(format!("{long}y")));
    for (n, key) in keys.iter().enumerate() {
        subject.push(key, &n.to_string()).await;
    }
    let drained = subject.drain(Lane::Live).await;
    let expected: BTreeMap<_, _> =
        keys.iter().enumerate().map(|(n, key)| (key.queue_group(), vec![n.to_string()])).collect();
    assert_eq!(expected.len(), keys.len());
    assert_eq!(drained, expected);
}

/// Eight consumers, forty sessions, five messages each: no session is ever held twice, none gets out of order, and
/// nothing is lost or comes twice.
pub async fn eight_consumers_never_share_a_session(subject: &QueueSubject) {
    const TOTAL: usize = 40 * 5;
    let sessions: Vec<_> = (0..40).map(|n| session(&format!("s{n}"))).collect();
    for n in 0..5 {
        join_all(sessions.iter().map(|key| async move { subject.push(key, &n.to_string()).await })).await;
    }
    let held = Mutex::new(BTreeSet::new());
    let done = Mutex::new(BTreeMap::<String, Vec<String>>::new());
    let finished = || done.lock().unwrap().values().map(Vec::len).sum::<usize>() >= TOTAL;
    let consume = |max: usize| {
        let (held, done, finished) = (&held, &done, &finished);
        async move {
            // A lane that stalls is a failure too, not a test that hangs.
            for _ in 0..10_000 {
                if finished() {
                    return;
                }
                let batch = subject.receive(max, LONG).await;
                for group in batch.iter().map(|d| &d.group).collect::<BTreeSet<_>>() {
                    assert!(held.lock().unwrap().insert(group.clone()), "{group} is held twice");
                }
                tokio::task::yield_now().await;
                for (n, delivery) in batch.iter().enumerate() {
                    done.lock().unwrap().entry(delivery.group.clone()).or_default().push(prompt(&delivery.body));
                    if !batch[n + 1..].iter().any(|later| later.group == delivery.group) {
                        held.lock().unwrap().remove(&delivery.group);
                    }
                    subject.delete(delivery).await;
                }
            }
        }
    };
    join_all([1, 1, 2, 3, 5, 10, 10, 10].map(consume)).await;
    let in_order: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    let expected: BTreeMap<_, _> = sessions.iter().map(|key| (key.queue_group(), in_order.clone())).collect();
    assert_eq!(*done.lock().unwrap(), expected);
    subject.nothing("all was deleted").await;
}

/// What was pushed and not deleted is counted, whether it waits or is in flight; each lane alone.
pub async fn a_lane_tells_how_many_it_holds(subject: &QueueSubject) {
    let held = async |lane| {
        let depth = subject.queue.depth(lane).await.unwrap();
        depth.waiting + depth.in_flight
    };
    assert_eq!(held(Lane::Live).await, 0);
    for id in ["1", "2", "3"] {
        subject.push(&session("a"), id).await;
    }
    assert_eq!((held(Lane::Live).await, held(Lane::Background).await), (3, 0));
    let first = subject.one(LONG).await;
    assert_eq!(held(Lane::Live).await, 3, "what is in flight is there");
    subject.delete(&first).await;
    assert_eq!(held(Lane::Live).await, 2);
}

/// Declares one test for each law of the queue; `$make` is an `async fn() -> QueueSubject`.
#[macro_export]
macro_rules! queue_laws {
    ($make:expr) => {
        $crate::law_tests!(
            queue,
            $make,
            [
                a_message_comes_back_as_it_was_sent,
                a_session_is_first_in_first_out,
                a_session_in_flight_is_blocked_and_others_flow,
                deleting_a_part_of_a_batch_keeps_its_session_blocked,
                hiding_for_no_time_redelivers_the_same_head,
                hiding_replaces_the_visibility,
                the_end_of_the_visibility_redelivers,
                an_old_receipt_cannot_delete_a_redelivered_message,
                an_old_receipt_cannot_hide_a_redelivered_message,
                deleting_twice_is_harmless,
                an_event_pushed_again_is_taken_once,
                an_event_in_two_sessions_arrives_in_both,
                lanes_are_separate,
                a_lane_tells_how_many_it_holds,
                a_batch_spans_sessions_and_keeps_their_order,
                a_message_over_one_mebibyte_is_refused,
                a_buried_message_frees_its_session,
                odd_session_keys_are_separate_groups,
                eight_consumers_never_share_a_session,
            ]
        );
    };
}
