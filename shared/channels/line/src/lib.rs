#![doc = include_str!("../README.md")]

mod address;
mod event;
mod inbound;
mod mention;
mod outbound;
mod plain;
mod said;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{
    AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, ProofKeys, SecretSpec,
};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};
use http::HeaderValue;

use crate::address::Means;
use crate::inbound::Reader;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "line";

/// Where the Messaging API is, and where files are: <https://developers.line.biz/en/reference/messaging-api/#domain-name>.
const API: &str = "https://api.line.me";
const DATA_API: &str = "https://api-data.line.me";

/// Proves what LINE sends.
const CHANNEL_SECRET: SecretSpec = SecretSpec {
    key: "channelSecret",
    env: "LINE_CHANNEL_SECRET",
    doc: "The channel secret, on the tab Basic settings of the channel in the LINE Developers Console; several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

/// Authorises what we send.
const CHANNEL_ACCESS_TOKEN: SecretSpec = SecretSpec {
    key: "channelAccessToken",
    env: "LINE_CHANNEL_ACCESS_TOKEN",
    doc: "The long-lived channel access token, on the tab Messaging API of the channel in the LINE Developers Console.",
    required: true,
};

const REPLY_TOKENS: OptionSpec = OptionSpec {
    key: "replyTokens",
    doc: "false: answers never use the free reply tokens but are pushed, which counts against the monthly quota and lets an unconfirmed part be sent again without the risk of showing it twice.",
};

/// A text holds 5000 UTF-16 units (<https://developers.line.biz/en/reference/messaging-api/#text-message>); what a list
/// or table may grow by is left free. A text has at most 13 quick replies
/// (<https://developers.line.biz/en/docs/messaging-api/using-quick-reply/>).
const LIMITS: Limits = Limits { text: 4_800, edit_every: None, typing_for: None, choices: 13 };

/// How long the loading animation is shown unless a message ends it: from 5 to 60 s, in steps of 5.
/// <https://developers.line.biz/en/reference/messaging-api/#display-a-loading-indicator>
const LOADING: Duration = Duration::from_secs(30);

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "LINE",
    secrets: &[CHANNEL_SECRET, CHANNEL_ACCESS_TOKEN],
    options: &[API_BASE_URL, REPLY_TOKENS],
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: false, media: true, uploads: true, buttons: true, reactions: false },
    make: |settings| Ok(Arc::new(Line::new(settings)?)),
};

/// One LINE Official Account.
struct Line {
    reader: Reader,
    keys: ProofKeys,
    /// `Bearer …`; marked as sensitive.
    authorization: HeaderValue,
    api: Api,
    base: String,
    data_base: String,
    clock: Arc<dyn Clock>,
}

impl Line {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let secret = settings.secret(&CHANNEL_SECRET)?;
        let token = settings.secret(&CHANNEL_ACCESS_TOKEN)?;
        let unfit = |_| {
            let fix = format!("copy it again: {}", CHANNEL_ACCESS_TOKEN.doc);
            ConfigProblem::secret(CHANNEL_ACCESS_TOKEN.key, "it cannot stand in a header", fix)
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim())).map_err(unfit)?;
        authorization.set_sensitive(true);
        let base = settings.base_url(API)?;
        // A server that stands in for LINE stands in for both hosts.
        let data_base = if base == API { DATA_API.to_owned() } else { base.clone() };
        Ok(Self {
            reader: Reader { account: settings.account.clone(), reply_tokens: reply_tokens(settings)? },
            keys: ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(&CHANNEL_SECRET, unfit))?,
            authorization,
            api: Api::new(ID, settings.http.clone(), vec![secret.clone(), token.clone()]),
            base,
            data_base,
            clock: settings.clock.clone(),
        })
    }
}

/// Whether answers may use reply tokens: yes, unless the owner says otherwise.
fn reply_tokens(settings: &AccountSettings) -> Result<bool, ConfigProblem> {
    use serde_json::Value;
    match settings.options.get(REPLY_TOKENS.key) {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(on)) => Ok(*on),
        Some(_) => Err(ConfigProblem::option(REPLY_TOKENS.key, "it must be true or false", "write it without quotes")),
    }
}

/// Whether the id is a person's: `U` and 32 hexadecimal digits. Groups have `C`, rooms `R`.
/// <https://developers.line.biz/en/docs/messaging-api/getting-user-ids/>
fn is_person(id: &str) -> bool {
    id.starts_with('U')
}

#[async_trait]
impl Channel for Line {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.reader.account
    }

    fn limits(&self, to: &ReplyAddress) -> Limits {
        Limits { typing_for: is_person(&to.to).then_some(LOADING), ..LIMITS }
    }

    /// A push carries a key. A reply carries none, and its token does not tell whether it was taken or is too old: as
    /// long as the address has one, the part may have left as a reply.
    fn unconfirmed(&self, to: &ReplyAddress) -> Unconfirmed {
        if Means::of(to).reply.is_some() { Unconfirmed::Flag } else { Unconfirmed::ResendWithKey }
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(request, &self.keys)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        self.reader.parse(verified.request())
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_text(part).await
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(self.api.refused("LINE cannot edit messages"))
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.show_loading(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_file(file, part).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.fetch_content(media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.set_webhook(url).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
