//! Laws of [`Channel`]. Every channel runs them with a few lines in `tests/it/laws.rs`:
//!
//! ```ignore
//! async fn subject() -> ChannelUnderTest { ChannelUnderTest { descriptor: DESCRIPTOR, simulator: SIMULATOR, … } }
//! chela_testkit::channel_laws!(subject);
//! ```
//!
//! The samples are the files in the channel's folder `events/`: bodies exactly as the platform posts them. One of them
//! is called `text`: a direct message that is answered.

mod delivery;
mod entrance;
mod extras;
mod mutations;
pub mod oracle;
mod papers;
pub mod platform;
mod samples;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::{AccountSettings, ChannelDescriptor, Simulator};
use chela_core::channel::{Ack, Channel, MenuEntry, OutboundPart, Parsed, RawRequest, Rejected, SendError};
use chela_core::clock::{Clock, Millis};
use chela_core::message::ReplyAddress;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use http::{HeaderMap, Method};
use serde_json::Value;

pub use self::delivery::*;
pub use self::entrance::*;
pub use self::extras::*;
pub use self::mutations::mutated_bodies_never_panic;
pub use self::papers::*;
use self::platform::{Answer, Manners, Platform, Seen};
pub use self::samples::*;
use crate::clock::ManualClock;

/// The time at which samples arrive, and at which the events of `events/` are signed: 2026-01-01T00:00:00Z.
pub const ARRIVAL: Millis = Millis(1_767_225_600_000);

/// The account's name.
pub const ACCOUNT: &str = "main";

/// A menu of commands.
pub const MENU: &[MenuEntry] = &[
    MenuEntry { name: "help", description: "What I can do", takes_text: false },
    MenuEntry { name: "new", description: "Begin a new conversation", takes_text: true },
];

/// A channel, and what the laws cannot know about its platform.
pub struct ChannelUnderTest {
    /// The channel.
    pub descriptor: ChannelDescriptor,
    /// Its platform's way to sign.
    pub simulator: Simulator,
    /// The crate's folder: `env!("CARGO_MANIFEST_DIR")`.
    pub folder: &'static str,
    /// The account's options, when the platform is at this base URL.
    pub options: fn(url: &str) -> Value,
    /// The header that proves the origin.
    pub proof_header: &'static str,
    /// Whether the proof covers the body.
    pub signs_body: bool,
    /// Whether the proof covers a time.
    pub signs_time: bool,
    /// Samples that are acknowledged and make no message: own echoes, other bots, events we do not handle.
    pub dropped: &'static [&'static str],
    /// What the platform wants to hear, also about those.
    pub ack: fn() -> Ack,
    /// Samples that were said to us in a room: by a mention, a reply or a command.
    pub to_us: &'static [&'static str],
    /// Samples that were said in a room and not to us; none where the platform keeps them to itself.
    pub not_to_us: &'static [&'static str],
    /// A sample whose message has one file, and what the platform serves as its content when all is well.
    pub file: Option<(&'static str, &'static [u8])>,
    /// Pairs of samples that came from the same peer.
    pub same_peer: &'static [(&'static str, &'static str)],
    /// The sample that is the platform's handshake, and the answer it wants.
    pub handshake: Option<(&'static str, Ack)>,
    /// The platform when all is well.
    pub manners: Manners,
    /// Ways the platform refuses to show a part, and what becomes of it.
    pub refusals: fn() -> Vec<(Answer, Fate)>,
    /// What a reader sees of a request, if it shows something.
    pub shown: fn(&Seen) -> Option<Shown>,
    /// Most UTF-16 units of visible text in one message of the platform.
    pub longest: usize,
    /// Whether a tag in a text is one to the platform, or may be one to whoever shows the text.
    pub reads_tags: bool,
    /// The marks around a code block in the platform's dialect.
    pub code_marks: (&'static str, &'static str),
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent after so many seconds.
    Waits(u64),
    /// It was certainly not shown.
    NotSent,
    /// Nobody knows whether it was shown.
    Unknown,
    /// It will never be shown.
    Refused,
}

/// A message as it was sent.
#[derive(Clone, Debug)]
pub struct Shown {
    /// In the platform's dialect.
    pub raw: String,
    /// As a reader sees it, without marks.
    pub visible: String,
}

/// A body as the platform posts it.
pub struct Sample {
    /// The file's name without its extension.
    pub name: String,
    /// The bytes.
    pub body: Bytes,
}

impl ChannelUnderTest {
    /// The account, with its platform at `url`.
    pub fn open(&self, url: &str) -> Arc<dyn Channel> {
        self.open_at(url, ARRIVAL)
    }

    /// The same at another time.
    pub fn open_at(&self, url: &str, now: Millis) -> Arc<dyn Channel> {
        self.opened(&self.settings(url, self.simulator.test_secrets(), now))
    }

    /// The same with other secrets.
    pub fn open_with(&self, url: &str, secrets: BTreeMap<String, Secret>) -> Arc<dyn Channel> {
        self.opened(&self.settings(url, secrets, ARRIVAL))
    }

    fn opened(&self, settings: &AccountSettings) -> Arc<dyn Channel> {
        self.descriptor.open(settings).unwrap_or_else(|error| panic!("{error}"))
    }

    fn settings(&self, url: &str, secrets: BTreeMap<String, Secret>, now: Millis) -> AccountSettings {
        account(&self.descriptor, &(self.options)(url), secrets, Arc::new(ManualClock::at(now)))
    }

    /// The account of laws that send nothing.
    fn offline(&self) -> Arc<dyn Channel> {
        self.open("http://127.0.0.1:9")
    }

    async fn platform(&self) -> Platform {
        Platform::start(self.manners).await
    }

    /// All samples, by name.
    pub fn samples(&self) -> Vec<Sample> {
        samples_in(self.folder)
    }

    /// One sample.
    pub fn sample(&self, name: &str) -> Sample {
        let sample = self.samples().into_iter().find(|sample| sample.name == name);
        sample.unwrap_or_else(|| panic!("there is no sample \"{name}\" in {}/events", self.folder))
    }

    /// A request of the platform with this body.
    pub fn signed(&self, body: &[u8], now: Millis) -> RawRequest {
        let headers = (self.simulator.sign_sample)(body, &self.simulator.test_secrets(), now);
        let Simulator { method, path, .. } = &self.simulator;
        RawRequest { method: method.clone(), path: (*path).to_owned(), ..request(headers, body) }
    }

    /// What all samples say: a line for each message, and one for each sample that makes none.
    pub fn told(&self) -> String {
        let channel = self.offline();
        let mut lines = Vec::new();
        for sample in self.samples() {
            let parsed = self.read(&*channel, &sample.body).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
            if parsed.messages.is_empty() {
                lines.push(format!("{}: nothing", sample.name));
            }
            lines.extend(parsed.messages.iter().map(|message| format!("{}: {}", sample.name, line(message))));
        }
        lines.join("\n")
    }

    fn read(&self, channel: &dyn Channel, body: &[u8]) -> Result<Parsed, Rejected> {
        channel.parse(&channel.verify(self.signed(body, ARRIVAL))?)
    }

    /// Where an answer to the sample `text` goes.
    pub fn address(&self) -> ReplyAddress {
        let parsed = self.read(&*self.offline(), &self.sample("text").body).unwrap();
        parsed.messages.first().expect("the sample \"text\" is a message").reply_to.clone()
    }

    /// Sends a part to where the sample `text` came from.
    pub async fn send(&self, channel: &dyn Channel, markdown: &str) -> Result<String, SendError> {
        let to = self.address();
        let part = part(&to, markdown);
        channel.send(&part).await.map(|receipt| receipt.message_id)
    }
}

/// An account with these options and secrets.
pub fn account(
    descriptor: &ChannelDescriptor,
    options: &Value,
    secrets: BTreeMap<String, Secret>,
    clock: Arc<dyn Clock>,
) -> AccountSettings {
    let options = options.as_object().cloned().unwrap_or_default();
    let urls = descriptor.configured_urls(&options);
    let allow_hosts = urls.iter().filter_map(|url| HostPort::of_url(url).ok()).collect();
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela".to_owned(), extra_roots: None });
    AccountSettings { account: ACCOUNT.to_owned(), options, secrets, http: http.unwrap(), clock }
}

/// Secrets by their keys.
pub fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect()
}

/// The samples in a channel's folder, by name.
pub fn samples_in(folder: &str) -> Vec<Sample> {
    let folder = Path::new(folder).join("events");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| Sample { name: name(path), body: std::fs::read(path).unwrap().into() }).collect()
}

/// A part with a key like those of the house, which is given up soon.
pub fn part<'a>(to: &'a ReplyAddress, markdown: &'a str) -> OutboundPart<'a> {
    let idempotency_key = "0123456789abcdef0123456789abcdef";
    OutboundPart { to, number: 0, markdown, choices: &[], idempotency_key, timeout: Duration::from_millis(1_500) }
}

/// A POST.
pub fn request(headers: HeaderMap, body: &[u8]) -> RawRequest {
    RawRequest {
        method: Method::POST,
        path: String::new(),
        query: String::new(),
        headers,
        body: Bytes::copy_from_slice(body),
        received_at: ARRIVAL,
    }
}

/// Declares one test for each law of channels; `$make` is an `async fn() -> ChannelUnderTest`.
#[macro_export]
macro_rules! channel_laws {
    ($make:expr) => {
        $crate::law_tests!(
            channel,
            $make,
            [
                a_request_without_proof_is_refused,
                a_proof_that_stands_twice_is_refused,
                a_changed_proof_is_refused,
                a_changed_body_is_refused,
                a_stale_or_future_time_is_refused,
                another_method_is_refused,
                a_proof_with_another_secret_is_refused,
                a_missing_secret_is_named_when_the_account_is_opened,
                every_sample_is_read,
                echoes_and_bots_and_unknown_events_are_acknowledged,
                the_handshake_is_answered,
                fields_nobody_knows_change_nothing,
                a_retry_is_the_same_event,
                a_room_is_heard_where_we_are_meant,
                the_same_peer_has_one_identity,
                a_message_says_where_it_came_from,
                damaged_bodies_never_panic,
                mutated_bodies_never_panic,
                bottomless_bodies_exhaust_no_stack,
                a_reply_is_shown_and_confirmed,
                i11_a_picture_in_a_reply_is_loaded_by_nobody,
                choices_are_shown_as_buttons,
                a_file_is_sent_with_its_caption,
                a_reaction_is_put_under_a_message,
                a_file_is_fetched_under_its_cap,
                long_replies_arrive_whole_and_within_the_limit,
                each_refusal_has_its_fate,
                nobody_there_is_not_sent,
                no_answer_is_unknown,
                d01_errors_and_debug_show_no_secret,
                registering_twice_changes_nothing,
                the_readme_names_every_secret_and_option,
                the_signed_events_are_up_to_date,
            ]
        );
    };
}

#[cfg(test)]
mod tests {
    /// A law that stands in no list is never run.
    #[test]
    fn every_law_of_channels_is_in_their_list() {
        let (_, list) = include_str!("channel.rs").split_once("#[macro_export]").unwrap();
        let laws = [
            include_str!("channel/delivery.rs"),
            include_str!("channel/entrance.rs"),
            include_str!("channel/extras.rs"),
            include_str!("channel/mutations.rs"),
            include_str!("channel/papers.rs"),
            include_str!("channel/samples.rs"),
        ];
        for file in laws {
            let named: Vec<_> = file.split("\npub async fn ").skip(1).filter_map(|f| f.split('(').next()).collect();
            assert!(!named.is_empty());
            for law in named {
                assert!(list.contains(&format!(" {law},")), "law \"{law}\" is missing from the list");
            }
        }
    }
}
