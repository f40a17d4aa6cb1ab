#![doc = include_str!("../README.md")]

mod cut;
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
pub const ID: &str = "twilio";

/// Where the API of accounts, numbers and messages is, and where that of messaging services and typing indicators.
const API: &str = "https://api.twilio.com";
const MESSAGING_API: &str = "https://messaging.twilio.com";

/// What an address on WhatsApp begins with; one for SMS is the bare number.
const WHATSAPP: &str = "whatsapp:";

/// A body holds 1600 characters (<https://www.twilio.com/docs/api/errors/21617>); what a list or table may grow by is
/// left free.
const LIMITS: Limits = Limits { text: 1_500, edit_every: None, typing_for: None, choices: 0 };

/// How long WhatsApp shows that somebody types: <https://www.twilio.com/docs/whatsapp/api/typing-indicators-resource>.
const TYPING: Duration = Duration::from_secs(25);

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Twilio",
    secrets: settings::SECRETS,
    options: settings::OPTIONS,
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: false, threads: false, media: true, uploads: true, buttons: false, reactions: false },
    make: |settings| Ok(Arc::new(Twilio::new(settings)?)),
};

/// One Twilio account, with its numbers and WhatsApp senders.
struct Twilio {
    account: String,
    settings: Settings,
    proof: Proof,
    api: Api,
    base: String,
    messaging_base: String,
    /// Basic authorisation of what we send and fetch: the API key's, or the account's. Marked as sensitive.
    authorization: HeaderValue,
    /// The account's own: an API key may lack the right to set it up. Marked as sensitive.
    owner: HeaderValue,
}

impl Twilio {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let read = Settings::read(settings)?;
        let credentials = settings::credentials(settings, &read)?;
        let base = settings.base_url(API)?;
        // A server that stands in for Twilio stands in for all its hosts.
        let messaging_base = if base == API { MESSAGING_API.to_owned() } else { base.clone() };
        Ok(Self {
            account: settings.account.clone(),
            proof: settings::proof(settings, &read)?,
            settings: read,
            api: Api::new(ID, settings.http.clone(), credentials.hidden),
            base,
            messaging_base,
            authorization: credentials.sender,
            owner: credentials.owner,
        })
    }
}

/// Whether an address is on WhatsApp.
fn is_whatsapp(address: &str) -> bool {
    address.starts_with(WHATSAPP)
}

#[async_trait]
impl Channel for Twilio {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, to: &ReplyAddress) -> Limits {
        Limits { typing_for: is_whatsapp(&to.to).then_some(TYPING), ..LIMITS }
    }

    fn has_paths(&self) -> bool {
        true
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        self.proof.verify(request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(verified.request(), &self.account)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_message(part, None).await
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(self.api.refused("what was sent cannot be edited"))
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.show_typing(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let url = file.url.ok_or_else(|| {
            self.api.refused("Twilio loads files from a URL, and there is no place that has one for it")
        })?;
        self.send_message(part, Some(url)).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.fetch_media(media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.set_webhooks(url).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
