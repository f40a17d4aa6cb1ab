//! What commands change before a message becomes a turn: who is answered in rooms, what becomes of messages that come
//! while the agent is busy, who may end a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::{Agent, ChannelNotes, Known, Slice};
use chela_app::answer::Answerer;
use chela_app::install::Scope;
use chela_app::receive::Receiver;
use chela_app::wished::Wished;
use chela_core::access::{AccessStore, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::channel::RawRequest;
use chela_core::clock::{Clock, Millis};
use chela_core::directory::{Directory, Home, Listing, Wishes};
use chela_core::queue::{Lane, Queue};
use chela_core::session::{SessionStore, StoreError};
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::house::{configure, live, ports};

pub(crate) const ROOM: i64 = -100;
pub(crate) const IN_ROOM: &str = "agent:main:telegram:group:-100";
const MAIN: &str = "agent:main:main";

/// Counts how often wishes are read.
struct Counted {
    inner: Arc<dyn Directory>,
    reads: AtomicU32,
    broken: AtomicBool,
}

#[async_trait]
impl Directory for Counted {
    async fn list(&self, listing: &Listing) -> Result<(), StoreError> {
        self.inner.list(listing).await
    }

    async fn listed(&self, agent: &AgentId, limit: usize) -> Result<Vec<Listing>, StoreError> {
        self.inner.listed(agent, limit).await
    }

    async fn children(&self, parent: &SessionKey, limit: usize) -> Result<Vec<Listing>, StoreError> {
        self.inner.children(parent, limit).await
    }

    async fn wishes(&self, session: &SessionKey) -> Result<Wishes, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("gone".into()));
        }
        self.inner.wishes(session).await
    }

    async fn wish(&self, session: &SessionKey, wishes: &Wishes) -> Result<(), StoreError> {
        self.inner.wish(session, wishes).await
    }

    async fn note_home(&self, place: &str, home: &Home, now: Millis) -> Result<(), StoreError> {
        self.inner.note_home(place, home, now).await
    }

    async fn home(&self, place: &str) -> Result<Option<Home>, StoreError> {
        self.inner.home(place).await
    }
}

pub(crate) struct House {
    receiver: Receiver,
    pub(crate) answerer: Answerer,
    pub(crate) store: Embedded,
    directory: Arc<Counted>,
    pub(crate) clock: Arc<ManualClock>,
    platform: Platform,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn open(telegram: Value, more: Value) -> Self {
        let platform = Platform::start(|_| {
            Answer::json(200, &json!({"ok": true, "result": {"message_id": 1, "chat": {"id": 7}, "date": 1}}))
        });
        let platform = platform.await;
        let mut config = more;
        config["channels"]["telegram"] = telegram;
        let channel = &mut config["channels"]["telegram"];
        channel["botToken"] = json!("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw");
        channel["webhookSecret"] = json!("secret");
        channel["apiBaseUrl"] = json!(platform.url());
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        configure(&store, &config).await;
        let live = live(&store, &clock, Scope::Everything).await;
        let sessions = store.sessions.clone();
        let (reads, broken) = (AtomicU32::new(0), AtomicBool::new(false));
        let directory = Arc::new(Counted { inner: sessions.clone(), reads, broken });
        let ports = ports(&store, &clock, directory.clone());
        let agent = Agent {
            sessions: sessions.clone(),
            access: sessions.clone(),
            files: store.blobs.clone(),
            channels: Arc::new(ChannelNotes::new(sessions.clone())),
            events: store.events.clone(),
            queue: store.queue.clone(),
            directory: directory.clone(),
            spend: sessions.clone(),
            approvals: sessions.clone(),
            audit: sessions.clone(),
            schedules: store.schedules.clone(),
            cooldowns: sessions,
            known: Known::default(),
            clock: clock.clone(),
        };
        let queue = store.queue.clone();
        let answerer =
            Answerer { agent, queue, live: live.clone(), metrics: Arc::default(), wished: Wished::default() };
        let receiver = Receiver::new(ports, live, Arc::default());
        Self { receiver, answerer, store, directory, clock, platform, _folder: folder }
    }

    /// Somebody says something; whether it was queued.
    pub(crate) async fn says(&self, from: i64, chat: i64, text: &str) -> bool {
        self.clock.advance(1);
        let kind = if chat == ROOM { "supergroup" } else { "private" };
        let number = self.clock.now().0 % 1_000_000_000;
        // In a room Telegram marks commands, and those are to us.
        let marked = chat == ROOM && text.starts_with('/');
        let command = json!({"type": "bot_command", "offset": 0, "length": text.len()});
        let update = json!({"update_id": number, "message": {
            "message_id": number, "date": 1_800_000_000, "text": text,
            "chat": {"id": chat, "type": kind, "title": "room"},
            "from": {"id": from, "is_bot": false, "first_name": "Ada"},
            "entities": if marked { vec![command] } else { vec![] },
        }});
        let mut headers = HeaderMap::new();
        headers.insert("x-telegram-bot-api-secret-token", HeaderValue::from_static("secret"));
        let request = RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers,
            body: Bytes::from(update.to_string()),
            received_at: self.clock.now(),
        };
        let (ack, received) = self.receiver.receive("telegram", "default", request).await;
        assert_eq!(ack.status.as_u16(), 200, "{received:?}");
        received.accepted == 1
    }

    pub(crate) async fn wish(&self, session: &str, answer_all: Option<bool>, queue: Option<&str>) {
        let wishes = Wishes { answer_all, queue: queue.map(str::to_owned) };
        self.directory.wish(&SessionKey::from_stored(session), &wishes).await.unwrap();
        self.clock.advance(30_000);
    }

    fn reads(&self) -> u32 {
        self.directory.reads.swap(0, Ordering::SeqCst)
    }

    /// What was sent to somebody since this was asked last.
    pub(crate) fn sent(&self) -> Vec<String> {
        let shows = |path: &str| path.ends_with("/sendMessage") || path.ends_with("/editMessageText");
        let sent = self.platform.take().into_iter().filter(|seen| shows(&seen.path));
        sent.map(|seen| seen.json()["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether a mark was left that ends a running turn.
    async fn marked(&self, session: &str) -> bool {
        self.store.sessions.control(&SessionKey::from_stored(session)).await.unwrap().is_some()
    }

    async fn left(&self, session: &str) -> usize {
        self.store.sessions.left(&SessionKey::from_stored(session), Millis(0), 10).await.unwrap().len()
    }
}

pub(crate) fn rooms() -> Value {
    json!({"groupPolicy": "open", "dmPolicy": "open", "allowFrom": ["*", "7"]})
}

#[tokio::test]
async fn a_room_is_answered_as_was_wished_and_asked_for_its_wish_twice_a_minute() {
    let house = House::open(rooms(), json!({})).await;
    assert!(!house.says(8, ROOM, "hello all").await, "nobody addressed it");
    for _ in 0..5 {
        assert!(!house.says(8, ROOM, "hello all").await);
    }
    assert_eq!(house.reads(), 1, "also where nothing was wished");
    house.wish(IN_ROOM, Some(true), None).await;
    assert!(house.says(8, ROOM, "hello all").await);
    assert!(house.says(8, ROOM, "and again").await);
    assert_eq!(house.reads(), 1);
    house.directory.broken.store(true, Ordering::SeqCst);
    house.clock.advance(30_000);
    assert!(house.says(8, ROOM, "hello all").await, "what was known last counts");
    house.directory.broken.store(false, Ordering::SeqCst);
    house.wish(IN_ROOM, None, None).await;
    assert!(!house.says(8, ROOM, "hello all").await);
}

#[tokio::test]
async fn a_room_that_is_answered_in_full_may_wish_for_less() {
    let mut open = rooms();
    open["requireMention"] = json!(false);
    let house = House::open(open, json!({})).await;
    assert!(house.says(8, ROOM, "hello all").await);
    house.wish(IN_ROOM, Some(false), None).await;
    assert!(!house.says(8, ROOM, "hello all").await);
    assert!(house.says(8, ROOM, "/status").await, "a command is to us");
}

#[tokio::test]
async fn a_wish_opens_no_room_that_is_shut_and_reads_nothing_there() {
    let house = House::open(json!({"groupPolicy": "disabled", "dmPolicy": "disabled"}), json!({})).await;
    house.wish(IN_ROOM, Some(true), None).await;
    assert!(!house.says(7, ROOM, "hello").await && !house.says(7, 7, "hello").await);
    assert_eq!(house.reads(), 0);
}

#[tokio::test]
async fn later_messages_steer_or_interrupt_as_was_wished() {
    let house = House::open(rooms(), json!({})).await;
    assert!(house.says(7, 7, "one").await);
    assert_eq!((house.left(MAIN).await, house.marked(MAIN).await), (0, false));
    house.wish(MAIN, None, Some("steer")).await;
    assert!(house.says(7, 7, "two").await && house.says(7, 7, "/think high three").await);
    assert_eq!(
        (house.left(MAIN).await, house.marked(MAIN).await),
        (1, false),
        "what has a turn of its own is not left"
    );
    house.wish(MAIN, None, Some("interrupt")).await;
    assert!(house.says(7, 7, "/status").await);
    assert!(!house.marked(MAIN).await, "a command interrupts nothing");
    assert!(house.says(7, 7, "/think high four").await);
    assert!(house.marked(MAIN).await);
    house.wish(MAIN, None, Some("no such mode")).await;
    assert!(house.says(7, 7, "five").await, "as configured");
}

/// Whoever has spent their own share of the day would otherwise go on at the cost of whoever was asked before them.
#[tokio::test]
async fn where_each_pays_for_themselves_nobody_joins_anothers_turn() {
    let limited = json!({"spend": {"limits": {"perUserPerDay": 1}}});
    for (more, joined) in [(json!({}), 1), (limited, 0)] {
        let house = House::open(rooms(), more).await;
        house.wish(MAIN, None, Some("steer")).await;
        assert!(house.says(8, 8, "a guest's words").await);
        assert_eq!(house.left(MAIN).await, joined);
        assert!(house.says(7, 7, "the owner's").await);
        assert_eq!(house.left(MAIN).await, joined + 1);
    }
}

#[tokio::test]
async fn only_who_may_ends_a_running_turn() {
    let house = House::open(rooms(), json!({})).await;
    assert!(house.says(8, 8, "/stop").await, "a guest's is queued, and refused there");
    assert!(!house.marked(MAIN).await);
    assert!(house.says(7, 7, "/STOP now").await);
    assert!(house.marked(MAIN).await);

    let house = House::open(rooms(), json!({"session": {"dmScope": "per-channel-peer"}})).await;
    assert!(house.says(8, 8, "/stop").await);
    assert!(house.marked("agent:main:telegram:direct:8").await, "their own conversation");

    let typed = House::open(rooms(), json!({"commands": {"text": false}})).await;
    assert!(typed.says(7, 7, "/stop").await);
    assert!(!typed.marked(MAIN).await, "typed commands do not count there");
}

/// Red without the look at pairings: a stranger could end the owner's turns where all direct messages share one session.
#[tokio::test]
async fn a_stranger_ends_nothing_and_a_paired_sender_does() {
    for (mode, text) in [("collect", "/stop"), ("interrupt", "hello")] {
        for owners in [json!(null), json!(["telegram:1"])] {
            let mut more = json!({"messages": {"queue": {"mode": mode}}});
            if !owners.is_null() {
                more["commands"]["ownerAllowFrom"] = owners.clone();
            }
            let house = House::open(json!({"dmPolicy": "pairing"}), more).await;
            assert!(house.says(9, 9, text).await);
            assert!(!house.marked(MAIN).await, "{mode}");
            let who = SenderRef { channel: "telegram".into(), account: "default".into(), sender: "9".into() };
            let access = &house.store.sessions;
            access.request_pairing(&who, "ABCDEFGH", house.clock.now()).await.unwrap();
            access.approve("telegram", "default", "ABCDEFGH", house.clock.now()).await.unwrap().unwrap();
            assert!(house.says(9, 9, text).await);
            let guest = mode == "collect" && !owners.is_null();
            assert_eq!(house.marked(MAIN).await, !guest, "{mode} {owners}");
        }
    }
}

#[tokio::test]
async fn waiting_messages_become_one_turn_or_several_as_was_wished() {
    for (wished, turns) in [(None, 1), (Some("followup"), 2), (Some("collect"), 1)] {
        let house = House::open(rooms(), json!({})).await;
        if wished.is_some() {
            house.wish(MAIN, None, wished).await;
        }
        assert!(house.says(7, 7, "one").await && house.says(7, 7, "two").await);
        let waiting = house.store.queue.receive(Lane::Live, 10, 60).await.unwrap();
        let waiting = if waiting.len() == 2 { waiting } else { panic!("two wait") };
        house.reads();
        let slice = Slice { deadline: house.clock.now().plus(150_000) };
        let batch = house.answerer.answer(waiting, slice).await;
        assert_eq!((batch.turns, batch.failed.len()), (turns, 0), "{wished:?} {:?}", batch.notes);
        assert_eq!(house.reads(), 1, "nothing is asked where nothing else waits");
        let sent = house.platform.take().iter().filter(|seen| seen.path.ends_with("/sendMessage")).count();
        assert_eq!(sent, turns as usize);
    }
}
