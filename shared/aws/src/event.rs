//! Lifecycle events on an EventBridge bus: source `chela`, detail type the event's name.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use chela_core::event::{EventBus, EventBusError, LifecycleEvent};

use crate::client::{AwsClients, Lazy, reason};
use crate::environment::{AwsEnvironment, MissingVariable};

/// What rules match on.
const SOURCE: &str = "chela";

/// Largest entry of a request: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const ENTRY_BYTES: usize = 1024 * 1024;

/// An EventBridge bus.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Lazy<Client>,
    name: String,
}

impl Bus {
    /// Needs `CHELA_BUS`. Does no I/O.
    pub fn new(clients: &AwsClients, environment: &AwsEnvironment) -> Result<Self, MissingVariable> {
        Ok(Self { client: clients.lazily(Client::new), name: environment.bus()?.to_owned() })
    }
}

#[async_trait]
impl EventBus for Bus {
    async fn publish(&self, event: &LifecycleEvent) -> Result<(), EventBusError> {
        let detail = serde_json::to_string(&event.detail).map_err(|error| EventBusError(error.to_string()))?;
        if detail.len() >= ENTRY_BYTES {
            let bytes = detail.len();
            return Err(EventBusError(format!("an event of {bytes} bytes is not under the limit of {ENTRY_BYTES}")));
        }
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.name.as_str())
            .detail(detail)
            .time(DateTime::from_millis(i64::try_from(event.at.0).unwrap_or(i64::MAX)))
            .build();
        let answer =
            self.client.put_events().entries(entry).send().await.map_err(|error| EventBusError(reason(&error)))?;
        // The request succeeds even if the bus took none of its entries.
        match answer.entries().iter().find_map(|entry| entry.error_code().map(|code| (code, entry.error_message()))) {
            Some((code, message)) => Err(EventBusError(format!("{code}: {}", message.unwrap_or("no message")))),
            None if answer.failed_entry_count() > 0 => Err(EventBusError("the bus did not take the event".to_owned())),
            None => Ok(()),
        }
    }
}
