//! An account of ours, and a Feishu to talk to.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chela_channel_feishu::{DESCRIPTOR, SIMULATOR};
use chela_channel_kit::{AccountSettings, ChannelConfigError};
use chela_core::channel::Channel;
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::{ACCOUNT, ARRIVAL};
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

/// An account with the secrets of the simulator and the platform at this URL.
pub(crate) fn at(url: &str) -> Arc<dyn Channel> {
    open(json!({"apiBaseUrl": url, "appId": "cli_1"}), SIMULATOR.secrets).unwrap()
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

/// One sample.
pub(crate) fn sample(name: &str) -> Bytes {
    samples().into_iter().find(|(found, _)| found == name).unwrap().1
}

/// Headers in which a body is signed by the simulator at a time.
pub(crate) fn signed(body: &[u8], now: Millis) -> http::HeaderMap {
    (SIMULATOR.sign_sample)(body, &SIMULATOR.test_secrets(), now)
}

/// Where an answer goes.
pub(crate) fn address(to: &str, thread: Option<&str>, message: Option<&str>) -> ReplyAddress {
    ReplyAddress {
        channel: "feishu".into(),
        account: ACCOUNT.into(),
        to: to.into(),
        thread: thread.map(str::to_owned),
        message: message.map(str::to_owned),
    }
}
