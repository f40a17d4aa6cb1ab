//! What nobody answers: its time ends, once, and the house is woken for it.

use std::sync::Arc;

use async_trait::async_trait;
use chela_agent::Outcome;
use chela_core::approval::{State, VALID_MS, woken_for};
use chela_core::audit::What;
use chela_core::message::EventKey;
use chela_core::queue::{Envelope, Task};
use chela_core::schedule::{Schedule, ScheduleError, Schedules};
use chela_core::session_key::SessionKey;
use chela_core::tool::Effect;

use super::{Office, heartbeat, run};
use crate::world::says;

/// X18.
#[tokio::test]
async fn x18_a_time_that_is_over_denies_and_is_told_once() {
    let office = Office::new([run("git push"), says("Nobody answered.")], Effect::Unkeyed);
    office.hears("1", "push it").await;
    let id = office.the_request().await.id;
    office.world.clock.advance(VALID_MS);
    office.hears("2", &format!("/approve {id} once")).await;
    assert!(office.last_shown().contains("its time is over"), "{}", office.last_shown());
    assert_eq!((office.work().await, office.exec.ran().len()), (1, 0));
    assert_eq!(office.last_shown(), "Nobody answered.");
    assert!(office.told().last().unwrap().contains("its time is over, so it counts as denied"));
    // Looking at what waits tells nothing a second time.
    office.hears("3", "/approvals").await;
    assert!(office.last_shown().contains("Nothing waits"), "{}", office.last_shown());
    assert_eq!(office.work().await, 0);
    assert_eq!(office.log().await, [What::Asked, What::Expired]);
}

#[tokio::test]
async fn a_schedule_tells_what_nobody_answered() {
    let office = Office::new([run("git push"), says("HEARTBEAT_OK"), says("Nobody answered.")], Effect::Unkeyed);
    office.hears("1", "push it").await;
    office.world.clock.advance(VALID_MS);
    office.take(&heartbeat(&office)).await;
    assert_eq!(office.work().await, 1);
    assert_eq!((office.last_shown(), office.exec.ran().len()), ("Nobody answered.".to_owned(), 0));
}

/// X18: the house is woken at the end of the time, and what nobody answered is told, once, in its conversation.
#[tokio::test]
async fn x18_what_nobody_answers_is_told_when_its_time_is_over() {
    let office = Office::new([run("git push"), says("Nobody answered.")], Effect::Unkeyed);
    office.hears("1", "push it").await;
    let request = office.the_request().await;
    assert_eq!(office.fires().await, [], "not before its time");
    office.world.clock.advance(VALID_MS);
    let firings = office.fires().await;
    let woken: Vec<_> = firings.iter().map(|firing| woken_for(&firing.name)).collect();
    assert_eq!(woken, [Some(request.id.as_str())]);
    assert!(firings[0].scheduled_at >= request.expires_at, "{firings:?}");
    assert_eq!(office.world.embedded.schedules.list().await.unwrap(), [], "it has fired for good");
    for _ in 0..2 {
        office.take(&lapsed(&office, &request.id)).await;
    }
    assert_eq!((office.work().await, office.exec.ran().len()), (1, 0));
    assert_eq!(office.last_shown(), "Nobody answered.");
    assert!(office.told().last().unwrap().contains("its time is over, so it counts as denied"));
    assert_eq!(office.log().await, [What::Asked, What::Expired]);
}

#[tokio::test]
async fn a_wake_up_changes_nothing_about_a_request_that_was_answered_or_has_time_left() {
    let office = Office::new([run("git push"), says("Pushed.")], Effect::Unkeyed);
    office.hears("1", "push it").await;
    let id = office.the_request().await.id;
    office.world.clock.advance(VALID_MS - 30_000);
    let early = office.world.answer(&lapsed(&office, &id)).await;
    assert!(matches!(early, Outcome::Again { after_s: 31, .. }), "a scheduler may be early: {early:?}");
    assert_eq!(office.the_request().await.state, State::Waiting);
    office.hears("2", &format!("/approve {id}")).await;
    office.world.clock.advance(60_000);
    office.take(&lapsed(&office, &id)).await;
    assert_eq!((office.work().await, office.exec.ran().len(), office.last_shown()), (1, 1, "Pushed.".to_owned()));
    office.take(&lapsed(&office, &id)).await;
    office.take(&lapsed(&office, "000000000000")).await;
    assert_eq!(office.work().await, 0);
    assert_eq!(office.log().await, [What::Asked, What::AllowedOnce, What::Ran]);
}

/// Killed at every operation of the store: one turn tells it, and the log says it once.
#[tokio::test]
async fn what_nobody_answered_is_told_once_wherever_the_house_dies() {
    for applied in [false, true] {
        for operation in 0.. {
            let office = Office::new([run("git push"), says("Nobody answered.")], Effect::Unkeyed);
            office.hears("1", "push it").await;
            let id = office.the_request().await.id;
            office.world.clock.advance(VALID_MS);
            office.world.store.dies_at(operation, applied);
            let died = office.survives(&lapsed(&office, &id)).await;
            assert_eq!((office.work().await, office.last_shown()), (1, "Nobody answered.".to_owned()), "{operation}");
            assert_eq!((office.waiting().await.len(), office.exec.ran().len()), (0, 0));
            assert_eq!(office.log().await, [What::Asked, What::Expired], "{operation} {applied}");
            if !died {
                assert!(operation >= 3, "it was killed {operation} times");
                break;
            }
        }
    }
}

struct Asleep;

#[async_trait]
impl Schedules for Asleep {
    async fn put(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        Err(ScheduleError::Unavailable(schedule.name.clone()))
    }

    async fn delete(&self, _: &str) -> Result<(), ScheduleError> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Schedule>, ScheduleError> {
        Ok(vec![])
    }
}

#[tokio::test]
async fn without_a_scheduler_the_owner_is_asked_all_the_same() {
    let mut office = Office::new([run("git push"), says("Nobody answered.")], Effect::Unkeyed);
    office.world.agent.schedules = Arc::new(Asleep);
    office.hears("1", "push it").await;
    let id = office.the_request().await.id;
    assert!(office.last_shown().contains(&id), "{}", office.last_shown());
    office.world.clock.advance(VALID_MS);
    office.hears("2", "/approvals").await;
    assert_eq!((office.work().await, office.last_shown()), (1, "Nobody answered.".to_owned()));
}

fn lapsed(office: &Office, id: &str) -> Envelope {
    let session = SessionKey::from_stored(format!("cron:job.asked.{id}"));
    let task = Task::Lapsed { id: id.to_owned() };
    Envelope { event: EventKey::of("schedule", id, "1"), session, task, ..office.world.says("", "") }
}
