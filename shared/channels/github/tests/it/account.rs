//! An account of ours, and a GitHub to talk to.

use std::sync::Arc;

use bytes::Bytes;
use chela_channel_github::{DESCRIPTOR, SIMULATOR};
use chela_channel_kit::ChannelConfigError;
use chela_core::channel::{Channel, Parsed, Rejected};
use chela_core::message::ReplyAddress;
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{self as laws, ACCOUNT, ARRIVAL, account, request};
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
    DESCRIPTOR.open(&account(&DESCRIPTOR, &options, laws::secrets(secrets), clock))
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
    let samples = laws::samples_in(env!("CARGO_MANIFEST_DIR")).into_iter();
    samples.map(|sample| (sample.name, sample.body)).collect()
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
