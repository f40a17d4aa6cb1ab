//! Broadcast from the webhook to the queue, on real stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::ChannelNotes;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::channel::RawRequest;
use chela_core::clock::Millis;
use chela_core::queue::{Delivery, Depth, Envelope, Lane, Queue, QueueError, Task};
use chela_embedded::{Embedded, LocalSecrets, SqliteQueue};
use chela_testkit::clock::ManualClock;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::install::Scope;
use crate::live::{CONFIG_KEY, Ground, Live};
use crate::metrics::Metrics;
use crate::receive::{Ports, Receiver};

/// A queue that refuses the n-th push from now.
struct Refusing {
    inner: Arc<SqliteQueue>,
    refuses_in: AtomicU32,
}

#[async_trait]
impl Queue for Refusing {
    async fn push(&self, lane: Lane, envelope: &Envelope) -> Result<(), QueueError> {
        if self.refuses_in.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(QueueError::Unavailable("asked to".into()));
        }
        self.inner.push(lane, envelope).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility_s: u32) -> Result<Vec<Delivery>, QueueError> {
        self.inner.receive(lane, max, visibility_s).await
    }

    async fn delete(&self, lane: Lane, receipt: &str) -> Result<(), QueueError> {
        self.inner.delete(lane, receipt).await
    }

    async fn hide(&self, lane: Lane, receipt: &str, seconds: u32) -> Result<(), QueueError> {
        self.inner.hide(lane, receipt, seconds).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        self.inner.depth(lane).await
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        self.inner.bury(delivery, reason).await
    }
}

struct House {
    _folder: tempfile::TempDir,
    queue: Arc<Refusing>,
    receiver: Receiver,
}

impl House {
    async fn new(more: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        let mut config = json!({
            "agents": {"entries": {
                "main": {"default": true, "groupChat": {"mentionPatterns": ["@main"]}},
                "fox": {"groupChat": {"mentionPatterns": ["@fox"]}},
            }},
            "session": {"dmScope": "per-channel-peer"},
            "channels": {"telegram": {
                "botToken": "99:public-test-token_0123456789abcdefghijklmn", "webhookSecret": "public-test-secret_0",
                "botUsername": "my_bot", "dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open",
            }},
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        let text = Bytes::from(config.to_string());
        store.blobs.put(CONFIG_KEY, text, Precondition::None).await.unwrap();
        let ground = Ground {
            config_files: store.blobs.clone(),
            config_key: CONFIG_KEY.into(),
            files: store.blobs.clone(),
            secrets: Arc::new(LocalSecrets::new(|_| None)),
            variables: Arc::new(|_| None),
            clock: clock.clone(),
            commands: Default::default(),
            scope: Scope::Channel("telegram".into()),
            mcp: crate::mcp::McpHome::default(),
            inside: Default::default(),
        };
        let live = Arc::new(Live::open(ground).await.unwrap());
        let queue = Arc::new(Refusing { inner: store.queue.clone(), refuses_in: AtomicU32::new(u32::MAX) });
        let ports = Ports {
            queue: queue.clone(),
            sessions: store.sessions.clone(),
            directory: store.sessions.clone(),
            access: store.sessions.clone(),
            channels: Arc::new(ChannelNotes::new(store.sessions.clone())),
            files: store.blobs.clone(),
            clock,
        };
        let receiver = Receiver::new(ports, live, Arc::new(Metrics::default()));
        Self { _folder: folder, queue, receiver }
    }

    /// What the platform is answered to a message in this chat: negative numbers are rooms.
    async fn posts(&self, number: u64, chat: i64, text: &str) -> u16 {
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let from = json!({"id": 7, "is_bot": false, "first_name": "Ada"});
        let chat = json!({"id": chat, "type": kind, "title": "all", "first_name": "Ada"});
        let message = json!({"message_id": number, "from": from, "chat": chat, "date": 1_800_000_000, "text": text});
        let body = json!({"update_id": number, "message": message});
        let secret = HeaderValue::from_static("public-test-secret_0");
        let request = RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers: HeaderMap::from_iter([(http::HeaderName::from_static("x-telegram-bot-api-secret-token"), secret)]),
            body: Bytes::from(body.to_string()),
            received_at: Millis(1_800_000_000_000),
        };
        self.receiver.receive("telegram", "default", request).await.0.status.as_u16()
    }

    /// What was queued since the last look: session and text, in the order of sessions.
    async fn queued(&self) -> Vec<(String, String)> {
        let mut queued = vec![];
        loop {
            let deliveries = self.queue.receive(Lane::Live, 10, 600).await.unwrap();
            if deliveries.is_empty() {
                queued.sort();
                return queued;
            }
            for delivery in deliveries {
                let envelope: Envelope = serde_json::from_str(&delivery.body).unwrap();
                let Task::Message { inbound, .. } = envelope.task else { panic!("a message") };
                assert!(envelope.session.as_str().starts_with(&format!("agent:{}:", envelope.agent)));
                queued.push((envelope.session.as_str().to_owned(), inbound.text));
                self.queue.delete(Lane::Live, &delivery.receipt).await.unwrap();
            }
        }
    }
}

fn both(peer: &str, text: &str) -> Vec<(String, String)> {
    let one = |agent: &str| (format!("agent:{agent}:telegram:{peer}"), text.to_owned());
    vec![one("fox"), one("main")]
}

fn broadcast(group: Value) -> Value {
    json!({ "broadcast": { "telegram:-100": group, "7": ["main", "fox"] } })
}

#[tokio::test]
async fn each_agent_gets_the_message_once_however_often_it_is_posted() {
    let house = House::new(broadcast(json!(["main", "fox"]))).await;
    for _ in 0..3 {
        assert_eq!(house.posts(1, 7, "hello").await, 200);
    }
    assert_eq!(house.queued().await, both("direct:7", "hello"));
}

/// The platform posts again what was not acknowledged: the agent that has the message already knows it.
#[tokio::test]
async fn what_is_queued_for_some_only_is_not_acknowledged_and_not_doubled() {
    for refused in 0..2 {
        let house = House::new(broadcast(json!(["main", "fox"]))).await;
        house.queue.refuses_in.store(refused, Ordering::SeqCst);
        assert_eq!(house.posts(1, 7, "hello").await, 503, "{refused}");
        assert_eq!(house.posts(1, 7, "hello").await, 200, "{refused}");
        assert_eq!(house.queued().await, both("direct:7", "hello"), "{refused}");
    }
}

#[tokio::test]
async fn in_a_room_those_who_are_named_answer_or_all_that_are_addressed() {
    let house = House::new(broadcast(json!(["main", "fox"]))).await;
    assert_eq!(house.posts(1, -100, "good morning").await, 200);
    assert_eq!(house.queued().await, [], "nobody was addressed");
    assert_eq!(house.posts(2, -100, "@fox what now?").await, 200);
    assert_eq!(house.queued().await, [both("group:-100", "@fox what now?")[0].clone()]);
    assert_eq!(house.posts(3, -100, "@fox and @main: go").await, 200);
    assert_eq!(house.queued().await, both("group:-100", "@fox and @main: go"));
    assert_eq!(house.posts(4, -200, "@fox what now?").await, 200);
    assert_eq!(house.queued().await, [], "another room is not the fox's");

    let all = House::new(broadcast(json!({"agents": ["main", "fox"], "mentionGating": false}))).await;
    assert_eq!(all.posts(1, -100, "@fox what now?").await, 200);
    assert_eq!(all.queued().await, both("group:-100", "@fox what now?"));
}

#[tokio::test]
async fn a_prefix_picks_the_agent_and_is_not_read_by_it() {
    let rule = json!({"agentId": "fox", "match": {"channel": "telegram", "text": "/fox *"}, "stripPrefix": true});
    let house = House::new(json!({"bindings": [rule]})).await;
    assert_eq!(house.posts(1, 7, "/FOX where is the hen?").await, 200);
    assert_eq!(house.posts(2, 7, "where is the hen?").await, 200);
    assert_eq!(house.queued().await, both("direct:7", "where is the hen?"));
}
