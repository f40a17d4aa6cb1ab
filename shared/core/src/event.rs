//! Lifecycle events: the plug-in point that needs no code here. Anyone may attach a rule to the bus.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// Something that happened. Never carries a message's text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleEvent {
    /// What happened.
    pub name: EventName,
    /// When.
    pub at: Millis,
    /// Ids and counts, by name.
    pub detail: serde_json::Map<String, serde_json::Value>,
}

/// The kinds of lifecycle events; their names are what rules match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventName {
    /// A turn ended with its replies delivered.
    #[serde(rename = "turn.finished")]
    TurnFinished,
    /// A turn was given up; its sender was told.
    #[serde(rename = "turn.failed")]
    TurnFailed,
    /// A reply's fate is unknown or it was refused for good.
    #[serde(rename = "delivery.flagged")]
    DeliveryFlagged,
    /// An unknown sender was given a pairing code.
    #[serde(rename = "pairing.requested")]
    PairingRequested,
}

impl EventName {
    /// The name as it stands on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TurnFinished => "turn.finished",
            Self::TurnFailed => "turn.failed",
            Self::DeliveryFlagged => "delivery.flagged",
            Self::PairingRequested => "pairing.requested",
        }
    }
}

/// The bus did not take an event. Losing one must never fail a turn.
#[derive(Debug, thiserror::Error)]
#[error("the event bus is unavailable: {0}")]
pub struct EventBusError(pub String);

/// Publishes lifecycle events, at least once.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Publishes one event. Publishing twice delivers twice.
    async fn publish(&self, event: &LifecycleEvent) -> Result<(), EventBusError>;
}
