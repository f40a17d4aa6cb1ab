//! What is settled is settled once.

use std::collections::BTreeMap;

use chela_core::model::Usage;
use chela_core::spend::{Day, Reservation, Reserved, Scope, Settlement, SpendStore, Spending};
use chela_testkit::laws::NOW;

use crate::support::World;

fn settlement(name: &str, amount: u64, spent: u64) -> Settlement {
    let scopes = BTreeMap::from([(Scope::All, Some(100)), (Scope::User("telegram:7".into()), None)]);
    let day = Day { tenant: "default".into(), date: "2026-11-21".into() };
    let usage = Usage { input: 3, ..Usage::default() };
    Settlement { reservation: Reservation { name: name.into(), day, scopes, amount, at: NOW }, spent, usage }
}

#[tokio::test]
async fn a_settlement_tells_what_is_spent_for_good_and_only_once() {
    let world = World::new();
    let spend = &world.get().sessions;
    let (a, b) = (settlement("a", 40, 10), settlement("b", 50, 20));
    for wish in [&a, &b] {
        assert!(matches!(spend.reserve(&wish.reservation).await.unwrap(), Reserved::Granted(_)));
    }
    let user = || Scope::User("telegram:7".into());
    assert_eq!(spend.settle(&b).await.unwrap(), BTreeMap::from([(Scope::All, 20), (user(), 20)]));
    assert_eq!(spend.settle(&a).await.unwrap(), BTreeMap::from([(Scope::All, 30), (user(), 30)]));
    assert_eq!(spend.settle(&a).await.unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn what_is_counted_without_a_reservation_is_there_for_later_limits() {
    let world = World::new();
    let spend = &world.get().sessions;
    let counted = settlement("a", 40, 60);
    spend.count(&counted).await.unwrap();
    let usage = Usage { input: 3, ..Usage::default() };
    let expected = Spending { spent: 60, reserved: 0, calls: 1, usage };
    let day = &counted.reservation.day;
    assert_eq!(spend.spending(day).await.unwrap().get(&Scope::All), Some(&expected));
    let refused = spend.reserve(&settlement("b", 41, 0).reservation).await.unwrap();
    assert_eq!(refused, Reserved::Refused { scope: Scope::All, taken: 60, limit: 100 });
}
