#![doc = include_str!("../README.md")]

mod inbound;
mod outbound;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::{
    AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, ProofKeys, SecretSpec,
};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundPart, Parsed, RawRequest, Receipt, Registration, Rejected,
    SendError, Unconfirmed, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};
use http::HeaderMap;

use crate::setup::Callbacks;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "webhook";

/// Signs in both directions.
const SECRET: SecretSpec = SecretSpec {
    key: "webhookSecret",
    env: "WEBHOOK_SECRET",
    doc: "The signing secret you share with the other side: whsec_ and the Base64 of 24 to 64 random bytes; several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

const CALLBACK_URL: OptionSpec =
    OptionSpec { key: "callbackUrl", doc: "Where answers are posted if a message names no callback_url of its own." };

const CALLBACK_ORIGINS: OptionSpec = OptionSpec {
    key: "callbackOrigins",
    doc: "Origins (https://host[:port]) that a message's own callback_url may lead to; none if left out.",
};

/// The specification suggests payloads of less than 20 KB. A UTF-16 unit is at most three bytes.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md> (Payload structure)
const LIMITS: Limits = Limits { text: 6_000, edit_every: None, typing_for: None, choices: 0 };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Webhook",
    secrets: &[SECRET],
    options: &[CALLBACK_URL, CALLBACK_ORIGINS],
    urls: &[CALLBACK_URL.key, CALLBACK_ORIGINS.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: false, buttons: false, reactions: false },
    make: |settings| Ok(Arc::new(Webhook::new(settings)?)),
};

/// One account of the generic webhook channel.
struct Webhook {
    account: String,
    keys: ProofKeys,
    callbacks: Callbacks,
    api: Api,
    clock: Arc<dyn Clock>,
}

impl Webhook {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let secret = settings.secret(&SECRET)?;
        Ok(Self {
            account: settings.account.clone(),
            keys: verify::keys(secret)?,
            callbacks: Callbacks::new(settings.text(CALLBACK_URL.key)?, &settings.texts(CALLBACK_ORIGINS.key)?)?,
            api: Api::new(ID, settings.http.clone(), vec![secret.clone()]),
            clock: settings.clock.clone(),
        })
    }
}

#[async_trait]
impl Channel for Webhook {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    /// The part's key is its `webhook-id`, and receivers drop an id they have seen.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::ResendWithKey
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(request, &self.keys)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(verified.request(), &self.account, &self.callbacks)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.post_reply(part).await
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(self.api.refused("a posted reply cannot be changed"))
    }

    /// Files lie where their sender says: at public addresses, or at the origins the owner configured.
    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.api.download(&media.reference, HeaderMap::new(), most, timeout).await
    }

    async fn typing(&self, _to: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(setup::steps(url))
    }

    async fn health(&self) -> Result<Health, SendError> {
        Ok(self.callbacks.health())
    }
}
