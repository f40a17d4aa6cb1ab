use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::{Clock, Millis};
use chela_core::post::Nowhere;
use chela_core::purse::Shut;
use chela_core::queue::{Envelope, Queue, Task};
use chela_core::schedule::MADE;
use chela_core::session_key::SessionKey;
use chela_core::tool_policy::Who;
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use futures_util::future::join_all;

use super::*;

struct World {
    _folder: tempfile::TempDir,
    store: Embedded,
    clock: Arc<ManualClock>,
    agent: AgentId,
    caller: Caller,
    settings: CronSettings,
    again: bool,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // 2026-11-21T09:00:00Z.
        let clock = Arc::new(ManualClock::at(Millis(1_795_251_600_000)));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        let settings = CronSettings {
            schedules: store.schedules.clone(),
            min_interval_minutes: 5,
            max_jobs: 3,
            timezone: "Europe/Berlin".into(),
            enabled: true,
        };
        let here = ReplyAddress {
            channel: "telegram".into(),
            account: "default".into(),
            to: "7".into(),
            thread: None,
            message: Some("42".into()),
        };
        let caller = Caller {
            authority: Authority::Owner,
            senders: vec!["7".into()],
            reply_to: Some(here),
            ..Caller::default()
        };
        Self { _folder: folder, store, clock, agent: AgentId::new("main"), caller, settings, again: false }
    }

    async fn call(&self, input: Value) -> ToolAnswer {
        let call = ToolCall {
            input: &input,
            idempotency_key: "key",
            again: self.again,
            agent: &self.agent,
            session: &SessionKey::from_stored("agent:main:telegram:direct:7"),
            caller: &self.caller,
            files: self.store.blobs.as_ref(),
            sessions: self.store.sessions.as_ref(),
            directory: self.store.sessions.as_ref(),
            queue: self.store.queue.as_ref(),
            post: &Nowhere,
            purse: &Shut,
            clock: self.clock.as_ref(),
            status: &json!({}),
        };
        Cron(self.settings.clone()).run(call).await
    }

    async fn ok(&self, input: Value) -> Value {
        let answer = self.call(input).await;
        assert!(!answer.is_error, "{}", answer.text);
        serde_json::from_str(&answer.text).unwrap()
    }

    async fn fails(&self, input: Value) -> String {
        let answer = self.call(input).await;
        assert!(answer.is_error, "{}", answer.text);
        answer.text
    }

    async fn names(&self) -> Vec<String> {
        let listed = self.ok(json!({"action": "list"})).await;
        listed.as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The scheduler's names of what is scheduled.
    async fn scheduled(&self) -> Vec<String> {
        self.store.schedules.list().await.unwrap().into_iter().map(|schedule| schedule.name).collect()
    }
}

fn add(name: &str) -> Value {
    json!({"action": "add", "name": name, "schedule": {"kind": "cron", "expr": "0 8 * * 1-5"}, "text": "Say hello."})
}

#[tokio::test]
async fn a_schedule_is_made_listed_changed_and_removed() {
    let world = World::new();
    let made = world.ok(add("greet")).await;
    let wanted = json!({
        "name": "greet", "schedule": "cron(0 8 ? * 2-6 *)", "timezone": "Europe/Berlin", "text": "Say hello.",
        "session": "agent:main:telegram:direct:7", "answersTo": "telegram 7", "enabled": true,
        "didNotFire": null,
    });
    assert_eq!(made, wanted);
    assert_eq!(world.ok(json!({"action": "list"})).await, json!([wanted]));
    let scheduled = world.scheduled().await;
    assert_eq!(scheduled, [job::scheduled_name(&world.agent, "greet")]);

    let changed = world.ok(json!({"action": "update", "name": "greet", "enabled": false, "deliver": false})).await;
    assert_eq!(changed["schedule"], wanted["schedule"], "what is not given stays");
    assert_eq!((&changed["enabled"], &changed["answersTo"]), (&json!(false), &Value::Null));
    assert!(!world.store.schedules.list().await.unwrap()[0].enabled);

    assert_eq!(world.ok(json!({"action": "remove", "name": "greet"})).await, json!({"removed": "greet"}));
    assert_eq!((world.names().await.len(), world.scheduled().await.len()), (0, 0));
    assert!(world.fails(json!({"action": "remove", "name": "greet"})).await.contains("no schedule"));
}

#[tokio::test]
async fn openclaws_form_is_read_too() {
    let world = World::new();
    let made = world.ok(json!({"action": "add", "job": {
        "name": "brief", "schedule": {"kind": "every", "everyMs": 3_600_000}, "sessionTarget": "isolated",
        "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "Sum up the news."},
    }}));
    let made = made.await;
    assert_eq!((&made["schedule"], &made["text"]), (&json!("rate(60 minutes)"), &json!("Sum up the news.")));
    assert_eq!(made["session"], json!(format!("cron:{}", job::scheduled_name(&world.agent, "brief"))));
    world.ok(json!({"action": "remove", "jobId": "brief"})).await;
}

#[tokio::test]
async fn q08_an_agent_makes_so_many_schedules_and_no_more_and_none_that_fires_every_second() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.ok(add(name)).await;
    }
    assert!(world.fails(add("d")).await.contains("tools.cron.maxJobs"));
    world.ok(add("a")).await;
    let often = json!({"action": "add", "name": "a", "schedule": {"kind": "every", "everyMs": 1000}});
    assert!(world.fails(often).await.contains("minute"));
    assert_eq!(world.names().await, ["a", "b", "c"]);
    let work = World { agent: AgentId::new("work"), ..world };
    assert_eq!(work.names().await, Vec::<String>::new(), "each agent has its own");
    work.ok(add("a")).await;
    assert_eq!(work.scheduled().await.len(), 4);
}

/// What recreates itself needs a turn that nobody began.
#[tokio::test]
async fn q08_what_a_schedule_fires_makes_and_runs_no_schedules() {
    let mut world = World::new();
    world.ok(add("greet")).await;
    world.caller.senders.clear();
    for action in ["add", "update", "run"] {
        let mut input = add("greet");
        input["action"] = json!(action);
        assert!(world.fails(input).await.contains("makes and runs no schedules"), "{action}");
    }
    assert_eq!(world.names().await, ["greet"]);
    world.ok(json!({"action": "remove", "name": "greet"})).await;
    let tool = Cron(world.settings.clone());
    let sub_agent = Caller { depth: 1, ..World::new().caller };
    assert!(!tool.offered(&sub_agent));
    let world = World { caller: sub_agent, ..world };
    assert!(world.fails(add("x")).await.contains("owner's"));
}

#[tokio::test]
async fn a_guest_makes_and_sees_none() {
    let mut world = World::new();
    world.ok(add("greet")).await;
    world.caller.authority = Authority::Guest;
    assert!(!Cron(world.settings.clone()).offered(&world.caller));
    for action in ["status", "list", "add", "remove", "run"] {
        let mut input = add("greet");
        input["action"] = json!(action);
        assert_eq!(world.fails(input).await, "Schedules are the owner's.", "{action}");
    }
}

#[tokio::test]
async fn a_run_is_queued_once_however_often_it_is_tried() {
    let world = World::new();
    world.ok(add("greet")).await;
    for _ in 0..2 {
        world.ok(json!({"action": "run", "name": "greet"})).await;
    }
    let waiting = world.store.queue.receive(Lane::Scheduled, 10, 30).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let envelope: Envelope = serde_json::from_str(&waiting[0].body).unwrap();
    assert_eq!(envelope.session.as_str(), "agent:main:telegram:direct:7");
    let Task::Heartbeat { name, prompt, deliver_to, .. } = envelope.task else { panic!("a schedule") };
    assert_eq!((name.as_str(), deliver_to.as_ref().unwrap().message.as_ref()), ("greet", None));
    assert!(prompt.starts_with("[Your schedule \"greet\" fires.") && prompt.ends_with("\n\nSay hello."), "{prompt}");
    assert!(world.fails(json!({"action": "run", "name": "none"})).await.contains("no schedule"));
}

/// Whatever it fires is bound by what bound whoever had it made.
#[tokio::test]
async fn a_schedule_keeps_for_whom_it_was_made() {
    let mut world = World::new();
    let senders = vec!["7".into()];
    world.caller.limit.add_who(Who { channel: "telegram".into(), senders, ..Who::default() });
    world.ok(add("greet")).await;
    let book = job::book(world.store.blobs.as_ref(), &world.agent).await.unwrap();
    assert_eq!(book.jobs[0].made_for.limit, world.caller.limit);
}

#[tokio::test]
async fn what_fired_once_for_all_makes_room() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        let once = json!({"kind": "in", "minutes": 10});
        world.ok(json!({"action": "add", "name": name, "schedule": once, "text": "x"})).await;
    }
    let late = world.clock.now().plus(10 * 60_000 + job::STALE_MS);
    world.clock.advance(late.since(world.clock.now()));
    assert!(world.fails(add("d")).await.contains("maxJobs"), "a firing may still be on its way");
    world.clock.advance(1_000);
    assert_eq!(world.names().await, Vec::<String>::new());
    world.ok(add("d")).await;
    assert_eq!(world.scheduled().await.len(), 1);
}

#[tokio::test]
async fn two_writers_lose_no_schedule() {
    let world = World { settings: CronSettings { max_jobs: 100, ..World::new().settings }, ..World::new() };
    let settings = CronSettings { schedules: world.store.schedules.clone(), ..world.settings.clone() };
    let world = World { settings, ..world };
    let names: Vec<String> = (0..6).map(|n| format!("job {n}")).collect();
    join_all(names.iter().map(|name| world.ok(add(name)))).await;
    let mut there = world.names().await;
    there.sort();
    assert_eq!(there, names);
}

#[tokio::test]
async fn no_tool_for_files_reaches_the_book_and_no_name_is_the_configurations() {
    let world = World::new();
    world.ok(add("heartbeat-main")).await;
    assert!(world.scheduled().await.iter().all(|name| name.starts_with(MADE)));
    let stored = world.store.blobs.list("", 100).await.unwrap();
    let book: Vec<_> = stored.iter().filter(|file| file.key.contains("main.json")).collect();
    assert_eq!(book.len(), 1);
    assert!(!book[0].key.starts_with("agents/") && !book[0].key.starts_with("media/"), "{}", book[0].key);
}

#[tokio::test]
async fn a_call_that_is_run_again_finds_what_it_did() {
    let mut world = World::new();
    world.ok(add("greet")).await;
    world.again = true;
    world.ok(add("greet")).await;
    world.ok(json!({"action": "remove", "name": "greet"})).await;
    world.ok(json!({"action": "remove", "name": "greet"})).await;
}

#[tokio::test]
async fn what_does_not_fit_is_said() {
    let world = World::new();
    for (input, why) in [
        (json!({"action": "make"}), "do not fit"),
        (json!({"action": "add", "schedule": "rate(1 hour)", "text": "x"}), "name of the schedule"),
        (json!({"action": "add", "name": "a\nb", "schedule": "rate(1 hour)", "text": "x"}), "name of the schedule"),
        (json!({"action": "add", "name": "a", "text": "x"}), "needs schedule"),
        (json!({"action": "add", "name": "a", "schedule": "rate(1 hour)"}), "needs text"),
        (json!({"action": "add", "name": "a", "schedule": "rate(1 hour)", "text": " "}), "1 to 4096 bytes"),
    ] {
        let said = world.fails(input.clone()).await;
        assert!(said.contains(why), "{input}: {said}");
    }
    assert_eq!(world.ok(json!({"action": "status"})).await["jobs"], 0);
}

/// What the scheduler refuses although it reads well takes nobody's place, and leaves what was there as it was.
#[tokio::test]
async fn what_the_scheduler_refuses_is_not_in_the_book() {
    let world = World::new();
    world.ok(add("greet")).await;
    let before = world.ok(json!({"action": "list"})).await;
    for refused in ["rate(400 days)", "cron(0 8 ? * MON-FRI/2 *)", "cron(0 8 1,LW * ? *)", "cron(*/70 8 * * ? *)"] {
        for name in ["greet", "other"] {
            let said = world.fails(json!({"action": "add", "name": name, "schedule": refused, "text": "Hi."})).await;
            assert!(said.len() > 20, "{said}");
        }
    }
    assert_eq!(world.ok(json!({"action": "list"})).await, before);
    assert_eq!(world.scheduled().await.len(), 1);
}
