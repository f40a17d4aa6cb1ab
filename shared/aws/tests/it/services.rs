//! What is promised of AWS beyond the laws that all adapters obey.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Bus, Lanes, ScheduleGroup, Secrets, Table, firing};
use chela_core::blob::Precondition;
use chela_core::clock::{Clock, Millis};
use chela_core::event::{EventBus, EventName, LifecycleEvent};
use chela_core::message::EventKey;
use chela_core::queue::{DeadLetters, ENVELOPE_VERSION, Envelope, Lane, Queue, QueueError, Task};
use chela_core::schedule::{Schedule, ScheduleExpression, Schedules};
use chela_core::secret::{SecretError, SecretRef, SecretSource, SecretStore};
use chela_core::session::{Claim, Claimed, Fence, SessionStore, StoreError};
use serde_json::{Value, json};

use crate::requests::{answer, counted, session};
use crate::server::{clients, environment, fresh, with_bucket, with_bus, with_queues, with_schedules, with_table};

const NOW: Millis = Millis(1_795_219_200_000);

/// Waits for what a service does in its own time, by asking its receive call, which waits for a second itself.
async fn first_message(url: &str) -> aws_sdk_sqs::types::Message {
    let client = aws_sdk_sqs::Client::new(clients().config());
    for _ in 0..20 {
        let receive = client.receive_message().queue_url(url).message_attribute_names("All").wait_time_seconds(1);
        if let Some(message) = receive.send().await.unwrap().messages.unwrap_or_default().pop() {
            return message;
        }
    }
    panic!("nothing came to {url}");
}

#[tokio::test]
async fn a_buried_message_lies_with_its_reason_beside_its_lane() {
    let environment = with_queues().await;
    let lanes = Lanes::new(&clients(), &environment).unwrap();
    let task =
        Task::Heartbeat { name: "a".into(), scheduled_at: NOW, prompt: "x".into(), deliver_to: None, made_for: None };
    let envelope = Envelope {
        version: ENVELOPE_VERSION + 1,
        event: EventKey::of("webhook", "main", "1"),
        session: session(),
        agent: serde_json::from_value(json!("main")).unwrap(),
        accepted_at: NOW,
        task,
    };
    lanes.push(Lane::Scheduled, &envelope).await.unwrap();
    let received = lanes.receive(Lane::Scheduled, 1, 30).await.unwrap().pop().unwrap();
    lanes.bury(&received, "version 2 is newer than 1;\nupdate the agent").await.unwrap();

    let url = environment.queue_scheduled.unwrap().replace(".fifo", "-dlq.fifo");
    let buried = first_message(&url).await;
    let reason = buried.message_attributes.as_ref().unwrap()["reason"].string_value.as_deref();
    assert_eq!(reason, Some("version 2 is newer than 1;update the agent"));
    assert_eq!(buried.body, Some(received.body));
}

#[tokio::test]
async fn a_message_the_queue_gave_up_by_itself_is_among_the_buried() {
    let environment = with_queues().await;
    let lanes = Lanes::new(&clients(), &environment).unwrap();
    let task =
        Task::Heartbeat { name: "a".into(), scheduled_at: NOW, prompt: "x".into(), deliver_to: None, made_for: None };
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of("webhook", "main", "1"),
        session: session(),
        agent: serde_json::from_value(json!("main")).unwrap(),
        accepted_at: NOW,
        task,
    };
    lanes.push(Lane::Background, &envelope).await.unwrap();
    let mut receives = 0;
    while let Some(delivery) = lanes.receive(Lane::Background, 1, 30).await.unwrap().pop() {
        lanes.hide(Lane::Background, &delivery.receipt, 0).await.unwrap();
        receives += 1;
    }
    assert_eq!(receives, 20);
    let letter = lanes.buried(10).await.unwrap().pop().unwrap();
    assert!(letter.reason.contains("gave it up"), "{letter:?}");
    assert!(lanes.redrive(Lane::Background, &letter.id).await.unwrap());
    let again = lanes.receive(Lane::Background, 1, 30).await.unwrap().pop().unwrap();
    assert_eq!((&again.body, again.receives), (&letter.body, 1), "with all its tries before it");
}

#[tokio::test]
async fn rules_match_on_source_and_name() {
    let environment = with_bus().await;
    let name = environment.bus.clone().unwrap();
    let config = clients();
    let sqs = aws_sdk_sqs::Client::new(config.config());
    let url = sqs.create_queue().queue_name(fresh("listener")).send().await.unwrap().queue_url.unwrap();
    let attributes = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let arn = attributes.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    let events = aws_sdk_eventbridge::Client::new(config.config());
    let pattern = r#"{"source":["chela"],"detail-type":["turn.finished"]}"#;
    events.put_rule().event_bus_name(&name).name("listen").event_pattern(pattern).send().await.unwrap();
    let target = Target::builder().id("1").arn(arn).build().unwrap();
    events.put_targets().event_bus_name(&name).rule("listen").targets(target).send().await.unwrap();

    let bus = Bus::new(&config, &environment).unwrap();
    for name in [EventName::TurnFailed, EventName::TurnFinished] {
        let detail = json!({"turn": 7, "name": name.as_str()}).as_object().cloned().unwrap();
        bus.publish(&LifecycleEvent { name, at: NOW, detail }).await.unwrap();
    }
    let seen: Value = serde_json::from_str(first_message(&url).await.body().unwrap()).unwrap();
    assert_eq!(seen["detail"], json!({"turn": 7, "name": "turn.finished"}));
    assert_eq!((&seen["source"], &seen["detail-type"]), (&json!("chela"), &json!("turn.finished")));
}

#[tokio::test]
async fn a_history_longer_than_a_page_is_read_whole() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let table = Table::new(&clients, &environment).unwrap();
    let entries: Vec<_> = (1..=9).map(|turn| answer(turn, &turn.to_string().repeat(150_000 / 2))).collect();
    for entry in &entries {
        table.append(&session(), entry).await.unwrap();
    }
    asked.take();
    assert!(table.history(&session(), 0, 100).await.unwrap() == entries);
    assert!(asked.take().len() > 1, "a page has at most 1 MB");
}

#[tokio::test]
async fn an_entry_too_large_for_a_row_is_refused_before_it_is_sent() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let table = Table::new(&clients, &environment).unwrap();
    let refused = table.append(&session(), &answer(1, &"x".repeat(200_000))).await;
    let Err(StoreError::Full(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("M#000000000001#0000#A") && reason.contains("shorten"), "{reason}");
    assert_eq!(asked.take(), Vec::<String>::new());
}

/// The first answer to a save may be lost on the way; its repetition by the SDK must not look like a lost session.
#[tokio::test]
async fn a_release_may_be_repeated_and_nothing_else_is_excused() {
    let environment = with_table().await;
    let table = Table::new(&clients(), &environment).unwrap();
    let event = EventKey::of("telegram", "main", "1");
    let claim = Claim { event: &event, owner: "a", now: NOW, until: NOW.plus(60_000) };
    let Claimed::Held(held) = table.claim(&session(), &claim).await.unwrap() else { panic!("the session is free") };
    let fence = Fence { epoch: held.epoch, owner: "a", lease_reaches: NOW };

    // The holder's own unchanged head does not pass a fence its lease does not reach.
    let long = Fence { lease_reaches: NOW.plus(60_001), ..fence.clone() };
    assert!(matches!(table.save(&session(), &held, &long).await, Err(StoreError::Fenced)));

    let mut released = held.clone();
    released.release();
    for _ in 0..2 {
        table.save(&session(), &released, &fence).await.unwrap();
    }
    let another = chela_core::session::Head { attempts: 9, ..released };
    assert!(matches!(table.save(&session(), &another, &fence).await, Err(StoreError::Fenced)));
}

#[tokio::test]
async fn an_event_is_finished_by_its_whole_name_only() {
    let environment = with_table().await;
    let table = Table::new(&clients(), &environment).unwrap();
    let event = EventKey::of("telegram", "main", "1");
    let (owner, now, until) = ("a", NOW, NOW.plus(60_000));
    let claim = Claim { event: &event, owner, now, until };
    let Claimed::Held(mut head) = table.claim(&session(), &claim).await.unwrap() else { panic!("it is free") };
    let fence = Fence { epoch: head.epoch, owner: "a", lease_reaches: NOW };
    head.finish(&[]);
    table.save(&session(), &head, &fence).await.unwrap();
    for part in [event.short().get(1..), event.short().get(..15)] {
        let other: EventKey = serde_json::from_value(json!(part.unwrap())).unwrap();
        let answer = table.claim(&session(), &Claim { event: &other, owner, now, until }).await.unwrap();
        assert!(matches!(answer, Claimed::Held(_)), "{answer:?}");
    }
}

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }

    fn unique(&self) -> String {
        self.0.load(Ordering::Relaxed).to_string()
    }
}

#[tokio::test]
async fn a_secret_is_asked_for_once_in_five_minutes_and_a_missing_one_each_time() {
    let (clients, asked) = counted(&environment());
    let id = format!("/chela/{}", fresh("kept"));
    let parameters = aws_sdk_ssm::Client::new(clients.config());
    let put = |value: &str| {
        let secure = aws_sdk_ssm::types::ParameterType::SecureString;
        parameters.put_parameter().name(&id).value(value).r#type(secure).overwrite(true).send()
    };
    let clock = Arc::new(Hand(AtomicU64::new(1_000_000)));
    let secrets = Secrets::new(&clients, clock.clone(), |_| None);
    let reference = SecretRef { source: SecretSource::Ssm, id: id.clone() };
    for _ in 0..2 {
        assert!(matches!(secrets.get(&reference).await, Err(SecretError::Missing { .. })));
    }
    put("one").await.unwrap();
    assert_eq!(secrets.get(&reference).await.unwrap().expose(), "one");
    put("two").await.unwrap();
    assert_eq!(asked.take(), ["GetParameter", "GetParameter", "PutParameter", "GetParameter", "PutParameter"]);
    clock.0.fetch_add(299_999, Ordering::Relaxed);
    assert_eq!(secrets.get(&reference).await.unwrap().expose(), "one");
    assert_eq!(asked.take(), Vec::<String>::new());
    clock.0.fetch_add(60_001, Ordering::Relaxed);
    assert_eq!(secrets.get(&reference).await.unwrap().expose(), "two");
    assert_eq!(asked.take(), ["GetParameter"]);
}

#[tokio::test]
async fn a_schedule_hands_over_what_the_heartbeat_function_reads() {
    let environment = with_schedules().await;
    let group = ScheduleGroup::new(&clients(), &environment).unwrap();
    let expression = ScheduleExpression("rate(1 day)".into());
    let schedule = Schedule { name: "daily".into(), expression, timezone: "UTC".into(), enabled: true };
    group.put(&schedule).await.unwrap();
    let client = aws_sdk_scheduler::Client::new(clients().config());
    let group_name = format!("chela-{}", environment.stage.unwrap());
    let stored = client.get_schedule().group_name(group_name).name("daily").send().await.unwrap();
    let target = stored.target.unwrap();
    assert_eq!(Some(target.arn), environment.heartbeat_arn);
    assert_eq!(Some(target.role_arn), environment.scheduler_role_arn);
    let input: Value = serde_json::from_str(&target.input.unwrap()).unwrap();
    assert_eq!(firing(&input, NOW).unwrap().name, "daily");
    let template = include_str!("../../../../infra/template.yaml");
    assert!(template.contains(&input.to_string()), "the template's schedules hand over something else");
}

#[tokio::test]
async fn warming_is_one_request_that_changes_nothing() {
    let (queues, bucket) = (with_queues().await, with_bucket().await);
    let all = AwsEnvironment { bucket: bucket.bucket, table: with_table().await.table, ..queues };
    let (clients, asked) = counted(&all);
    let lanes = Lanes::new(&clients, &all).unwrap();
    lanes.warm(Lane::Live).await.unwrap();
    Table::new(&clients, &all).unwrap().warm().await.unwrap();
    Bucket::new(&clients, &all).unwrap().warm().await.unwrap();
    assert_eq!(asked.take(), ["SendMessage", "GetItem", ""]);
    assert!(lanes.receive(Lane::Live, 10, 30).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_error_names_the_resource_and_the_variable() {
    let nowhere =
        AwsEnvironment { table: Some("no-such-table".into()), bucket: Some("no-such-bucket".into()), ..environment() };
    let clients = clients();
    let table = Table::new(&clients, &nowhere).unwrap().head(&session()).await.unwrap_err().to_string();
    assert!(table.contains("no-such-table") && table.contains("CHELA_TABLE"), "{table}");
    let bucket = Bucket::new(&clients, &nowhere).unwrap();
    let bucket = chela_core::blob::BlobStore::get(&bucket, "a").await.unwrap_err().to_string();
    assert!(bucket.contains("no-such-bucket") && bucket.contains("CHELA_BUCKET"), "{bucket}");
    let lanes = AwsEnvironment { queue_live: Some("http://127.0.0.1/1/none.fifo".into()), ..nowhere.clone() };
    let lanes = Lanes::new(&clients, &lanes).unwrap();
    let missing = lanes.receive(Lane::Background, 1, 1).await.unwrap_err().to_string();
    assert!(missing.contains("CHELA_QUEUE_BACKGROUND"), "{missing}");
    assert!(matches!(lanes.receive(Lane::Live, 1, 1).await, Err(QueueError::Unavailable(_))));
}

#[tokio::test]
async fn a_wrong_credential_is_refused_and_not_shown() {
    let wrong = AwsEnvironment {
        access_key_id: Some("AKIAWRONGWRONGWRONG1".into()),
        secret_access_key: Some(chela_core::secret::Secret::new("not-the-secret")),
        ..with_table().await
    };
    let clients = AwsClients::new(&wrong, crate::server::http()).unwrap();
    let error = Table::new(&clients, &wrong).unwrap().head(&session()).await.unwrap_err().to_string();
    assert!(error.contains("InvalidClientTokenId") || error.contains("UnrecognizedClientException"), "{error}");
    assert!(!error.contains("not-the-secret") && !format!("{clients:?}").contains("not-the-secret"));
}

/// Some platforms fetch files themselves.
#[tokio::test]
async fn a_link_opens_one_file_to_whoever_has_it() {
    let bucket = Bucket::new(&clients(), &with_bucket().await).unwrap();
    let content = bytes::Bytes::from_static(b"a picture");
    chela_core::blob::BlobStore::put(&bucket, "media/main/a b.png", content.clone(), Precondition::None).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let link = chela_core::blob::BlobStore::link(&bucket, "media/main/a b.png", hour).await.unwrap().unwrap();
    assert!(link.contains("X-Amz-Expires=3600") && link.contains("X-Amz-Signature="), "{link}");
    let http = chela_http::HttpClient::new(environment().http_options()).unwrap();
    let fetched = http.send(chela_http::Request::get(link, std::time::Duration::from_secs(10), 100)).await.unwrap();
    assert_eq!((fetched.status.as_u16(), fetched.body), (200, content));
}
