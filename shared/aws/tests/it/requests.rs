//! How many requests an operation costs: each is billed, and each is a round trip while somebody waits.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use chela_aws::{AwsClients, AwsEnvironment, Table};
use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::model::{Block, Usage};
use chela_core::queue::Task;
use chela_core::session::{
    Accepted, AssistantEntry, Claim, Claimed, Entry, EntryBody, Fence, Head, Intent, Put, SessionStore, Settled,
    StoreError,
};
use chela_core::session_key::SessionKey;

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
    let task = Task::Heartbeat { name: "a".into(), scheduled_at: NOW, prompt: "hello".into(), deliver_to: None };
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
