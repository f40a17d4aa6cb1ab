//! An account of ours, and a Slack to talk to.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chela_channel_kit::AccountSettings;
use chela_channel_slack::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::{Channel, Parsed, RawRequest, Rejected};
use chela_core::message::ReplyAddress;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ACCOUNT, ARRIVAL, request};
use serde_json::{Value, json};

/// Our bot user in the samples.
pub(crate) const BOT: &str = "U0LAN0Z89";

/// An account with these options and, besides those of the simulator, these secrets.
pub(crate) fn settings(options: Value, secrets: &[(&str, &str)]) -> AccountSettings {
    let options = options.as_object().unwrap().clone();
    let allow_hosts = DESCRIPTOR.configured_urls(&options).iter().map(|url| HostPort::of_url(url).unwrap()).collect();
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela-test".into(), extra_roots: None });
    let mut all = SIMULATOR.test_secrets();
    all.extend(secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))));
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    AccountSettings { account: ACCOUNT.into(), options, secrets: all, http: http.unwrap(), clock }
}

/// That account, opened.
pub(crate) fn open(options: Value, secrets: &[(&str, &str)]) -> Arc<dyn Channel> {
    DESCRIPTOR.open(&settings(options, secrets)).unwrap()
}

/// The files in `events/`, by name.
pub(crate) fn samples() -> Vec<(String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut samples: Vec<_> = paths.map(|path| (name(&path), Bytes::from(std::fs::read(path).unwrap()))).collect();
    samples.sort();
    samples
}

/// A body as Slack posts it.
pub(crate) fn posted(body: &[u8]) -> RawRequest {
    request((SIMULATOR.sign_sample)(body, &SIMULATOR.test_secrets(), ARRIVAL), body)
}

/// What becomes of a body.
pub(crate) fn receive(channel: &dyn Channel, body: impl AsRef<[u8]>) -> Result<Parsed, Rejected> {
    channel.parse(&channel.verify(posted(body.as_ref()))?)
}

/// One call that our code made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

/// What a test did not say is refused, with a word that no error of Slack's has.
pub(crate) fn unexpected(seen: &Seen) -> Answer {
    Answer::json(418, &json!({ "ok": false, "error": format!("unexpected_by_the_test:{}", seen.path) }))
}

/// A Slack Web API that answers what it was told to.
pub(crate) struct Slack(Platform);

impl Slack {
    pub(crate) async fn start() -> Self {
        Self(Platform::start(unexpected).await)
    }

    /// The next call is answered with this JSON.
    pub(crate) fn answers(&self, body: &Value) -> &Self {
        self.gives(Answer::json(200, body))
    }

    /// The next call is answered like this.
    pub(crate) fn gives(&self, answer: Answer) -> &Self {
        self.0.next(answer);
        self
    }

    /// The calls since they were last asked for.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let call = |seen: Seen| Call {
            method: seen.path.strip_prefix("/api/").unwrap().to_owned(),
            authorization: seen.headers["authorization"].to_str().unwrap().to_owned(),
            body: seen.json(),
        };
        self.0.take().into_iter().map(call).collect()
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("{}/api", self.0.url())
    }

    /// An account that talks to this Slack.
    pub(crate) fn account(&self) -> Arc<dyn Channel> {
        open(json!({ "apiBaseUrl": self.url(), "botUserId": BOT }), &[])
    }
}

/// Where an answer goes.
pub(crate) fn address(to: &str, thread: Option<&str>) -> ReplyAddress {
    ReplyAddress {
        channel: "slack".into(),
        account: ACCOUNT.into(),
        to: to.into(),
        thread: thread.map(str::to_owned),
        message: None,
    }
}
