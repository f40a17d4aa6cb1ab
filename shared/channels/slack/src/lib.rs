#![doc = include_str!("../README.md")]

mod blocks;
mod files;
mod inbound;
mod mrkdwn;
mod outbound;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod standing;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, ProofKeys, SecretSpec};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::message::{Media, ReplyAddress};

use self::outbound::{Credential, WebApi};
use self::settings::{APP_CONFIG_TOKEN, BOT_TOKEN, SIGNING_SECRET, Settings};
#[cfg(feature = "simulator")]
pub use self::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "slack";

/// Where Slack's Web API is.
const API: &str = "https://slack.com/api";

/// Parts stay a little below the 4000 characters that Slack advises and that `chat.update` takes. Edits stay at
/// `chat.update`'s rate, 50 a minute. Slack shows a status for two minutes.
const LIMITS: Limits = Limits {
    text: 3900,
    edit_every: Some(Duration::from_millis(1200)),
    typing_for: Some(Duration::from_secs(100)),
    choices: blocks::MOST_CHOICES,
};

/// Slack, for the registry.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Slack",
    secrets: settings::SECRETS,
    options: settings::OPTIONS,
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: true, reactions: true },
    make: |account| Ok(Arc::new(Slack::new(account)?)),
};

/// One Slack app, installed in one workspace.
struct Slack {
    account: String,
    settings: Settings,
    keys: ProofKeys,
    web: WebApi,
    manager: Option<Credential>,
}

impl Slack {
    fn new(account: &AccountSettings) -> Result<Self, ConfigProblem> {
        let signing = account.secret(&SIGNING_SECRET)?;
        let bot = account.secret(&BOT_TOKEN)?;
        if bot.expose().trim_start().starts_with("xapp-") {
            return Err(unfit(&BOT_TOKEN, "it is an app-level token"));
        }
        let manager = account.optional_secret(&APP_CONFIG_TOKEN);
        let hidden = [signing, bot].into_iter().chain(manager).cloned().collect();
        let renewal = "reinstall the app and set channels.slack.botToken to the token it then shows";
        let manager_renewal = "generate a new app configuration token at https://api.slack.com/apps and set \
                               channels.slack.appConfigToken to it";
        Ok(Self {
            account: account.account.clone(),
            settings: Settings::read(&account.options)?,
            keys: ProofKeys::words(signing).map_err(|unfit| ConfigProblem::key(&SIGNING_SECRET, unfit))?,
            web: WebApi {
                api: Api::new(ID, account.http.clone(), hidden),
                base_url: account.base_url(API)?,
                bot: Credential::new(bot.expose(), renewal).ok_or_else(|| unfit(&BOT_TOKEN, "it is not one word"))?,
            },
            manager: manager
                .map(|token| {
                    Credential::new(token.expose(), manager_renewal)
                        .ok_or_else(|| unfit(&APP_CONFIG_TOKEN, "it is not one word"))
                })
                .transpose()?,
        })
    }
}

fn unfit(spec: &SecretSpec, what: &str) -> ConfigProblem {
    ConfigProblem::secret(spec.key, what, format!("set it to {}", spec.doc))
}

#[async_trait]
impl Channel for Slack {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    /// There are no keys, but what was sent can be edited.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::Placeholder
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(&self.keys, request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(&self.account, &self.settings, verified.request())
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.web.post(part).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.web.update(message_id, part).await
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.web.status(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.web.attach(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.web.react(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.web.delete(to, message_id).await
    }

    async fn pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        self.web.pin(to, message_id, pinned).await
    }

    /// A thread is what answers a message; it has no name, and nothing is to be done to begin it.
    async fn open_thread(&self, to: &ReplyAddress, _name: &str, message_id: Option<&str>) -> Result<String, SendError> {
        let refused = || self.web.api.refused("a thread is begun under a message: name one");
        self.web.standing(to, message_id.ok_or_else(refused)?).map(|(_, ts)| ts.to_owned())
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.web.fetch(media, most, timeout).await
    }

    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        setup::register(&self.web, self.manager.as_ref(), &self.settings, url, menu).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.web.health(self.settings.bot_user_id.as_deref()).await
    }
}
