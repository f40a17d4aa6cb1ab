#![doc = include_str!("../README.md")]

mod address;
mod authentication;
mod body;
mod compose;
mod files;
pub mod forward;
mod html;
mod html_text;
mod inbound;
mod loops;
mod outbound;
mod quote;
mod ses;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod thread;

use std::sync::Arc;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, ProofKeys};
use chela_core::channel::{
    Channel, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::ReplyAddress;
use chela_sigv4::Signer;

use crate::ses::signer;
pub use crate::settings::{ADDRESS, WEBHOOK_SECRET};
use crate::settings::{OPTIONS, SECRETS, Settings};
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "email";

/// Long enough for nearly every answer to be one message, short enough for clients to show it whole: Gmail hides what
/// stands beyond about 100 KB of HTML.
const LIMITS: Limits = Limits { text: 12_000, edit_every: None, typing_for: None, choices: 0 };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "E-mail",
    secrets: SECRETS,
    options: OPTIONS,
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: false, threads: true, media: true, uploads: true, buttons: false, reactions: false },
    make: |settings| Ok(Arc::new(Email::new(settings)?)),
};

/// One address.
struct Email {
    account: String,
    settings: Settings,
    keys: ProofKeys,
    signer: Signer,
    /// Of the API of Amazon SES.
    base: String,
    api: Api,
    clock: Arc<dyn Clock>,
}

impl Email {
    fn new(given: &AccountSettings) -> Result<Self, ConfigProblem> {
        let settings = Settings::read(given)?;
        let keys = ProofKeys::words(given.secret(&WEBHOOK_SECRET)?);
        let hidden = SECRETS.iter().filter_map(|spec| given.optional_secret(spec)).cloned().collect();
        Ok(Self {
            account: given.account.clone(),
            keys: keys.map_err(|unfit| ConfigProblem::key(&WEBHOOK_SECRET, unfit))?,
            signer: signer(given, &settings.region)?,
            base: given.base_url(&format!("https://email.{}.amazonaws.com", settings.region))?,
            api: Api::new(ID, given.http.clone(), hidden),
            clock: given.clock.clone(),
            settings,
        })
    }
}

#[async_trait]
impl Channel for Email {
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
        forward::verify(request, &self.keys, &self.settings.address)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        self.read(verified)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.deliver(part, None).await
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(self.api.refused("a message that is sent cannot be changed"))
    }

    async fn typing(&self, _to: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.deliver(part, Some(file)).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(self.steps(url))
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
