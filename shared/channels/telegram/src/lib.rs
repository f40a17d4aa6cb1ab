#![doc = include_str!("../README.md")]

mod buttons;
mod files;
mod html;
mod inbound;
mod mention;
mod outbound;
mod pace;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod update;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{
    AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, ProofKeys, SecretSpec,
};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, Poll, RawRequest, Receipt,
    Registration, Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::message::{Media, ReplyAddress};
use chela_core::secret::Secret;

use crate::mention::Me;
use crate::pace::Pace;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "telegram";

/// Where the Bot API is.
const API: &str = "https://api.telegram.org";

/// Authorises what we send.
const BOT_TOKEN: SecretSpec = SecretSpec {
    key: "botToken",
    env: "TELEGRAM_BOT_TOKEN",
    doc: "The token that @BotFather shows for the bot: 123456789:AA….",
    required: true,
};

/// Proves what Telegram sends.
const WEBHOOK_SECRET: SecretSpec = SecretSpec {
    key: "webhookSecret",
    env: "TELEGRAM_WEBHOOK_SECRET",
    doc: "A random word of your own, 1 to 256 of A-Z a-z 0-9 _ -, which Telegram repeats in every post; several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

const BOT_USERNAME: OptionSpec = OptionSpec {
    key: "botUsername",
    doc: "The bot's username, shown by `chela channels status`: without it mentions in groups are not recognised.",
};

/// A message holds 4096 UTF-16 units of visible text (<https://core.telegram.org/bots/api#sendmessage>); marks do not
/// count, and what a list or table may grow by is left free. Edits keep to about one a second
/// (<https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>), in rooms to less, see [`pace`]. A
/// chat action is shown for 5 s (<https://core.telegram.org/bots/api#sendchataction>). How many buttons a keyboard may
/// have, Telegram does not say; nobody reads through more than these.
const LIMITS: Limits = Limits {
    text: 4_000,
    edit_every: Some(Duration::from_secs(1)),
    typing_for: Some(Duration::from_secs(5)),
    choices: 50,
};

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Telegram",
    secrets: &[BOT_TOKEN, WEBHOOK_SECRET],
    options: &[API_BASE_URL, BOT_USERNAME],
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: true, reactions: true },
    make: |settings| Ok(Arc::new(Telegram::new(settings)?)),
};

/// One bot.
struct Telegram {
    account: String,
    me: Me,
    keys: ProofKeys,
    secret_token: Secret,
    /// Base URL and token: the beginning of every method's URL. Never shown.
    methods: Secret,
    /// The same for files.
    files: Secret,
    api: Api,
    pace: Pace,
}

impl Telegram {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let token = settings.secret(&BOT_TOKEN)?;
        let secret = settings.secret(&WEBHOOK_SECRET)?;
        let base = settings.base_url(API)?;
        let (keys, secret_token) = verify::keys(secret)?;
        let trimmed = token.expose().trim();
        Ok(Self {
            account: settings.account.clone(),
            me: Me::new(trimmed, settings.text(BOT_USERNAME.key)?)?,
            keys,
            secret_token,
            methods: Secret::new(format!("{base}/bot{trimmed}/")),
            files: Secret::new(format!("{base}/file/bot{trimmed}/")),
            api: Api::new(ID, settings.http.clone(), vec![token.clone(), secret.clone()]),
            pace: Pace::new(settings.clock.clone()),
        })
    }
}

#[async_trait]
impl Channel for Telegram {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, to: &ReplyAddress) -> Limits {
        Limits { edit_every: Some(pace::edit_every(&to.to)), ..LIMITS }
    }

    /// There are no keys, but what was sent can be edited.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::Placeholder
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(request, &self.keys)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(verified.request(), &self.account, &self.me)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_message(part).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.edit_message(message_id, part).await
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.chat_action(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_file(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.set_reaction(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.delete_message(to, message_id).await
    }

    async fn pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        self.pin_message(to, message_id, pinned).await
    }

    async fn poll(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_poll(poll, part).await
    }

    async fn open_thread(&self, to: &ReplyAddress, name: &str, message_id: Option<&str>) -> Result<String, SendError> {
        self.open_topic(to, name, message_id).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.get_file(media, most, timeout).await
    }

    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.set_webhook(url, menu).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
