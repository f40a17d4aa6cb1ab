#![doc = include_str!("../README.md")]

mod inbound;
mod outbound;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::{
    AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, ProofKeys, SecretSpec, bridge,
};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};
use http::Method;

use crate::settings::Offer;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "bridge";

/// Signs in both directions.
const SECRET: SecretSpec = SecretSpec {
    key: "bridgeSecret",
    env: "BRIDGE_SECRET",
    doc: "The secret this account shares with its bridge, 16 characters or more (openssl rand -hex 32); several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

const BRIDGE_URL: OptionSpec =
    OptionSpec { key: "bridgeUrl", doc: "Where the bridge takes orders: /send and so on are added." };

const FEATURES: OptionSpec = OptionSpec {
    key: "features",
    doc: "What the bridge can do beside sending text, a list of edit, typing, react and attach; none if left out.",
};

const TEXT_LIMIT: OptionSpec =
    OptionSpec { key: "textLimit", doc: "Most UTF-16 units of markdown in one order, 100 to 60000; 4000 if left out." };

/// What a bridge takes that says nothing else.
const LIMITS: Limits = Limits { text: 4_000, edit_every: None, typing_for: None, choices: 0 };

/// Most platforms allow an edit a second or fewer.
const EDIT_EVERY: Duration = Duration::from_secs(2);

/// Shorter than any platform shows a typing signal that has one: IRC's ends after 6 s
/// (<https://ircv3.net/specs/client-tags/typing>).
const TYPING_FOR: Duration = Duration::from_secs(5);

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Bridge",
    secrets: &[SECRET],
    options: &[BRIDGE_URL, FEATURES, TEXT_LIMIT],
    urls: &[BRIDGE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: false, reactions: true },
    make: |settings| Ok(Arc::new(Bridge::new(settings)?)),
};

/// One account: one bridge, which holds one platform or network.
struct Bridge {
    account: String,
    keys: ProofKeys,
    /// Where orders go, without a slash at the end.
    url: String,
    offer: Offer,
    limits: Limits,
    api: Api,
    /// For files elsewhere: reaches public addresses only.
    strangers: Api,
    clock: Arc<dyn Clock>,
}

impl Bridge {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let secret = settings.secret(&SECRET)?;
        let offer = settings::offer(settings)?;
        let limits = Limits {
            text: settings::text_limit(settings)?,
            edit_every: offer.edit.then_some(EDIT_EVERY),
            typing_for: offer.typing.then_some(TYPING_FOR),
            choices: 0,
        };
        Ok(Self {
            account: settings.account.clone(),
            keys: settings::keys(secret)?,
            url: settings::bridge_url(settings)?,
            offer,
            limits,
            api: Api::new(ID, settings.http.clone(), vec![secret.clone()]),
            strangers: Api::new(ID, settings.http.public_only(), vec![secret.clone()]),
            clock: settings.clock.clone(),
        })
    }
}

#[async_trait]
impl Channel for Bridge {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        self.limits
    }

    /// A bridge answers an order whose key it knows as it did before, see the README.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::ResendWithKey
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        if request.method != Method::POST {
            return Err(Rejected::Method);
        }
        bridge::verify(request, &self.keys)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(verified, &self.account)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.say(part).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.change(message_id, part).await
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        if self.offer.typing { self.show_typing(to).await } else { Ok(()) }
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.upload(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.put_emoji(to, message_id, emoji).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.download(&media.reference, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(setup::steps(url, &self.url))
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_about().await
    }
}
