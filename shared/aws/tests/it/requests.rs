//! How many requests an operation costs: each is billed, and each is a round trip while somebody waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use chela_aws::{AwsClients, AwsEnvironment, Table};
use chela_core::clock::Millis;
use chela_core::cooldown::{Cooldown, CooldownStore, Trouble};
use chela_core::directory::{Directory, Listing, Wishes};
use chela_core::message::EventKey;
use chela_core::model::{Block, Usage};
use chela_core::queue::Task;
use chela_core::session::{
    Accepted, AssistantEntry, Claim, Claimed, Entry, EntryBody, Fence, Head, Intent, Put, SessionStore, Settled,
    StoreError,
};
use chela_core::session_key::SessionKey;
use chela_core::spend::{Day, Reservation, Reserved, Scope, Settlement, SpendStore};

use crate::server::{clients, with_table};

/// The operations that were asked for, by the last part of `x-amz-target`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// What was asked since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[derive(Clone, Debug)]
struct Counted<T> {
    inner: T,
    asked: Asked,
}

impl HttpClient for Counted<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Counted { inner, asked: self.asked.clone() })
    }
}

impl HttpConnector for Counted<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        self.asked.0.lock().unwrap().push(target.rsplit('.').next().unwrap_or_default().to_owned());
        self.inner.call(request)
    }
}

/// Clients whose requests are noted.
pub(crate) fn counted(environment: &AwsEnvironment) -> (AwsClients, Asked) {
    let (inner, asked) = (clients().config().http_client().unwrap(), Asked::default());
    let counted = SharedHttpClient::new(Counted { inner, asked: asked.clone() });
    (AwsClients::over(environment, counted).unwrap(), asked)
}

const NOW: Millis = Millis(1_795_219_200_000);

pub(crate) fn session() -> SessionKey {
    SessionKey::from_stored("agent:main:telegram:main:direct:123456789")
}

pub(crate) fn answer(turn: u64, text: &str) -> Entry {
    let body = AssistantEntry {
        user: Vec::new(),
        blocks: vec![Block::Text { text: text.to_owned() }],
        model: "echo".into(),
        usage: Usage::default(),
        outbox: Some(vec![text.to_owned()]),
        ..AssistantEntry::default()
    };
    Entry { turn, step: 0, at: NOW, body: EntryBody::Assistant(body) }
}

fn event(id: &str) -> EventKey {
    EventKey::of("telegram", "main", id)
}

fn accepted(id: &str) -> Accepted {
    let task = Task::Heartbeat {
        name: "a".into(),
        scheduled_at: NOW,
        prompt: "hello".into(),
        deliver_to: None,
        made_for: None,
    };
    Accepted { event: event(id), turn: 1, at: NOW, task: Some(task) }
}

async fn claim(table: &Table, id: &str, owner: &str) -> Claimed {
    let claim = Claim { event: &event(id), owner, now: NOW, until: NOW.plus(60_000) };
    table.claim(&session(), &claim).await.unwrap()
}

#[tokio::test]
async fn a_plain_turn_is_five_writes_and_two_reads() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let (table, key) = (Table::new(&clients, &environment).unwrap(), session());

    let Claimed::Held(head) = claim(&table, "1", "a").await else { panic!("the session is free") };
    let fence = Fence { epoch: head.epoch, owner: "a", lease_reaches: NOW };
    table.accept(&key, &accepted("1")).await.unwrap();
    table.control(&key).await.unwrap();
    table.history(&key, 0, 50).await.unwrap();
    table.append(&key, &answer(1, "hello to you")).await.unwrap();
    let sending = Head { intents: vec![Intent::Send { part: 0 }], ..head.clone() };
    table.save(&key, &sending, &fence).await.unwrap();
    let mut done = Head { settled: vec![Settled::Sent { id: "77".into() }], ..head.clone() };
    done.finish(&[]);
    table.save(&key, &done, &fence).await.unwrap();

    assert_eq!(asked.take(), ["UpdateItem", "PutItem", "GetItem", "Query", "PutItem", "PutItem", "PutItem"]);
    assert_eq!(table.head(&key).await.unwrap(), Some(done));
}

#[tokio::test]
async fn a_refusal_needs_no_second_request() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let (table, key) = (Table::new(&clients, &environment).unwrap(), session());
    let Claimed::Held(mut head) = claim(&table, "1", "a").await else { panic!("the session is free") };
    table.accept(&key, &accepted("1")).await.unwrap();
    table.append(&key, &answer(1, "first")).await.unwrap();
    asked.take();

    assert!(matches!(claim(&table, "2", "b").await, Claimed::Busy { .. }));
    assert_eq!(asked.take(), ["UpdateItem"]);
    let again = table.accept(&key, &accepted("1")).await.unwrap();
    assert_eq!((again, asked.take()), (Put::Exists(accepted("1")), vec!["PutItem".to_owned()]));
    let again = table.append(&key, &answer(1, "second")).await.unwrap();
    assert_eq!((again, asked.take()), (Put::Exists(answer(1, "first")), vec!["PutItem".to_owned()]));
    let zombie = Fence { epoch: head.epoch - 1, owner: "a", lease_reaches: NOW };
    assert!(matches!(table.save(&key, &head, &zombie).await, Err(StoreError::Fenced)));
    assert_eq!(asked.take(), ["PutItem"]);

    let fence = Fence { epoch: head.epoch, owner: "a", lease_reaches: NOW };
    head.finish(&[]);
    table.save(&key, &head, &fence).await.unwrap();
    asked.take();
    assert_eq!(claim(&table, "1", "b").await, Claimed::Finished);
    assert_eq!(asked.take(), ["UpdateItem"]);
}

pub(crate) fn wish(name: &str, date: &str) -> Reservation {
    let user = Scope::User("telegram:123456789".into());
    let scopes = [Scope::All, Scope::Agent("main".into()), Scope::Channel("telegram".into()), user];
    let scopes = scopes.into_iter().map(|scope| (scope, Some(5_000_000_000))).collect();
    let day = Day { tenant: "default".into(), date: date.into() };
    Reservation { name: name.into(), day, scopes, amount: 123_456_789, at: NOW }
}

#[tokio::test]
async fn a_call_is_reserved_with_one_write_and_settled_with_another() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let table = Table::new(&clients, &environment).unwrap();
    let first = wish("0190f3a2c4e87b6d9a1b2c3d4e5f6a7b-12", "2026-11-21");
    assert!(matches!(table.reserve(&first).await.unwrap(), Reserved::Granted(_)));
    let opened = ["UpdateItem", "UpdateItem", "GetItem", "UpdateItem", "UpdateItem"];
    assert_eq!(asked.take(), opened, "the first of a day opens it");

    let second = Reservation { name: "2".into(), ..first.clone() };
    let too_much = Reservation { name: "3".into(), amount: 5_000_000_000, ..first.clone() };
    assert!(matches!(table.reserve(&second).await.unwrap(), Reserved::Granted(_)));
    assert!(matches!(table.reserve(&second).await.unwrap(), Reserved::Granted(_)));
    assert!(matches!(table.reserve(&too_much).await.unwrap(), Reserved::Refused { .. }));
    assert_eq!(asked.take(), ["UpdateItem"; 3]);
    let usage = Usage { input: 123_456, output: 7_890, cache_read: 98_765, cache_write: 4_321 };
    let settlement = Settlement { reservation: second, spent: 98_765_432, usage };
    table.settle(&settlement).await.unwrap();
    table.settle(&settlement).await.unwrap();
    assert_eq!(asked.take(), ["UpdateItem"; 2]);
    table.spending(&first.day).await.unwrap();
    assert_eq!(asked.take(), ["GetItem"]);

    table.halt("default", true).await.unwrap();
    assert_eq!(asked.take(), ["UpdateItem", "Query", "UpdateItem"], "one day");
    assert_eq!(table.reserve(&too_much).await.unwrap(), Reserved::Halted);
    assert_eq!(asked.take(), ["UpdateItem"]);
}

/// A row takes 400 KB. Whoever is many strangers in one day fills it no further, and stops nobody who was there before.
#[tokio::test]
async fn a_crowd_of_strangers_does_not_end_the_day_for_everybody() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let table = Table::new(&clients, &environment).unwrap();
    let own = wish("own", "2026-11-21");
    assert!(matches!(table.reserve(&own).await.unwrap(), Reserved::Granted(_)));
    let crowd = (0..999).map(|n| format!("stranger{n:03}")).collect();
    let client = aws_sdk_dynamodb::Client::new(self::clients().config());
    let crowded = client.update_item().table_name(environment.table.as_ref().unwrap());
    let crowded = crowded.key("pk", AttributeValue::S("SPEND#default".into()));
    let crowded = crowded.key("sk", AttributeValue::S("D#2026-11-21".into()));
    let crowded = crowded.update_expression("ADD p :p").expression_attribute_values(":p", AttributeValue::Ss(crowd));
    crowded.send().await.unwrap();

    let late = |name: &str, id: &str, amount| {
        let mut scopes = own.scopes.clone();
        scopes.retain(|scope, _| !matches!(scope, Scope::User(_)));
        scopes.values_mut().for_each(|limit| *limit = Some(50_000_000_000));
        scopes.insert(Scope::User(id.into()), Some(5_000_000_000));
        Reservation { name: name.into(), scopes, amount, ..own.clone() }
    };
    asked.take();
    let first = late("l1", "telegram:late", 3_000_000_000);
    let granted = |taken: Reserved, id: &str| match taken {
        Reserved::Granted(taken) => taken[&Scope::User(id.into())],
        other => panic!("{other:?}"),
    };
    assert_eq!(granted(table.reserve(&first).await.unwrap(), "telegram:late"), 3_000_000_000);
    assert_eq!(granted(table.reserve(&first).await.unwrap(), "telegram:late"), 3_000_000_000, "once");
    let more = table.reserve(&late("l2", "telegram:late", 3_000_000_000)).await.unwrap();
    assert!(matches!(more, Reserved::Refused { taken: 3_000_000_000, .. }), "{more:?}");
    let usage = Usage { input: 1, ..Usage::default() };
    let settlement = Settlement { reservation: first, spent: 1_000_000_000, usage };
    assert_eq!(table.settle(&settlement).await.unwrap()[&Scope::User("telegram:late".into())], 1_000_000_000);
    assert!(table.settle(&settlement).await.unwrap().is_empty(), "settled once");
    let again = table.reserve(&late("l3", "telegram:late", 3_000_000_000)).await.unwrap();
    assert_eq!(granted(again, "telegram:late"), 4_000_000_000);
    table.count(&Settlement { reservation: late("c", "telegram:other", 0), spent: 7, usage }).await.unwrap();
    // Whoever was there before has their own place, at the usual cost.
    asked.take();
    assert!(matches!(table.reserve(&wish("own2", "2026-11-21")).await.unwrap(), Reserved::Granted(_)));
    assert_eq!(asked.take(), ["UpdateItem"]);
    let spending = table.spending(&own.day).await.unwrap();
    let persons: Vec<&String> =
        spending.keys().filter_map(|scope| if let Scope::User(id) = scope { Some(id) } else { None }).collect();
    assert!(persons.iter().all(|id| *id == "telegram:123456789" || id.starts_with("(others ")), "{persons:?}");
    assert!((2..=3).contains(&persons.len()), "{persons:?}");
}

/// A write is billed for each begun kilobyte, of the whole row.
#[tokio::test]
async fn a_persons_day_is_one_kilobyte_and_expires() {
    let environment = with_table().await;
    let table = Table::new(&clients(), &environment).unwrap();
    let usage = Usage { input: 12_345_678, output: 123_456, cache_read: 9_876_543, cache_write: 432_100 };
    for n in 0..3 {
        let reservation = wish(&format!("0190f3a2c4e87b6d9a1b2c3d4e5f6a7b-{n}"), "2026-11-21");
        table.reserve(&reservation).await.unwrap();
        if n < 2 {
            table.settle(&Settlement { reservation, spent: 1_234_567_890, usage }).await.unwrap();
        }
    }
    let client = aws_sdk_dynamodb::Client::new(clients().config());
    let read = client.get_item().table_name(environment.table.unwrap());
    let read = read.key("pk", AttributeValue::S("SPEND#default".into()));
    let row = read.key("sk", AttributeValue::S("D#2026-11-21".into())).send().await.unwrap().item.unwrap();
    let weight = |value: &AttributeValue| match value {
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::S(text) => text.len(),
        AttributeValue::Ss(marks) => 3 + marks.iter().map(|mark| mark.len() + 1).sum::<usize>(),
        other => panic!("{other:?}"),
    };
    let bytes: usize = row.iter().map(|(name, value)| name.len() + weight(value)).sum();
    assert!(bytes <= 1024, "{bytes} bytes: {row:?}");
    let ttl: u64 = row["ttl"].as_n().unwrap().parse().unwrap();
    assert!((90 * 86_400..100 * 86_400).contains(&(ttl - NOW.seconds())), "{ttl}");
}

#[tokio::test]
async fn rests_and_lists_cost_one_request_for_each_row() {
    let environment = with_table().await;
    let (clients, asked) = counted(&environment);
    let table = Table::new(&clients, &environment).unwrap();
    let rest = Cooldown { until: NOW, failures: 1, trouble: Trouble::Overload };
    table.rest("anthropic:default", &rest).await.unwrap();
    table.recover("anthropic:default").await.unwrap();
    table.recover("anthropic:default").await.unwrap();
    assert_eq!(table.cooldowns().await.unwrap(), BTreeMap::new());
    assert_eq!(asked.take(), ["PutItem", "UpdateItem", "UpdateItem", "Query"]);

    let agent = chela_core::agent_id::AgentId::new("main");
    let alone =
        Listing { session: session(), agent: agent.clone(), label: None, parent: None, began: NOW, ended: None };
    let child = Listing { session: SessionKey::from_stored("child"), parent: Some(session()), ..alone.clone() };
    table.list(&alone).await.unwrap();
    table.list(&child).await.unwrap();
    assert_eq!(asked.take(), ["PutItem"; 3]);
    table.listed(&agent, 1).await.unwrap();
    table.children(&session(), 10).await.unwrap();
    table.wish(&session(), &Wishes::default()).await.unwrap();
    table.wishes(&session()).await.unwrap();
    assert_eq!(asked.take(), ["Query", "Query", "PutItem", "GetItem"]);
}
