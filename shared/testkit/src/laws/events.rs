//! Laws of [`EventBus`].

use chela_core::event::{EventBus, EventName, LifecycleEvent};
use futures_util::future::join_all;
use serde_json::json;

use super::NOW;

fn event(name: EventName, note: &str) -> LifecycleEvent {
    let detail = json!({ "turn": 7, "note": note });
    let detail = detail.as_object().cloned().unwrap_or_default();
    LifecycleEvent { name, at: NOW, detail }
}

/// Every kind of event is taken, one after the other and at once, listened to or not.
pub async fn every_event_is_taken(bus: &dyn EventBus) {
    let names =
        [EventName::TurnFinished, EventName::TurnFailed, EventName::DeliveryFlagged, EventName::PairingRequested];
    for name in names {
        bus.publish(&event(name, "aß∂🦀\u{1b}\"\\\n")).await.unwrap();
    }
    let events: Vec<_> = (0..12).map(|n| event(EventName::TurnFinished, &n.to_string())).collect();
    for answer in join_all(events.iter().map(|event| bus.publish(event))).await {
        answer.unwrap();
    }
}

/// An event larger than a bus takes is refused with its size, and the next one is taken.
pub async fn an_oversize_event_is_refused(bus: &dyn EventBus) {
    let error = bus.publish(&event(EventName::TurnFinished, &"x".repeat(2 * 1024 * 1024))).await.unwrap_err();
    assert!(!error.to_string().contains("xxxx"), "the refusal repeats the event");
    bus.publish(&event(EventName::TurnFinished, "small")).await.unwrap();
}

/// Declares one test for each law of events; `$make` is an `async fn() -> Subject<dyn EventBus>`.
#[macro_export]
macro_rules! event_laws {
    ($make:expr) => {
        $crate::law_tests!(events, $make, [every_event_is_taken, an_oversize_event_is_refused,]);
    };
}
