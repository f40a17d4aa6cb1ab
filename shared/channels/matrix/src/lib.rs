#![doc = include_str!("../README.md")]

mod attend;
mod client;
mod content;
mod event;
mod html;
mod inbound;
mod media;
mod outbound;
mod rooms;
mod settings;
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
mod standing;
mod text;
mod verify;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use chela_channel_kit::{AccountSettings, Api, ChannelDescriptor, ConfigProblem, Features};
use chela_core::channel::{
    Channel, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, Poll, RawRequest, Receipt,
    Registration, Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::clock::Clock;
use chela_core::message::{Media, ReplyAddress};

use crate::rooms::Rooms;
use crate::settings::{
    APPSERVICE_ID, AS_TOKEN, AUTO_JOIN, AUTO_JOIN_ALLOWLIST, DEVICE_ID, DIRECT_ROOMS, HOMESERVER, HS_TOKEN,
    MAX_AGE_HOURS, Settings, USER_ID,
};
#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "matrix";

/// How often typing is signalled. Nothing takes the signal back when the answer is there, so it is short.
const TYPING_FOR: Duration = Duration::from_secs(8);

/// A text is sent twice, as it is and as HTML, in an event of 65,536 bytes; one whose HTML would not fit goes without.
/// Every edit is an event that stays in the room for ever, so there are few.
const LIMITS: Limits =
    Limits { text: 8_000, edit_every: Some(Duration::from_secs(2)), typing_for: Some(TYPING_FOR), choices: 0 };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Matrix",
    secrets: &[AS_TOKEN, HS_TOKEN],
    options: &[
        HOMESERVER,
        USER_ID,
        APPSERVICE_ID,
        AUTO_JOIN,
        AUTO_JOIN_ALLOWLIST,
        DIRECT_ROOMS,
        MAX_AGE_HOURS,
        DEVICE_ID,
    ],
    urls: &[HOMESERVER.key],
    limits: LIMITS,
    features: Features { groups: true, threads: true, media: true, uploads: true, buttons: false, reactions: true },
    make: |settings| Ok(Arc::new(Matrix::new(settings)?)),
};

/// One application service.
struct Matrix {
    settings: Settings,
    api: Api,
    clock: Arc<dyn Clock>,
    rooms: Rooms,
    /// The homeserver does not let us make a device.
    deviceless: AtomicBool,
}

impl Matrix {
    fn new(account: &AccountSettings) -> Result<Self, ConfigProblem> {
        let settings = Settings::read(account)?;
        let hidden = vec![account.secret(&AS_TOKEN)?.clone(), account.secret(&HS_TOKEN)?.clone()];
        Ok(Self {
            settings,
            api: Api::new(ID, account.http.clone(), hidden),
            clock: account.clock.clone(),
            rooms: Rooms::default(),
            deviceless: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Channel for Matrix {
    fn id(&self) -> &'static str {
        ID
    }

    fn account(&self) -> &str {
        &self.settings.account
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        LIMITS
    }

    /// The key is the transaction id of what we send.
    /// <https://spec.matrix.org/v1.16/client-server-api/#transaction-identifiers>
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::ResendWithKey
    }

    fn has_paths(&self) -> bool {
        true
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        verify::verify(request, &self.settings.keys)
    }

    async fn attend(&self, verified: &Verified) -> Result<(), SendError> {
        self.attend_to(verified.request()).await
    }

    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected> {
        inbound::parse(verified.request(), self)
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_text(part).await
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.replace_text(message_id, part).await
    }

    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        self.show_typing(to).await
    }

    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.send_file(file, part).await
    }

    async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.annotate(to, message_id, emoji).await
    }

    async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.redact(to, message_id).await
    }

    async fn pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        self.set_pinned(to, message_id, pinned).await
    }

    async fn poll(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.ask_for_votes(poll, part).await
    }

    async fn open_thread(&self, to: &ReplyAddress, name: &str, message_id: Option<&str>) -> Result<String, SendError> {
        self.begin_thread(to, name, message_id).await
    }

    async fn fetch(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        self.download(media, most, timeout).await
    }

    async fn register(&self, url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(self.registration(url))
    }

    async fn health(&self) -> Result<Health, SendError> {
        self.ask_health().await
    }
}
