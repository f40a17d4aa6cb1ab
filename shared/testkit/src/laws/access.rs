//! Laws of [`AccessStore`].

use chela_core::access::{AccessStore, PAIRING_PENDING_MAX, PAIRING_VALID_MS, Pairing, PairingRequest, SenderRef};
use chela_core::clock::Millis;
use futures_util::future::join_all;

use super::NOW;

fn sender(account: &str, id: &str) -> SenderRef {
    SenderRef { channel: "telegram".into(), account: account.into(), sender: id.into() }
}

fn request(code: &str, who: &SenderRef, at: Millis) -> PairingRequest {
    PairingRequest { code: code.into(), who: who.clone(), at }
}

async fn ask(store: &dyn AccessStore, who: &SenderRef, code: &str, now: Millis) -> Pairing {
    store.request_pairing(who, code, now).await.unwrap()
}

/// Nobody is approved by default, asking does not approve, and nothing can be approved that was not asked for.
pub async fn nobody_is_approved_by_default(store: &dyn AccessStore) {
    let ada = sender("main", "ada");
    assert!(!store.approved(&ada).await.unwrap());
    assert_eq!(store.approve("telegram", "main", "AAAA2222", NOW).await.unwrap(), None);
    ask(store, &ada, "AAAA2222", NOW).await;
    assert!(!store.approved(&ada).await.unwrap());
}

/// One request for each sender: asking again says nothing new, another sender gets a code of their own.
pub async fn a_sender_has_one_valid_code(store: &dyn AccessStore) {
    let (ada, bob) = (sender("main", "ada"), sender("main", "bob"));
    let (first, second) = (request("AAAA2222", &ada, NOW), request("BBBB3333", &bob, NOW.plus(2)));
    assert_eq!(ask(store, &ada, "AAAA2222", NOW).await, Pairing::New(first.clone()));
    assert_eq!(ask(store, &ada, "CCCC4444", NOW.plus(1)).await, Pairing::Waiting);
    assert_eq!(ask(store, &bob, "BBBB3333", NOW.plus(2)).await, Pairing::New(second.clone()));
    let mut pending = store.pending("telegram", "main", NOW.plus(3)).await.unwrap();
    pending.sort_by_key(|request| request.at);
    assert_eq!(pending, [first, second]);
    assert_eq!(store.approve("telegram", "main", "CCCC4444", NOW.plus(3)).await.unwrap(), None);
}

/// Strangers cannot fill the store: a fourth request on an account is not filed; other accounts have their own room.
pub async fn q04_an_account_has_room_for_three(store: &dyn AccessStore) {
    for n in 0..PAIRING_PENDING_MAX {
        let answer = ask(store, &sender("main", &format!("s{n}")), &format!("CODE000{n}"), NOW).await;
        assert!(matches!(answer, Pairing::New(_)), "{answer:?}");
    }
    assert_eq!(ask(store, &sender("main", "late"), "LATE0001", NOW).await, Pairing::Full);
    assert_eq!(ask(store, &sender("main", "s0"), "LATE0002", NOW).await, Pairing::Waiting);
    assert_eq!(store.pending("telegram", "main", NOW).await.unwrap().len(), PAIRING_PENDING_MAX);
    assert_eq!(store.approve("telegram", "main", "LATE0001", NOW).await.unwrap(), None);
    let elsewhere = ask(store, &sender("other", "late"), "LATE0003", NOW).await;
    assert!(matches!(elsewhere, Pairing::New(_)), "{elsewhere:?}");
}

/// The room for three holds against many at once.
pub async fn q04_of_twelve_requests_at_once_three_are_filed(store: &dyn AccessStore) {
    let senders: Vec<_> = (0..12).map(|n| (sender("main", &format!("s{n}")), format!("RACE00{n:02}"))).collect();
    let answers = join_all(senders.iter().map(|(who, code)| ask(store, who, code, NOW))).await;
    let new = answers.iter().filter(|answer| matches!(answer, Pairing::New(_))).count();
    let full = answers.iter().filter(|answer| **answer == Pairing::Full).count();
    assert_eq!((new, full), (PAIRING_PENDING_MAX, 12 - PAIRING_PENDING_MAX));
    assert_eq!(store.pending("telegram", "main", NOW).await.unwrap().len(), PAIRING_PENDING_MAX);
}

/// A code ends after an hour: it approves nobody, its sender may ask anew, and its place is free.
pub async fn an_expired_code_frees_its_place(store: &dyn AccessStore) {
    for n in 0..PAIRING_PENDING_MAX {
        ask(store, &sender("main", &format!("s{n}")), &format!("CODE000{n}"), NOW).await;
    }
    let later = NOW.plus(PAIRING_VALID_MS + 1);
    assert_eq!(store.pending("telegram", "main", later).await.unwrap(), []);
    assert_eq!(store.approve("telegram", "main", "CODE0000", later).await.unwrap(), None);
    assert!(!store.approved(&sender("main", "s0")).await.unwrap());
    let newcomer = sender("main", "late");
    assert_eq!(ask(store, &newcomer, "LATE0001", later).await, Pairing::New(request("LATE0001", &newcomer, later)));
    let again = sender("main", "s0");
    assert_eq!(ask(store, &again, "CODE0009", later).await, Pairing::New(request("CODE0009", &again, later)));
    assert_eq!(store.approve("telegram", "main", "CODE0000", later).await.unwrap(), None);
    assert_eq!(store.approve("telegram", "main", "CODE0009", later).await.unwrap(), Some(again));
}

/// A code is valid up to the end of its hour.
pub async fn a_code_is_valid_for_its_whole_hour(store: &dyn AccessStore) {
    let ada = sender("main", "ada");
    ask(store, &ada, "AAAA2222", NOW).await;
    let last = NOW.plus(PAIRING_VALID_MS - 1);
    assert_eq!(ask(store, &ada, "BBBB3333", last).await, Pairing::Waiting);
    assert_eq!(store.pending("telegram", "main", last).await.unwrap().len(), 1);
    assert_eq!(store.approve("telegram", "main", "AAAA2222", last).await.unwrap(), Some(ada));
}

/// Only the code, on its own channel and account, once.
pub async fn a_code_approves_only_its_sender_and_once(store: &dyn AccessStore) {
    let ada = sender("main", "ada #✨");
    ask(store, &ada, "AAAA2222", NOW).await;
    for (channel, account, code) in [
        ("telegram", "main", "AAAA2223"),
        ("telegram", "main", ""),
        ("telegram", "other", "AAAA2222"),
        ("slack", "main", "AAAA2222"),
    ] {
        assert_eq!(store.approve(channel, account, code, NOW).await.unwrap(), None, "{channel} {account} {code}");
    }
    assert!(!store.approved(&ada).await.unwrap());
    assert_eq!(store.approve("telegram", "main", "AAAA2222", NOW).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.approve("telegram", "main", "AAAA2222", NOW).await.unwrap(), None);
    assert!(store.approved(&ada).await.unwrap());
    assert_eq!(store.pending("telegram", "main", NOW).await.unwrap(), []);
    let others = [
        sender("other", "ada #✨"),
        sender("main", "ada"),
        sender("main", "ADA #✨"),
        SenderRef { channel: "slack".into(), ..ada },
    ];
    for other in others {
        assert!(!store.approved(&other).await.unwrap(), "{other:?}");
    }
}

/// Of many approvals of one code at once exactly one is answered with the sender.
pub async fn of_eight_approvals_at_once_one_succeeds(store: &dyn AccessStore) {
    let ada = sender("main", "ada");
    ask(store, &ada, "AAAA2222", NOW).await;
    let answers = join_all((0..8).map(|_| store.approve("telegram", "main", "AAAA2222", NOW))).await;
    let approved: Vec<_> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(approved, [ada]);
}

/// An approved request makes room, and approval outlives the code.
pub async fn an_approval_frees_the_place_and_lasts(store: &dyn AccessStore) {
    for n in 0..PAIRING_PENDING_MAX {
        ask(store, &sender("main", &format!("s{n}")), &format!("CODE000{n}"), NOW).await;
    }
    store.approve("telegram", "main", "CODE0001", NOW).await.unwrap();
    let newcomer = ask(store, &sender("main", "late"), "LATE0001", NOW).await;
    assert!(matches!(newcomer, Pairing::New(_)), "{newcomer:?}");
    ask(store, &sender("main", "later"), "LATE0002", NOW.plus(30 * 24 * PAIRING_VALID_MS)).await;
    assert!(store.approved(&sender("main", "s1")).await.unwrap());
}

/// Declares one test for each law of access; `$make` is an `async fn() -> Subject<dyn AccessStore>`.
#[macro_export]
macro_rules! access_laws {
    ($make:expr) => {
        $crate::law_tests!(
            access,
            $make,
            [
                nobody_is_approved_by_default,
                a_sender_has_one_valid_code,
                q04_an_account_has_room_for_three,
                q04_of_twelve_requests_at_once_three_are_filed,
                an_expired_code_frees_its_place,
                a_code_is_valid_for_its_whole_hour,
                a_code_approves_only_its_sender_and_once,
                of_eight_approvals_at_once_one_succeeds,
                an_approval_frees_the_place_and_lasts,
            ]
        );
    };
}
