use std::time::{Duration, Instant};

use chela_core::queue::{DeadLetters, Delivery, Depth, Envelope, Lane, Queue, QueueError};
use chela_core::session_key::SessionKey;
use chela_embedded::SqliteQueue;
use chela_testkit::laws::NOW;
use futures_util::future::{join, join_all};

use crate::support::{World, envelope, prompt};

const LANE: Lane = Lane::Live;
const MINUTE_MS: u64 = 60_000;

async fn push(queue: &SqliteQueue, session: &str, id: &str) {
    queue.push(LANE, &envelope(session, id, id)).await.unwrap();
}

async fn receive(queue: &SqliteQueue) -> Vec<Delivery> {
    queue.receive(LANE, 10, 30).await.unwrap()
}

fn prompts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| prompt(&delivery.body)).collect()
}

#[tokio::test]
async fn all_that_piled_up_in_a_session_comes_in_one_batch() {
    let world = World::new();
    let queue = &world.get().queue;
    for id in ["1", "2", "3", "4"] {
        push(queue, "a", id).await;
        push(queue, "b", id).await;
    }
    assert_eq!(prompts(&receive(queue).await), ["1", "2", "3", "4", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_session_that_floods_its_line_waits_its_turn() {
    let world = World::new();
    let queue = &world.get().queue;
    for id in 0..40 {
        push(queue, "flood", &id.to_string()).await;
    }
    push(queue, "quiet", "hello").await;
    let first = receive(queue).await;
    assert_eq!(first.len(), 10);
    for delivery in &first {
        queue.delete(LANE, &delivery.receipt).await.unwrap();
    }
    assert_eq!(prompts(&receive(queue).await)[0], "hello");
}

#[tokio::test]
async fn an_event_is_new_again_after_five_minutes() {
    let world = World::new();
    let queue = &world.get().queue;
    push(queue, "a", "1").await;
    let first = receive(queue).await;
    queue.delete(LANE, &first[0].receipt).await.unwrap();
    world.clock.advance(5 * MINUTE_MS - 1);
    push(queue, "a", "1").await;
    assert!(receive(queue).await.is_empty());
    world.clock.advance(1);
    push(queue, "a", "1").await;
    assert_eq!(prompts(&receive(queue).await), ["1"]);
}

#[tokio::test]
async fn after_a_restart_all_is_received_again_in_order_and_nothing_that_was_deleted() {
    let mut world = World::new();
    let queue = &world.get().queue;
    for id in ["1", "2", "3"] {
        push(queue, "a", id).await;
    }
    let before = queue.receive(LANE, 2, 30).await.unwrap();
    queue.delete(LANE, &before[0].receipt).await.unwrap();

    let queue = &world.reopen().queue;
    let old = [
        queue.delete(LANE, &before[1].receipt).await,
        queue.hide(LANE, &before[1].receipt, 0).await,
        queue.bury(&before[1], "old").await,
    ];
    for refused in old {
        assert!(matches!(refused, Err(QueueError::Expired)), "{refused:?}");
    }
    assert_eq!(prompts(&receive(queue).await), ["2", "3"]);
    push(queue, "a", "1").await;
    push(queue, "a", "2").await;
    world.clock.advance(MINUTE_MS);
    assert_eq!(prompts(&receive(&world.get().queue).await), ["2", "3"], "repetitions are known after a restart");
}

#[tokio::test]
async fn a_receipt_of_before_a_restart_means_nothing() {
    let mut world = World::new();
    push(&world.get().queue, "a", "1").await;
    let before = receive(&world.get().queue).await;
    world.reopen();
    let queue = &world.get().queue;
    let now = receive(queue).await;
    assert_eq!((now[0].message_id.as_str(), now[0].receives), (before[0].message_id.as_str(), 1));
    assert!(queue.delete(LANE, &before[0].receipt).await.is_err());
    world.clock.advance(MINUTE_MS);
    assert_eq!(prompts(&receive(queue).await), ["1"]);
}

#[tokio::test]
async fn what_is_no_receipt_is_refused() {
    let world = World::new();
    for receipt in ["", "name0", "name0.1.2", "name0.x.1.a", "name0.1.x.a", "....", "other.1.1.a"] {
        let refused = world.get().queue.delete(LANE, receipt).await;
        assert!(matches!(refused, Err(QueueError::Expired)), "{receipt:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_newer_receive_holds_the_message_against_burial() {
    let world = World::new();
    let queue = &world.get().queue;
    push(queue, "a", "1").await;
    let first = queue.receive(LANE, 1, 1).await.unwrap();
    world.clock.advance(1000);
    let second = receive(queue).await;
    assert!(matches!(queue.bury(&first[0], "late").await, Err(QueueError::Expired)));
    assert_eq!(queue.buried(10).await.unwrap(), []);
    queue.delete(LANE, &second[0].receipt).await.unwrap();
    queue.bury(&second[0], "gone").await.unwrap();
    assert_eq!(queue.buried(10).await.unwrap(), []);
}

#[tokio::test]
async fn buried_messages_are_kept_with_the_reason() {
    let mut world = World::new();
    let queue = &world.get().queue;
    for id in ["1", "2", "3"] {
        push(queue, "a", id).await;
        let poison = receive(queue).await;
        queue.bury(&poison[0], &format!("reason {id}")).await.unwrap();
        world.clock.advance(1);
    }
    let before = queue.buried(2).await.unwrap();
    let reasons: Vec<_> = before.iter().map(|buried| buried.reason.as_str()).collect();
    assert_eq!(reasons, ["reason 3", "reason 2"]);
    let newest = &before[0];
    assert_eq!(serde_json::from_str::<Envelope>(&newest.body).unwrap(), envelope("a", "3", "3"));
    let group = SessionKey::from_stored("a").queue_group();
    assert_eq!((newest.lane, &newest.group, newest.receives, newest.at), (LANE, &group, 1, NOW.plus(2)));
    assert_eq!(world.reopen().queue.buried(2).await.unwrap(), before);
}

#[tokio::test]
async fn more_than_memory_holds_is_read_back() {
    let mut world = World::new();
    let large = |n: usize| format!("{n} {}", "x".repeat(900_000));
    let texts: Vec<String> = (0..8).map(large).collect();
    for (n, text) in texts.iter().enumerate() {
        world.get().queue.push(LANE, &envelope("a", &n.to_string(), text)).await.unwrap();
    }
    assert!(prompts(&receive(&world.get().queue).await) == texts);
    world.clock.advance(MINUTE_MS);
    assert!(prompts(&receive(&world.get().queue).await) == texts, "received again");
    assert!(prompts(&receive(&world.reopen().queue).await) == texts, "after a restart");
}

#[tokio::test]
async fn a_receive_that_failed_was_none() {
    let mut world = World::new();
    for id in ["1", "2"] {
        push(&world.get().queue, "a", id).await;
    }
    world.reopen();
    let queue = &world.get().queue;
    world.rows().execute_batch("ALTER TABLE messages RENAME TO elsewhere").unwrap();
    let failed = queue.receive(LANE, 10, 3600).await;
    assert!(matches!(failed, Err(QueueError::Unavailable(_))), "{failed:?}");
    world.rows().execute_batch("ALTER TABLE elsewhere RENAME TO messages").unwrap();
    let deliveries = receive(queue).await;
    assert_eq!(prompts(&deliveries), ["1", "2"]);
    assert!(deliveries.iter().all(|delivery| delivery.receives == 1));
}

#[tokio::test]
async fn rows_of_what_is_done_are_removed() {
    let mut world = World::new();
    let count = |world: &World, which: &str| {
        let sql = format!("SELECT count(*) FROM messages WHERE {which}");
        world.rows().query_row(&sql, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    let queue = world.get().queue.clone();
    push(&queue, "waits", "first").await;
    for id in 0..200 {
        push(&queue, "a", &id.to_string()).await;
    }
    let mut deleted = 0;
    while deleted < 200 {
        let batch = queue.receive(LANE, 50, 3600).await.unwrap();
        for delivery in batch.iter().filter(|delivery| delivery.group == "a") {
            queue.delete(LANE, &delivery.receipt).await.unwrap();
            deleted += 1;
        }
    }
    assert_eq!((count(&world, "body IS NULL"), count(&world, "body IS NOT NULL")), (200, 1));
    world.clock.advance(5 * MINUTE_MS);
    for id in 0..2 {
        push(&queue, "b", &id.to_string()).await;
    }
    assert!(count(&world, "body IS NULL") < 128, "a push removes some");
    drop(queue);
    world.reopen();
    assert!(count(&world, "body IS NULL") < 64, "opening removes the rest");
    assert_eq!(count(&world, "body IS NOT NULL"), 3);
}

#[tokio::test]
async fn a_message_that_outlived_its_name_leaves_no_row() {
    let world = World::new();
    let queue = &world.get().queue;
    push(queue, "a", "1").await;
    world.clock.advance(5 * MINUTE_MS);
    let old = receive(queue).await;
    queue.delete(LANE, &old[0].receipt).await.unwrap();
    let rows: u32 = world.rows().query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn depth_counts_what_waits_and_what_is_in_flight() {
    let world = World::new();
    let queue = &world.get().queue;
    for id in ["1", "2", "3"] {
        push(queue, "a", id).await;
    }
    assert_eq!(queue.depth(LANE).await.unwrap(), Depth { waiting: 3, in_flight: 0 });
    queue.receive(LANE, 2, 30).await.unwrap();
    assert_eq!(queue.depth(LANE).await.unwrap(), Depth { waiting: 1, in_flight: 2 });
    world.clock.advance(30_000);
    assert_eq!(queue.depth(LANE).await.unwrap(), Depth { waiting: 3, in_flight: 0 });
    assert_eq!(queue.depth(Lane::Scheduled).await.unwrap(), Depth::default());
}

/// Whether the wait is over without anything happening.
async fn is_over(wait: impl Future<Output = ()>) -> bool {
    futures_util::future::poll_immediate(wait).await.is_some()
}

#[tokio::test]
async fn a_waiter_is_woken_by_what_it_can_receive() {
    let world = World::new();
    let queue = &world.get().queue;
    assert!(!is_over(queue.wait(LANE)).await, "nothing is there");
    join(queue.wait(LANE), push(queue, "a", "1")).await;
    assert!(is_over(queue.wait(LANE)).await, "a message waits");
    push(queue, "a", "2").await;
    let held = queue.receive(LANE, 1, 3600).await.unwrap();
    assert!(!is_over(queue.wait(LANE)).await, "its session is in flight");
    let began = Instant::now();
    let returned = async { queue.hide(LANE, &held[0].receipt, 0).await.unwrap() };
    join(queue.wait(LANE), returned).await;
    let held = queue.receive(LANE, 1, 3600).await.unwrap();
    let deleted = async { queue.delete(LANE, &held[0].receipt).await.unwrap() };
    join(queue.wait(LANE), deleted).await;
    assert!(began.elapsed() < Duration::from_secs(20), "told, not found when looking again");
    assert_eq!(prompts(&receive(queue).await), ["2"]);
}

#[tokio::test]
async fn every_waiter_is_woken() {
    let world = World::new();
    let queue = &world.get().queue;
    let waiters = join_all((0..8).map(|_| queue.wait(LANE)));
    join(waiters, push(queue, "a", "1")).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_woken_when_a_visibility_ends() {
    let world = World::new();
    let queue = &world.get().queue;
    push(queue, "a", "1").await;
    queue.receive(LANE, 1, 20).await.unwrap();
    let time_goes_on = async {
        world.clock.advance(20_000);
        tokio::time::advance(Duration::from_secs(20)).await;
    };
    join(queue.wait(LANE), time_goes_on).await;
    assert_eq!(prompts(&receive(queue).await), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_looks_at_the_clock_again_after_a_laptop_slept() {
    let world = World::new();
    let queue = &world.get().queue;
    push(queue, "a", "1").await;
    queue.receive(LANE, 1, 3600).await.unwrap();
    let began = tokio::time::Instant::now();
    let an_hour_asleep = async { world.clock.advance(3_600_000) };
    join(queue.wait(LANE), an_hour_asleep).await;
    assert!(began.elapsed() <= Duration::from_secs(30), "timers stood still in the meantime: {:?}", began.elapsed());
}
