#![doc = include_str!("../README.md")]

mod attachment;
mod credential;
mod gfm;
mod inbound;
mod jwt;
mod mention;
mod outbound;
mod place;
mod rest;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, ProofKeys};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundPart, Parsed, RawRequest, Receipt, Registration, Rejected,
    SendError, Verified,
};
use chela_core::message::{Media, ReplyAddress};
use chela_core::secret::Secret;

use self::credential::Credential;
use self::rest::Rest;
use self::settings::{SECRETS, Settings, WEBHOOK_SECRET};
#[cfg(feature = "simulator")]
pub use self::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "github";

/// GitHub takes 65,536 characters, and what we do to a text makes at most five of two. It lets an hour have 500 comments
/// and edits; a reaction stays until somebody takes it away.
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>
const LIMITS: Limits = Limits {
    text: 25_000,
    edit_every: Some(Duration::from_secs(10)),
    typing_for: Some(Duration::from_secs(24 * 60 * 60)),
    choices: 0,
};

/// What says that we have seen a comment.
const SEEN: &str = "eyes";

/// GitHub, for the registry.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "GitHub",
    secrets: SECRETS,
    options: settings::OPTIONS,
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: false, buttons: false, reactions: true },
    make: |account| Ok(Arc::new(GitHub::new(account)?)),
};

/// One user or one app.
struct GitHub {
    account: String,
    settings: Settings,
    keys: ProofKeys,
    /// The newest of the keys as it is written, for GitHub.
    secret: Secret,
    rest: Rest,
}

impl GitHub {
    fn new(account: &AccountSettings) -> Result<Self, ConfigProblem> {
        let settings = Settings::read(account)?;
        let secret = account.secret(&WEBHOOK_SECRET)?;
        let hidden = SECRETS.iter().filter_map(|spec| account.optional_secret(spec)).cloned().collect();
        let rest = Rest {
            api: Api::new(ID, account.http.clone(), hidden),
            clock: account.clock.clone(),
            base_url: settings.base_url.clone(),
            credential: Credential::read(account, &settings)?,
        };
        Ok(Self {
            account: account.account.clone(),
            settings,
            keys: ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(&WEBHOOK_SECRET, unfit))?,
            secret: Secret::new(secret.expose().split_whitespace().next().unwrap_or_default()),
            rest,
        })
    }
}

#[async_trait]
impl Channel for GitHub {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(&self.keys, request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(&self.account, &self.settings, verified.request())
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.rest.send(part).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.rest.edit(message_id, part).await
    }

    /// There is no such signal; 👀 under what is being answered says the same.
    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        match &to.message {
            Some(message) => self.rest.react(to, message, SEEN).await,
            None => Ok(()),
        }
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.rest.react(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.rest.delete(to, message_id).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.rest.fetch(&self.settings, media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.rest.register(&self.settings, &self.secret, url).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.rest.health(&self.settings).await
    }
}
