//! Laws of [`SpendStore`].

use std::collections::BTreeMap;

use chela_core::model::Usage;
use chela_core::spend::{Day, NanoDollars, Reservation, Reserved, Scope, Settlement, SpendStore, Spending};
use futures_util::future::{join, join_all};

use super::NOW;

const USAGE: Usage = Usage { input: 1000, output: 20, cache_read: 300, cache_write: 4 };

fn day(tenant: &str, date: &str) -> Day {
    Day { tenant: tenant.into(), date: date.into() }
}

fn today() -> Day {
    day("default", "2096-10-02")
}

fn user(id: &str) -> Scope {
    Scope::User(id.into())
}

/// A wish for the whole tenant, with a limit or without.
fn wish(name: &str, amount: NanoDollars, limit: Option<NanoDollars>) -> Reservation {
    let scopes = BTreeMap::from([(Scope::All, limit)]);
    Reservation { name: name.into(), day: today(), scopes, amount, at: NOW }
}

fn settlement(reservation: &Reservation, spent: NanoDollars) -> Settlement {
    Settlement { reservation: reservation.clone(), spent, usage: USAGE }
}

fn open(reserved: NanoDollars) -> Spending {
    Spending { reserved, ..Spending::default() }
}

async fn granted(store: &dyn SpendStore, wish: &Reservation) -> NanoDollars {
    match store.reserve(wish).await.unwrap() {
        Reserved::Granted(taken) => taken[&Scope::All],
        other => panic!("{} should be granted: {other:?}", wish.name),
    }
}

/// What is reserved counts in every scope until it is settled, and then what was spent does.
pub async fn a_call_counts_in_each_of_its_scopes(store: &dyn SpendStore) {
    assert_eq!(store.spending(&today()).await.unwrap(), BTreeMap::new());
    let scopes = [Scope::All, Scope::Agent("main".into()), Scope::Channel("telegram".into()), user("telegram:7")];
    let first = Reservation { scopes: scopes.iter().map(|it| (it.clone(), None)).collect(), ..wish("1", 700, None) };
    let taken = |all, mine| {
        let each = scopes.iter().map(|it| (it.clone(), if *it == Scope::All { all } else { mine }));
        Reserved::Granted(each.collect())
    };
    assert_eq!(store.reserve(&first).await.unwrap(), taken(700, 700));
    assert_eq!(granted(store, &wish("2", 50, None)).await, 750);
    let found = store.spending(&today()).await.unwrap();
    assert_eq!(found.get(&Scope::All), Some(&open(750)));
    assert_eq!((found.get(&scopes[3]), found.len()), (Some(&open(700)), 4));

    store.settle(&settlement(&first, 600)).await.unwrap();
    let found = store.spending(&today()).await.unwrap();
    let settled = Spending { spent: 600, reserved: 0, calls: 1, usage: USAGE };
    assert_eq!(found.get(&Scope::All), Some(&Spending { reserved: 50, ..settled.clone() }));
    for scope in &scopes[1..] {
        assert_eq!(found.get(scope), Some(&settled), "{scope:?}");
    }
    let second = Reservation { name: "3".into(), ..first };
    assert_eq!(store.reserve(&second).await.unwrap(), taken(1350, 1300));
    store.settle(&settlement(&second, 1)).await.unwrap();
    let usage = Usage { input: 2000, output: 40, cache_read: 600, cache_write: 8 };
    let twice = Spending { spent: 601, reserved: 0, calls: 2, usage };
    assert_eq!(store.spending(&today()).await.unwrap().get(&scopes[1]), Some(&twice));
}

/// Of two hundred at once exactly as many are granted as fit under the limit together.
pub async fn concurrent_reservations_never_exceed_a_limit_together(store: &dyn SpendStore) {
    let (amount, limit) = (1000, 37_999);
    granted(store, &wish("before", 0, None)).await;
    let wishes: Vec<_> = (0..200).map(|n| wish(&format!("call-{n}"), amount, Some(limit))).collect();
    let answers = join_all(wishes.iter().map(|wish| store.reserve(wish))).await;
    let mut taken = Vec::new();
    for answer in answers {
        match answer.unwrap() {
            Reserved::Granted(now) => taken.push(now[&Scope::All]),
            full => assert_eq!(full, Reserved::Refused { scope: Scope::All, taken: 37_000, limit }),
        }
    }
    taken.sort_unstable();
    assert_eq!(taken, (1..=37).map(|n| n * amount).collect::<Vec<_>>());
    assert_eq!(store.spending(&today()).await.unwrap(), BTreeMap::from([(Scope::All, open(37_000))]));
}

/// Whichever limit would be exceeded, nothing is reserved in any scope.
pub async fn every_limit_counts_and_a_refusal_changes_nothing(store: &dyn SpendStore) {
    let scopes = [Scope::All, Scope::Agent("main".into()), Scope::Channel("slack".into()), user("7")];
    let begun = Reservation { scopes: scopes.iter().map(|it| (it.clone(), None)).collect(), ..wish("0", 60, None) };
    store.reserve(&begun).await.unwrap();
    let before = store.spending(&today()).await.unwrap();
    for tight in &scopes {
        let limits = scopes.iter().map(|it| (it.clone(), Some(if it == tight { 99 } else { 100 })));
        let mut wish = Reservation { name: "1".into(), scopes: limits.collect(), amount: 40, ..begun.clone() };
        wish.scopes.insert(user("new"), Some(100));
        let refused = Reserved::Refused { scope: tight.clone(), taken: 60, limit: 99 };
        assert_eq!(store.reserve(&wish).await.unwrap(), refused);
        assert_eq!(store.spending(&today()).await.unwrap(), before, "{tight:?}");
        store.settle(&settlement(&wish, 1)).await.unwrap();
        assert_eq!(store.spending(&today()).await.unwrap(), before, "there is nothing to settle");
    }
    let exact = Reservation { name: "1".into(), amount: 40, ..begun.clone() };
    let limits = scopes.iter().map(|it| (it.clone(), Some(100))).collect();
    let answer = store.reserve(&Reservation { scopes: limits, ..exact }).await.unwrap();
    assert_eq!(answer, Reserved::Granted(scopes.into_iter().map(|it| (it, 100)).collect()), "a limit may be reached");
}

/// On a day without any spending, too, a wish must fit.
pub async fn the_first_wish_of_a_day_must_fit(store: &dyn SpendStore) {
    let refused = |limit| Reserved::Refused { scope: Scope::All, taken: 0, limit };
    assert_eq!(store.reserve(&wish("1", 100, Some(99))).await.unwrap(), refused(99));
    assert_eq!(store.reserve(&wish("1", 1, Some(0))).await.unwrap(), refused(0));
    assert_eq!(store.spending(&today()).await.unwrap(), BTreeMap::new());
    assert_eq!(granted(store, &wish("free", 0, Some(0))).await, 0);
    assert_eq!(granted(store, &wish("1", 99, Some(99))).await, 99);
    assert_eq!(granted(store, &wish("free-2", 0, Some(99))).await, 99);
}

/// A repetition is granted again and counts once, also at once with the first, at the limit, and under a lower one.
pub async fn the_same_name_counts_once(store: &dyn SpendStore) {
    // So little that the limit would let repetitions pass.
    let once = wish("step-1", 30, Some(100));
    let answers = join_all((0..20).map(|_| store.reserve(&once))).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), Reserved::Granted(BTreeMap::from([(Scope::All, 30)])));
    }
    assert_eq!(granted(store, &wish("step-2", 70, Some(100))).await, 100);
    assert_eq!(granted(store, &once).await, 100, "the limit is reached");
    assert_eq!(granted(store, &wish("step-1", 30, Some(10))).await, 100, "the limit was lowered");
    let other = store.reserve(&wish("step", 70, Some(100))).await.unwrap();
    assert_eq!(other, Reserved::Refused { scope: Scope::All, taken: 100, limit: 100 }, "another name");
    assert_eq!(store.spending(&today()).await.unwrap(), BTreeMap::from([(Scope::All, open(100))]));
}

/// Settling twice counts once, also at once; what was never reserved cannot be settled.
pub async fn a_reservation_is_settled_once(store: &dyn SpendStore) {
    let (first, second) = (wish("1", 70, None), wish("2", 30, None));
    store.settle(&settlement(&first, 5)).await.unwrap();
    assert_eq!(store.spending(&today()).await.unwrap(), BTreeMap::new());
    granted(store, &first).await;
    granted(store, &second).await;
    let settled = settlement(&first, 50);
    for answer in join_all((0..10).map(|_| store.settle(&settled))).await {
        answer.unwrap();
    }
    store.settle(&Settlement { spent: 9, ..settled }).await.unwrap();
    let wanted = Spending { spent: 50, reserved: 30, calls: 1, usage: USAGE };
    assert_eq!(store.spending(&today()).await.unwrap(), BTreeMap::from([(Scope::All, wanted)]));
}

/// What was not spent can be spent by others; what nobody settled stays taken at its worst case.
pub async fn only_what_is_settled_makes_room(store: &dyn SpendStore) {
    let (died, lived) = (wish("died", 60, Some(100)), wish("lived", 40, Some(100)));
    granted(store, &died).await;
    granted(store, &lived).await;
    let next = wish("next", 1, Some(100));
    let refused = Reserved::Refused { scope: Scope::All, taken: 100, limit: 100 };
    assert_eq!(store.reserve(&next).await.unwrap(), refused);
    store.settle(&settlement(&lived, 10)).await.unwrap();
    assert_eq!(granted(store, &wish("fits", 30, Some(100))).await, 100);
    assert_eq!(store.reserve(&next).await.unwrap(), refused);
    assert_eq!(store.spending(&today()).await.unwrap()[&Scope::All].reserved, 90);
}

/// What was reserved is taken away whole, whatever the settlement takes it for; a call may cost more than that.
pub async fn what_was_reserved_is_taken_away(store: &dyn SpendStore) {
    for (name, reserved, said, spent) in [("more", 70, 90, 10), ("less", 70, 1, 20), ("dearer", 70, 70, 500)] {
        granted(store, &wish(name, reserved, None)).await;
        store.settle(&settlement(&wish(name, said, None), spent)).await.unwrap();
        assert_eq!(store.spending(&today()).await.unwrap()[&Scope::All].reserved, 0, "{name}");
    }
    assert_eq!(store.spending(&today()).await.unwrap()[&Scope::All].spent, 530);
    let full = Reserved::Refused { scope: Scope::All, taken: 530, limit: 500 };
    assert_eq!(store.reserve(&wish("next", 0, Some(500))).await.unwrap(), full);
}

/// A halt is seen on every day, begun or not, and by no other tenant; when it is over all is as before.
pub async fn a_halt_holds_on_every_day(store: &dyn SpendStore) {
    let dates = ["2096-10-01", "2096-10-02", "2096-10-03", "2097-01-01"];
    let on = |date: &str, name: &str| Reservation { day: day("default", date), ..wish(name, 10, Some(20)) };
    let mut begun = Vec::new();
    for date in &dates[..2] {
        begun.push(on(date, "before"));
        granted(store, &begun[begun.len() - 1]).await;
    }
    assert!(!store.halted("default").await.unwrap());
    for round in 0..2 {
        for _ in 0..2 {
            store.halt("default", true).await.unwrap();
            assert!(store.halted("default").await.unwrap());
        }
        for date in dates {
            assert_eq!(store.reserve(&on(date, "new")).await.unwrap(), Reserved::Halted, "{date}, {round}");
        }
        assert_eq!(store.reserve(&begun[0]).await.unwrap(), Reserved::Halted, "a repetition, too");
        assert!(!store.halted("other").await.unwrap());
        let other = Reservation { day: day("other", "2096-10-02"), ..wish("new", 10, None) };
        assert!(matches!(store.reserve(&other).await.unwrap(), Reserved::Granted(_)));
        store.settle(&settlement(&begun[round], 1)).await.unwrap();
        assert_eq!(store.spending(&begun[round].day).await.unwrap()[&Scope::All].calls, 1, "the past is settled");
        store.halt("default", false).await.unwrap();
        store.halt("default", false).await.unwrap();
        assert!(!store.halted("default").await.unwrap());
    }
    for date in dates {
        let taken = if dates[..2].contains(&date) { 11 } else { 10 };
        assert_eq!(granted(store, &on(date, "new")).await, taken, "{date}");
    }
}

/// Whatever was on its way when spending was halted: what begins after it is refused, on days just begun, too.
pub async fn a_halt_passes_no_reservation_that_began_after_it(store: &dyn SpendStore) {
    let on = |date: u32, name: &str| Reservation { day: day("default", &format!("{date}")), ..wish(name, 1, None) };
    let early: Vec<_> = (0..40).map(|date| on(date, "beside")).collect();
    let beside = join_all(early.iter().map(|wish| store.reserve(wish)));
    let (answers, halted) = join(beside, store.halt("default", true)).await;
    halted.unwrap();
    for answer in answers {
        assert!(matches!(answer.unwrap(), Reserved::Granted(_) | Reserved::Halted));
    }
    for date in 0..41 {
        assert_eq!(store.reserve(&on(date, "after")).await.unwrap(), Reserved::Halted, "{date}");
    }
}

/// Of halts and resumptions at once one is the last, and it is the last for every day.
pub async fn halts_and_resumptions_at_once_agree_in_the_end(store: &dyn SpendStore) {
    let on = |date: u32, name: &str| Reservation { day: day("default", &format!("{date}")), ..wish(name, 1, None) };
    for date in 0..10 {
        granted(store, &on(date, "before")).await;
    }
    for answer in join_all((0..20).map(|n| store.halt("default", n % 2 == 0))).await {
        answer.unwrap();
    }
    let halted = store.halted("default").await.unwrap();
    for date in 0..11 {
        let answer = store.reserve(&on(date, "after")).await.unwrap();
        assert_eq!(answer == Reserved::Halted, halted, "{date}: {answer:?}");
    }
}

/// Two tenants, and two days of one, have nothing in common, whatever they are called.
pub async fn tenants_and_days_are_apart(store: &dyn SpendStore) {
    let long = "x".repeat(2000);
    let tenants = ["a", "a#", "a#D#1", "A", "🦀", &long, &format!("{long}y")];
    let days = tenants.iter().flat_map(|tenant| ["1", "2", "D#1"].map(|date| day(tenant, date)));
    let wishes: Vec<_> =
        (1u64..).zip(days).map(|(amount, day)| Reservation { day, ..wish("same", amount, Some(30)) }).collect();
    for wish in &wishes {
        assert_eq!(granted(store, wish).await, wish.amount, "{:?}", wish.day);
    }
    for wish in &wishes {
        let wanted = BTreeMap::from([(Scope::All, open(wish.amount))]);
        assert_eq!(store.spending(&wish.day).await.unwrap(), wanted, "{:?}", wish.day);
    }
    assert_eq!(store.spending(&day("b", "1")).await.unwrap(), BTreeMap::new());
}

/// Scopes whose names are long, odd, or one another's beginning are counted apart and come back as they were.
pub async fn odd_scopes_are_apart(store: &dyn SpendStore) {
    let long = "x".repeat(300);
    let names = ["", "a", "a#", "#", "a.b", ":a", "A", "á", "a\u{301}", "🦀:群", "\"a\"", "\u{0}", "pk", "ttl", &long];
    let mut scopes: Vec<Scope> = names.iter().map(|name| user(name)).collect();
    scopes.extend([user(&format!("{long}y")), Scope::All, Scope::Agent("a".into()), Scope::Channel("a".into())]);
    for (amount, scope) in (1u64..).zip(&scopes) {
        let scopes = BTreeMap::from([(scope.clone(), Some(amount))]);
        let wish = Reservation { scopes, ..wish(&format!("n{amount}"), amount, None) };
        let granted = Reserved::Granted(BTreeMap::from([(scope.clone(), amount)]));
        assert_eq!(store.reserve(&wish).await.unwrap(), granted, "{scope:?}");
        if amount % 2 == 0 {
            store.settle(&settlement(&wish, amount)).await.unwrap();
        }
    }
    let wanted = (1u64..).zip(&scopes).map(|(amount, scope)| {
        let settled = Spending { spent: amount, reserved: 0, calls: 1, usage: USAGE };
        (scope.clone(), if amount % 2 == 0 { settled } else { open(amount) })
    });
    assert_eq!(store.spending(&today()).await.unwrap(), wanted.collect());
}

/// Declares one test for each law; `$make` is an `async fn() -> Subject<dyn SpendStore>`.
/// Whoever settles learns what is spent now, and whoever settles again learns nothing.
pub async fn a_settlement_tells_what_is_spent(store: &dyn SpendStore) {
    for (name, spent, sum) in [("1", 30, 30), ("2", 5, 35)] {
        let wish = wish(name, 40, Some(100));
        granted(store, &wish).await;
        let known = store.settle(&settlement(&wish, spent)).await.unwrap();
        assert_eq!(known, BTreeMap::from([(Scope::All, sum)]));
        assert_eq!(store.settle(&settlement(&wish, spent)).await.unwrap(), BTreeMap::new());
    }
}

/// What was not reserved is counted all the same, and takes room from what is reserved later.
pub async fn what_is_counted_is_spent(store: &dyn SpendStore) {
    store.count(&settlement(&wish("1", 0, None), 30)).await.unwrap();
    store.count(&settlement(&wish("2", 0, None), 12)).await.unwrap();
    let found = store.spending(&today()).await.unwrap();
    assert_eq!(found[&Scope::All], Spending { spent: 42, reserved: 0, calls: 2, usage: double(USAGE) });
    assert_eq!(granted(store, &wish("3", 8, Some(50))).await, 50);
    assert!(matches!(store.reserve(&wish("4", 1, Some(50))).await.unwrap(), Reserved::Refused { taken: 50, .. }));
}

fn double(usage: Usage) -> Usage {
    let Usage { input, output, cache_read, cache_write } = usage;
    Usage { input: 2 * input, output: 2 * output, cache_read: 2 * cache_read, cache_write: 2 * cache_write }
}

#[macro_export]
macro_rules! spend_laws {
    ($make:expr) => {
        $crate::law_tests!(
            spend,
            $make,
            [
                a_call_counts_in_each_of_its_scopes,
                concurrent_reservations_never_exceed_a_limit_together,
                every_limit_counts_and_a_refusal_changes_nothing,
                the_first_wish_of_a_day_must_fit,
                the_same_name_counts_once,
                a_reservation_is_settled_once,
                only_what_is_settled_makes_room,
                what_was_reserved_is_taken_away,
                a_halt_holds_on_every_day,
                a_halt_passes_no_reservation_that_began_after_it,
                halts_and_resumptions_at_once_agree_in_the_end,
                tenants_and_days_are_apart,
                odd_scopes_are_apart,
                a_settlement_tells_what_is_spent,
                what_is_counted_is_spent,
            ]
        );
    };
}
