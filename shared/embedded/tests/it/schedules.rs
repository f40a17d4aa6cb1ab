use std::time::Duration;

use chela_core::clock::{Clock, Millis};
use chela_core::schedule::{Firing, Schedule, ScheduleExpression, Schedules};
use chela_embedded::SqliteSchedules;
use chela_testkit::laws::NOW;
use futures_util::future::{join, poll_immediate};

use crate::support::World;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn schedule(name: &str, expression: &str) -> Schedule {
    Schedule {
        name: name.into(),
        expression: ScheduleExpression(expression.into()),
        timezone: "UTC".into(),
        enabled: true,
    }
}

async fn put(world: &World, name: &str, expression: &str) {
    world.get().schedules.put(&schedule(name, expression)).await.unwrap();
}

/// What is due now, as offsets from [`NOW`] in minutes.
async fn due(world: &World) -> Vec<(String, u64)> {
    let firings = world.get().schedules.due(world.clock.now()).await.unwrap();
    firings.into_iter().map(|Firing { name, scheduled_at }| (name, scheduled_at.since(NOW) / MINUTE)).collect()
}

fn one(name: &str, minutes: u64) -> Vec<(String, u64)> {
    vec![(name.to_owned(), minutes)]
}

#[tokio::test]
async fn a_schedule_fires_once_for_each_of_its_times() {
    let world = World::new();
    put(&world, "a", "rate(30 minutes)").await;
    assert_eq!(due(&world).await, [], "an interval is not over");
    world.clock.advance(30 * MINUTE - 1);
    assert_eq!(due(&world).await, []);
    world.clock.advance(1);
    assert_eq!(due(&world).await, one("a", 30));
    assert_eq!(due(&world).await, [], "asking again says that it is queued");
    world.clock.advance(30 * MINUTE);
    assert_eq!(due(&world).await, one("a", 60));
}

#[tokio::test]
async fn a_firing_is_reported_again_if_the_process_ends_before_it_is_queued() {
    let mut world = World::new();
    put(&world, "a", "rate(30 minutes)").await;
    world.clock.advance(30 * MINUTE);
    assert_eq!(due(&world).await, one("a", 30));
    world.reopen();
    assert_eq!(due(&world).await, one("a", 30), "the same firing");
    world.clock.advance(MINUTE);
    assert_eq!(due(&world).await, []);
    world.reopen();
    assert_eq!(due(&world).await, [], "a restart does not double it");
}

#[tokio::test]
async fn a_firing_that_came_while_no_process_ran_is_not_lost() {
    let mut world = World::new();
    put(&world, "a", "rate(30 minutes)").await;
    world.close();
    world.clock.advance(31 * MINUTE);
    world.try_open().unwrap();
    put(&world, "a", "rate(30 minutes)").await;
    assert_eq!(due(&world).await, one("a", 30), "putting the same schedule again does not begin it anew");
    assert_eq!(due(&world).await, []);
}

#[tokio::test]
async fn of_many_missed_times_only_the_newest_fires() {
    // NOW is 2096-10-02T07:06:40Z.
    for (expression, missed_minutes, newest) in [
        ("rate(1 minute)", 7 * 24 * 60, 7 * 24 * 60),
        ("rate(7 hours)", 24 * 60, 21 * 60),
        ("cron(* * * * ? *)", 7 * 24 * 60 + 1, 7 * 24 * 60),
        ("cron(0/5 8-9 ? * TUE *)", 10 * 24 * 60, 7 * 24 * 60 + 168),
        ("cron(0 8 1 * ? *)", 100 * 24 * 60, 91 * 24 * 60 + 53),
    ] {
        let world = World::new();
        put(&world, "a", expression).await;
        world.clock.advance(missed_minutes * MINUTE);
        let firings = due(&world).await;
        assert_eq!(firings.len(), 1, "{expression}: {firings:?}");
        assert_eq!(firings, one("a", newest), "{expression}");
        assert_eq!(due(&world).await, []);
    }
}

#[tokio::test]
async fn firings_come_oldest_first() {
    let world = World::new();
    put(&world, "a", "rate(50 minutes)").await;
    put(&world, "b", "rate(40 minutes)").await;
    put(&world, "c", "rate(2 hours)").await;
    world.clock.advance(HOUR);
    assert_eq!(due(&world).await, [one("b", 40), one("a", 50)].concat());
}

#[tokio::test]
async fn a_single_occasion_fires_once_and_stays_listed() {
    let world = World::new();
    put(&world, "a", "at(2096-10-02T08:06:40)").await;
    put(&world, "past", "at(2020-01-01T00:00:00)").await;
    world.clock.advance(365 * 24 * HOUR);
    assert_eq!(due(&world).await, one("a", 60));
    assert_eq!(due(&world).await, []);
    assert_eq!(world.get().schedules.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_disabled_deleted_or_changed_does_not_fire() {
    let world = World::new();
    for name in ["disabled", "deleted", "changed"] {
        put(&world, name, "rate(30 minutes)").await;
    }
    let disabled = Schedule { enabled: false, ..schedule("disabled", "rate(30 minutes)") };
    let schedules = &world.get().schedules;
    world.clock.advance(20 * MINUTE);
    schedules.put(&disabled).await.unwrap();
    schedules.delete("deleted").await.unwrap();
    put(&world, "changed", "rate(1 hour)").await;
    world.clock.advance(20 * MINUTE);
    assert_eq!(due(&world).await, []);
    world.clock.advance(40 * MINUTE);
    assert_eq!(due(&world).await, one("changed", 80), "its interval began when it was changed");
}

#[tokio::test]
async fn a_deleted_schedule_takes_its_firings_along() {
    let mut world = World::new();
    put(&world, "a", "rate(30 minutes)").await;
    world.clock.advance(30 * MINUTE);
    assert_eq!(due(&world).await, one("a", 30));
    world.get().schedules.delete("a").await.unwrap();
    world.reopen();
    assert_eq!(due(&world).await, []);
}

async fn next(schedules: &SqliteSchedules, now: Millis) -> Option<u64> {
    schedules.next_due(now).await.unwrap().map(|at| at.since(NOW) / MINUTE)
}

#[tokio::test]
async fn the_next_time_is_known() {
    let mut world = World::new();
    assert_eq!(next(&world.get().schedules, NOW).await, None);
    put(&world, "b", "rate(50 minutes)").await;
    put(&world, "a", "rate(40 minutes)").await;
    assert_eq!(next(&world.get().schedules, NOW).await, Some(40));
    world.clock.advance(45 * MINUTE);
    let now = world.clock.now();
    assert_eq!(next(&world.get().schedules, now).await, Some(45), "something is due");
    assert_eq!(due(&world).await, one("a", 40));
    assert_eq!(next(&world.get().schedules, now).await, Some(50), "what was reported is no reason to ask again");
    assert_eq!(next(&world.reopen().schedules, now).await, Some(45), "what may not be queued is");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_woken_when_something_is_due() {
    let world = World::new();
    let schedules = &world.get().schedules;
    assert!(poll_immediate(std::pin::pin!(schedules.wait())).await.is_none());
    let soon = async {
        put(&world, "a", "rate(10 minutes)").await;
        world.clock.advance(10 * MINUTE);
        tokio::time::advance(Duration::from_secs(600)).await;
    };
    let (woken, ()) = join(schedules.wait(), soon).await;
    woken.unwrap();
    assert_eq!(due(&world).await, one("a", 10));
}
