//! What the laws do not ask: the Bot Framework's own rules, in both directions.

mod inbound;
mod outbound;

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

use crate::subject::subject;

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
