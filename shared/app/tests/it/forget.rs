//! A person is forgotten: all that is theirs goes from the store and its files, whatever breaks on the way, and nothing
//! that is another's.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chela_app::api::Api;
use chela_app::install::Scope;
use chela_core::access::SenderRef;
use chela_core::agent_id::AgentId;
use chela_core::approval::Request;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::clock::Millis;
use chela_core::directory::{Directory, Listing};
use chela_core::erasure::{Erasure, Row};
use chela_core::message::EventKey;
use chela_core::model::Block;
use chela_core::queue::{Authority, ENVELOPE_VERSION, Envelope, Standing, Task};
use chela_core::session::{
    Accepted, AssistantEntry, Claim, Claimed, Control, Entry, EntryBody, Fence, SessionStore, StoreError, UserFragment,
};
use chela_core::session_key::SessionKey;
use chela_core::shown::StoredFile;
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::house;

const NOW: Millis = Millis(4_000_000_000_000);

/// Stands in everything that is theirs.
const WORD: &str = "zxqforgetme";

/// Stands in everything that is another's.
const OTHER: &str = "keepthisword";

const OWN: &str = "agent:main:telegram:direct:7";
const OTHERS: &str = "agent:main:telegram:direct:8";
const ROOM: &str = "agent:main:telegram:group:-100";
const CHILD: &str = "agent:main:subagent:of-7";
const ROOM_CHILD: &str = "agent:main:subagent:of-room";

struct House {
    store: Embedded,
    clock: Arc<ManualClock>,
    api: Api,
    folder: tempfile::TempDir,
}

fn key(name: &str) -> SessionKey {
    SessionKey::from_stored(name)
}

impl House {
    async fn open() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(NOW)));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        let config = json!({
            "session": {"identityLinks": {"ada": ["telegram:7", "slack:U7"]}},
            "channels": {"telegram": {"botToken": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "webhookSecret": "s"}},
        });
        house::configure(&store, &config).await;
        let live = house::live(&store, &clock, Scope::Everything).await;
        let api = house::api(&store, &clock, live, "key");
        Self { store, clock, api, folder }
    }

    async fn forget(&self, wish: Value) -> (u16, Value) {
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer key"))]);
        let body = Bytes::from(wish.to_string());
        let ack = self.api.handle(&Method::POST, "/forget", "", &headers, &body).await;
        (ack.status.as_u16(), serde_json::from_slice(&ack.body).unwrap())
    }

    async fn forgotten(&self) -> Value {
        let (status, found) = self.forget(json!({"channel": "telegram", "sender": "7"})).await;
        assert_eq!((status, &found["done"]), (200, &json!(true)), "{found}");
        found
    }

    async fn file(&self, key: &str, text: &str) {
        self.store.blobs.put(key, Bytes::from(text.to_owned()), Precondition::None).await.unwrap();
    }

    async fn has(&self, key: &str) -> bool {
        self.store.blobs.get(key).await.unwrap().is_some()
    }

    /// Everything stored of a session, as text.
    async fn rows(&self, session: &str) -> String {
        format!("{:?}", self.store.sessions.stored(&key(session), "", 1000).await.unwrap())
    }

    /// Files of the data folder, database and its log included, that hold this.
    fn holding(&self, word: &str) -> Vec<String> {
        let mut found = Vec::new();
        search(self.folder.path(), word.as_bytes(), &mut found);
        found
    }

    async fn list(&self, session: &str, parent: Option<&str>, began: Millis) {
        let (agent, parent) = (AgentId::new("main"), parent.map(key));
        let listing = Listing { session: key(session), agent, label: None, parent, began, ended: None };
        self.store.sessions.list(&listing).await.unwrap();
    }

    /// A turn in which these spoke, with a call of a tool and a file of each, as an attempt stores one.
    async fn turn(&self, session: &str, number: u64, said: &[(&str, &str)]) {
        let at = NOW.plus(number * 1000);
        let mut user = Vec::new();
        for (sender, text) in said {
            let envelope = message(session, sender, &format!("{number}-{sender}"), text, NOW);
            let media = format!("media/main/{}-0.png", envelope.event.short());
            self.file(&media, text).await;
            let files = vec![StoredFile { key: media, content_type: "image/png".into() }];
            let accepted = Accepted { event: envelope.event.clone(), turn: number, at, task: Some(envelope.task) };
            self.store.sessions.accept(&key(session), &accepted).await.unwrap();
            let (sender, text) = ((*sender).to_owned(), (*text).to_owned());
            user.push(UserFragment { sender, name: Some(text.clone()), text, files, ..UserFragment::default() });
        }
        let text = said.iter().map(|(_, text)| *text).collect::<Vec<_>>().join(" ");
        let call = Block::ToolUse { id: "c1".into(), name: "exec".into(), input: json!({"command": text}) };
        let asks = AssistantEntry { user, blocks: vec![call], ..AssistantEntry::default() };
        let shown = format!("media/main/{}-{number}.png", session.replace(':', "-"));
        self.file(&shown, &text).await;
        let files = vec![StoredFile { key: shown, content_type: "image/png".into() }];
        let result = Block::ToolResult { id: "c1".into(), text: text.clone(), is_error: false, files };
        let answers = AssistantEntry {
            blocks: vec![Block::Text { text: text.clone() }],
            outbox: Some(vec![text.clone()]),
            ..AssistantEntry::default()
        };
        let bodies = [
            (0, EntryBody::Assistant(asks)),
            (0, EntryBody::ToolResults { results: vec![result] }),
            (1, EntryBody::Assistant(answers)),
        ];
        for (place, (step, body)) in bodies.into_iter().enumerate() {
            let entry = Entry { turn: number, step, at: at.plus(place as u64 * 100), body };
            self.store.sessions.append(&key(session), &entry).await.unwrap();
        }
        let event = EventKey::of("turn", session, &number.to_string());
        let claim = Claim { event: &event, owner: "turn", now: NOW, until: NOW.plus(1000) };
        let Claimed::Held(mut head) = self.store.sessions.claim(&key(session), &claim).await.unwrap() else { panic!() };
        head.finish(&[]);
        let fence = Fence { epoch: head.epoch, owner: "turn", lease_reaches: Millis(0) };
        self.store.sessions.save(&key(session), &head, &fence).await.unwrap();
        let summary = EntryBody::Summary { text };
        let summary = Entry { turn: number, step: 0, at, body: summary };
        self.store.sessions.append(&key(session), &summary).await.unwrap();
    }

    /// Two people, a room of both, and work that was handed on.
    async fn fill(&self) {
        self.list(OWN, None, NOW).await;
        self.list(OTHERS, None, NOW).await;
        self.list(ROOM, None, NOW).await;
        self.list(CHILD, Some(OWN), NOW.plus(5)).await;
        // Begun between the call and its result, in the turn in which they spoke; the other in another's.
        self.list(ROOM_CHILD, Some(ROOM), NOW.plus(2050)).await;
        self.list("agent:main:subagent:others", Some(ROOM), NOW.plus(1050)).await;
        for number in [1, 2] {
            self.turn(OWN, number, &[("7", WORD)]).await;
            self.turn(OTHERS, number, &[("8", OTHER)]).await;
        }
        self.turn(ROOM, 1, &[("8", OTHER)]).await;
        self.turn(ROOM, 2, &[("8", "alsokept"), ("7", WORD)]).await;
        self.turn(ROOM, 3, &[("8", OTHER)]).await;
        self.turn(CHILD, 1, &[("", WORD)]).await;
        self.turn(ROOM_CHILD, 1, &[("", WORD)]).await;
        self.turn("agent:main:subagent:others", 1, &[("", OTHER)]).await;
        for session in [OWN, OTHERS] {
            let export = chela_agent::export_name(&key(session));
            self.file(&format!("agents/main/{export}-2.md"), if session == OWN { WORD } else { OTHER }).await;
        }
        self.file(&format!("agents/main/{}", chela_memory::guest_note("telegram", "7")), WORD).await;
        self.file(&format!("agents/main/{}", chela_memory::guest_note("telegram", "8")), OTHER).await;
        self.store.sessions.leave(&message(OWN, "7", "left", WORD, NOW)).await.unwrap();
        self.store.sessions.set_control(&key(OTHERS), &Control { stop_before: NOW }).await.unwrap();
        for sender in ["7", "8"] {
            self.store.sessions.request_pairing_and_approve(sender).await;
        }
    }
}

trait Approves {
    async fn request_pairing_and_approve(&self, sender: &str);
}

impl Approves for chela_embedded::SqliteSessions {
    async fn request_pairing_and_approve(&self, sender: &str) {
        use chela_core::access::AccessStore as _;
        let code = format!("CODE{sender}");
        self.request_pairing(&who(sender), &code, NOW).await.unwrap();
        self.approve("telegram", "default", &code, NOW).await.unwrap().unwrap();
    }
}

fn who(sender: &str) -> SenderRef {
    SenderRef { channel: "telegram".into(), account: "default".into(), sender: sender.into() }
}

fn search(folder: &Path, word: &[u8], found: &mut Vec<String>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            search(&path, word, found);
        } else if std::fs::read(&path).unwrap_or_default().windows(word.len()).any(|part| part == word) {
            found.push(path.display().to_string());
        }
    }
}

fn message(session: &str, sender: &str, id: &str, text: &str, at: Millis) -> Envelope {
    let inbound = json!({
        "channel": "telegram", "account": "default", "event_id": id, "peer": {"kind": "direct", "id": sender},
        "sender": {"id": sender, "name": text}, "text": text, "sent_at": 0,
        "media": [{"reference": "platforms"}],
        "reply_to": {"channel": "telegram", "account": "default", "to": sender},
    });
    let inbound = serde_json::from_value(inbound).unwrap();
    Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of("telegram", session, id),
        session: key(session),
        agent: AgentId::new("main"),
        accepted_at: at,
        task: Task::Message { inbound, standing: Standing::Allowed, authority: Authority::Guest },
    }
}

/// What must hold once they are forgotten.
async fn holds(house: &House) {
    use chela_core::access::AccessStore as _;
    assert_eq!(house.holding(WORD), Vec::<String>::new(), "words of theirs are left");
    for session in [OWN, CHILD, ROOM_CHILD] {
        assert!(!house.rows(session).await.contains("Entry("), "{session}");
        let head = house.store.sessions.head(&key(session)).await.unwrap().unwrap();
        assert!(head.expires().is_some(), "{session}: {head:?}");
    }
    let room = house.rows(ROOM).await;
    assert!(room.contains(OTHER) && room.contains("alsokept"), "{room}");
    assert!(room.contains("[deleted at the request of its sender]"), "{room}");
    let entries = house.store.sessions.history(&key(ROOM), 0, 100).await.unwrap();
    assert_eq!(entries.len(), 9, "no place of a transcript is left empty");
    let others = house.store.sessions.history(&key(OTHERS), 0, 100).await.unwrap();
    assert_eq!(others.len(), 6);
    assert_eq!(house.rows(OTHERS).await.matches(OTHER).count(), 18, "each word of the other's is there");
    assert!(house.store.sessions.control(&key(OTHERS)).await.unwrap().is_some());
    assert!(house.has(&format!("agents/main/{}-2.md", chela_agent::export_name(&key(OTHERS)))).await);
    assert!(house.has(&format!("agents/main/{}", chela_memory::guest_note("telegram", "8"))).await);
    assert!(!house.store.sessions.approved(&who("7")).await.unwrap(), "a stranger again");
    assert!(house.store.sessions.approved(&who("8")).await.unwrap());
    let listed = house.store.sessions.listed(&AgentId::new("main"), 100).await.unwrap();
    let mut listed: Vec<_> = listed.iter().map(|listing| listing.session.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, ["agent:main:subagent:others", OTHERS, ROOM]);
}

#[tokio::test]
async fn d05_all_that_is_a_persons_goes_and_nothing_else() {
    let house = House::open().await;
    house.fill().await;
    let (_, planned) = house.forget(json!({"channel": "telegram", "sender": "7", "dryRun": true})).await;
    assert!(house.holding(WORD).len() > 5, "looking changes nothing: {:?}", house.holding(WORD));
    let before = house.rows(OTHERS).await;
    let found = house.forgotten().await;
    holds(&house).await;
    assert_eq!(house.rows(OTHERS).await, before);
    let of = |found: &Value, session: &str| {
        let all = found["conversations"].as_array().unwrap().clone();
        all.into_iter().find(|it| it["session"] == session).unwrap_or_else(|| panic!("{session} in {found}"))
    };
    for session in [OWN, CHILD, ROOM_CHILD] {
        assert_eq!(of(&found, session)["how"], "delete");
    }
    assert_eq!((&of(&found, ROOM)["how"], &of(&found, ROOM)["files"]), (&json!("redact"), &json!(2)));
    assert_eq!((&of(&found, OWN)["rows"], &of(&found, OWN)["files"]), (&json!(10), &json!(4)));
    assert_eq!(of(&planned, OWN)["rows"], of(&found, OWN)["rows"], "what was told is what went");
    assert_eq!((&found["exports"], &found["notes"], &found["approvals"]), (&json!(1), &json!(1), &json!(1)));
    let again = house.forgotten().await;
    assert_eq!(again["conversations"], json!([]), "twice is once");
    let log = chela_core::audit::whole(house.store.sessions.as_ref(), "default").await.unwrap();
    assert_eq!(log.len(), 1, "{log:?}");
    let told = serde_json::to_string(&log).unwrap();
    assert!(told.contains("erased") && told.contains("3 conversations deleted"), "{told}");
    assert!(!told.contains("telegram") && !told.contains(WORD), "{told}");
    chela_core::audit::verify(&log, None).unwrap();
}

/// A row can name a file that was never part of a message: what `read` showed of the agent's own workspace, or a name
/// that somebody made up.
#[tokio::test]
async fn no_file_of_an_agent_goes_because_a_row_of_theirs_names_it() {
    let house = House::open().await;
    house.list(OWN, None, NOW).await;
    house.turn(OWN, 1, &[("7", WORD)]).await;
    let (soul, logo) = ("agents/main/SOUL.md", "agents/main/logo.png");
    for kept in [soul, logo] {
        house.file(kept, OTHER).await;
    }
    let named = |key: &str| vec![StoredFile { key: key.into(), content_type: "image/png".into() }];
    let user = vec![UserFragment { sender: "7".into(), files: named(soul), ..UserFragment::default() }];
    let result = Block::ToolResult { id: "c1".into(), text: WORD.into(), is_error: false, files: named(logo) };
    let bodies = [
        EntryBody::Assistant(AssistantEntry { user, ..AssistantEntry::default() }),
        EntryBody::ToolResults { results: vec![result] },
    ];
    for (step, body) in bodies.into_iter().enumerate() {
        let step = u16::try_from(step).unwrap() + 2;
        house.store.sessions.append(&key(OWN), &Entry { turn: 1, step, at: NOW, body }).await.unwrap();
    }
    house.forgotten().await;
    assert!(!house.rows(OWN).await.contains("Entry("));
    for kept in [soul, logo] {
        assert!(house.has(kept).await, "{kept}");
    }
}

#[tokio::test]
async fn rooms_go_as_a_whole_where_that_is_wished() {
    let house = House::open().await;
    house.fill().await;
    let wish = json!({"channel": "telegram", "sender": "7", "rooms": "delete"});
    let (_, found) = house.forget(wish).await;
    assert_eq!(found["done"], true, "{found}");
    assert!(house.store.sessions.history(&key(ROOM), 0, 100).await.unwrap().is_empty());
    assert!(house.holding("alsokept").is_empty() && house.holding(WORD).is_empty());
    assert!(house.rows(OTHERS).await.contains(OTHER), "a conversation without them stays");
}

/// Whoever is known by several ids is forgotten by any of them.
#[tokio::test]
async fn a_person_is_forgotten_by_any_of_their_ids() {
    let house = House::open().await;
    house.turn("agent:main:slack:direct:ada", 1, &[("U7", WORD)]).await;
    house.turn("agent:main:direct:ada", 1, &[("U7", WORD)]).await;
    house.turn("agent:main:slack:direct:u8", 1, &[("U8", OTHER)]).await;
    let found = house.forgotten().await;
    assert_eq!(found["conversations"].as_array().unwrap().len(), 2, "they were in no list: {found}");
    assert!(house.holding(WORD).is_empty());
    assert!(!house.holding(OTHER).is_empty());
}

/// A turn that is at work is stopped, and waited for.
#[tokio::test]
async fn a_conversation_at_work_is_told_to_stop_and_is_not_touched() {
    let house = House::open().await;
    house.fill().await;
    let event = EventKey::of("t", "", "1");
    let claim = Claim { event: &event, owner: "turn", now: NOW, until: NOW.plus(45_000) };
    house.store.sessions.claim(&key(OWN), &claim).await.unwrap();
    let (status, found) = house.forget(json!({"channel": "telegram", "sender": "7"})).await;
    assert_eq!((status, &found["done"]), (200, &json!(false)));
    assert_eq!(house.store.sessions.history(&key(OWN), 0, 100).await.unwrap().len(), 6, "nothing went");
    assert_eq!(house.store.sessions.control(&key(OWN)).await.unwrap(), Some(Control { stop_before: NOW }));
    house.clock.advance(45_001);
    house.forgotten().await;
    holds(&house).await;
    // The attempt that was too slow saves nothing any more.
    let head = house.store.sessions.head(&key(OWN)).await.unwrap().unwrap();
    let fence = Fence { epoch: head.epoch - 1, owner: "turn", lease_reaches: Millis(0) };
    assert_eq!(house.store.sessions.save(&key(OWN), &head, &fence).await, Err(StoreError::Fenced));
    assert_eq!(head.turn(), 4, "nor does anybody read the place at which it may still write");
}

#[tokio::test]
async fn who_is_to_be_forgotten_must_be_named() {
    let house = House::open().await;
    for wrong in [
        json!({}),
        json!({"channel": "telegram"}),
        json!({"channel": "", "sender": "7"}),
        json!({"channel": "telegram", "sender": " "}),
        json!({"channel": "telegram", "sender": "7", "rooms": "burn"}),
        json!({"channel": "telegram", "sender": "7", "all": true}),
    ] {
        assert_eq!(house.forget(wrong.clone()).await.0, 400, "{wrong}");
    }
    assert_eq!(house.forgotten().await["conversations"], json!([]), "nobody we know");
}

/// Breaks after so many changes.
struct Breaking {
    store: Arc<chela_embedded::SqliteSessions>,
    left: AtomicUsize,
}

impl Breaking {
    fn one(&self) -> Result<(), StoreError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| StoreError::Unavailable("broken here".into()))
    }
}

#[async_trait]
impl Erasure for Breaking {
    async fn stored(&self, session: &SessionKey, after: &str, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.store.stored(session, after, limit).await
    }
    async fn replace(&self, session: &SessionKey, row: &Row) -> Result<(), StoreError> {
        self.one()?;
        self.store.replace(session, row).await
    }
    async fn remove(&self, session: &SessionKey, name: &str) -> Result<(), StoreError> {
        self.one()?;
        self.store.remove(session, name).await
    }
    async fn remove_left(&self, session: &SessionKey) -> Result<(), StoreError> {
        self.one()?;
        self.store.remove_left(session).await
    }
    async fn remove_marks(&self, session: &SessionKey) -> Result<(), StoreError> {
        self.one()?;
        self.store.remove_marks(session).await
    }
    async fn unlist(&self, listing: &Listing) -> Result<(), StoreError> {
        self.one()?;
        self.store.unlist(listing).await
    }
    async fn requests(&self) -> Result<Vec<Request>, StoreError> {
        self.store.requests().await
    }
    async fn remove_request(&self, id: &str) -> Result<(), StoreError> {
        self.one()?;
        self.store.remove_request(id).await
    }
    async fn disapprove(&self, who: &SenderRef) -> Result<bool, StoreError> {
        self.one()?;
        self.store.disapprove(who).await
    }
    async fn wipe(&self) -> Result<(), StoreError> {
        self.one()?;
        self.store.wipe().await
    }
}

/// Wherever it breaks, asked again it does the rest: also where what it broke off at would say what is left.
#[tokio::test]
async fn d05_what_was_broken_off_anywhere_is_completed_by_the_next_call() {
    let mut after = 0;
    loop {
        let mut house = House::open().await;
        house.fill().await;
        let store = house.store.sessions.clone();
        house.api.erasure = Arc::new(Breaking { store: store.clone(), left: AtomicUsize::new(after) });
        let (status, found) = house.forget(json!({"channel": "telegram", "sender": "7"})).await;
        if found["done"] == true {
            assert!(after > 30, "it breaks nowhere: {after}");
            return;
        }
        assert!(status == 503 || found["done"] == false, "{status} {found}");
        house.api.erasure = store;
        // Its lease has to run out.
        house.clock.advance(46_000);
        house.forgotten().await;
        holds(&house).await;
        after += 1;
    }
}
