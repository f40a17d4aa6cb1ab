//! An account of ours, and a GitHub to talk to.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chela_channel_github::{DESCRIPTOR, SIMULATOR};
use chela_channel_kit::{AccountSettings, ChannelConfigError};
use chela_core::channel::{Channel, Parsed, Rejected};
use chela_core::message::ReplyAddress;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{ACCOUNT, ARRIVAL, request};
use serde_json::{Value, json};

/// An account with these options and secrets.
pub(crate) fn open(options: Value, secrets: &[(&str, &str)]) -> Result<Arc<dyn Channel>, ChannelConfigError> {
    open_at(options, secrets, Arc::new(ManualClock::at(ARRIVAL)))
}

/// The same with a clock.
pub(crate) fn open_at(
    options: Value,
    secrets: &[(&str, &str)],
    clock: Arc<ManualClock>,
) -> Result<Arc<dyn Channel>, ChannelConfigError> {
    let options = options.as_object().unwrap().clone();
    let allow_hosts =
        DESCRIPTOR.configured_urls(&options).iter().filter_map(|url| HostPort::of_url(url).ok()).collect();
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela-test".into(), extra_roots: None });
    let secrets: BTreeMap<String, Secret> =
        secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
    DESCRIPTOR.open(&AccountSettings { account: ACCOUNT.into(), options, secrets, http: http.unwrap(), clock })
}

/// An account with the token of the simulator, and the platform at this URL.
pub(crate) fn at(url: &str) -> Arc<dyn Channel> {
    with(json!({"apiBaseUrl": url}))
}

/// The same with these options.
pub(crate) fn with(mut options: Value) -> Arc<dyn Channel> {
    options["botLogin"] = json!("chela-bot");
    open(options, SIMULATOR.secrets).unwrap()
}

/// The files in `events/`, by name.
pub(crate) fn samples() -> Vec<(String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut samples: Vec<_> = paths.map(|path| (name(&path), Bytes::from(std::fs::read(path).unwrap()))).collect();
    samples.sort();
    samples
}

/// One sample, as JSON.
pub(crate) fn sample(name: &str) -> Value {
    let (_, body) = samples().into_iter().find(|(found, _)| found == name).unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// What becomes of a body.
pub(crate) fn receive(channel: &dyn Channel, body: &Value) -> Result<Parsed, Rejected> {
    let body = body.to_string();
    let headers = (SIMULATOR.sign_sample)(body.as_bytes(), &SIMULATOR.test_secrets(), ARRIVAL);
    channel.parse(&channel.verify(request(headers, body.as_bytes()))?)
}

/// Whether a body makes a message.
pub(crate) fn heard(channel: &dyn Channel, body: &Value) -> bool {
    !receive(channel, body).unwrap().messages.is_empty()
}

/// Method, path, authorization and body of each call.
pub(crate) fn calls(platform: &Platform) -> Vec<(String, String, Value)> {
    let call = |seen: chela_testkit::laws::channel::platform::Seen| {
        let authorization = seen.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
        (format!("{} {}", seen.method, seen.path), authorization.to_owned(), seen.json())
    };
    platform.take().into_iter().map(call).collect()
}

/// Where an answer goes.
pub(crate) fn address(to: &str, thread: Option<&str>, message: Option<&str>) -> ReplyAddress {
    ReplyAddress {
        channel: "github".into(),
        account: ACCOUNT.into(),
        to: to.into(),
        thread: thread.map(str::to_owned),
        message: message.map(str::to_owned),
    }
}
