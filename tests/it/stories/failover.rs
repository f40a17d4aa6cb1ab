//! Failover: who is out of reach is left in peace, somebody else answers, and when nobody can, the message waits.

use serde_json::json;

use super::house::Plan;
use super::provider::{Speaks, asks_to_wait, refuses, says};

fn two_providers() -> Plan {
    Plan::new()
        .provider("first", Speaks::Anthropic)
        .provider("second", Speaks::OpenAiChat)
        .with(json!({"agents": {"defaults": {"model": {"primary": "first/m", "fallbacks": ["second/m"]}}}}))
}

#[tokio::test]
async fn who_asks_for_patience_is_left_in_peace_and_another_goes_on() {
    let house = two_providers().open().await;
    let (first, second) = (house.provider("first"), house.provider("second"));
    first.will([asks_to_wait(60)]);
    second.will([says("From the second."), says("From the second again.")]);
    let ada = house.ada();
    assert_eq!(ada.asks("Are you there?").await, "From the second.");
    assert_eq!(ada.asks("And now?").await, "From the second again.");
    assert_eq!((first.asked().len(), second.asked().len()), (1, 2), "who asked for patience is left in peace");
    // The other knows everything that was said, although another model said it.
    let told = second.last().told();
    assert!(told.contains("Are you there?") && told.contains("From the second."), "{told}");
}

#[tokio::test]
async fn a_refused_key_gives_way_to_the_next_and_the_conversation_stays_with_it() {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).with(json!({"auth": {
        "profiles": {
            "claude:old": {"provider": "claude", "apiKey": "key-that-was-revoked"},
            "claude:new": {"provider": "claude", "apiKey": "key-that-works"},
        },
        "order": {"claude": ["claude:old", "claude:new"]},
    }}));
    let house = plan.open().await;
    let claude = house.provider("claude");
    let invalid = json!({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}});
    claude.otherwise(move |asked| match asked.header("x-api-key") {
        "key-that-works" => says("With the new key."),
        _ => refuses(401, &[], &invalid),
    });
    let ada = house.ada();
    for question in ["One?", "Two?"] {
        assert_eq!(ada.asks(question).await, "With the new key.");
    }
    // Another conversation knows as well that the old one is refused.
    assert_eq!(house.bob().asks("Three?").await, "With the new key.");
    let keys: Vec<String> = claude.asked().iter().map(|asked| asked.header("x-api-key").to_owned()).collect();
    assert_eq!(keys, ["key-that-was-revoked", "key-that-works", "key-that-works", "key-that-works"]);
}

#[tokio::test]
async fn a_message_waits_without_being_lost_until_somebody_may_be_asked_again() {
    let house = two_providers().open().await;
    let (first, second) = (house.provider("first"), house.provider("second"));
    first.will([asks_to_wait(60)]);
    // Longer than a turn waits where it stands, so that it is parked.
    second.will([asks_to_wait(7), says("At last.")]);
    let (ada, began) = (house.ada(), std::time::Instant::now());
    ada.writes("Is anybody there?").await;
    second.was_asked(1).await;
    // Meanwhile the turn holds nothing that others need.
    assert!(house.bob().asks("/status").await.contains("Conversation"));
    assert_eq!(ada.sees(1).await[0].text, "At last.");
    assert!(began.elapsed().as_secs() >= 6, "{:?}", began.elapsed());
    assert_eq!((first.asked().len(), second.asked().len()), (1, 2), "nobody was asked while all rested");
    assert!(second.last().told().contains("Is anybody there?"));
    let log = std::fs::read_to_string(house.folder.path().join("log.json")).unwrap();
    assert!(log.contains("the turn will be repeated"), "it gave its slice back: {log}");
}
