//! Spend: reserved before each call, stopped hard at the limit, halted by the owner, and counted for turns nobody asked for.

use serde_json::{Value, json};

use super::house::{ADA, House, Plan, model};
use super::provider::{Speaks, says};

/// A thousandth of a dollar for a token of an answer, a thousand tokens at most: a call costs a dollar or less, and
/// nothing for what it reads.
fn plan(limits: Value) -> Plan {
    Plan::new().provider("claude", Speaks::Anthropic).with(json!({
        "models": {"providers": {"claude": {"models": model(200_000, 1_000, [0.0, 0.0, 1_000.0])}}},
        "spend": {"limits": limits},
    }))
}

/// What `chela usage --json` says of today, by scope: billionths spent, reserved, and calls.
async fn usage(house: &House, kind: &str) -> (u64, u64, u64) {
    let told: Value = serde_json::from_str(&house.does(&["usage", "--json"]).await).unwrap();
    let scopes = told["days"][0]["scopes"].as_array().unwrap();
    let of = scopes.iter().find(|of| of.to_string().contains(kind)).unwrap_or_else(|| panic!("{kind} in {told}"));
    let amount = |key: &str| of[key].as_u64().unwrap_or_else(|| panic!("{key} in {of}"));
    (amount("spent"), amount("reserved"), amount("calls"))
}

#[tokio::test]
async fn at_the_limit_nobody_is_asked_and_everybody_is_told() {
    let house = plan(json!({"perDay": 1.5})).open().await;
    let claude = house.provider("claude");
    claude.will([says("Sixty cents.").counting(10, 0, 600), says("Never asked for.")]);
    let (ada, bob) = (house.ada(), house.bob());
    assert_eq!(ada.asks("What do you cost?").await, "Sixty cents.");
    // Another answer may cost a dollar, and ninety cents are left.
    let told = ada.asks("And now?").await;
    assert!(told.contains("$1.50") && told.contains("$0.6000") && told.contains("spend.limits"), "{told}");
    let told = bob.asks("And I?").await;
    assert!(told.contains("my limit for today") && !told.contains('$'), "a guest is told no amounts: {told}");
    assert_eq!(claude.asked().len(), 1);
    assert_eq!(usage(&house, "all").await, (600_000_000, 0, 1), "what was reserved is given back");
}

#[tokio::test]
async fn q01_a_person_has_a_limit_of_their_own() {
    let house = plan(json!({"users": {"telegram:8": 0.5}})).open().await;
    house.provider("claude").will([says("For the owner.").counting(10, 0, 400)]);
    assert!(house.bob().asks("Hello?").await.contains("my limit for today"));
    assert_eq!(house.ada().asks("Hello?").await, "For the owner.");
    assert_eq!(usage(&house, "telegram:7").await, (400_000_000, 0, 1));
    let csv = house.does(&["usage", "--csv", "--by", "user"]).await;
    assert!(csv.contains(",user,telegram:7,0.400000000,"), "{csv}");
}

#[tokio::test]
async fn q10_the_owner_halts_all_spending_and_lets_it_go_on() {
    let house = plan(json!({"perDay": 100})).open().await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.will([says("One."), says("Two.")]);
    assert_eq!(ada.asks("One?").await, "One.");
    assert!(house.does(&["usage", "halt"]).await.contains("halted"));
    let told = ada.asks("Two?").await;
    assert!(told.contains("All spending is halted") && told.contains("chela usage resume"), "{told}");
    let told = house.bob().asks("Two?").await;
    assert!(told.contains("switched off") && !told.contains("chela usage"), "{told}");
    assert!(ada.asks("/status").await.contains("Model"), "commands cost nothing");
    assert_eq!(claude.asked().len(), 1);
    assert!(house.does(&["usage", "resume"]).await.contains("resumed"));
    assert_eq!(ada.asks("And now?").await, "Two.");
}

/// Nobody reads `HEARTBEAT_OK`, but somebody pays for it.
#[tokio::test]
async fn a_turn_that_nobody_asked_for_and_that_ends_silently_counts() {
    let soon = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(2)).unwrap();
    let at = soon.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string();
    let job = json!({"name": "morning", "expression": at, "prompt": "Is there anything to say?",
        "deliverTo": {"channel": "telegram", "to": ADA.to_string()}});
    let house = plan(json!({"perAgentPerDay": 5})).with(json!({"cron": {"jobs": [job]}})).open().await;
    house.provider("claude").will([says("HEARTBEAT_OK").counting(10, 0, 300), says("Yes.").counting(10, 0, 200)]);
    let asked = house.provider("claude").was_asked(1).await;
    assert!(asked[0].told().contains("Is there anything to say?"), "{}", asked[0].told());
    assert_eq!(house.ada().asks("Are you there?").await, "Yes.", "the heartbeat was not heard");
    assert_eq!(usage(&house, "main").await, (500_000_000, 0, 2), "both are counted for the agent");
    assert_eq!(usage(&house, "none").await, (300_000_000, 0, 1), "a schedule comes through no channel");
}
