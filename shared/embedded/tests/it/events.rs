use chela_core::event::{EventBus, EventName, LifecycleEvent};
use chela_embedded::LocalEvents;
use chela_testkit::laws::NOW;
use serde_json::Map;

fn event(name: EventName) -> LifecycleEvent {
    LifecycleEvent { name, at: NOW, detail: Map::new() }
}

#[tokio::test]
async fn every_listener_hears_what_is_published_after_it_came() {
    let bus = LocalEvents::new();
    let mut first = bus.subscribe();
    bus.publish(&event(EventName::TurnFinished)).await.unwrap();
    let mut second = bus.subscribe();
    bus.publish(&event(EventName::TurnFailed)).await.unwrap();
    assert_eq!(first.recv().await.unwrap(), event(EventName::TurnFinished));
    assert_eq!(first.recv().await.unwrap(), event(EventName::TurnFailed));
    assert_eq!(second.recv().await.unwrap(), event(EventName::TurnFailed));
}

#[tokio::test]
async fn a_listener_that_does_not_listen_holds_up_nobody() {
    let bus = LocalEvents::new();
    let mut slow = bus.subscribe();
    for _ in 0..1000 {
        bus.publish(&event(EventName::TurnFinished)).await.unwrap();
    }
    let missed = slow.recv().await.unwrap_err();
    assert_eq!(missed, tokio::sync::broadcast::error::RecvError::Lagged(1000 - 256));
}
