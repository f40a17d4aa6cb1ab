//! An account of ours, and a Feishu to talk to.

use std::sync::Arc;

use bytes::Bytes;
use chela_channel_feishu::{DESCRIPTOR, SIMULATOR};
use chela_channel_kit::ChannelConfigError;
use chela_core::channel::Channel;
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::{self as laws, ACCOUNT, ARRIVAL, account};
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

/// An account with the secrets of the simulator and the platform at this URL.
pub(crate) fn at(url: &str) -> Arc<dyn Channel> {
    open(json!({"apiBaseUrl": url, "appId": "cli_1"}), SIMULATOR.secrets).unwrap()
}

/// The files in `events/`, by name.
pub(crate) fn samples() -> Vec<(String, Bytes)> {
    let samples = laws::samples_in(env!("CARGO_MANIFEST_DIR")).into_iter();
    samples.map(|sample| (sample.name, sample.body)).collect()
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
