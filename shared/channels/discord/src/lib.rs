#![doc = include_str!("../README.md")]

mod dialect;
mod inbound;
mod outbound;
mod place;
mod rest;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{
    AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, ProofKeys, SecretSpec, bridge,
};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, Poll, RawRequest, Receipt,
    Registration, Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};
use ed25519_dalek::VerifyingKey;
use http::HeaderValue;

use crate::inbound::Reader;
use crate::place::Place;
use crate::rest::Rest;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "discord";

/// Where Discord's API is. <https://docs.discord.com/developers/reference#api-reference-base-url>
const API: &str = "https://discord.com/api/v10";

/// Proves what Discord sends. It is no secret, but nothing is let in without it.
const PUBLIC_KEY: SecretSpec = SecretSpec {
    key: "publicKey",
    env: "DISCORD_PUBLIC_KEY",
    doc: "The application's Public Key, at https://discord.com/developers/applications → General Information.",
    required: true,
};

/// Authorises what we send.
const TOKEN: SecretSpec = SecretSpec {
    key: "token",
    env: "DISCORD_BOT_TOKEN",
    doc: "The bot's token, at https://discord.com/developers/applications → Bot → Reset Token.",
    required: true,
};

/// Proves what a bridge sends.
const BRIDGE_SECRET: SecretSpec = SecretSpec {
    key: "bridgeSecret",
    env: "DISCORD_BRIDGE_SECRET",
    doc: "A random word that a bridge signs with (openssl rand -hex 32); without it no bridge is listened to.",
    required: false,
};

const APPLICATION_ID: OptionSpec = OptionSpec {
    key: "applicationId",
    doc: "The application's id, which is also its bot's; read from the token if left out.",
};

/// Most buttons of one message: five rows of five.
/// <https://docs.discord.com/developers/components/reference#action-row>
const MOST_CHOICES: usize = 25;

/// A message takes 2000 characters with all marks and escapes; what escapes may add is left free, see
/// [`dialect::LONGEST`]. Discord names no rate of edits but tells it in every answer; five in five seconds are what it
/// tells in practice. Typing is shown for ten seconds.
/// <https://docs.discord.com/developers/resources/channel#trigger-typing-indicator>
const LIMITS: Limits = Limits {
    text: 1_900,
    edit_every: Some(Duration::from_millis(1_200)),
    typing_for: Some(Duration::from_secs(10)),
    choices: MOST_CHOICES,
};

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Discord",
    secrets: &[PUBLIC_KEY, TOKEN, BRIDGE_SECRET],
    options: &[API_BASE_URL, APPLICATION_ID],
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: true, reactions: true },
    make: |settings| Ok(Arc::new(Discord::new(settings)?)),
};

/// One application and its bot.
struct Discord {
    account: String,
    keys: Vec<VerifyingKey>,
    bridge: Option<ProofKeys>,
    /// The bot's user, where the token or the owner tells.
    bot: Option<String>,
    rest: Rest,
    clock: Arc<dyn Clock>,
}

impl Discord {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let public_key = settings.secret(&PUBLIC_KEY)?;
        let token = settings.secret(&TOKEN)?;
        let bridge_secret = settings.optional_secret(&BRIDGE_SECRET);
        let mut authorization = HeaderValue::from_str(&format!("Bot {}", token.expose().trim())).map_err(|_| {
            ConfigProblem::secret(TOKEN.key, "it is not one word", format!("copy it again: {}", TOKEN.doc))
        })?;
        authorization.set_sensitive(true);
        let hidden = [token, public_key].into_iter().chain(bridge_secret).cloned().collect();
        Ok(Self {
            account: settings.account.clone(),
            keys: verify::public_keys(public_key)?,
            bridge: bridge_secret
                .map(|secret| ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(&BRIDGE_SECRET, unfit)))
                .transpose()?,
            bot: setup::bot_id(token, settings.text(APPLICATION_ID.key)?)?,
            rest: Rest {
                api: Api::new(ID, settings.http.clone(), hidden),
                base_url: settings.base_url(API)?,
                authorization,
            },
            clock: settings.clock.clone(),
        })
    }
}

#[async_trait]
impl Channel for Discord {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    /// Where the bot can write, Discord knows our key (`enforce_nonce`), and the promised answer of an interaction is
    /// set, not added. Where only the interaction lets us in, further messages have no key.
    fn unconfirmed(&self, to: &ReplyAddress) -> Unconfirmed {
        match Place::read(to) {
            Some(place) if !place.is_guest() => Unconfirmed::ResendWithKey,
            _ => Unconfirmed::Flag,
        }
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(request, &self.keys, self.bridge.as_ref())
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        let reader = Reader { account: &self.account, bot: self.bot.as_deref() };
        if bridge::is_bridged(verified.request()) {
            return reader.bridged(verified);
        }
        reader.posted(&verified.request().body)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.say(part, None).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.change(message_id, part).await
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.show_typing(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.say(part, Some(file)).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.put_reaction(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.take_away(to, message_id).await
    }

    async fn pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        self.put_pin(to, message_id, pinned).await
    }

    async fn poll(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.ask_votes(poll, part).await
    }

    async fn open_thread(&self, to: &ReplyAddress, name: &str, message_id: Option<&str>) -> Result<String, SendError> {
        self.begin_thread(to, name, message_id).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.download(media, most, timeout).await
    }

    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.set_up(url, menu).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
