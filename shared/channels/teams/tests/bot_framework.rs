//! What the laws do not ask: the Bot Framework's own rules, in both directions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod subject;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::AccountSettings;
use chela_channel_kit::jwt::simulator::{test_bearer, test_key_set};
use chela_channel_teams::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::{Channel, OutboundFile, Parsed, RawRequest, Rejected, SendError};
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress};
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, MENU, part, request};
use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use self::subject::subject;

const APP: &str = "00000000-0000-4000-8000-00000000abcd";
const SERVICE: &str = "https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/";
const NOW: u64 = ARRIVAL.0 / 1000;

fn open_with(options: Value, url: Option<&str>, clock: Arc<ManualClock>) -> Arc<dyn Channel> {
    let allow_hosts = url.map(|url| HostPort::of_url(url).unwrap()).into_iter().collect();
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "t".into(), extra_roots: None }).unwrap();
    let mut options = options.as_object().unwrap().clone();
    options.extend(url.map(|url| ("apiBaseUrl".to_owned(), json!(url))));
    let (account, secrets) = ("main".to_owned(), SIMULATOR.test_secrets());
    let settings = AccountSettings { account, options, secrets, http, clock };
    DESCRIPTOR.open(&settings).unwrap_or_else(|error| panic!("{error}"))
}

fn open(mut options: Value) -> Arc<dyn Channel> {
    options["publicKeys"] = test_key_set().unwrap();
    open_with(options, None, Arc::new(ManualClock::at(ARRIVAL)))
}

fn at(platform: &Platform) -> Arc<dyn Channel> {
    open_with(json!({}), Some(platform.url()), Arc::new(ManualClock::at(ARRIVAL)))
}

fn good() -> Value {
    json!({ "iss": "https://api.botframework.com", "aud": APP, "serviceurl": SERVICE, "nbf": NOW, "exp": NOW + 600 })
}

fn post(claims: &Value, body: &Value) -> RawRequest {
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, test_bearer(claims).unwrap())]);
    request(headers, body.to_string().as_bytes())
}

fn read(channel: &dyn Channel, claims: &Value, body: &Value) -> Result<Parsed, Rejected> {
    channel.parse(&channel.verify(post(claims, body))?)
}

fn sample(name: &str) -> Value {
    serde_json::from_slice(&subject().sample(name).body).unwrap()
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[field] = value;
    body
}

fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    body
}

fn message(body: &Value) -> Option<Inbound> {
    read(&*open(json!({})), &good(), body).unwrap().messages.into_iter().next()
}

fn to() -> ReplyAddress {
    message(&sample("text")).unwrap().reply_to
}

fn unproven(verdict: Result<Parsed, Rejected>, why: &str) {
    match verdict {
        Err(Rejected::Unproven(told)) => assert!(told.contains(why), "{told}, not {why}"),
        other => panic!("{why}: {other:?}"),
    }
}

#[test]
fn the_token_is_the_bot_frameworks_for_our_app_and_says_which_service_speaks() {
    let channel = open(json!({}));
    let text = sample("text");
    assert_eq!(read(&*channel, &good(), &text).unwrap().messages.len(), 1, "the control");
    let issuers = ["https://api.botframework.us", "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/"];
    for issuer in issuers {
        unproven(read(&*channel, &with(good(), "/iss", json!(issuer)), &text), "another issuer");
    }
    for audience in ["another-app", "api://00000000-0000-4000-8000-00000000abcd"] {
        unproven(read(&*channel, &with(good(), "/aud", json!(audience)), &text), "somebody else");
    }
    unproven(read(&*channel, &without(good(), "/serviceurl"), &text), "a text");
    unproven(read(&*channel, &with(good(), "/serviceurl", json!(null)), &text), "a text");
    let renamed = with(without(good(), "/serviceurl"), "/serviceUrl", json!(SERVICE.to_uppercase()));
    assert_eq!(read(&*channel, &renamed, &text).unwrap().messages.len(), 1, "the other spelling, without case");
}

#[test]
fn the_body_cannot_send_our_token_elsewhere() {
    let channel = open(json!({}));
    let text = sample("text");
    let evil = "https://evil.example/";
    unproven(read(&*channel, &good(), &with(text.clone(), "/serviceUrl", json!(evil))), "another service");
    let both = with(good(), "/serviceurl", json!(evil));
    unproven(read(&*channel, &both, &with(text.clone(), "/serviceUrl", json!(evil))), "not one of Teams");
    let trusting = open(json!({ "serviceUrls": [evil] }));
    let reply = read(&*trusting, &both, &with(text.clone(), "/serviceUrl", json!(evil))).unwrap().messages.remove(0);
    assert!(reply.reply_to.to.ends_with("|https://evil.example"), "{}", reply.reply_to.to);
    for channel_id in ["webchat", "emulator", "MSTEAMS", ""] {
        unproven(read(&*channel, &good(), &with(text.clone(), "/channelId", json!(channel_id))), "not from Teams");
    }
    for field in ["/serviceUrl", "/channelId", "/type"] {
        assert!(matches!(read(&*channel, &good(), &without(text.clone(), field)), Err(Rejected::Malformed(_))));
    }
}

#[test]
fn a_key_that_is_not_endorsed_for_teams_proves_nothing() {
    for endorsements in [json!([]), json!(["webchat", "slack"]), json!(["MSTEAMS"])] {
        let mut set = test_key_set().unwrap();
        set["keys"][0]["endorsements"] = endorsements;
        let channel = open_with(json!({ "publicKeys": set }), None, Arc::new(ManualClock::at(ARRIVAL)));
        unproven(read(&*channel, &good(), &sample("text")), "not endorsed");
    }
}

#[tokio::test]
async fn keys_come_from_the_metadata() {
    let platform = Platform::start(subject().manners).await;
    platform.next(Answer::json(200, &json!({ "jwks_uri": format!("{}/v1/.well-known/keys", platform.url()) })));
    platform.next(Answer::json(200, &test_key_set().unwrap()));
    let channel = at(&platform);
    let post = || post(&good(), &sample("text"));
    assert!(channel.verify(post()).is_err(), "without keys nothing is believed");
    channel.fetch_keys(&post()).await.unwrap();
    channel.fetch_keys(&post()).await.unwrap();
    assert!(channel.verify(post()).is_ok());
    let paths: Vec<_> = platform.take().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/v1/.well-known/openidconfiguration", "/v1/.well-known/keys"]);
}

#[test]
fn other_organisations_are_ignored_where_the_bot_is_for_one() {
    let heard = |tenant: &str, body: &Value| {
        let channel = open(json!({ "tenantId": tenant }));
        read(&*channel, &good(), body).unwrap().messages.len()
    };
    let text = sample("text");
    assert_eq!(heard("5F1E6A0C-0000-4000-8000-000000000001", &text), 1);
    assert_eq!(heard("5f1e6a0c-0000-4000-8000-000000000002", &text), 0);
    let nowhere = without(without(text.clone(), "/conversation/tenantId"), "/channelData/tenant");
    assert_eq!(heard("5f1e6a0c-0000-4000-8000-000000000001", &nowhere), 0);
    let channel_data_only = without(text, "/conversation/tenantId");
    assert_eq!(heard("5f1e6a0c-0000-4000-8000-000000000001", &channel_data_only), 1);
}

#[test]
fn who_and_where_are_read_as_documented() {
    let text = sample("text");
    let guest = message(&without(text.clone(), "/from/aadObjectId")).unwrap();
    assert_eq!((guest.sender.id.as_str(), guest.peer.id.as_str()), (&guest.peer.id[..], &guest.sender.id[..]));
    assert!(guest.sender.id.starts_with("29:"));
    let old = without(text.clone(), "/conversation/conversationType");
    assert_eq!(message(&old).unwrap().peer.kind.as_str(), "direct");
    assert_eq!(message(&with(old, "/conversation/isGroup", json!(true))).unwrap().peer.kind.as_str(), "group");
    for (pointer, value) in [
        ("/id", json!("")),
        ("/id", json!("a b")),
        ("/conversation/id", json!("")),
        ("/conversation/id", json!("a|https://evil.example")),
        ("/conversation/id", json!(";messageid=")),
        ("/from/aadObjectId", json!("a\nb")),
        ("/timestamp", json!("yesterday")),
        ("/from", json!(null)),
    ] {
        let verdict = read(&*open(json!({})), &good(), &with(text.clone(), pointer, value.clone()));
        assert!(matches!(verdict, Err(Rejected::Malformed(_))), "{pointer} {value}: {verdict:?}");
    }
}

#[test]
fn buttons_of_all_kinds_say_what_was_chosen() {
    let pressed = |value: Value| message(&with(sample("button"), "/value", value));
    let ours = pressed(json!({ "choice": "yes", "msteams": {} })).unwrap();
    assert_eq!((ours.kind, ours.text.as_str(), ours.addressed), (InboundKind::Button, "yes", true));
    assert_eq!(pressed(json!({ "actionId": "go" })).unwrap().text, r#"{"actionId":"go"}"#);
    for nothing in [json!({}), json!(null), json!([]), json!(7)] {
        assert_eq!(pressed(nothing), None);
    }
    let invoked = |value: Value| {
        let body = with(sample("card-action"), "/value", value);
        read(&*open(json!({})), &good(), &body).unwrap()
    };
    let execute = |verb: &str, data: Value| invoked(json!({ "action": { "verb": verb, "data": data } }));
    assert_eq!(execute("v", json!({ "choice": "c" })).messages[0].text, "c");
    assert_eq!(execute("v", json!({ "other": 1 })).messages[0].text, "v");
    let ack: Value = serde_json::from_slice(&execute("v", json!({})).ack.body).unwrap();
    assert_eq!(ack["statusCode"], 200);
    assert_eq!((invoked(json!({})).messages.len(), invoked(json!({})).ack.status.as_u16()), (0, 200));
    let sign_in = with(sample("card-action"), "/name", json!("signin/verifyState"));
    let answered = read(&*open(json!({})), &good(), &sign_in).unwrap();
    assert_eq!((answered.messages.len(), answered.ack.status.as_u16()), (0, 501));
}

#[test]
fn a_bare_mention_is_heard_and_an_empty_message_is_not() {
    let bare = with(sample("group-mention"), "/text", json!("<at>Chela</at>"));
    let heard = message(&bare).unwrap();
    assert_eq!((heard.text.as_str(), heard.addressed), ("", true));
    assert_eq!(message(&with(sample("group-text"), "/text", json!(" &nbsp;"))), None);
    assert_eq!(message(&without(sample("group-text"), "/text")), None);
}

#[tokio::test]
async fn a_part_is_posted_with_a_token_that_is_asked_for_once() {
    let platform = Platform::start(subject().manners).await;
    let channel = open_with(
        json!({ "tenantId": "contoso.onmicrosoft.com" }),
        Some(platform.url()),
        Arc::new(ManualClock::at(ARRIVAL)),
    );
    let mut to = to();
    let sent = channel.send(&part(&to, "hello **you**")).await.unwrap();
    assert_eq!(sent.message_id, "1767225600123");
    to.thread = Some("1767225000001".to_owned());
    channel.edit(&sent.message_id, &part(&to, "changed")).await.unwrap();
    channel.typing(&to).await.unwrap();
    channel.react(&to, "1767225500001", "❤️").await.unwrap();
    let tokens = platform.take_asides();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].path, "/contoso.onmicrosoft.com/oauth2/v2.0/token");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&tokens[0].body).into_owned().collect();
    let wanted = [
        ("grant_type", "client_credentials"),
        ("client_id", APP),
        ("client_secret", "public-test-secret~0"),
        ("scope", "https://api.botframework.com/.default"),
    ];
    assert_eq!(form, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let seen = platform.take();
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer issued"));
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method.clone(), seen.path.as_str())).collect();
    let room = "/v3/conversations/a%3A1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT";
    let thread = format!("{room}%3Bmessageid%3D1767225000001");
    assert_eq!(
        asked,
        [
            (Method::POST, format!("{room}/activities").as_str()),
            (Method::PUT, &format!("{thread}/activities/1767225600123")),
            (Method::POST, &format!("{thread}/activities")),
            (Method::PUT, &format!("{thread}/activities/1767225500001/reactions/heart")),
        ]
    );
    assert_eq!(seen[0].json(), json!({ "type": "message", "textFormat": "markdown", "text": "hello **you**" }));
    assert_eq!(seen[2].json(), json!({ "type": "typing" }));
    let unknown = channel.react(&to, "1", "🦀").await.unwrap_err();
    assert!(matches!(unknown, SendError::Refused { .. }), "{unknown}");
}

#[tokio::test]
async fn a_token_that_ran_out_early_is_replaced_and_the_part_tried_again() {
    let platform = Platform::start(subject().manners).await;
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    let channel = open_with(json!({}), Some(platform.url()), clock.clone());
    channel.send(&part(&to(), "one")).await.unwrap();
    clock.advance(120_000);
    platform.next(Answer::text(401, ""));
    let error = channel.send(&part(&to(), "two")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    channel.send(&part(&to(), "two")).await.unwrap();
    let tokens = platform.take_asides();
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0].path.starts_with("/botframework.com/"), "a multi-tenant bot");
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_no_service_of_teams() {
    let channel = open_with(json!({}), None, Arc::new(ManualClock::at(ARRIVAL)));
    for address in ["a:1|https://evil.example", "a:1|http://smba.trafficmanager.net", "..", "a b"] {
        let to = ReplyAddress { to: address.to_owned(), ..to() };
        let error = channel.send(&part(&to, "hello")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{address}: {error}");
    }
}

#[tokio::test]
async fn files_go_out_in_the_message_or_by_their_url() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform);
    let to = to();
    let url = Some("https://files.example.org/a");
    let attach = async |content_type: &str, bytes: usize, url| {
        let file = OutboundFile { name: "a", content_type, bytes: Bytes::from(vec![0; bytes]), url };
        let sent = channel.attach(&file, &part(&to, "caption")).await;
        (sent.is_ok(), platform.take().first().map(|seen| seen.json()["attachments"][0].clone()).unwrap_or_default())
    };
    let (sent, small) = attach("image/gif", 3, None).await;
    assert!(sent);
    assert_eq!(small, json!({ "contentType": "image/gif", "contentUrl": "data:image/gif;base64,AAAA", "name": "a" }));
    let (_, large) = attach("image/png", 150 * 1024 + 1, url).await;
    assert_eq!(large["contentUrl"], "https://files.example.org/a");
    let (_, other) = attach("application/pdf", 3, url).await;
    assert_eq!(other["content"]["actions"][0]["url"], "https://files.example.org/a");
    assert_eq!(attach("image/png", 150 * 1024 + 1, None).await, (false, Value::Null));
    assert_eq!(attach("application/pdf", 3, None).await, (false, Value::Null));
}

#[tokio::test]
async fn the_token_goes_to_the_connector_only() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform);
    let wait = Duration::from_secs(1);
    let media = |reference: String| Media { missing: None, reference, content_type: None, name: None, size: None };
    channel.fetch(&media(format!("{}/v3/attachments/1/views/original", platform.url())), 100, wait).await.unwrap();
    assert_eq!(platform.take()[0].headers["authorization"], "Bearer issued");
    for url in [
        "https://evil.example/a",
        "http://contoso.sharepoint.com/a",
        "https://sharepoint.com.evil.example/a",
        "https://evilsharepoint.com/a",
        "file:///etc/passwd",
        "no url",
    ] {
        let error = channel.fetch(&media(url.to_owned()), 100, wait).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{url}: {error}");
    }
    // A host the owner allows gets the request, but not the token.
    assert_eq!(platform.take(), []);
    let files = Platform::start(|_| Answer::text(200, "file")).await;
    let host = url::Url::parse(files.url()).unwrap().host_str().unwrap().to_owned();
    let channel =
        open_with(json!({ "mediaAllowHosts": [host] }), Some(platform.url()), Arc::new(ManualClock::at(ARRIVAL)));
    let error = channel.fetch(&media(format!("{}/a", files.url())), 100, wait).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "only over https: {error}");
    assert_eq!(files.take(), []);
}

#[tokio::test]
async fn the_steps_name_the_url_and_health_asks_for_a_token() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform);
    let registered = format!("{:?}", channel.register("https://example.org/webhook/teams", MENU).await.unwrap());
    for word in ["Manual", "https://example.org/webhook/teams", "Messaging endpoint", "client secret", "tenantId"] {
        assert!(registered.contains(word), "{word}");
    }
    assert!(channel.health().await.unwrap().ok);
    assert_eq!(platform.take_asides().len(), 1);
    let wrong = Platform::start(|_| {
        Answer::json(
            401,
            &json!({ "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret" }),
        )
    });
    let error = at(&wrong.await).health().await.unwrap_err().to_string();
    assert!(error.contains("AADSTS7000215"), "{error}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refusal = |options: Value| {
        let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None });
        let settings = AccountSettings {
            account: "main".to_owned(),
            options: options.as_object().unwrap().clone(),
            secrets: SIMULATOR.test_secrets(),
            http: http.unwrap(),
            clock: Arc::new(ManualClock::at(ARRIVAL)),
        };
        DESCRIPTOR.open(&settings).map(drop).unwrap_err().to_string()
    };
    assert!(refusal(json!({ "tenantId": "a/../b" })).contains("\"tenantId\""));
    assert!(refusal(json!({ "serviceUrls": ["smba"] })).contains("\"serviceUrls\""));
    assert!(refusal(json!({ "publicKeys": {} })).contains("\"publicKeys\""));
}

proptest! {
    #[test]
    fn no_body_breaks_the_reader(text in "\\PC{0,120}", id in "\\PC{0,20}", kind in "(message|messageUpdate|invoke|typing)") {
        let channel = open(json!({}));
        for pointer in ["/text", "/conversation/id", "/value", "/from/id", "/timestamp"] {
            let body = with(with(with(sample("text"), "/type", json!(kind)), pointer, json!(text)), "/id", json!(id));
            let _ = read(&*channel, &good(), &body); // Any answer will do.
        }
    }
}
