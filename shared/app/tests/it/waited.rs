//! Messages that waited in the queue while the configuration changed.

use chela_agent::Slice;
use chela_core::clock::Clock;
use chela_core::queue::{Delivery, Envelope, Lane, Queue};
use chela_core::session::{Accepted, SessionStore};
use serde_json::{Value, json};

use crate::commands::{House, IN_ROOM, ROOM};
use crate::house::configure;

/// Changes the configuration, and lets it be read.
async fn change(house: &House, change: impl FnOnce(&mut Value)) {
    use chela_core::blob::BlobStore;
    let file = house.store.blobs.get("config/chela.json5").await.unwrap().unwrap();
    let mut config: Value = serde_json::from_slice(&file.bytes).unwrap();
    change(&mut config);
    configure(&house.store, &config).await;
    house.clock.advance(60_000);
}

async fn telegram(house: &House, key: &str, value: Value) {
    change(house, |config| config["channels"]["telegram"][key] = value).await;
}

async fn waiting(house: &House) -> Vec<Delivery> {
    house.store.queue.receive(Lane::Live, 10, 600).await.unwrap()
}

/// How many turns come of these, and what is sent in them. Whatever came of them, they are done with.
async fn answered(house: &House, deliveries: Vec<Delivery>) -> (u32, Vec<String>) {
    assert!(!deliveries.is_empty());
    house.sent();
    let slice = Slice { deadline: house.clock.now().plus(150_000) };
    let batch = house.answerer.answer(deliveries.clone(), slice).await;
    assert!(batch.failed.is_empty(), "{batch:?}");
    for delivery in &deliveries {
        house.store.queue.delete(Lane::Live, &delivery.receipt).await.unwrap();
    }
    (batch.turns, house.sent())
}

#[tokio::test]
async fn whoever_was_removed_while_a_message_waited_is_not_answered() {
    let direct = json!({"dmPolicy": "allowlist", "allowFrom": ["7", "8"]});
    let room = json!({"groupPolicy": "allowlist", "groupAllowFrom": ["7", "8"], "requireMention": false, "groups": {"-100": {}}});
    for (config, chat, key, value) in [
        (&direct, 7, "allowFrom", json!(["8"])),
        (&direct, 7, "dmPolicy", json!("disabled")),
        (&direct, 7, "enabled", json!(false)),
        (&room, ROOM, "groupAllowFrom", json!(["8"])),
        (&room, ROOM, "groupPolicy", json!("disabled")),
        (&room, ROOM, "groups", json!({"-100": {"enabled": false}})),
    ] {
        let house = House::open(config.clone(), json!({})).await;
        assert!(house.says(7, chat, "hello").await);
        assert_eq!(answered(&house, waiting(&house).await).await.0, 1, "the control: {key}");
        assert!(house.says(7, chat, "hello").await);
        telegram(&house, key, value).await;
        assert_eq!(answered(&house, waiting(&house).await).await, (0, vec![]), "{key}");
    }
    let house = House::open(direct, json!({})).await;
    assert!(house.says(7, 7, "hello").await);
    change(&house, |config| drop(config["channels"].as_object_mut().unwrap().remove("telegram"))).await;
    assert_eq!(answered(&house, waiting(&house).await).await, (0, vec![]), "there is no such account any more");
}

#[tokio::test]
async fn whoever_was_the_owner_when_a_message_came_is_its_owner_only_while_that_is_so() {
    let open = json!({"dmPolicy": "open", "allowFrom": ["*", "7"]});
    let house = House::open(open.clone(), json!({})).await;
    for (owners, refused) in [(json!(["*", "7"]), false), (json!(["*"]), true)] {
        assert!(house.says(7, 7, "/model").await);
        telegram(&house, "allowFrom", owners.clone()).await;
        let (turns, sent) = answered(&house, waiting(&house).await).await;
        assert_eq!((turns, sent.concat().contains("is for my owner")), (1, refused), "{owners}: {sent:?}");
    }
    assert!(house.says(7, 7, "/model").await, "as a guest");
    telegram(&house, "allowFrom", json!(["*", "7"])).await;
    let (_, sent) = answered(&house, waiting(&house).await).await;
    assert!(sent.concat().contains("is for my owner"), "nobody gains by waiting: {sent:?}");
    assert!(house.says(7, 7, "/model").await);
    change(&house, |config| config["commands"]["ownerAllowFrom"] = json!(["telegram:1"])).await;
    let (_, sent) = answered(&house, waiting(&house).await).await;
    assert!(sent.concat().contains("is for my owner"), "others were named as owners: {sent:?}");
}

#[tokio::test]
async fn whoever_is_a_stranger_by_now_is_treated_as_one() {
    let house = House::open(json!({"allowFrom": ["7"]}), json!({})).await;
    assert!(house.says(7, 7, "hello").await);
    telegram(&house, "allowFrom", json!([])).await;
    let (_, sent) = answered(&house, waiting(&house).await).await;
    assert!(sent.concat().contains("pairing code"), "{sent:?}");
}

#[tokio::test]
async fn whoever_was_removed_is_not_heard_in_the_turn_of_another() {
    let heard = json!({"groupPolicy": "allowlist", "groupAllowFrom": ["7", "8"], "requireMention": false, "groups": {"-100": {}}});
    let house = House::open(heard, json!({})).await;
    assert!(house.says(7, ROOM, "one").await && house.says(8, ROOM, "the words of eight").await);
    telegram(&house, "groupAllowFrom", json!(["7"])).await;
    assert_eq!(answered(&house, waiting(&house).await).await.0, 1);
    let key = chela_core::session_key::SessionKey::from_stored(IN_ROOM);
    let history = house.store.sessions.history(&key, 0, 100).await.unwrap();
    assert!(!history.is_empty() && !format!("{history:?}").contains("the words of eight"));
}

#[tokio::test]
async fn a_turn_that_was_begun_goes_on_when_its_sender_is_gone() {
    for (turn, turns) in [(1, 1), (0, 0)] {
        let house = House::open(json!({"dmPolicy": "allowlist", "allowFrom": ["7"]}), json!({})).await;
        assert!(house.says(7, 7, "hello").await);
        let deliveries = waiting(&house).await;
        let Envelope { event, session, task, accepted_at: at, .. } = serde_json::from_str(&deliveries[0].body).unwrap();
        house.store.sessions.accept(&session, &Accepted { event, turn, at, task: Some(task) }).await.unwrap();
        telegram(&house, "allowFrom", json!([])).await;
        assert_eq!(answered(&house, deliveries).await.0, turns, "0 is no turn: the event was put aside");
    }
}

#[tokio::test]
async fn what_was_let_in_by_a_wish_or_by_the_key_of_the_api_is_answered_later() {
    let rooms = json!({"groupPolicy": "open", "allowFrom": ["7"]});
    let house = House::open(rooms, json!({})).await;
    house.wish(IN_ROOM, Some(true), None).await;
    assert!(house.says(8, ROOM, "hello all").await);
    house.wish(IN_ROOM, None, None).await;
    assert_eq!(answered(&house, waiting(&house).await).await.0, 1);
    assert!(house.says(7, 7, "hello").await);
    let mut ours = waiting(&house).await;
    ours[0].body = ours[0].body.replace("\"channel\":\"telegram\"", "\"channel\":\"api\"");
    assert_eq!(answered(&house, ours).await.0, 1);
}
