#![doc = include_str!("../README.md")]

mod error;
mod form;
mod inbound;
mod outbound;
mod public_url;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod text;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Verified,
};
use chela_core::message::{Media, ReplyAddress};
use http::HeaderValue;

use crate::settings::Settings;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;
use crate::verify::Proof;

/// The channel's name.
pub const ID: &str = "plivo";

/// Where the API is.
const API: &str = "https://api.plivo.com";

/// What a list or table may grow by is left free of the 737 characters of a message.
const LIMITS: Limits = Limits { text: 680, edit_every: None, typing_for: None, choices: 0 };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Plivo",
    secrets: settings::SECRETS,
    options: settings::OPTIONS,
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: false, threads: false, media: true, uploads: true, buttons: false, reactions: false },
    make: |settings| Ok(Arc::new(Plivo::new(settings)?)),
};

/// One Plivo account, with its numbers.
struct Plivo {
    account: String,
    settings: Settings,
    proof: Proof,
    api: Api,
    base: String,
    /// Basic authorisation by the account. Marked as sensitive.
    authorization: HeaderValue,
}

impl Plivo {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let read = Settings::read(settings)?;
        let (authorization, hidden) = settings::credentials(settings, &read)?;
        Ok(Self {
            account: settings.account.clone(),
            proof: settings::proof(settings, &read)?,
            settings: read,
            api: Api::new(ID, settings.http.clone(), hidden),
            base: settings.base_url(API)?,
            authorization,
        })
    }
}

#[async_trait]
impl Channel for Plivo {
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
        self.proof.verify(request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(verified.request(), &self.settings.webhook_url, &self.account)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_message(part, None).await
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(self.api.refused("what was sent cannot be edited"))
    }

    async fn typing(&self, _to: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let url = file.url.ok_or_else(|| {
            self.api.refused("Plivo loads files from a URL, and there is no place that has one for it")
        })?;
        self.send_message(part, Some(url)).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.fetch_media(media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.set_webhook(url).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
