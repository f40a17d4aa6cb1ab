//! Several agents that answer one message one after the other.

use chela_agent::Slice;
use chela_core::clock::Clock;
use chela_core::queue::{Delivery, Lane, Queue};
use serde_json::{Value, json};

use crate::commands::{House, rooms};

const TEN_MINUTES_MS: u64 = 10 * 60 * 1000;

fn choir(strategy: &str) -> Value {
    json!({
        "agents": {"entries": {"main": {"default": true}, "fox": {}}},
        "broadcast": {"strategy": strategy, "7": ["main", "fox"]},
    })
}

/// What the two agents are to answer, the fox's first: lines of different conversations have no order.
async fn posted(house: &House) -> [Delivery; 2] {
    assert!(house.says(7, 7, "hello").await);
    let mut deliveries = house.store.queue.receive(Lane::Live, 10, 600).await.unwrap();
    deliveries.sort_by_key(|delivery| !delivery.body.contains("agent:fox"));
    deliveries.try_into().unwrap()
}

async fn turns(house: &House, delivery: &Delivery) -> (u32, Vec<String>) {
    let slice = Slice { deadline: house.clock.now().plus(150_000) };
    let batch = house.answerer.answer(vec![delivery.clone()], slice).await;
    if batch.turns == 1 {
        // As whoever received it does: the next of its line is received after that.
        house.store.queue.delete(Lane::Live, &delivery.receipt).await.unwrap();
    }
    (batch.turns, batch.notes)
}

#[tokio::test]
async fn each_waits_for_the_one_before_and_not_for_ever() {
    let house = House::open(rooms(), choir("sequential")).await;
    let [fox, main] = posted(&house).await;
    let (done, notes) = turns(&house, &fox).await;
    assert_eq!((done, notes), (0, vec!["agent \"main\" answers first (broadcast.strategy)".to_owned()]));
    assert_eq!(turns(&house, &main).await, (1, vec![]));
    assert_eq!(turns(&house, &fox).await, (1, vec![]));

    let [fox, _] = posted(&house).await;
    house.clock.advance(TEN_MINUTES_MS - 1);
    assert_eq!(turns(&house, &fox).await.0, 0);
    house.clock.advance(1);
    assert_eq!(turns(&house, &fox).await, (1, vec![]), "the first may never answer");
}

#[tokio::test]
async fn side_by_side_nobody_waits() {
    let house = House::open(rooms(), choir("parallel")).await;
    let [fox, _] = posted(&house).await;
    assert_eq!(turns(&house, &fox).await, (1, vec![]));
}
