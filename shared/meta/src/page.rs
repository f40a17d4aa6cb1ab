//! Messenger and Instagram: one account of either. Their events have one shape and their Send API is one, with small
//! differences that [`Traits`] names.

mod event;
mod inbound;
mod outbound;
mod setup;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, SecretSpec};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, RawRequest, Receipt, Registration,
    Rejected, SendError, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};
use serde_json::Value;

pub use self::inbound::event_received;
pub use self::outbound::MOST_CHOICES;
use crate::graph::Graph;
use crate::options::{APP_ID, ReplyToMode, object_id};
use crate::subscription::App;
use crate::webhook::{Webhook, handshake};

/// What may be sent to a person who has not written for a day.
/// <https://developers.facebook.com/docs/messenger-platform/send-messages/message-tags>
pub const MESSAGE_TAG: OptionSpec = OptionSpec {
    key: "messageTag",
    doc: "The tag under which a message is sent again that came more than 24 hours after the person's last one; none by \
          default. HUMAN_AGENT is for people who answer, not for bots.",
};

/// In what Messenger and Instagram differ.
pub struct Traits {
    /// The channel's name.
    pub channel: &'static str,
    /// The `object` of its posts.
    pub object: &'static str,
    /// Where its Graph API is.
    pub base_url: &'static str,
    /// The app's secret.
    pub app_secret: SecretSpec,
    /// The word of the handshake.
    pub verify_token: SecretSpec,
    /// Authorises what we send.
    pub access_token: SecretSpec,
    /// The account's own id, as posts name it.
    pub own_id: OptionSpec,
    /// Whether the token's `me` has that id.
    pub own_id_is_me: bool,
    /// What the platform takes, as the contract tells it.
    pub limits: Limits,
    /// Most text of one message, as the platform counts it.
    pub longest: usize,
    /// How that is counted.
    pub measure: fn(&str) -> usize,
    /// Whether each message says what kind it is.
    pub messaging_type: bool,
    /// Whether files are uploaded; else the platform fetches them.
    pub uploads: bool,
    /// The kind of attachment that takes this type of content; `None` if none does.
    pub attachment: fn(content_type: &str) -> Option<&'static str>,
    /// What the webhook is to be told.
    pub fields: &'static [&'static str],
    /// The path and body that set the menu.
    pub menu: fn(&[MenuEntry]) -> (&'static str, Value),
    /// The steps in the dashboard that set the webhook by hand.
    pub steps: fn(url: &str) -> Vec<String>,
}

/// One page of Messenger or one professional account of Instagram.
pub struct Page {
    traits: &'static Traits,
    account: String,
    own_id: Option<String>,
    webhook: Webhook,
    graph: Graph,
    app: Option<App>,
    quotes: ReplyToMode,
    tag: Option<String>,
    clock: Arc<dyn Clock>,
}

impl Page {
    /// Opens an account.
    pub fn new(settings: &AccountSettings, traits: &'static Traits) -> Result<Self, ConfigProblem> {
        let webhook = Webhook::new(settings, &traits.app_secret, &traits.verify_token)?;
        let hidden = [&traits.app_secret, &traits.verify_token];
        let graph = Graph::new(traits.channel, settings, traits.base_url, &traits.access_token, &hidden)?;
        let app = object_id(settings, APP_ID.key)?.map(|id| App { id, secret: webhook.app_secret() });
        Ok(Self {
            traits,
            account: settings.account.clone(),
            own_id: object_id(settings, traits.own_id.key)?,
            webhook,
            graph,
            app,
            // Alone with us, a person sees what an answer belongs to.
            quotes: ReplyToMode::of(settings)?.unwrap_or(ReplyToMode::Off),
            tag: tag(settings)?,
            clock: settings.clock.clone(),
        })
    }
}

#[async_trait]
impl Channel for Page {
    fn id(&self) -> &'static str {
        self.traits.channel
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        self.traits.limits
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        self.webhook.verify(request)
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        let request = verified.request();
        handshake(request).unwrap_or_else(|| self.events(request))
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

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        // Its URL is signed and needs no token.
        self.graph.download(&media.reference, false, most, timeout).await
    }

    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        self.subscribe_and_offer(url, menu).await
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.who_are_we().await
    }
}

/// A tag is a word of capital letters; Meta's list of them changes.
fn tag(settings: &AccountSettings) -> Result<Option<String>, ConfigProblem> {
    let Some(tag) = settings.text(MESSAGE_TAG.key)? else { return Ok(None) };
    if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        return Err(ConfigProblem::option(
            MESSAGE_TAG.key,
            "it is no tag",
            "write it as Meta does: \"ACCOUNT_UPDATE\"",
        ));
    }
    Ok(Some(tag.to_owned()))
}
