#![doc = include_str!("../README.md")]

mod card;
mod content;
mod emoji;
mod encryption;
mod inbound;
mod markdown;
mod openapi;
mod outbound;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod standing;
mod verify;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::message::{Media, ReplyAddress};

use self::openapi::OpenApi;
use self::settings::{APP_SECRET, SECRETS, Settings};
#[cfg(feature = "simulator")]
pub use self::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "feishu";

/// How the id of a person begins, as this app knows them.
const PERSON: &str = "ou_";

/// A card may have 30 KB: three bytes for each Chinese letter, five for an escaped mark, and the marks around them. A card
/// may be changed five times a second. There is no typing signal.
const LIMITS: Limits =
    Limits { text: 4000, edit_every: Some(Duration::from_millis(1500)), typing_for: None, choices: 20 };

/// Feishu and Lark, for the registry.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Feishu / Lark",
    secrets: SECRETS,
    options: settings::OPTIONS,
    urls: settings::URLS,
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: true, reactions: true },
    make: |account| Ok(Arc::new(Feishu::new(account)?)),
};

/// One app of one tenant.
struct Feishu {
    account: String,
    settings: Settings,
    open: OpenApi,
}

impl Feishu {
    fn new(account: &AccountSettings) -> Result<Self, ConfigProblem> {
        let settings = Settings::read(account)?;
        let hidden = SECRETS.iter().filter_map(|spec| account.optional_secret(spec)).cloned().collect();
        let open = OpenApi {
            api: Api::new(ID, account.http.clone(), hidden),
            clock: account.clock.clone(),
            base_url: settings.base_url.clone(),
            app_id: settings.app_id.clone(),
            app_secret: account.secret(&APP_SECRET)?.clone(),
            token: Mutex::default(),
            sent: Mutex::default(),
        };
        Ok(Self { account: account.account.clone(), settings, open })
    }
}

/// Whether a word can be an id of Feishu: it stands in URLs.
fn is_id(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[async_trait]
impl Channel for Feishu {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    /// Feishu knows a key for an hour, and the last attempts are made within minutes of the first, unless the platform
    /// cannot be reached for so long.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::ResendWithKey
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(&self.settings.proof, request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(&self.account, &self.settings, verified.request())
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.open.send(part).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.open.edit(message_id, part).await
    }

    async fn typing(&self, _to: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.open.attach(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.open.react(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.open.recall(to, message_id).await
    }

    async fn pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        self.open.set_pinned(to, message_id, pinned).await
    }

    async fn open_thread(&self, to: &ReplyAddress, name: &str, message_id: Option<&str>) -> Result<String, SendError> {
        self.open.begin_thread(to, name, message_id).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.open.fetch(media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(setup::register(&self.settings.app_id, &self.settings.base_url, url))
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.open.health(self.settings.bot_open_id.as_deref()).await
    }
}
