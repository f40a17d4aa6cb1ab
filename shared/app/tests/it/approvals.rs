//! Approvals over the API: what is listed, who may decide, and that a decision is about what was seen.

use std::sync::Arc;

use bytes::Bytes;
use chela_app::api::Api;
use chela_app::install::Scope;
use chela_core::access::{AccessStore, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::approval::{ApprovalStore, Request, State, VALID_MS, digest};
use chela_core::audit::{self, What};
use chela_core::clock::{Clock, Millis};
use chela_core::queue::{Envelope, Lane, Queue, Task};
use chela_core::session_key::SessionKey;
use chela_core::tool::{Caller, Consent};
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::house::{api, configure, live};

struct Desk {
    api: Api,
    store: Embedded,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        configure(&store, &json!({})).await;
        let api = api(&store, &clock, live(&store, &clock, Scope::Api).await, "k3y");
        Self { api, store, clock, _folder: folder }
    }

    async fn waits(&self, id: &str) -> Request {
        let (input, now) = (json!({"command": "git push"}), self.clock.now());
        let consent = Consent {
            shown: "git push".into(),
            programs: Some(vec![vec!["git".into(), "push".into()]]),
            beside: String::new(),
        };
        let request = Request {
            id: id.into(),
            digest: digest("exec", &input, &consent.shown),
            session: SessionKey::from_stored("agent:main:main"),
            agent: AgentId::new("main"),
            turn: 1,
            call: "call_1".into(),
            model: "test/model".into(),
            tool: "exec".into(),
            input,
            consent,
            caller: Caller::default(),
            here: true,
            places: vec![],
            asked_at: now,
            expires_at: now.plus(VALID_MS),
            state: State::Waiting,
        };
        self.store.sessions.ask(&request).await.unwrap();
        request
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer k3y"));
        let ack = self.api.handle(&method, path, query, &headers, &Bytes::from(body.to_string())).await;
        (ack.status.as_u16(), serde_json::from_slice(&ack.body).unwrap())
    }

    async fn decides(&self, request: &Request, decision: &str, digest: &str) -> u16 {
        let body = json!({"id": request.id, "decision": decision, "digest": digest});
        self.call(Method::POST, "/approvals", &body).await.0
    }

    /// The decisions that wait to be acted on.
    async fn queued(&self) -> Vec<String> {
        let deliveries = self.store.queue.receive(Lane::Live, 10, 30).await.unwrap();
        let id = |body: &str| match serde_json::from_str::<Envelope>(body).unwrap().task {
            Task::Decision { id, .. } => id,
            task => panic!("{task:?}"),
        };
        deliveries.iter().map(|delivery| id(&delivery.body)).collect()
    }

    async fn log(&self) -> Vec<(What, String)> {
        let log = audit::whole(self.store.sessions.as_ref(), "default").await.unwrap();
        assert_eq!(audit::verify(&log, None), Ok(()));
        log.into_iter().map(|record| (record.happening.what, record.happening.by)).collect()
    }
}

#[tokio::test]
async fn without_the_key_nothing_is_shown_and_nothing_decided() {
    let desk = Desk::open().await;
    let request = desk.waits("a").await;
    let body = Bytes::from(json!({"id": "a", "decision": "once", "digest": request.digest}).to_string());
    for (method, path) in [
        (Method::GET, "/approvals"),
        (Method::POST, "/approvals"),
        (Method::POST, "/approvals/forget"),
        (Method::GET, "/audit"),
    ] {
        let ack = desk.api.handle(&method, path, "", &HeaderMap::new(), &body).await;
        assert_eq!(ack.status.as_u16(), 401, "{method} {path}");
    }
    assert_eq!(desk.store.sessions.waiting().await.unwrap(), [request]);
}

#[tokio::test]
async fn the_owner_decides_about_what_was_seen_once() {
    let desk = Desk::open().await;
    let request = desk.waits("a").await;
    let (status, listed) = desk.call(Method::GET, "/approvals", &json!({})).await;
    let seen = &listed["waiting"][0];
    assert_eq!((status, seen["shown"].as_str(), seen["id"].as_str()), (200, Some("git push"), Some("a")));
    assert_eq!(desk.decides(&request, "once", &"0".repeat(64)).await, 409, "the digest of something else");
    assert_eq!(desk.queued().await, [""; 0]);
    assert_eq!(desk.decides(&request, "always", seen["digest"].as_str().unwrap()).await, 200);
    assert_eq!(desk.decides(&request, "once", &request.digest).await, 409, "twice");
    assert_eq!(desk.queued().await, ["a"]);
    let rule = desk.call(Method::GET, "/approvals", &json!({})).await.1["allowed"][0].clone();
    assert_eq!(rule["words"], json!(["git", "push"]));
    for wanted in [200, 404] {
        let forget = json!({"id": rule["id"]});
        assert_eq!(desk.call(Method::POST, "/approvals/forget", &forget).await.0, wanted);
    }
    let by = |what| (what, "api".to_owned());
    assert_eq!(desk.log().await, [by(What::AllowedAlways), by(What::Forgotten)]);
}

#[tokio::test]
async fn what_nobody_answered_is_denied_and_told_once() {
    let desk = Desk::open().await;
    let request = desk.waits("a").await;
    desk.clock.advance(VALID_MS);
    for _ in 0..2 {
        assert_eq!(desk.call(Method::GET, "/approvals", &json!({})).await.1["waiting"], json!([]));
    }
    assert_eq!(desk.queued().await, ["a"]);
    assert_eq!(desk.decides(&request, "once", &request.digest).await, 409);
    assert_eq!(desk.log().await, [(What::Expired, "time".to_owned())]);
}

#[tokio::test]
async fn what_is_not_understood_is_said() {
    let desk = Desk::open().await;
    for (path, body, status) in [
        ("/approvals", json!({"id": "a", "decision": "once"}), 400),
        ("/approvals", json!({"id": "a", "decision": "maybe", "digest": ""}), 400),
        ("/approvals", json!({"id": "a", "decision": "once", "digest": ""}), 404),
        ("/approvals/forget", json!({}), 400),
    ] {
        let (given, answer) = desk.call(Method::POST, path, &body).await;
        assert!(given == status && answer["error"].is_string(), "{body} {given} {answer}");
    }
}

/// What the API shows is what stands in the log, page by page, and whoever reads it can verify the chain.
#[tokio::test]
async fn the_log_is_read_page_by_page_and_can_be_verified() {
    let desk = Desk::open().await;
    for id in ["a", "b"] {
        let request = desk.waits(id).await;
        assert_eq!(desk.decides(&request, "deny", &request.digest).await, 200);
    }
    let page = |answer: &Value| serde_json::from_value::<Vec<audit::Record>>(answer["records"].clone()).unwrap();
    let (status, answer) = desk.call(Method::GET, "/audit", &json!({})).await;
    let mut all = page(&answer);
    all.reverse();
    assert_eq!((status, all.len()), (200, desk.log().await.len()), "{answer}");
    assert_eq!(audit::verify(&all, None), Ok(()));
    assert_eq!(page(&desk.call(Method::GET, "/audit?before=2", &json!({})).await.1), all[..1]);
    assert_eq!(page(&desk.call(Method::GET, "/audit?before=1", &json!({})).await.1), []);
    assert_eq!(desk.call(Method::GET, "/audit?before=x", &json!({})).await.0, 400);
    assert_eq!(desk.call(Method::POST, "/audit", &json!({})).await.0, 405);
}

/// Whoever lets a stranger in gives away the most there is: it stands in the log, without a name, and only what was done.
#[tokio::test]
async fn who_was_let_in_stands_in_the_log() {
    let desk = Desk::open().await;
    let who = SenderRef { channel: "telegram".into(), account: "default".into(), sender: "123456789".into() };
    desk.store.sessions.request_pairing(&who, "ABCD2345", desk.clock.now()).await.unwrap();
    let approve = async |code: &str| {
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer k3y"))]);
        let body = Bytes::from(json!({"channel": "telegram", "code": code}).to_string());
        desk.api.handle(&Method::POST, "/pairing", "", &headers, &body).await.status.as_u16()
    };
    assert_eq!([approve("WRONG234").await, approve("abcd2345").await, approve("ABCD2345").await], [404, 200, 404]);
    assert!(desk.store.sessions.approved(&who).await.unwrap());
    let records = audit::whole(desk.store.sessions.as_ref(), "default").await.unwrap();
    audit::verify(&records, None).unwrap();
    let told: Vec<_> = records.iter().map(|it| (it.happening.what, it.happening.by.as_str())).collect();
    assert_eq!(told, [(What::LetIn, "api")]);
    assert!(!serde_json::to_string(&records).unwrap().contains("123456789"));
}
