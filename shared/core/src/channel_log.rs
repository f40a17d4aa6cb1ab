//! What happened on each account last, and which parts of replies a platform confirmed after we stopped waiting.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::session::StoreError;

/// Confirmations are kept this long: WhatsApp repeats its webhooks for up to seven days.
/// <https://developers.facebook.com/docs/graph-api/webhooks/getting-started#delivery-frequency>
pub const CONFIRMATION_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Something that happened on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A message was accepted.
    Received,
    /// A part of a reply was confirmed.
    Sent,
    /// A part was not sent, or the platform could not deliver it: why, free of secrets.
    Failed(String),
}

/// The last of each kind on one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The channel.
    pub channel: String,
    /// The account.
    pub account: String,
    /// When a message was last accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Millis>,
    /// When a part was last confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Millis>,
    /// What failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// What failed, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Millis,
    /// Why.
    pub reason: String,
}

/// Keeps both.
#[async_trait]
pub trait ChannelLog: Send + Sync {
    /// Notes what happened; it replaces what of its kind happened before on this account.
    async fn note(&self, channel: &str, account: &str, what: &Happening, at: Millis) -> Result<(), StoreError>;

    /// All accounts on which something happened, by channel and account.
    async fn activities(&self) -> Result<Vec<Activity>, StoreError>;

    /// Keeps, for [`CONFIRMATION_KEPT_MS`], that the platform sent the part with this key. Twice is once.
    async fn confirm(&self, idempotency_key: &str, at: Millis) -> Result<(), StoreError>;

    /// Whether the platform did.
    async fn confirmed(&self, idempotency_key: &str) -> Result<bool, StoreError>;
}
