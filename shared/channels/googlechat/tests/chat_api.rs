//! What the laws do not ask: Google's own rules, in both directions.
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
use chela_channel_googlechat::{DESCRIPTOR, SIMULATOR};
use chela_channel_kit::AccountSettings;
use chela_channel_kit::jwt::simulator::{test_bearer, test_key_set};
use chela_core::channel::{
    Channel, Choice, OutboundFile, OutboundPart, Parsed, RawRequest, Rejected, SendError, Unconfirmed,
};
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress};
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, MENU, part, request};
use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use self::subject::subject;

const URL: &str = "https://chela.example.com/webhook/googlechat";
const CHAT: &str = "chat@system.gserviceaccount.com";
const ADD_ON: &str = "service-1234567890@gcp-sa-gsuiteaddons.iam.gserviceaccount.com";
const NOW: u64 = ARRIVAL.0 / 1000;

fn settings(options: Value, audience: &str, url: Option<&str>, clock: Arc<ManualClock>) -> AccountSettings {
    let allow_hosts = url.map(|url| HostPort::of_url(url).unwrap()).into_iter().collect();
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "t".into(), extra_roots: None }).unwrap();
    let mut options = options.as_object().unwrap().clone();
    options.extend(url.map(|url| ("apiBaseUrl".to_owned(), json!(url))));
    let mut secrets = SIMULATOR.test_secrets();
    secrets.insert("audience".to_owned(), Secret::new(audience));
    AccountSettings { account: "main".to_owned(), options, secrets, http, clock }
}

fn open(mut options: Value, audience: &str) -> Arc<dyn Channel> {
    options["publicKeys"] = test_key_set().unwrap();
    let settings = settings(options, audience, None, Arc::new(ManualClock::at(ARRIVAL)));
    DESCRIPTOR.open(&settings).unwrap_or_else(|error| panic!("{error}"))
}

fn at(platform: &Platform, options: Value, clock: Arc<ManualClock>) -> Arc<dyn Channel> {
    let settings = settings(options, URL, Some(platform.url()), clock);
    DESCRIPTOR.open(&settings).unwrap_or_else(|error| panic!("{error}"))
}

fn still() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(ARRIVAL))
}

fn good() -> Value {
    json!({
        "iss": "https://accounts.google.com", "aud": URL, "iat": NOW, "exp": NOW + 600,
        "email": CHAT, "email_verified": true, "sub": "1",
    })
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
    read(&*open(json!({}), URL), &good(), body).unwrap().messages.into_iter().next()
}

fn judged(options: Value, audience: &str, claims: &Value) -> Result<(), &'static str> {
    match open(options, audience).verify(post(claims, &sample("text"))) {
        Ok(_) => Ok(()),
        Err(Rejected::Unproven(why)) => Err(why),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_identity_token_is_googles_for_our_url_about_chat() {
    let app = |claims: &Value| judged(json!({}), URL, claims);
    assert_eq!(app(&good()), Ok(()));
    assert_eq!(app(&with(good(), "/iss", json!("accounts.google.com"))), Ok(()));
    for issuer in [CHAT, "https://accounts.google.com/", "https://securetoken.google.com/x"] {
        assert_eq!(app(&with(good(), "/iss", json!(issuer))), Err("the token is from another issuer"));
    }
    for audience in ["https://chela.example.com/webhook/googlechat/", "https://evil.example.com", "1234567890"] {
        assert_eq!(app(&with(good(), "/aud", json!(audience))), Err("the token is for somebody else"));
    }
    for email in ["ada@example.com", "CHAT@system.gserviceaccount.com", "chat@system.gserviceaccount.com.evil.example"]
    {
        assert!(app(&with(good(), "/email", json!(email))).unwrap_err().contains("not Google Chat's"), "{email}");
    }
    assert!(app(&with(good(), "/email_verified", json!(false))).unwrap_err().contains("not verified"));
    for verified in [json!("true"), json!(1), json!(null)] {
        assert!(app(&with(good(), "/email_verified", verified)).is_err());
    }
    assert!(app(&without(good(), "/email_verified")).is_err() && app(&without(good(), "/email")).is_err());
}

#[test]
fn an_add_on_is_known_by_its_exact_account() {
    let claims = with(with(good(), "/email", json!(ADD_ON)), "/sub", json!("110000000000000000001"));
    let add_on = |principal: &str, claims: &Value| judged(json!({ "appPrincipal": principal }), URL, claims);
    assert!(judged(json!({}), URL, &claims).unwrap_err().contains("appPrincipal"));
    assert_eq!(add_on(ADD_ON, &claims), Ok(()));
    assert_eq!(add_on("110000000000000000001", &claims), Ok(()));
    assert_eq!(add_on(ADD_ON, &good()), Ok(()), "Chat itself may still post");
    assert!(add_on("110000000000000000002", &claims).is_err());
    assert!(add_on("service-1@gcp-sa-gsuiteaddons.iam.gserviceaccount.com", &claims).is_err());
    // The numeric id of somebody who is no add-on.
    assert!(add_on("110000000000000000001", &with(claims, "/email", json!("ada@example.com"))).is_err());
}

#[test]
fn a_token_for_a_project_number_is_issued_by_chat_itself() {
    let claims = json!({ "iss": CHAT, "aud": "1234567890", "iat": NOW, "exp": NOW + 600 });
    let app = |claims: &Value| judged(json!({ "audienceType": "project-number" }), "1234567890", claims);
    assert_eq!(app(&claims), Ok(()));
    assert_eq!(app(&with(claims.clone(), "/aud", json!("1234567891"))), Err("the token is for somebody else"));
    assert!(app(&with(claims.clone(), "/aud", json!(1_234_567_890))).is_err());
    let google = with(claims, "/iss", json!("https://accounts.google.com"));
    assert_eq!(app(&google), Err("the token is from another issuer"));
}

#[tokio::test]
async fn each_kind_of_token_has_its_keys() {
    let kinds = [
        (json!({}), URL, "/oauth2/v3/certs"),
        (
            json!({ "audienceType": "project-number" }),
            "1234567890",
            "/service_accounts/v1/jwk/chat@system.gserviceaccount.com",
        ),
    ];
    for (options, audience, path) in kinds {
        let platform = Platform::start(|_| Answer::json(200, &test_key_set().unwrap())).await;
        let settings = settings(options, audience, Some(platform.url()), still());
        let channel = DESCRIPTOR.open(&settings).unwrap();
        channel.fetch_keys(&post(&good(), &json!({}))).await.unwrap();
        assert_eq!(platform.take()[0].path, path);
        assert_eq!(channel.verify(post(&good(), &json!({}))).is_ok(), audience == URL);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refusal = |options: Value, audience: &str, account: &str| {
        let mut settings = settings(options, audience, None, still());
        settings.secrets.insert("serviceAccount".to_owned(), Secret::new(account));
        DESCRIPTOR.open(&settings).map(drop).unwrap_err().to_string()
    };
    let key = SIMULATOR.secrets[1].1;
    assert!(refusal(json!({ "audienceType": "url" }), URL, key).contains("\"audienceType\""));
    assert!(refusal(json!({}), "1234567890", key).contains("\"audience\""));
    assert!(refusal(json!({ "audienceType": "project-number" }), URL, key).contains("\"audience\""));
    assert!(refusal(json!({ "botUser": "Chela" }), URL, key).contains("\"botUser\""));
    assert!(refusal(json!({ "quickCommands": ["/status"] }), URL, key).contains("\"quickCommands\""));
    assert!(refusal(json!({ "publicKeys": 1 }), URL, key).contains("\"publicKeys\""));
    for account in ["hunter2", "{}", r#"{"client_email":"a@b","private_key":"hunter2"}"#] {
        let told = refusal(json!({}), URL, account);
        assert!(told.contains("\"serviceAccount\"") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn older_and_stranger_spaces_are_read() {
    let text = sample("text");
    let old = without(text.clone(), "/space/spaceType");
    assert_eq!(message(&old).unwrap().peer.kind.as_str(), "direct");
    let room = with(old, "/space/type", json!("ROOM"));
    assert_eq!(message(&room).unwrap().peer.kind.as_str(), "group");
    let inside = without(text.clone(), "/space");
    assert_eq!(message(&inside).unwrap().peer.kind.as_str(), "direct", "the message has its space too");
    let no_arguments = without(text.clone(), "/message/argumentText");
    assert_eq!(message(&no_arguments).unwrap().text, "hello");
    let flat = with(sample("room-mention"), "/space/spaceThreadingState", json!("UNTHREADED_MESSAGES"));
    assert_eq!(message(&flat).unwrap().thread, None);
    let reply = with(flat, "/message/threadReply", json!(true));
    assert_eq!(message(&reply).unwrap().thread.as_deref(), Some("spaces/AAQAmR00M01/threads/rM1"));
}

#[test]
fn names_that_google_never_writes_are_refused() {
    let text = sample("text");
    for (pointer, value) in [
        ("/space/name", "spaces/../x"),
        ("/space/name", "users/1"),
        ("/message/name", "spaces/A/messages/a?b"),
        ("/message/sender/name", ""),
        ("/message/thread/name", "spaces/A/members/1"),
    ] {
        let verdict = read(&*open(json!({}), URL), &good(), &with(text.clone(), pointer, json!(value)));
        assert!(matches!(verdict, Err(Rejected::Malformed(_))), "{pointer} {value}: {verdict:?}");
    }
    for missing in ["/message/createTime", "/message/name", "/type"] {
        let mut body = without(text.clone(), missing);
        body.as_object_mut().unwrap().remove("eventTime");
        let verdict = read(&*open(json!({}), URL), &good(), &body);
        assert!(matches!(verdict, Err(Rejected::Malformed(_))), "{missing}: {verdict:?}");
    }
}

#[test]
fn a_mention_is_ours_by_name_where_the_name_is_known() {
    let heard = |bot_user: &str| {
        let channel = open(json!({ "botUser": bot_user }), URL);
        read(&*channel, &good(), &sample("room-mention")).unwrap().messages[0].addressed
    };
    assert!(heard("users/118000000000000000009"));
    assert!(!heard("users/118000000000000000008"));
    let alias = with(sample("room-mention"), "/message/annotations/0/userMention/user/name", json!("users/app"));
    let channel = open(json!({ "botUser": "users/118000000000000000008" }), URL);
    assert!(read(&*channel, &good(), &alias).unwrap().messages[0].addressed);
}

#[test]
fn buttons_and_commands_are_read_in_both_forms() {
    let classic = message(&sample("button")).unwrap();
    assert_eq!(
        (classic.kind, classic.text.as_str(), classic.sender.id.as_str()),
        (InboundKind::Button, "approve:42", "users/117000000000000000002")
    );
    let bare = without(without(sample("button"), "/action/parameters"), "/common/parameters");
    assert_eq!(message(&with(bare.clone(), "/action/actionMethodName", json!("stop"))).unwrap().text, "stop");
    let nothing = without(without(bare, "/action/actionMethodName"), "/common/invokedFunction");
    assert_eq!(message(&nothing), None);
    // Whoever presses again means it: it is another event.
    let again = with(sample("button"), "/eventTime", json!("2026-01-01T00:00:01Z"));
    assert_ne!(message(&again).unwrap().event_id, classic.event_id);
    assert_eq!(message(&sample("addon-quick-command")), None, "it has no meaning here");
    let command =
        read(&*open(json!({ "quickCommands": { "7": "/status" } }), URL), &good(), &sample("addon-quick-command"));
    let command = command.unwrap().messages.remove(0);
    assert_eq!((command.kind, command.text.as_str()), (InboundKind::Command, "/status"));
    for id in [json!("7"), json!(7)] {
        let classic = json!({
            "type": "APP_COMMAND", "eventTime": "2026-01-01T00:00:01Z", "user": sample("text")["user"],
            "space": sample("text")["space"], "appCommandMetadata": { "appCommandId": id },
        });
        let channel = open(json!({ "quickCommands": { "7": "/status" } }), URL);
        assert_eq!(read(&*channel, &good(), &classic).unwrap().messages[0].text, "/status");
    }
}

fn to(thread: Option<&str>) -> ReplyAddress {
    let thread = thread.map(str::to_owned);
    ReplyAddress { thread, to: "spaces/4a3bcDAAAAE".to_owned(), ..subject().address() }
}

#[tokio::test]
async fn a_part_is_created_once_however_often_it_is_sent() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    assert_eq!(channel.unconfirmed(&to(None)), Unconfirmed::ResendWithKey);
    let sent = channel.send(&part(&to(None), "hello **you**")).await.unwrap();
    assert_eq!(sent.message_id, "spaces/4a3bcDAAAAE/messages/x.y");
    platform.next(Answer::json(409, &json!({ "error": { "code": 409, "status": "ALREADY_EXISTS", "message": "…" } })));
    let again = channel.send(&part(&to(None), "hello **you**")).await.unwrap();
    assert_eq!(again.message_id, "spaces/4a3bcDAAAAE/messages/client-0123456789abcdef0123456789abcdef");
    channel.edit(&again.message_id, &part(&to(None), "changed")).await.unwrap();
    let seen = platform.take();
    let key = "client-0123456789abcdef0123456789abcdef";
    let create = format!("/v1/spaces/4a3bcDAAAAE/messages?requestId={key}&messageId={key}");
    let edit = format!("/v1/spaces/4a3bcDAAAAE/messages/{key}?updateMask=text");
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method.clone(), seen.path.as_str())).collect();
    assert_eq!(asked, [(Method::POST, &create[..]), (Method::POST, &create), (Method::PATCH, &edit)]);
    assert_eq!(seen[0].json(), json!({ "text": "hello *you*" }));
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer ya29.issued"));
    assert_eq!(platform.take_asides().len(), 1, "one access token for all");
    let (address, key) = (to(None), "A_b/c?d&é".repeat(20));
    let odd = OutboundPart { idempotency_key: &key, ..part(&address, "x") };
    channel.send(&odd).await.unwrap();
    let path = platform.take().remove(0).path;
    let id = path.split_once("messageId=").unwrap().1;
    assert!(id.len() <= 63 && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
}

#[tokio::test]
async fn an_answer_stands_in_its_thread() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    channel.send(&part(&to(Some("spaces/4a3bcDAAAAE/threads/T")), "hello")).await.unwrap();
    let seen = platform.take().remove(0);
    assert!(seen.path.ends_with("&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"), "{}", seen.path);
    assert_eq!(seen.json()["thread"], json!({ "name": "spaces/4a3bcDAAAAE/threads/T" }));
    for address in [
        to(Some("T")),
        ReplyAddress { to: "spaces/../x".into(), ..to(None) },
        ReplyAddress { to: "x".into(), ..to(None) },
    ] {
        let error = channel.send(&part(&address, "hello")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{error}");
    }
    for id in ["", "spaces/A", "spaces/A/messages/../x", "spaces/A/messages/x?y"] {
        let error = channel.edit(id, &part(&to(None), "x")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{id}: {error}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn a_button_names_the_function_or_the_add_ons_url() {
    let platform = Platform::start(subject().manners).await;
    let choices = [Choice { label: "Yes".into(), value: "y".into() }];
    let function = async |options: Value| {
        let channel = at(&platform, options, still());
        channel.send(&OutboundPart { choices: &choices, ..part(&to(None), "May I?") }).await.unwrap();
        let card = platform.take().remove(0).json()["cardsV2"][0].clone();
        card["card"]["sections"][0]["widgets"][0]["buttonList"]["buttons"][0]["onClick"]["action"].clone()
    };
    let parameters = json!([{ "key": "choice", "value": "y" }]);
    assert_eq!(function(json!({})).await, json!({ "function": "choice", "parameters": parameters }));
    assert_eq!(function(json!({ "appPrincipal": ADD_ON })).await, json!({ "function": URL, "parameters": parameters }));
}

#[tokio::test]
async fn a_token_that_ran_out_early_is_replaced_and_the_part_tried_again() {
    let platform = Platform::start(subject().manners).await;
    let clock = still();
    let channel = at(&platform, json!({}), clock.clone());
    channel.send(&part(&to(None), "one")).await.unwrap();
    clock.advance(120_000);
    platform.next(Answer::text(401, ""));
    let error = channel.send(&part(&to(None), "two")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    channel.send(&part(&to(None), "two")).await.unwrap();
    assert_eq!(platform.take_asides().len(), 2);
}

#[tokio::test]
async fn files_are_shown_where_they_lie_and_fetched_from_chat_only() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    let to = to(None);
    let attach = async |content_type: &str, url| {
        let file = OutboundFile { name: "a", content_type, bytes: Bytes::from_static(b"x"), url };
        let sent = channel.attach(&file, &part(&to, "caption")).await;
        let widgets = |seen: Value| seen["cardsV2"][0]["card"]["sections"][0]["widgets"][0].clone();
        (sent.is_ok(), platform.take().first().map(|seen| widgets(seen.json())).unwrap_or_default())
    };
    let url = Some("https://files.example.org/a");
    assert_eq!(attach("image/png", url).await.1["image"]["imageUrl"], "https://files.example.org/a");
    let other = attach("application/pdf", url).await.1;
    assert_eq!(other["buttonList"]["buttons"][0]["onClick"]["openLink"]["url"], "https://files.example.org/a");
    assert_eq!(attach("image/png", None).await, (false, Value::Null));

    let wait = Duration::from_secs(1);
    let media = |reference: &str| Media { reference: reference.into(), content_type: None, name: None, size: None };
    channel.fetch(&media("Clxz/a+b="), 100, wait).await.unwrap();
    let seen = platform.take().remove(0);
    assert_eq!(
        (seen.path.as_str(), &seen.headers["authorization"]),
        ("/v1/media/Clxz/a+b=?alt=media", &"Bearer ya29.issued".parse().unwrap())
    );
    for refused in ["drive:1dRiVe", "../../token", "", "a//b"] {
        let error = channel.fetch(&media(refused), 100, wait).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{refused}: {error}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn the_steps_name_the_url_and_health_asks_google() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    let registered = format!("{:?}", channel.register("https://example.org/webhook/googlechat", MENU).await.unwrap());
    for word in
        ["Manual", "https://example.org/webhook/googlechat", "Authentication audience", "appPrincipal", "/help", "id 2"]
    {
        assert!(registered.contains(word), "{word}");
    }
    assert!(channel.health().await.unwrap().ok);
    assert_eq!(platform.take()[0].path, "/v1/spaces?pageSize=1");
    let no = json!({ "error": { "status": "PERMISSION_DENIED", "message": "Google Chat API has not been used in project 1" } });
    platform.next(Answer::json(403, &no));
    let error = channel.health().await.unwrap_err().to_string();
    assert!(error.contains("has not been used"), "{error}");
}

proptest! {
    #[test]
    fn no_body_breaks_the_reader(text in "\\PC{0,120}", kind in "(MESSAGE|ADDED_TO_SPACE|CARD_CLICKED|APP_COMMAND|X)") {
        let channel = open(json!({}), URL);
        for pointer in ["/message/text", "/message/name", "/space/name", "/message/createTime", "/message/argumentText", "/chat"] {
            let body = with(with(sample("text"), "/type", json!(kind)), pointer, json!(text));
            let _ = read(&*channel, &good(), &body); // Any answer will do.
        }
    }
}
