//! What went wrong for good, and the owner's decision, with the `chela` command against `chela run`.

use std::path::Path;
use std::sync::Arc;

use chela_clock::SystemClock;
use chela_core::agent_id::AgentId;
use chela_core::clock::{Clock, Millis};
use chela_core::message::{EventKey, ReplyAddress};
use chela_core::model::Usage;
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Lane, Queue, Task};
use chela_core::session::{Accepted, AssistantEntry, Claim, Claimed, Entry, EntryBody, Fence, Flagged, SessionStore};
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;
use serde_json::{Value, json};

use crate::binaries::{Gateway, chela};
use crate::local::{PATIENCE, TELEGRAM_SECRET, house, telegram_headers};
use crate::oracle;
use crate::platform::Platforms;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What `chela deadletters …` did: whether it succeeded, its output, its complaint. It blocks, so the platforms need
/// threads of their own.
fn deadletters(gateway: &Gateway, arguments: &[&str]) -> (bool, String, String) {
    let config = gateway.data.parent().unwrap().join("chela.json5");
    let output = chela()
        .arg("deadletters")
        .args(arguments)
        .args(["--url", &gateway.url])
        .args(["--config".as_ref(), config.as_os_str()])
        .args(["--data".as_ref(), gateway.data.as_os_str()])
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn listed(gateway: &Gateway) -> Vec<Value> {
    let (done, out, complaint) = deadletters(gateway, &["list", "--json"]);
    assert!(done, "{complaint}");
    serde_json::from_str(&out).unwrap()
}

/// Waits for the first flag of a reply.
async fn flagged(gateway: &Gateway) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(item) = listed(gateway).pop() {
            return item;
        }
        assert!(std::time::Instant::now() < until, "nothing was flagged");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn telegram_says_something(gateway: &Gateway) {
    let update = oracle::telegram_update(&oracle::recorded("telegram/text.json"));
    assert_eq!(gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_nobody_confirmed_is_listed_resent_and_gone() {
    let platforms = Platforms::open().await;
    platforms.will_refuse([(502, json!({}))]);
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let (done, out, _) = deadletters(&gateway, &[]);
    assert!(done && out.starts_with("Nothing waits for you"), "{out}");

    telegram_says_something(&gateway).await;
    let item = flagged(&gateway).await;
    let id = item["id"].as_str().unwrap();
    assert_eq!((&item["kind"], &item["turn"], &item["part"]), (&json!("reply"), &json!(1), &json!(0)));
    assert!(item["reason"].as_str().unwrap().contains("502"), "{item}");
    assert!(platforms.sent_to("/sendMessage").is_empty());
    let (_, table, _) = deadletters(&gateway, &["list"]);
    assert!(table.contains(id) && table.contains("reason") && !table.contains('\u{1b}'), "{table}");
    let (_, shown, _) = deadletters(&gateway, &["show", id, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["text"].as_str().unwrap().contains("offline echo"), "{shown}");
    assert_eq!(shown["to"]["channel"], "telegram");

    let (done, out, complaint) = deadletters(&gateway, &["resend", id]);
    assert!(done && out.contains("delivered"), "{out}{complaint}");
    let sent = platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    assert!(sent[0].body["text"].as_str().unwrap().contains("offline echo"));
    assert!(listed(&gateway).is_empty());

    let (done, _, complaint) = deadletters(&gateway, &["resend", id]);
    assert!(!done && complaint.contains(id) && complaint.contains("there are none"), "{complaint}");
    // Had the second wish been granted, its message would be before this one's.
    assert!(gateway.ask("Still there?").await.contains("Still there?"));
    assert_eq!(platforms.sent_to("/sendMessage").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_refused_again_stays_until_it_is_dropped() {
    let platforms = Platforms::open().await;
    let blocked = || (403, json!({"ok": false, "error_code": 403, "description": "Forbidden: bot was blocked"}));
    platforms.will_refuse([blocked(), blocked()]);
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    telegram_says_something(&gateway).await;
    let first = flagged(&gateway).await;
    let id = first["id"].as_str().unwrap();
    let (done, _, complaint) = deadletters(&gateway, &["resend", id]);
    assert!(!done && complaint.contains("stays") && complaint.contains("bot was blocked"), "{complaint}");
    let again = flagged(&gateway).await;
    assert_eq!(again["id"], first["id"]);
    assert!(again["at"].as_u64() > first["at"].as_u64(), "{again}");

    let (done, _, complaint) = deadletters(&gateway, &["drop", "reply-000000000000"]);
    assert!(!done && complaint.contains(&format!("there are {id}")), "{complaint}");
    let (done, out, _) = deadletters(&gateway, &["drop", id, "--json"]);
    assert!(done, "{out}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!({"id": id, "outcome": "dropped"}));
    assert!(listed(&gateway).is_empty());
    assert!(platforms.sent_to("/sendMessage").is_empty());
}

/// A message of a schedule that is answered on Telegram.
pub(crate) fn envelope(name: &str, accepted_at: Millis) -> Envelope {
    let to = ReplyAddress {
        channel: "telegram".into(),
        account: "default".into(),
        to: "7527593".into(),
        thread: None,
        message: None,
    };
    let prompt = format!("prompt of {name}");
    Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of("schedule", name, "1"),
        session: SessionKey::from_stored(format!("agent:main:direct:{name}")),
        agent: AgentId::new("main"),
        accepted_at,
        task: Task::Heartbeat {
            name: name.into(),
            scheduled_at: accepted_at,
            prompt,
            deliver_to: Some(to),
            made_for: None,
        },
    }
}

async fn bury(store: &Embedded, envelope: &Envelope) {
    store.queue.push(Lane::Live, envelope).await.unwrap();
    let poison = store.queue.receive(Lane::Live, 1, 60).await.unwrap().pop().unwrap();
    store.queue.bury(&poison, "nobody could").await.unwrap();
}

/// Its turn is finished; the head remembers the last events only, the event's own row is kept for eight days.
async fn finish(store: &Embedded, envelope: &Envelope, remembered: bool) {
    let Envelope { session, event, accepted_at: now, task, .. } = envelope;
    let claim = Claim { event, owner: "a", now: *now, until: now.plus(1000) };
    let Claimed::Held(mut head) = store.sessions.claim(session, &claim).await.unwrap() else { panic!("it is free") };
    let accepted = Accepted { event: event.clone(), turn: 1, at: *now, task: Some(task.clone()) };
    store.sessions.accept(session, &accepted).await.unwrap();
    let fence = Fence { epoch: head.epoch, owner: "a", lease_reaches: Millis(0) };
    head.finish(&[]);
    if !remembered {
        head.recent.clear();
    }
    store.sessions.save(session, &head, &fence).await.unwrap();
}

/// A data folder with five buried messages: fresh, stale, answered as the head remembers, answered as the event's row
/// tells, and of a newer form.
async fn graveyard(folder: &Path) {
    let clock = Arc::new(SystemClock);
    let now = clock.now();
    let store = Embedded::open(&folder.join("data"), clock).unwrap();
    bury(&store, &envelope("fresh", now)).await;
    bury(&store, &envelope("stale", Millis(now.0 - DAY_MS - 60_000))).await;
    for (name, at, remembered) in [("answered", Millis(now.0 - 9 * DAY_MS), true), ("forgotten", now, false)] {
        let answered = envelope(name, at);
        finish(&store, &answered, remembered).await;
        bury(&store, &answered).await;
    }
    bury(&store, &Envelope { version: ENVELOPE_VERSION + 1, ..envelope("newer", now) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buried_message_goes_back_only_while_its_answer_is_still_wanted() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    graveyard(folder.path()).await;
    let gateway = Gateway::start(folder.path()).await;
    let items = listed(&gateway);
    assert_eq!(items.len(), 5, "{items:?}");
    let id = |name: &str| {
        let bodies = items.iter().map(|item| {
            let id = item["id"].as_str().unwrap();
            (id.to_owned(), deadletters(&gateway, &["show", id]).1)
        });
        bodies.into_iter().find(|(_, shown)| shown.contains(&format!("prompt of {name}"))).unwrap().0
    };
    let refused = |name: &str, force: bool, why: &str| {
        let id = id(name);
        let arguments = if force { vec!["resend", &id, "--force"] } else { vec!["resend", &id] };
        let (done, _, complaint) = deadletters(&gateway, &arguments);
        assert!(!done && complaint.contains(why), "{name}: {complaint}");
    };
    refused("stale", false, "came 24 hours ago");
    refused("stale", false, "--force");
    for answered in ["answered", "forgotten"] {
        refused(answered, false, "its turn is finished");
    }
    for force in [false, true] {
        refused("newer", force, "cannot be read");
    }
    assert_eq!(listed(&gateway).len(), 5, "a refusal changes nothing");

    let (done, out, complaint) = deadletters(&gateway, &["resend", &id("fresh")]);
    assert!(done && out.contains("queued"), "{out}{complaint}");
    let sent = platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    assert!(sent[0].body["text"].as_str().unwrap().contains("prompt of fresh"), "{sent:?}");
    assert!(deadletters(&gateway, &["resend", &id("stale"), "--force"]).0);
    let sent = platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    assert!(sent[1].body["text"].as_str().unwrap().contains("prompt of stale"), "{sent:?}");
    assert!(deadletters(&gateway, &["drop", &id("newer")]).0);
    // Also with force an answered message is recognised by its turn, and nothing is sent.
    for answered in ["answered", "forgotten"] {
        assert!(deadletters(&gateway, &["resend", &id(answered), "--force"]).0);
    }
    assert!(listed(&gateway).is_empty());
    assert!(gateway.ask("Still there?").await.contains("Still there?"));
    assert_eq!(platforms.sent_to("/sendMessage").len(), 2);
}

/// A flag of the only part of the first turn of a session, with or without the rows that tell what it was.
async fn flag(folder: &Path, session: &str, stored: bool) -> String {
    let clock = Arc::new(SystemClock);
    let now = clock.now();
    let store = Embedded::open(&folder.join("data"), clock).unwrap();
    let Envelope { event, task, .. } = envelope("daily", now);
    let session = SessionKey::from_stored(session);
    if stored {
        let accepted = Accepted { event: event.clone(), turn: 1, at: now, task: Some(task) };
        store.sessions.accept(&session, &accepted).await.unwrap();
        let answer = AssistantEntry {
            user: vec![],
            blocks: vec![],
            model: "echo".into(),
            usage: Usage::default(),
            outbox: Some(vec!["The dentist is at nine.".into()]),
            ..AssistantEntry::default()
        };
        let entry = Entry { turn: 1, step: 0, at: now, body: EntryBody::Assistant(answer) };
        store.sessions.append(&session, &entry).await.unwrap();
    }
    let flagged = Flagged { session, turn: 1, part: 0, event, at: now, reason: "blocked".into(), sending: false };
    store.sessions.flag(&flagged).await.unwrap();
    flagged.id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_text_is_gone_can_only_be_dropped() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    let id = flag(folder.path(), "agent:main:main", false).await;
    let gateway = Gateway::start(folder.path()).await;
    let before = listed(&gateway);
    let (_, shown, _) = deadletters(&gateway, &["show", &id]);
    assert!(shown.contains("not stored any more") && shown.contains("blocked"), "{shown}");
    let (done, _, complaint) = deadletters(&gateway, &["resend", &id]);
    assert!(!done && complaint.contains("its text is not stored any more"), "{complaint}");
    assert_eq!(listed(&gateway), before, "nothing was tried");
    assert!(deadletters(&gateway, &["drop", &id]).0);
    assert!(listed(&gateway).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_of_a_schedule_is_resent_though_its_session_names_no_agent() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({"agents": {"list": [{"id": "ops"}]}}));
    let id = flag(folder.path(), "cron:daily", true).await;
    let gateway = Gateway::start(folder.path()).await;
    let (done, _, complaint) = deadletters(&gateway, &["resend", &id]);
    assert!(done, "{complaint}");
    assert_eq!(platforms.sent_to("/sendMessage")[0].body["text"], "The dentist is at nine.");
    assert!(!gateway.data.join("files/agents/main").exists(), "nobody made a workspace for an agent there is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_to_the_holder_of_the_key_only() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let stranger = crate::binaries::client(&gateway.url);
    let requests = [
        (http::Method::GET, "/deadletters"),
        (http::Method::GET, "/deadletters/live-1"),
        (http::Method::DELETE, "/deadletters/live-1"),
        (http::Method::POST, "/deadletters/live-1/resend"),
    ];
    for (method, path) in requests {
        let url = format!("{}{path}", gateway.url);
        let mut request = chela_http::Request::get(url, PATIENCE, 1 << 20);
        request.method = method.clone();
        let status = stranger.send(request).await.unwrap().status;
        assert_eq!(status, 401, "{method} {path}");
    }
    let wrong = [("/deadletters/live-1/resend", "{\"forse\":true}", 400), ("/deadletters/live-1", "", 405)];
    for (path, body, status) in wrong {
        let answer = gateway.post(path, http::HeaderMap::new(), body).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let (done, _, complaint) = deadletters(&gateway, &["show", "../healthz"]);
    assert!(!done && complaint.contains("is not the id"), "{complaint}");
}
