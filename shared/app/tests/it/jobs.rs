//! Schedules of agents' making as they fire: whose they are at that moment, and what wakes the house.

use chela_app::beat::{Beat, Beater};
use chela_core::access::{AccessStore, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::Clock;
use chela_core::job::{self, Job, scheduled_name};
use chela_core::message::EventKey;
use chela_core::queue::{Authority, Delivery, Lane, MadeFor, Queue, Task};
use chela_core::schedule::{Firing, Schedule, ScheduleExpression};
use chela_core::session::{Accepted, SessionStore};
use chela_core::session_key::SessionKey;
use chela_core::tool_policy::{Limit, Who};
use serde_json::{Value, json};

use crate::commands::House;
use crate::house::configure;

const MAIN: &str = "agent:main:main";

fn agent() -> AgentId {
    AgentId::new("main")
}

/// People who wrote to the account directly.
fn directly(senders: &[&str]) -> Limit {
    let senders = senders.iter().map(|id| (*id).to_owned()).collect();
    let who = Who { channel: "telegram".into(), account: "default".into(), senders, ..Who::default() };
    Limit { who: vec![who], ..Limit::default() }
}

/// Writes into the book what the tool `cron` would have written for these people.
async fn made(house: &House, name: &str, limit: Limit) {
    let schedule = Schedule {
        name: scheduled_name(&agent(), name),
        expression: ScheduleExpression("rate(1 hour)".into()),
        timezone: "UTC".into(),
        enabled: true,
    };
    let job = Job {
        name: name.into(),
        schedule,
        text: "Look after it.".into(),
        session: SessionKey::from_stored(MAIN),
        deliver_to: None,
        made_for: MadeFor { authority: Authority::Owner, limit },
        made_at: house.clock.now(),
        once_at: None,
        held: None,
    };
    let add = |book: &mut job::Book| {
        book.jobs.push(job.clone());
        Ok::<_, String>(())
    };
    job::change(house.store.blobs.as_ref(), &agent(), add).await.unwrap();
}

async fn owners(house: &House, allow_from: Value, owner_allow_from: Option<Value>) {
    let file = house.store.blobs.get("config/chela.json5").await.unwrap().unwrap();
    let mut config: Value = serde_json::from_slice(&file.bytes).unwrap();
    config["channels"]["telegram"]["allowFrom"] = allow_from;
    if let Some(owners) = owner_allow_from {
        config["commands"] = json!({"ownerAllowFrom": owners});
    }
    configure(&house.store, &config).await;
    house.clock.advance(60_000);
}

async fn beat(house: &House, name: &str) -> Beat {
    let beater =
        Beater { queue: house.store.queue.clone(), live: house.answerer.live.clone(), clock: house.clock.clone() };
    let firing = Firing { name: name.into(), scheduled_at: house.clock.now() };
    beater.beat(&firing).await.unwrap()
}

async fn received(house: &House, lane: Lane) -> Vec<Delivery> {
    house.store.queue.receive(lane, 10, 60).await.unwrap()
}

/// How many turns a firing makes.
async fn fires(house: &House, name: &str) -> u32 {
    house.clock.advance(60_000);
    assert_eq!(beat(house, &scheduled_name(&agent(), name)).await, Beat::Queued);
    take(house).await
}

async fn take(house: &House) -> u32 {
    let deliveries = received(house, Lane::Scheduled).await;
    assert_eq!(deliveries.len(), 1);
    let slice = chela_agent::Slice { deadline: house.clock.now().plus(150_000) };
    let batch = house.answerer.answer(deliveries.clone(), slice).await;
    assert!(batch.failed.is_empty(), "{batch:?}");
    house.store.queue.delete(Lane::Scheduled, &deliveries[0].receipt).await.unwrap();
    batch.turns
}

async fn held(house: &House, name: &str) -> Option<String> {
    let book = job::book(house.store.blobs.as_ref(), &agent()).await.unwrap();
    book.job(name).unwrap().held.clone()
}

#[tokio::test]
async fn a_schedule_fires_only_while_whoever_had_it_made_is_the_owner() {
    let house = House::open(json!({"allowFrom": ["7"]}), json!({})).await;
    made(&house, "tidy", directly(&["7"])).await;
    assert_eq!((fires(&house, "tidy").await, held(&house, "tidy").await), (1, None), "the control");
    owners(&house, json!(["8"]), None).await;
    for _ in 0..2 {
        assert_eq!(fires(&house, "tidy").await, 0);
        assert!(held(&house, "tidy").await.unwrap().contains("not the owner any more"));
    }
    owners(&house, json!(["8", "tg:7"]), None).await;
    assert_eq!((fires(&house, "tidy").await, held(&house, "tidy").await), (1, None), "judged anew each time");
    owners(&house, json!(["8", "7"]), Some(json!(["8"]))).await;
    assert_eq!(fires(&house, "tidy").await, 0, "whoever is merely heard is no owner where owners are named");
}

/// A limit that was lowered after an agent woke itself too often binds what was made before.
#[tokio::test]
async fn a_schedule_fires_only_as_often_as_is_allowed_now() {
    let house = House::open(json!({"allowFrom": ["7"]}), json!({})).await;
    made(&house, "tidy", directly(&["7"])).await;
    assert_eq!(fires(&house, "tidy").await, 1, "the control");
    let file = house.store.blobs.get("config/chela.json5").await.unwrap().unwrap();
    let mut config: Value = serde_json::from_slice(&file.bytes).unwrap();
    config["tools"] = json!({"cron": {"minIntervalMinutes": 61}});
    configure(&house.store, &config).await;
    house.clock.advance(60_000);
    let beat = beat(&house, &scheduled_name(&agent(), "tidy")).await;
    assert!(matches!(beat, Beat::Skipped(why) if why.contains("minIntervalMinutes")), "{beat:?}");
}

#[tokio::test]
async fn all_who_had_a_schedule_made_must_be_owners_and_be_known() {
    let house = House::open(json!({"allowFrom": ["7", "8", "-100", "*"]}), json!({})).await;
    made(&house, "both", directly(&["7", "8"])).await;
    made(&house, "one of two", directly(&["7", "9"])).await;
    made(&house, "everybody", directly(&["*"])).await;
    made(&house, "from before", Limit::unknown()).await;
    made(&house, "nobody", directly(&[])).await;
    let mut gone = directly(&["7"]);
    gone.who[0].account = "removed".into();
    made(&house, "account is gone", gone).await;
    let mut as_the_room = directly(&["-100"]);
    as_the_room.who[0].rooms = vec!["-100".into()];
    made(&house, "an administrator without a name", as_the_room).await;
    assert_eq!(fires(&house, "both").await, 1);
    for name in
        ["one of two", "everybody", "from before", "nobody", "account is gone", "an administrator without a name"]
    {
        assert_eq!(fires(&house, name).await, 0, "{name}");
        assert!(held(&house, name).await.is_some(), "{name}");
    }
}

#[tokio::test]
async fn whoever_was_paired_is_looked_up_when_the_schedule_fires() {
    let house = House::open(json!({"dmPolicy": "pairing"}), json!({})).await;
    made(&house, "tidy", directly(&["7"])).await;
    assert_eq!(fires(&house, "tidy").await, 0);
    let who = SenderRef { channel: "telegram".into(), account: "default".into(), sender: "7".into() };
    house.store.sessions.request_pairing(&who, "CODE2345", house.clock.now()).await.unwrap();
    house.store.sessions.approve("telegram", "default", "CODE2345", house.clock.now()).await.unwrap().unwrap();
    assert_eq!(fires(&house, "tidy").await, 1);
    let mut in_a_room = directly(&["7"]);
    in_a_room.who[0].rooms = vec!["-1".into()];
    made(&house, "sweep", in_a_room).await;
    assert_eq!(fires(&house, "sweep").await, 0, "in a room being paired means nothing");
    owners(&house, json!(["8"]), Some(json!(["8"]))).await;
    assert_eq!(fires(&house, "tidy").await, 0, "where owners are named being paired makes nobody one");
}

#[tokio::test]
async fn a_turn_that_was_begun_goes_on_when_its_maker_is_gone() {
    let house = House::open(json!({"allowFrom": ["7"]}), json!({})).await;
    made(&house, "tidy", directly(&["7"])).await;
    let name = scheduled_name(&agent(), "tidy");
    assert_eq!(beat(&house, &name).await, Beat::Queued);
    let book = job::book(house.store.blobs.as_ref(), &agent()).await.unwrap();
    let now = house.clock.now();
    let event = EventKey::of("schedule", &name, &now.seconds().to_string());
    let envelope = book.job("tidy").unwrap().envelope(&agent(), event.clone(), now, now);
    let begun = Accepted { event, turn: 1, at: now, task: Some(envelope.task) };
    house.store.sessions.accept(&SessionKey::from_stored(MAIN), &begun).await.unwrap();
    owners(&house, json!(["8"]), None).await;
    assert_eq!((take(&house).await, held(&house, "tidy").await), (1, None));
}

/// The configuration's own schedules are nobody's but the owner's.
#[tokio::test]
async fn what_the_configuration_schedules_fires_whoever_is_listed() {
    let job = json!({"name": "daily", "expression": "rate(1 hour)", "prompt": "Hello."});
    let house = House::open(json!({"allowFrom": []}), json!({"cron": {"jobs": [job]}})).await;
    let name = house.answerer.live.current().await.heartbeats[0].schedule.name.clone();
    assert_eq!((beat(&house, &name).await, take(&house).await), (Beat::Queued, 1));
}

#[tokio::test]
async fn a_wake_up_is_no_schedule_of_anybody_and_begins_no_turn() {
    let house = House::open(json!({"allowFrom": ["7"]}), json!({"cron": {"enabled": false}})).await;
    assert_eq!(beat(&house, "job.asked.0123456789ab").await, Beat::Queued);
    let waiting = received(&house, Lane::Scheduled).await;
    let envelope: chela_core::queue::Envelope = serde_json::from_str(&waiting[0].body).unwrap();
    assert_eq!(envelope.task, Task::Lapsed { id: "0123456789ab".into() });
    house.clock.advance(61_000);
    take(&house).await;
    assert_eq!(received(&house, Lane::Live).await.len(), 0);
    assert_eq!(house.store.sessions.head(&envelope.session).await.unwrap(), None);
}
