//! The event bus inside the process.

use async_trait::async_trait;
use chela_core::event::{EventBus, EventBusError, LifecycleEvent};
use tokio::sync::broadcast;

/// Events a slow listener may be behind before it misses the oldest.
const BEHIND: usize = 256;

/// The largest event, as on EventBridge, so that what works here works there.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const EVENT_BYTES: usize = 1024 * 1024;

/// [`EventBus`] to listeners in this process. Without listeners an event is gone.
#[derive(Debug)]
pub struct LocalEvents {
    sender: broadcast::Sender<LifecycleEvent>,
}

impl LocalEvents {
    /// A bus nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(BEHIND) }
    }

    /// Everything published from now on. A listener that is far behind misses events and is told how many.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<LifecycleEvent> {
        self.sender.subscribe()
    }
}

impl Default for LocalEvents {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventBus for LocalEvents {
    async fn publish(&self, event: &LifecycleEvent) -> Result<(), EventBusError> {
        let bytes = serde_json::to_vec(event).map_err(|error| EventBusError(error.to_string()))?.len();
        if bytes > EVENT_BYTES {
            let name = event.name.as_str();
            return Err(EventBusError(format!("{name} has {bytes} bytes, at most {EVENT_BYTES} are taken")));
        }
        // An error means that nobody listens, which is fine.
        let _ = self.sender.send(event.clone());
        Ok(())
    }
}
