//! A secret that is exchanged where it is kept counts without a restart, and the one before it no more.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chela_app::install::Scope;
use chela_app::receive::Receiver;
use chela_core::channel::RawRequest;
use chela_core::clock::{Clock, Millis};
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::house::{configure, live, ports};

const MINUTE: u64 = 60_000;

/// A house with Telegram, whose secret lies in a file.
struct House {
    receiver: Receiver,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl House {
    async fn open(secret: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("webhook-secret");
        std::fs::write(&file, secret).unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let store = Embedded::open(&folder.path().join("data"), clock.clone()).unwrap();
        let config = json!({"channels": {"telegram": {
            "botToken": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "webhookSecret": {"source": "file", "id": file},
            "dmPolicy": "open", "allowFrom": ["*"],
        }}});
        configure(&store, &config).await;
        let (ports, live) =
            (ports(&store, &clock, store.sessions.clone()), live(&store, &clock, Scope::Everything).await);
        Self { receiver: Receiver::new(ports, live, Arc::default()), clock, folder }
    }

    fn secret(&self) -> std::path::PathBuf {
        self.folder.path().join("webhook-secret")
    }

    /// The status of a message under this secret.
    async fn takes(&self, secret: &'static str) -> u16 {
        self.clock.advance(1);
        let number = self.clock.now().0 % 1_000_000_000;
        let update = json!({"update_id": number, "message": {
            "message_id": number, "date": 1_800_000_000, "text": "hello", "chat": {"id": 7, "type": "private"},
            "from": {"id": 7, "is_bot": false, "first_name": "Ada"},
        }});
        let mut headers = HeaderMap::new();
        headers.insert("x-telegram-bot-api-secret-token", HeaderValue::from_static(secret));
        let request = RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers,
            body: Bytes::from(update.to_string()),
            received_at: self.clock.now(),
        };
        self.receiver.receive("telegram", "default", request).await.0.status.as_u16()
    }
}

fn write(path: &Path, secret: &str) {
    std::fs::write(path, secret).unwrap();
}

#[tokio::test]
async fn l08_a_secret_that_was_exchanged_counts_and_the_old_one_no_more() {
    let house = House::open("first").await;
    assert_eq!((house.takes("first").await, house.takes("second").await), (200, 401));
    write(&house.secret(), "second");
    house.clock.advance(MINUTE);
    assert_eq!((house.takes("first").await, house.takes("second").await), (401, 200));
}

#[tokio::test]
async fn l08_a_secret_that_was_taken_away_closes_its_account_until_there_is_one() {
    let house = House::open("first").await;
    assert_eq!(house.takes("first").await, 200);
    std::fs::remove_file(house.secret()).unwrap();
    house.clock.advance(MINUTE);
    assert_eq!(house.takes("first").await, 404);
    write(&house.secret(), "second");
    house.clock.advance(MINUTE);
    assert_eq!((house.takes("first").await, house.takes("second").await), (401, 200));
}
