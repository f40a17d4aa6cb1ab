#![doc = include_str!("../README.md")]

mod activity;
mod address;
mod files;
mod inbound;
mod markdown;
mod outbound;
mod reaction;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod text;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::jwt::{AccessTokens, KeySource, PUBLIC_KEYS, PublishedKeys};
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, SecretSpec};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::message::{Media, ReplyAddress};
use chela_core::secret::Secret;

use crate::address::Services;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "teams";

/// Where the Bot Framework publishes the keys it signs with.
/// <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication#openid-metadata-document>
const METADATA: &str = "https://login.botframework.com";

/// Where access tokens come from.
const LOGIN: &str = "https://login.microsoftonline.com";

/// The tenant whose tokens multi-tenant bots use.
const SHARED_TENANT: &str = "botframework.com";

/// Who we are.
const APP_ID: SecretSpec = SecretSpec {
    key: "appId",
    env: "MSTEAMS_APP_ID",
    doc: "The bot's Microsoft App ID, a GUID: Azure portal, the bot, Configuration. It is no secret, and every post must be for it.",
    required: true,
};

/// Authorises what we send.
const APP_PASSWORD: SecretSpec = SecretSpec {
    key: "appPassword",
    env: "MSTEAMS_APP_PASSWORD",
    doc: "A client secret of the app: Azure portal, App registrations, the app, Certificates & secrets; the column Value.",
    required: true,
};

const TENANT_ID: OptionSpec = OptionSpec {
    key: "tenantId",
    doc: "The organisation the bot is for: tokens are asked for there, and posts from other organisations are ignored; left out, the bot is a multi-tenant one.",
};

const SERVICE_URLS: OptionSpec = OptionSpec {
    key: "serviceUrls",
    doc: "Base URLs of further services that may post for Teams and get our answers, beside Microsoft's public cloud.",
};

const MEDIA_ALLOW_HOSTS: OptionSpec = OptionSpec {
    key: "mediaAllowHosts",
    doc: "Further hosts that shared files are fetched from, beside SharePoint's; they never get the bot's token.",
};

/// A message may have about 100 KB, once it was 28 KB, and escapes may multiply its length by five. A conversation takes
/// 1800 messages and edits an hour: one in two seconds.
/// <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit>. More than six buttons of a card end up
/// in a menu. How long typing is shown is not documented; it was seen for longer than this.
const LIMITS: Limits = Limits {
    text: 6_000,
    edit_every: Some(Duration::from_secs(2)),
    typing_for: Some(Duration::from_secs(8)),
    choices: 6,
};

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Microsoft Teams",
    secrets: &[APP_ID, APP_PASSWORD],
    options: &[API_BASE_URL, TENANT_ID, SERVICE_URLS, MEDIA_ALLOW_HOSTS, PUBLIC_KEYS],
    urls: &[API_BASE_URL.key, SERVICE_URLS.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: true, reactions: true },
    make: |settings| Ok(Arc::new(Teams::new(settings)?)),
};

/// One bot.
struct Teams {
    account: String,
    app_id: String,
    password: Secret,
    tenant: Option<String>,
    login: String,
    services: Services,
    media_hosts: Vec<String>,
    keys: PublishedKeys,
    tokens: AccessTokens,
    api: Api,
}

impl Teams {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let (app_id, password) = (settings.secret(&APP_ID)?, settings.secret(&APP_PASSWORD)?);
        let api = Api::new(ID, settings.http.clone(), vec![app_id.clone(), password.clone()]);
        let metadata = format!("{}/v1/.well-known/openidconfiguration", settings.base_url(METADATA)?);
        let tenant = settings.text(TENANT_ID.key)?.map(str::trim).filter(|tenant| !tenant.is_empty());
        let is_name = |tenant: &str| tenant.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        if !tenant.is_none_or(is_name) {
            return Err(ConfigProblem::option(TENANT_ID.key, "it is no tenant", "write the Directory (tenant) ID"));
        }
        Ok(Self {
            account: settings.account.clone(),
            // Microsoft writes it in lower case, in tokens too.
            app_id: app_id.expose().trim().to_ascii_lowercase(),
            password: Secret::new(password.expose().trim()),
            tenant: tenant.map(str::to_owned),
            login: settings.base_url(LOGIN)?,
            services: Services::new(settings)?,
            media_hosts: settings.texts(MEDIA_ALLOW_HOSTS.key)?,
            keys: PublishedKeys::new(settings, api.clone(), KeySource::Metadata(metadata))?,
            tokens: AccessTokens::new(settings.clock.clone()),
            api,
        })
    }
}

#[async_trait]
impl Channel for Teams {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    async fn fetch_keys(&self, request: &RawRequest) -> Result<(), SendError> {
        self.keys.fetch(request).await
    }

    /// There are no keys, but what was sent can be edited.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::Placeholder
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(request, &self.keys, &self.app_id)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(self, verified)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.post(part, &[]).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.replace(message_id, part).await
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.show_typing(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.post_file(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.put_reaction(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.remove(to, message_id).await
    }

    async fn open_thread(&self, to: &ReplyAddress, name: &str, message_id: Option<&str>) -> Result<String, SendError> {
        self.begin_thread(to, name, message_id).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.fetch_file(media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(Registration::Manual { steps: setup::steps(url) })
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
