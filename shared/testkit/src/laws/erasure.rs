//! Laws of [`Erasure`]. Adapters keep its rows with those of the ports that write them.

use chela_core::access::{AccessStore, Pairing, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::approval::ApprovalStore;
use chela_core::clock::Millis;
use chela_core::directory::{Directory, Listing, Wishes};
use chela_core::erasure::{Erasure, Row, RowBody};
use chela_core::session::{Accepted, Claimed, Control, Entry, EntryBody, Fence, Flagged, Head, Put, SessionStore};
use chela_core::session_key::SessionKey;

use super::NOW;
use super::approval::request;
use super::sample::{accepted, assistant, claim, envelope, event, session};

/// A store whose rows can be removed.
pub trait Erasable: Erasure + SessionStore + Directory + AccessStore + ApprovalStore {}

impl<S: Erasure + SessionStore + Directory + AccessStore + ApprovalStore> Erasable for S {}

fn summary(turn: u64) -> Entry {
    Entry { turn, step: 0, at: NOW, body: EntryBody::Summary { text: "said before".into() } }
}

/// A session with every kind of row.
async fn full(store: &dyn Erasable, session: &SessionKey) -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 1..=3 {
        let accepted = Accepted { turn: number, ..accepted(&number.to_string(), "words") };
        assert_eq!(store.accept(session, &accepted).await.unwrap(), Put::Stored);
        rows.push(Row { name: format!("E#{}", accepted.event.as_str()), body: RowBody::Event(accepted) });
    }
    for entry in [summary(1), assistant(1, 0, "one"), assistant(2, 0, "two"), assistant(2, 1, "three")] {
        assert_eq!(store.append(session, &entry).await.unwrap(), Put::Stored);
        rows.push(Row { name: entry.place(), body: RowBody::Entry(entry) });
    }
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}

/// Held, with this event as the one in progress.
async fn held(store: &dyn Erasable, session: &SessionKey) -> Head {
    match store.claim(session, &claim(&event("1"), "a", NOW, 1000)).await.unwrap() {
        Claimed::Held(head) => head,
        other => panic!("{other:?}"),
    }
}

/// Rows are read in the order of their names, page by page, and the head is not among them.
pub async fn rows_are_read_page_by_page(store: &dyn Erasable) {
    let (one, other) = (session("one"), session("one#"));
    let rows = full(store, &one).await;
    held(store, &one).await;
    full(store, &other).await;
    for limit in [1, 2, 3, 100] {
        let (mut read, mut after) = (Vec::new(), String::new());
        loop {
            let page = store.stored(&one, &after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            read.extend(page);
        }
        assert_eq!(read, rows, "{limit} at a time");
    }
    assert_eq!(store.stored(&session("nobody"), "", 10).await.unwrap(), []);
}

/// A row that is removed is gone, and no other; twice is once.
pub async fn a_row_is_removed(store: &dyn Erasable) {
    let (one, other) = (session("one"), session("other"));
    let (rows, others) = (full(store, &one).await, full(store, &other).await);
    for (number, row) in rows.iter().enumerate() {
        for _ in 0..2 {
            store.remove(&one, &row.name).await.unwrap();
        }
        assert_eq!(store.stored(&one, "", 100).await.unwrap(), rows[number + 1..]);
    }
    assert_eq!(store.history(&one, 0, 100).await.unwrap(), []);
    assert_eq!(store.accepted(&one, &event("1")).await.unwrap(), None);
    assert_eq!(store.stored(&other, "", 100).await.unwrap(), others);
}

/// A row takes another value if it is there, and is not made anew if it is not.
pub async fn a_row_is_replaced_and_not_made_anew(store: &dyn Erasable) {
    let one = session("one");
    let rows = full(store, &one).await;
    let other = |row: &Row| {
        let body = match &row.body {
            RowBody::Event(accepted) => RowBody::Event(Accepted { task: None, ..accepted.clone() }),
            RowBody::Entry(entry) => RowBody::Entry(Entry { at: NOW.plus(7), ..entry.clone() }),
        };
        Row { name: row.name.clone(), body }
    };
    let others: Vec<Row> = rows.iter().map(other).collect();
    for row in &others {
        store.replace(&one, row).await.unwrap();
        store.replace(&one, row).await.unwrap();
    }
    assert_eq!(store.stored(&one, "", 100).await.unwrap(), others);
    assert_eq!(store.accepted(&one, &event("2")).await.unwrap().unwrap().task, None);
    assert_eq!(store.turn(&one, 1).await.unwrap()[0].at, NOW.plus(7));
    // An event that comes again is still known.
    assert!(matches!(store.accept(&one, &accepted("2", "again")).await.unwrap(), Put::Exists(_)));
    for row in &others {
        store.remove(&one, &row.name).await.unwrap();
        store.replace(&one, row).await.unwrap();
    }
    assert_eq!(store.stored(&one, "", 100).await.unwrap(), []);
}

/// Marks, left messages, wishes and flags of a session go, and nobody else's.
pub async fn what_stands_beside_a_session_is_removed(store: &dyn Erasable) {
    let (one, other) = (session("one"), session("one#0"));
    let flag = |session: &SessionKey, turn: u64| Flagged {
        session: session.clone(),
        turn,
        part: 0,
        event: event("1"),
        at: NOW,
        reason: "gone".into(),
        sending: false,
    };
    let wishes = Wishes { answer_all: Some(true), queue: None };
    for session in [&one, &other] {
        store.leave(&envelope(session, "1", "left words")).await.unwrap();
        store.set_control(session, &Control { stop_before: NOW }).await.unwrap();
        store.wish(session, &wishes).await.unwrap();
        store.flag(&flag(session, 1)).await.unwrap();
        store.flag(&flag(session, 2)).await.unwrap();
    }
    assert!(store.change_flag(&flag(&one, 2), None).await.unwrap(), "one is settled");
    let left = async |session: &SessionKey| store.left(session, Millis(NOW.0 - 1), 10).await.unwrap().len();
    store.remove_left(&one).await.unwrap();
    assert_eq!((left(&one).await, left(&other).await), (0, 1));
    assert!(store.control(&one).await.unwrap().is_some(), "the mark is no message");
    store.leave(&envelope(&one, "2", "left words")).await.unwrap();
    for _ in 0..2 {
        store.remove_marks(&one).await.unwrap();
    }
    assert_eq!((left(&one).await, left(&other).await), (0, 1));
    assert_eq!((store.control(&one).await.unwrap(), store.wishes(&one).await.unwrap()), (None, Wishes::default()));
    assert!(store.control(&other).await.unwrap().is_some());
    assert_eq!(store.wishes(&other).await.unwrap(), wishes);
    let flags = store.flagged(10).await.unwrap();
    assert_eq!(flags.len(), 2, "{flags:?}");
    assert!(flags.iter().all(|flag| flag.session == other));
    store.flag(&flag(&one, 2)).await.unwrap();
    assert_eq!(store.flagged(10).await.unwrap().len(), 3, "nothing of the settled one is left either");
}

/// A conversation leaves the lists, however often it began anew; its parent's, too.
pub async fn a_conversation_leaves_the_lists(store: &dyn Erasable) {
    let (main, parent) = (AgentId::new("main"), session("parent"));
    let listing = |name: &str, began: u64| Listing {
        session: session(name),
        agent: main.clone(),
        label: None,
        parent: Some(parent.clone()),
        began: NOW.plus(began),
        ended: None,
    };
    for listing in [listing("a", 1), listing("a", 5), listing("b", 2), listing("a#", 3)] {
        store.list(&listing).await.unwrap();
    }
    for _ in 0..2 {
        store.unlist(&listing("a", 5)).await.unwrap();
    }
    for left in [store.listed(&main, 10).await.unwrap(), store.children(&parent, 10).await.unwrap()] {
        assert_eq!(left, [listing("a#", 3), listing("b", 2)]);
    }
}

/// Requests are told whatever became of them, and removed one by one.
pub async fn a_request_is_removed_whatever_became_of_it(store: &dyn Erasable) {
    let (waiting, decided) = (request("a", NOW), request("b", NOW.plus(2)));
    store.ask(&waiting).await.unwrap();
    store.ask(&decided).await.unwrap();
    let expired = chela_core::approval::Request { state: chela_core::approval::State::Expired, ..decided.clone() };
    assert!(store.change(&decided, &expired).await.unwrap());
    let mut all = store.requests().await.unwrap();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(all, [waiting.clone(), expired.clone()]);
    for _ in 0..2 {
        store.remove_request(&expired.id).await.unwrap();
    }
    assert_eq!(store.requests().await.unwrap(), [waiting]);
}

/// Whoever was let in is a stranger again, and whoever asked has not; nobody else is.
pub async fn a_sender_becomes_a_stranger_again(store: &dyn Erasable) {
    let who = |sender: &str| SenderRef { channel: "telegram".into(), account: "main".into(), sender: sender.into() };
    for (sender, code) in [("1", "AAAA"), ("2", "BBBB"), ("3", "CCCC")] {
        let asked = store.request_pairing(&who(sender), code, NOW).await.unwrap();
        assert!(matches!(asked, Pairing::New(_)));
    }
    for code in ["AAAA", "BBBB"] {
        store.approve("telegram", "main", code, NOW).await.unwrap().expect("it waits");
    }
    assert!(store.disapprove(&who("1")).await.unwrap());
    assert!(!store.disapprove(&who("1")).await.unwrap(), "twice");
    assert!(!store.disapprove(&who("9")).await.unwrap(), "somebody else");
    assert_eq!((store.approved(&who("1")).await.unwrap(), store.approved(&who("2")).await.unwrap()), (false, true));
    assert_eq!(store.pending("telegram", "main", NOW).await.unwrap().len(), 1);
    assert!(store.disapprove(&who("3")).await.unwrap());
    assert_eq!(store.pending("telegram", "main", NOW).await.unwrap(), []);
}

/// The head of a conversation that was deleted keeps what was deleted when, and serves the next turn like any other.
pub async fn a_head_keeps_what_was_deleted(store: &dyn Erasable) {
    let one = session("one");
    let head = held(store, &one).await.deleted(&event("2"), NOW);
    assert_eq!((head.last_turn, head.forgotten, head.current.clone()), (1, 1, None), "its turn counts as finished");
    let fence = Fence { epoch: head.epoch, owner: "a", lease_reaches: NOW };
    store.save(&one, &head, &fence).await.unwrap();
    let mut released = head.clone();
    released.release();
    assert!(released.expires().is_some());
    store.save(&one, &released, &Fence { lease_reaches: Default::default(), ..fence }).await.unwrap();
    assert_eq!(store.head(&one).await.unwrap().unwrap(), released);
    assert_eq!(store.claim(&one, &claim(&event("1"), "b", NOW, 1000)).await.unwrap(), Claimed::Finished);
    let Claimed::Held(next) = store.claim(&one, &claim(&event("3"), "b", NOW, 1000)).await.unwrap() else { panic!() };
    assert_eq!((&next.erased, next.turn()), (&released.erased, 2));
    store.wipe().await.unwrap();
    assert_eq!(store.head(&one).await.unwrap().unwrap().owner, "b", "wiping removes nothing that is there");
}

/// Declares one test for each law; `$make` is an `async fn() -> Subject<dyn Erasable>`.
#[macro_export]
macro_rules! erasure_laws {
    ($make:expr) => {
        $crate::law_tests!(
            erasure,
            $make,
            [
                rows_are_read_page_by_page,
                a_row_is_removed,
                a_row_is_replaced_and_not_made_anew,
                what_stands_beside_a_session_is_removed,
                a_conversation_leaves_the_lists,
                a_request_is_removed_whatever_became_of_it,
                a_sender_becomes_a_stranger_again,
                a_head_keeps_what_was_deleted,
            ]
        );
    };
}
