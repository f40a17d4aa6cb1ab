//! Laws of [`AuditLog`].

use chela_core::audit::{AuditLog, Happening, Record, What, append, verify, whole};
use chela_core::session::Put;
use futures_util::future::join_all;

use super::NOW;

fn happening(name: &str) -> Happening {
    Happening {
        what: What::AllowedOnce,
        name: name.into(),
        agent: "main".into(),
        session: "0123456789abcdef".into(),
        tool: "exec".into(),
        programs: vec!["git".into()],
        digest: "d".into(),
        by: "telegram:42".into(),
        at: NOW,
    }
}

/// Records are read from the newest on, page by page, each tenant's apart.
pub async fn records_are_read_newest_first(log: &dyn AuditLog) {
    assert_eq!(log.records("a", u64::MAX, 9).await.unwrap(), []);
    for name in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"] {
        append(log, "a", &happening(name)).await.unwrap();
    }
    append(log, "b", &happening("b")).await.unwrap();
    let numbers = |records: Vec<Record>| records.iter().map(|record| record.number).collect::<Vec<_>>();
    assert_eq!(numbers(log.records("a", u64::MAX, 3).await.unwrap()), [11, 10, 9]);
    assert_eq!(numbers(log.records("a", 9, 3).await.unwrap()), [8, 7, 6]);
    assert_eq!(numbers(log.records("a", 2, 3).await.unwrap()), [1]);
    assert_eq!(numbers(whole(log, "b").await.unwrap()), [1]);
    let all = whole(log, "a").await.unwrap();
    assert_eq!(verify(&all, all.last().map(|last| last.digest_of_record.as_str())), Ok(()));
}

/// A number is taken once, whatever is written then.
pub async fn a_record_is_never_replaced(log: &dyn AuditLog) {
    let (mine, forged) = (Record::after(None, happening("mine")), Record::after(None, happening("forged")));
    assert_eq!(log.record("a", &mine).await.unwrap(), Put::Stored);
    assert_eq!(log.record("a", &forged).await.unwrap(), Put::Exists(mine.clone()));
    assert_eq!(whole(log, "a").await.unwrap(), [mine]);
}

/// Many writers at once make one chain and lose nothing.
pub async fn writers_at_once_make_one_chain(log: &dyn AuditLog) {
    let happenings: Vec<_> = (0..8).map(|n| happening(&n.to_string())).collect();
    for written in join_all(happenings.iter().map(|one| append(log, "a", one))).await {
        written.unwrap();
    }
    let all = whole(log, "a").await.unwrap();
    assert_eq!((all.len(), verify(&all, None)), (8, Ok(())));
}

/// What is told again after a crash is recorded once.
pub async fn a_happening_told_again_is_one_record(log: &dyn AuditLog) {
    for name in ["1", "2", "1"] {
        append(log, "a", &happening(name)).await.unwrap();
    }
    append(log, "a", &Happening { what: What::Ran, ..happening("1") }).await.unwrap();
    assert_eq!(whole(log, "a").await.unwrap().len(), 3);
}

/// Declares one test for each law of the audit log; `$make` is an `async fn() -> Subject<dyn AuditLog>`.
#[macro_export]
macro_rules! audit_laws {
    ($make:expr) => {
        $crate::law_tests!(
            audit,
            $make,
            [
                records_are_read_newest_first,
                a_record_is_never_replaced,
                writers_at_once_make_one_chain,
                a_happening_told_again_is_one_record,
            ]
        );
    };
}
