//! The calls of Plivo's API, word for word.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_channel_kit::AccountSettings;
use chela_core::channel::{Channel, OutboundFile, Registration, SendError, Unconfirmed};
use chela_core::message::{Media, ReplyAddress};
use chela_http::{HttpClient, HttpOptions};
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, MENU, part};
use serde_json::{Value, json};

use crate::subject::{ACCOUNT, AUTH_ID, WEBHOOK, options, subject};

const STATUS: &str = "https://example.org/webhook/plivo?part=0123456789abcdef0123456789abcdef";

const TOKEN: &str = "publictesttoken0123456789abcdefghijklmno";

async fn plivo() -> (Platform, Arc<dyn Channel>) {
    plivo_with(options).await
}

async fn plivo_with(options: fn(&str) -> Value) -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = ChannelUnderTest { options, ..subject() }.open(platform.url());
    (platform, channel)
}

fn changed(url: &str, changes: Value) -> Value {
    let mut options = options(url);
    for (key, value) in changes.as_object().unwrap() {
        options[key] = value.clone();
    }
    options
}

fn answering(sample: &str) -> ReplyAddress {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let signed = subject.signed(&subject.sample(sample).body, ARRIVAL);
    channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone()
}

fn to(address: &str) -> ReplyAddress {
    ReplyAddress { to: address.to_owned(), thread: None, message: None, ..answering("text") }
}

fn basic(seen: &Seen) -> String {
    let header = seen.headers["authorization"].to_str().unwrap();
    String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_answer_comes_from_the_number_that_was_written_to() {
    let (platform, channel) = plivo_with(|url| changed(url, json!({ "from": "+15559999999" }))).await;
    let receipt = channel.send(&part(&answering("text"), "a **b**")).await.unwrap();
    assert_eq!(receipt.message_id, "db3ce55a-7f1d-11e1-8ea7-1231380bc196");
    channel.send(&part(&answering("short-code"), "a **b**")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, format!("{ACCOUNT}Message/"));
    assert_eq!(basic(&seen[0]), format!("{AUTH_ID}:{TOKEN}"));
    let sms = json!({ "dst": "+15550000001", "src": "+15550000002", "text": "a b", "type": "sms", "url": STATUS, "method": "POST" });
    assert_eq!(seen[0].json(), sms);
    assert_eq!(seen[1].json()["src"], "55500");
    assert_eq!(channel.unconfirmed(&answering("text")), Unconfirmed::Flag);
}

#[tokio::test]
async fn what_is_no_answer_comes_from_the_configured_sender() {
    let sender = async |options: fn(&str) -> Value| {
        let (platform, channel) = plivo_with(options).await;
        channel.send(&part(&to("+15550000001"), "hi")).await.map(|_| {
            let body = platform.take()[0].json();
            (body.get("src").cloned(), body.get("powerpack_uuid").cloned())
        })
    };
    let powerpack: fn(&str) -> Value = |url| changed(url, json!({ "powerpackUuid": "86bbb125" }));
    assert_eq!(sender(options).await.unwrap(), (Some(json!("+15550000002")), None));
    assert_eq!(sender(powerpack).await.unwrap(), (None, Some(json!("86bbb125"))));
    let nobody = sender(|url| changed(url, json!({ "from": null }))).await;
    assert!(matches!(nobody, Err(SendError::Refused { .. })), "{nobody:?}");
}

#[tokio::test]
async fn status_callbacks_may_be_left_out() {
    let (platform, channel) = plivo_with(|url| changed(url, json!({ "statusCallbacks": false }))).await;
    channel.send(&part(&answering("text"), "hi")).await.unwrap();
    let body = platform.take()[0].json();
    assert!(body.get("url").is_none() && body.get("method").is_none(), "{body}");
}

#[tokio::test]
async fn an_error_that_quotes_our_header_shows_no_credentials() {
    let (platform, channel) = plivo().await;
    let header = STANDARD.encode(format!("{AUTH_ID}:{TOKEN}"));
    platform.next(Answer::json(400, &json!({ "error": format!("odd: Authorization: Basic {header}") })));
    let error = channel.send(&part(&answering("text"), "hi")).await.unwrap_err().to_string();
    assert!(error.contains("odd") && !error.contains(&header), "{error}");
}

#[tokio::test]
async fn a_file_is_sent_by_its_url() {
    let (platform, channel) = plivo().await;
    let url = "https://files.example.org/a.png?sig=1&x=2";
    let file = |url| OutboundFile { name: "a.png", content_type: "image/png", bytes: b"x".as_slice().into(), url };
    channel.attach(&file(Some(url)), &part(&answering("text"), "_see_")).await.unwrap();
    channel.attach(&file(Some(url)), &part(&answering("text"), "")).await.unwrap();
    let bodies: Vec<Value> = platform.take().iter().map(Seen::json).collect();
    assert_eq!(
        (&bodies[0]["type"], &bodies[0]["text"], &bodies[0]["media_urls"]),
        (&json!("mms"), &json!("see"), &json!([url]))
    );
    assert!(bodies[1].get("text").is_none());
    let nowhere = channel.attach(&file(None), &part(&answering("text"), "")).await;
    assert!(matches!(nowhere, Err(SendError::Refused { .. })), "{nowhere:?}");
    assert_eq!(platform.take(), vec![]);
}

#[tokio::test]
async fn credentials_go_to_plivo_only() {
    let (platform, channel) = plivo().await;
    let fetch = async |url: &str| {
        let media = Media { missing: None, reference: url.to_owned(), content_type: None, name: None, size: None };
        channel.fetch(&media, 100, Duration::from_secs(2)).await
    };
    for foreign in [
        "https://example.org/a",
        "https://media.plivo.com.example.org/a",
        "https://notplivo.com/a",
        "https://example.org/@media.plivo.com",
        "http://media.plivo.com/a",
        "https://media.plivo.com:8443/a",
        "http://127.0.0.1:1/a",
        "file:///etc/passwd",
        "",
    ] {
        match fetch(foreign).await {
            Err(SendError::Refused { reason, .. }) => assert!(reason.contains("not on a host"), "{foreign}: {reason}"),
            other => panic!("{foreign}: {other:?}"),
        }
    }
    assert_eq!(platform.take(), vec![]);
    let store = Platform::start(|_| Answer::text(200, "kept elsewhere")).await;
    platform.next(Answer::text(307, "").header("location", &format!("{}/kept", store.url())));
    // Whoever keeps it sees no header of ours, and a private address, as here, is not even asked.
    let kept = fetch(&format!("{}/Media/801c2056", platform.url())).await;
    assert!(matches!(kept, Err(SendError::Refused { .. })), "{kept:?}");
    assert_eq!(basic(&platform.take()[0]), format!("{AUTH_ID}:{TOKEN}"));
    assert_eq!(store.take(), vec![]);
}

fn summary(registration: Registration) -> String {
    match registration {
        Registration::Done { summary } => summary,
        other @ Registration::Manual { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn registering_sets_the_application_of_the_number() {
    let (platform, channel) = plivo().await;
    let done = summary(channel.register(WEBHOOK, MENU).await.unwrap());
    assert_eq!(done, format!("the application 29986316244302815 posts to {WEBHOOK}"));
    let seen = platform.take();
    assert_eq!((seen[0].method.as_str(), seen[0].path.clone()), ("GET", format!("{ACCOUNT}Number/15550000002/")));
    assert_eq!(seen[1].path, format!("{ACCOUNT}Application/29986316244302815/"));
    assert_eq!(seen[1].json(), json!({ "message_url": WEBHOOK, "message_method": "POST" }));
    let elsewhere = summary(channel.register("https://other.example/webhook/plivo", MENU).await.unwrap());
    assert!(elsewhere.contains("the deployment is at https://other.example/"), "{elsewhere}");
    assert_eq!(platform.take()[1].json()["message_url"], WEBHOOK, "posts to another URL could not be verified");
    platform.next(Answer::json(401, &json!({ "error": "authentication_failed" })));
    assert!(matches!(channel.register(WEBHOOK, MENU).await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn registering_sets_the_configured_application() {
    let (platform, channel) = plivo_with(|url| changed(url, json!({ "appId": "123", "from": null }))).await;
    platform.next(Answer::json(202, &json!({ "message": "changed" })));
    summary(channel.register(WEBHOOK, MENU).await.unwrap());
    assert_eq!(platform.take()[0].path, format!("{ACCOUNT}Application/123/"));
}

#[tokio::test]
async fn without_an_application_the_steps_are_told() {
    let without: fn(&str) -> Value = |url| changed(url, json!({ "from": null }));
    let named: fn(&str) -> Value = |url| changed(url, json!({ "from": "CHELA" }));
    for options in [without, named] {
        let (platform, channel) = plivo_with(options).await;
        match channel.register(WEBHOOK, MENU).await.unwrap() {
            Registration::Manual { steps } => assert!(steps.iter().any(|step| step.contains(WEBHOOK)), "{steps:?}"),
            Registration::Done { summary } => panic!("{summary}"),
        }
        assert_eq!(platform.take(), vec![]);
    }
    // No application, and one that could lead elsewhere.
    for place in [json!(null), json!(""), json!("/v1/Account/MA/Application/1?x=/"), json!("/v1/../%2e%2e/")] {
        let (platform, channel) = plivo().await;
        platform.next(Answer::json(200, &json!({ "application": place })));
        assert!(matches!(channel.register(WEBHOOK, MENU).await.unwrap(), Registration::Manual { .. }), "{place}");
        assert_eq!(platform.take().len(), 1);
    }
}

#[tokio::test]
async fn health_tells_the_account_and_where_its_application_posts() {
    let (platform, channel) = plivo().await;
    let health = channel.health().await.unwrap();
    assert_eq!((health.ok, health.summary.as_str()), (true, "Chela: 1.80900 USD left"));
    platform.take();
    platform.next(Answer::json(200, &json!({ "name": "Chela", "cash_credits": "0.00000" })));
    platform.next(Answer::json(200, &json!({ "application": format!("{ACCOUNT}Application/7/") })));
    platform.next(Answer::json(200, &json!({ "message_url": "https://example.com" })));
    let elsewhere = channel.health().await.unwrap();
    assert!(!elsewhere.ok && elsewhere.summary.contains("posts to https://example.com"), "{elsewhere:?}");
}

#[test]
fn an_account_that_cannot_work_is_not_opened() {
    for (changes, word) in [
        (json!({ "webhookUrl": null }), "\"webhookUrl\" cannot be used: it is missing"),
        (json!({ "webhookUrl": "example.org" }), "\"webhookUrl\" cannot be used: it is not a URL"),
        (json!({ "authId": null }), "\"authId\" cannot be used: it is missing"),
        (json!({ "authId": "MA1/../x" }), "\"authId\" cannot be used: it is no id of letters and digits"),
        (json!({ "appId": "1/2" }), "\"appId\" cannot be used"),
        (json!({ "statusCallbacks": "no" }), "\"statusCallbacks\" cannot be used"),
    ] {
        let http =
            HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "chela".to_owned(), extra_roots: None });
        let settings = AccountSettings {
            account: "main".to_owned(),
            options: changed("http://127.0.0.1:9", changes.clone()).as_object().unwrap().clone(),
            secrets: subject().simulator.test_secrets(),
            http: http.unwrap(),
            clock: Arc::new(chela_testkit::clock::ManualClock::at(ARRIVAL)),
        };
        let told = chela_channel_plivo::DESCRIPTOR.open(&settings).map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(word), "{changes}: {told}");
    }
}
