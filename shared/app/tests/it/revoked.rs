//! A key that was taken away opens nothing any more, in any process.

use std::sync::Arc;

use bytes::Bytes;
use chela_app::api::Api;
use chela_app::install::Scope;
use chela_app::receive::Receiver;
use chela_core::channel::RawRequest;
use chela_core::clock::{Clock, Millis};
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::house::{self, api, live, ports};

/// What the corpus allows between a revocation and its effect.
const AT_THE_LATEST_MS: u64 = 60_000;

/// One warm process.
struct Process {
    api: Api,
    receiver: Receiver,
    clock: Arc<ManualClock>,
}

async fn configure(store: &Embedded, token: &str, secret: &str) {
    let telegram = json!({
        "botToken": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "webhookSecret": secret, "dmPolicy": "open", "allowFrom": ["*"],
    });
    let config = json!({"gateway": {"auth": {"token": token}}, "channels": {"telegram": telegram}});
    house::configure(store, &config).await;
}

impl Process {
    async fn start(store: &Embedded, clock: &Arc<ManualClock>) -> Self {
        let live = live(store, clock, Scope::Everything).await;
        // What a gateway made for itself opens nothing where the owner chose a key.
        let api = api(store, clock, live.clone(), "the-gateways-own-key");
        let ports = ports(store, clock, store.sessions.clone());
        Self { api, receiver: Receiver::new(ports, live, Arc::default()), clock: clock.clone() }
    }

    async fn opens(&self, token: &str) -> bool {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]);
        let ack = self.api.handle(&Method::GET, "/sessions", "", &headers, &Bytes::new()).await;
        assert!([200, 401].contains(&ack.status.as_u16()), "{ack:?}");
        ack.status == 200
    }

    async fn hears(&self, secret: &str) -> bool {
        let name = HeaderName::from_static("x-telegram-bot-api-secret-token");
        let request = RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers: HeaderMap::from_iter([(name, HeaderValue::from_str(secret).unwrap())]),
            body: Bytes::from_static(b"{\"update_id\":1}"),
            received_at: self.clock.now(),
        };
        self.receiver.receive("telegram", "default", request).await.0.status == 200
    }
}

/// There is no session to die: each request shows its key, and each process looks at the configuration again.
#[tokio::test]
async fn a17_a_key_that_was_taken_away_is_worth_nothing_within_a_minute_in_every_process() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
    let store = Embedded::open(folder.path(), clock.clone()).unwrap();
    configure(&store, "the-first-token-of-the-owner", "first").await;
    let processes = [Process::start(&store, &clock).await, Process::start(&store, &clock).await];
    for process in &processes {
        assert!(process.opens("the-first-token-of-the-owner").await && process.hears("first").await, "the control");
        assert!(!process.opens("the-gateways-own-key").await);
    }
    // One was busy a moment ago and knows what it read then.
    clock.advance(1_000);
    assert!(processes[0].opens("the-first-token-of-the-owner").await);
    configure(&store, "the-second-token-of-the-owner", "second").await;
    clock.advance(AT_THE_LATEST_MS);
    for process in &processes {
        assert!(!process.opens("the-first-token-of-the-owner").await && !process.hears("first").await);
        assert!(process.opens("the-second-token-of-the-owner").await && process.hears("second").await);
        assert!(!process.opens("the-gateways-own-key").await);
    }
}
