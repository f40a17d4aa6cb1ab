//! What the laws do not ask: Google's own rules, in both directions.

mod inbound;
mod outbound;

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

use crate::subject::subject;

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

fn to(thread: Option<&str>) -> ReplyAddress {
    let thread = thread.map(str::to_owned);
    ReplyAddress { thread, to: "spaces/4a3bcDAAAAE".to_owned(), ..subject().address() }
}
