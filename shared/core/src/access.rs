//! Who may talk to us beyond what configuration says: pairing requests and the owner's approvals.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::session::StoreError;

/// How long a pairing code can be approved, as in OpenClaw.
pub const PAIRING_VALID_MS: u64 = 60 * 60 * 1000;

/// Most pairing requests that wait at once per account, as in OpenClaw: strangers cannot fill the store.
pub const PAIRING_PENDING_MAX: usize = 3;

/// A sender on an account of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderRef {
    /// The channel.
    pub channel: String,
    /// Our account.
    pub account: String,
    /// The sender's immutable id.
    pub sender: String,
}

/// Somebody who asked to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingRequest {
    /// Eight characters the owner types to approve.
    pub code: String,
    /// Who asks.
    pub who: SenderRef,
    /// When.
    pub at: Millis,
}

/// The answer to a pairing request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// A new code: tell the sender.
    New(PairingRequest),
    /// The sender has a code that is still valid: say nothing more.
    Waiting,
    /// Too many wait already: say nothing.
    Full,
}

/// Keeps approvals and requests.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Whether the owner has approved this sender.
    async fn approved(&self, who: &SenderRef) -> Result<bool, StoreError>;

    /// Files a request under `code` unless this sender has one that is still valid at `now`.
    async fn request_pairing(&self, who: &SenderRef, code: &str, now: Millis) -> Result<Pairing, StoreError>;

    /// Requests that can still be approved on this account.
    async fn pending(&self, channel: &str, account: &str, now: Millis) -> Result<Vec<PairingRequest>, StoreError>;

    /// Approves by code: the sender, or `None` if no valid request on this channel and account has the code. Approving
    /// twice answers `None` the second time.
    async fn approve(
        &self,
        channel: &str,
        account: &str,
        code: &str,
        now: Millis,
    ) -> Result<Option<SenderRef>, StoreError>;
}
