//! Who learns what does not work.

use std::sync::Arc;

use bytes::Bytes;
use chela_app::install::Scope;
use chela_core::clock::Millis;
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::house::{api, configure, live};

#[tokio::test]
async fn what_does_not_work_is_told_to_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
    let store = Embedded::open(folder.path(), clock.clone()).unwrap();
    let secret = json!({"source": "env", "id": "NOT_SET_ANYWHERE"});
    configure(&store, &json!({"channels": {"slack": {"signingSecret": secret, "botToken": "xoxb-public-test"}}})).await;
    let api = api(&store, &clock, live(&store, &clock, Scope::Everything).await, "the-key-of-the-owner");
    let ask = async |authorization: Option<&'static str>| {
        let value = authorization.map(|value| (http::header::AUTHORIZATION, HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(value);
        let ack = api.handle(&Method::GET, "/readyz", "", &headers, &Bytes::new()).await;
        assert_eq!(ack.status, 503);
        serde_json::from_slice::<Value>(&ack.body).unwrap()
    };
    assert!(ask(Some("Bearer the-key-of-the-owner")).await["problems"].to_string().contains("NOT_SET_ANYWHERE"));
    for nobody in [None, Some("Bearer "), Some("Bearer the-key-of-the-owne")] {
        assert_eq!(ask(nobody).await, json!({"ready": false}), "{nobody:?}");
    }
}
