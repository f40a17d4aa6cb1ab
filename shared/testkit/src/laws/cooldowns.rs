//! Laws of [`CooldownStore`].

use std::collections::BTreeMap;

use chela_core::cooldown::{Cooldown, CooldownStore, Trouble};

use super::NOW;

fn rest(trouble: Trouble, ms: u64, failures: u32) -> Cooldown {
    Cooldown { until: NOW.plus(ms), failures, trouble }
}

/// Each credential has its own rest, whatever it is called and whyever it rests; an ended one is told, too.
pub async fn each_credential_rests_for_itself(store: &dyn CooldownStore) {
    assert_eq!(store.cooldowns().await.unwrap(), BTreeMap::new());
    let long = "x".repeat(3000);
    let mut wanted = BTreeMap::from([
        ("anthropic:default".to_owned(), rest(Trouble::RateLimit, 1000, 1)),
        ("anthropic".to_owned(), rest(Trouble::Overload, 5000, 2)),
        ("anthropic#".to_owned(), rest(Trouble::Credential, 60_000, 3)),
        ("Anthropic:🦀".to_owned(), rest(Trouble::Billing, 1_800_000, u32::MAX)),
        ("ended".to_owned(), Cooldown { until: chela_core::clock::Millis(1), failures: 1, trouble: Trouble::Overload }),
    ]);
    wanted.insert(format!("{long}y"), rest(Trouble::Billing, 1, 4));
    wanted.insert(long, rest(Trouble::Billing, 2, 5));
    for (profile, cooldown) in &wanted {
        store.rest(profile, cooldown).await.unwrap();
    }
    assert_eq!(store.cooldowns().await.unwrap(), wanted);
}

/// A later rest takes the place of an earlier one, longer or not.
pub async fn a_rest_is_replaced(store: &dyn CooldownStore) {
    for cooldown in [rest(Trouble::RateLimit, 9000, 4), rest(Trouble::Overload, 1000, 1)] {
        store.rest("a", &cooldown).await.unwrap();
        assert_eq!(store.cooldowns().await.unwrap(), BTreeMap::from([("a".to_owned(), cooldown)]));
    }
}

/// A credential that works is forgotten, and no other; it may fail again.
pub async fn a_credential_recovers(store: &dyn CooldownStore) {
    store.recover("never").await.unwrap();
    assert_eq!(store.cooldowns().await.unwrap(), BTreeMap::new());
    let (first, other) = (rest(Trouble::RateLimit, 1000, 1), rest(Trouble::Billing, 1000, 1));
    store.rest("a", &first).await.unwrap();
    store.rest("b", &other).await.unwrap();
    for _ in 0..2 {
        store.recover("a").await.unwrap();
        assert_eq!(store.cooldowns().await.unwrap(), BTreeMap::from([("b".to_owned(), other)]));
    }
    store.rest("a", &first).await.unwrap();
    assert_eq!(store.cooldowns().await.unwrap(), BTreeMap::from([("a".to_owned(), first), ("b".to_owned(), other)]));
}

/// Declares one test for each law; `$make` is an `async fn() -> Subject<dyn CooldownStore>`.
#[macro_export]
macro_rules! cooldown_laws {
    ($make:expr) => {
        $crate::law_tests!(
            cooldowns,
            $make,
            [each_credential_rests_for_itself, a_rest_is_replaced, a_credential_recovers]
        );
    };
}
