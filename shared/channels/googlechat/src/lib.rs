#![doc = include_str!("../README.md")]

mod event;
mod files;
mod inbound;
mod markup;
mod outbound;
mod resource;
mod service_account;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::jwt::{AccessTokens, PUBLIC_KEYS, PublishedKeys};
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features, OptionSpec, SecretSpec};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};

use crate::inbound::Reader;
use crate::service_account::ServiceAccount;
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;
use crate::verify::Proof;

/// The channel's name.
pub const ID: &str = "googlechat";

/// Where the Chat API is.
const API: &str = "https://chat.googleapis.com";

/// Where a service account's own token is exchanged for an access token.
const TOKEN_SERVER: &str = "https://oauth2.googleapis.com";

/// Who we are.
const AUDIENCE: SecretSpec = SecretSpec {
    key: "audience",
    env: "GOOGLE_CHAT_AUDIENCE",
    doc: "Whom Google's tokens are for, as chosen under Google Cloud console, Google Chat API, Configuration, Authentication audience: the webhook's URL letter by letter, or the project number. It is no secret.",
    required: true,
};

/// Authorises what we send.
const SERVICE_ACCOUNT: SecretSpec = SecretSpec {
    key: "serviceAccount",
    env: "GOOGLE_CHAT_SERVICE_ACCOUNT",
    doc: "The JSON key of a service account of the app's project: Google Cloud console, IAM & Admin, Service Accounts, Keys, Add key.",
    required: true,
};

const AUDIENCE_TYPE: OptionSpec =
    OptionSpec { key: "audienceType", doc: "What `audience` is: app-url (default) or project-number." };

const APP_PRINCIPAL: OptionSpec = OptionSpec {
    key: "appPrincipal",
    doc: "For apps that are Google Workspace add-ons: the service account that posts for this add-on, as its e-mail address or its numeric id.",
};

const BOT_USER: OptionSpec = OptionSpec {
    key: "botUser",
    doc: "The app's own user, users/…: left out, a mention of any app in a message that we get is taken for ours.",
};

const QUICK_COMMANDS: OptionSpec = OptionSpec {
    key: "quickCommands",
    doc: "What the app's quick commands mean, by their ids: { \"7\": \"/status\" }.",
};

/// A message may have 32,000 bytes with everything in it: <https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create>.
/// Parts stay below 4096 characters, once the limit of the text. A space takes about one write a second:
/// <https://developers.google.com/workspace/chat/limits>. Apps cannot show that they type.
const LIMITS: Limits = Limits { text: 3_900, edit_every: Some(Duration::from_secs(2)), typing_for: None, choices: 10 };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Google Chat",
    secrets: &[AUDIENCE, SERVICE_ACCOUNT],
    options: &[API_BASE_URL, AUDIENCE_TYPE, APP_PRINCIPAL, BOT_USER, QUICK_COMMANDS, PUBLIC_KEYS],
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: true, reactions: false },
    make: |settings| Ok(Arc::new(GoogleChat::new(settings)?)),
};

/// One Chat app.
struct GoogleChat {
    account: String,
    proof: Proof,
    keys: PublishedKeys,
    reader: Reader,
    api_url: String,
    token_url: String,
    service_account: ServiceAccount,
    tokens: AccessTokens,
    clock: Arc<dyn Clock>,
    api: Api,
}

impl GoogleChat {
    fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let (audience, key) = (settings.secret(&AUDIENCE)?, settings.secret(&SERVICE_ACCOUNT)?);
        let api = Api::new(ID, settings.http.clone(), vec![audience.clone(), key.clone()]);
        let proof = Proof::new(settings, audience)?;
        Ok(Self {
            account: settings.account.clone(),
            keys: PublishedKeys::new(settings, api.clone(), proof.key_source(settings)?)?,
            proof,
            reader: Reader::new(settings)?,
            api_url: settings.base_url(API)?,
            token_url: format!("{}/token", settings.base_url(TOKEN_SERVER)?),
            service_account: ServiceAccount::read(key)?,
            tokens: AccessTokens::new(settings.clock.clone()),
            clock: settings.clock.clone(),
            api,
        })
    }
}

#[async_trait]
impl Channel for GoogleChat {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    /// Google gives back the message that a request with the same id has made.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::ResendWithKey
    }

    async fn fetch_keys(&self, request: &RawRequest) -> Result<(), SendError> {
        self.keys.fetch(request).await
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        self.proof.verify(request, &self.keys)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        self.reader.parse(&verified.request().body)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.create(part, None).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.patch(message_id, part).await
    }

    /// Apps have no such sign.
    async fn typing(&self, _to: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.create_with_file(file, part).await
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

    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(Registration::Manual { steps: setup::steps(url, menu) })
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
