#![doc = include_str!("../README.md")]

mod address;
mod content;
mod dialect;
mod inbound;
mod media;
mod message;
mod outbound;
mod post;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ChannelDescriptor, ConfigProblem, Features};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};
use chela_meta::webhook::handshake;
use chela_meta::{Graph, Webhook};

use crate::settings::{ACCESS_TOKEN, APP_SECRET, Settings, VERIFY_TOKEN};
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "whatsapp";

/// Where the Graph API is.
const API: &str = "https://graph.facebook.com";

/// A text holds 4096 characters (<https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages>); what
/// lists and tables may grow by is left free. Typing is shown for 25 seconds
/// (<https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators>). A list has ten rows.
const LIMITS: Limits =
    Limits { text: 4_000, edit_every: None, typing_for: Some(Duration::from_secs(24)), choices: message::MOST_ROWS };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "WhatsApp",
    secrets: settings::SECRETS,
    options: settings::OPTIONS,
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: false, media: true, uploads: true, buttons: true, reactions: true },
    make: |settings| Ok(Arc::new(WhatsApp::new(settings)?)),
};

/// One number of a WhatsApp Business Account, or all of its numbers.
struct WhatsApp {
    account: String,
    settings: Settings,
    webhook: Webhook,
    graph: Graph,
    clock: Arc<dyn Clock>,
}

impl WhatsApp {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let webhook = Webhook::new(settings, &APP_SECRET, &VERIFY_TOKEN)?;
        Ok(Self {
            account: settings.account.clone(),
            settings: Settings::read(settings, &webhook)?,
            webhook,
            graph: Graph::new(ID, settings, API, &ACCESS_TOKEN, &[&APP_SECRET, &VERIFY_TOKEN])?,
            clock: settings.clock.clone(),
        })
    }
}

#[async_trait]
impl Channel for WhatsApp {
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
        self.webhook.verify(request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        let request = verified.request();
        let number = self.settings.phone_number_id.as_deref();
        handshake(request).unwrap_or_else(|| inbound::parse(request, &self.account, number))
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_text(part).await
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(self.graph.api().refused("messages cannot be edited here"))
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.show_typing(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_file(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.send_reaction(to, message_id, emoji).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.fetch_file(media, most, timeout).await
    }

    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.set_up(url, menu).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
