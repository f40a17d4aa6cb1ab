//! Laws of [`ChannelLog`].

use chela_core::channel_log::{Activity, ChannelLog, Failure, Happening};

use super::NOW;

/// The last of each kind is known for each account, and no account for another.
pub async fn the_last_of_each_kind_is_known(store: &dyn ChannelLog) {
    assert_eq!(store.activities().await.unwrap(), []);
    store.note("telegram", "main", &Happening::Received, NOW).await.unwrap();
    store.note("telegram", "main", &Happening::Received, NOW.plus(5)).await.unwrap();
    store.note("telegram", "main", &Happening::Failed("blocked: \"é\"".into()), NOW.plus(6)).await.unwrap();
    store.note("slack", "a#b", &Happening::Sent, NOW.plus(7)).await.unwrap();
    store.note("slack", "a", &Happening::Sent, NOW.plus(8)).await.unwrap();
    let activity = |channel: &str, account: &str| Activity {
        channel: channel.into(),
        account: account.into(),
        ..Activity::default()
    };
    let wanted = [
        Activity { sent: Some(NOW.plus(8)), ..activity("slack", "a") },
        Activity { sent: Some(NOW.plus(7)), ..activity("slack", "a#b") },
        Activity {
            received: Some(NOW.plus(5)),
            failed: Some(Failure { at: NOW.plus(6), reason: "blocked: \"é\"".into() }),
            ..activity("telegram", "main")
        },
    ];
    assert_eq!(store.activities().await.unwrap(), wanted);
}

/// A part is confirmed once and for all, and only that part.
pub async fn a_confirmation_is_kept(store: &dyn ChannelLog) {
    assert!(!store.confirmed("k1").await.unwrap());
    store.confirm("k1", NOW).await.unwrap();
    store.confirm("k1", NOW.plus(1)).await.unwrap();
    assert!(store.confirmed("k1").await.unwrap());
    assert!(!store.confirmed("k2").await.unwrap());
    assert!(!store.confirmed("k").await.unwrap());
}

/// Declares one test for each law; `$make` is an `async fn() -> Subject<dyn ChannelLog>`.
#[macro_export]
macro_rules! channel_log_laws {
    ($make:expr) => {
        $crate::law_tests!(channel_log, $make, [the_last_of_each_kind_is_known, a_confirmation_is_kept]);
    };
}
