//! Laws of [`Directory`].

use chela_core::agent_id::AgentId;
use chela_core::directory::{Directory, Home, Listing, Wishes};
use chela_core::session_key::SessionKey;

use super::NOW;
use super::sample::session;

fn listing(agent: &str, name: &str, at: u64) -> Listing {
    Listing {
        session: session(name),
        agent: AgentId::new(agent),
        label: None,
        parent: None,
        began: NOW.plus(at),
        ended: None,
    }
}

fn child(of: &SessionKey, name: &str, at: u64) -> Listing {
    Listing { label: Some("look it up ✨".into()), parent: Some(of.clone()), ..listing("main", name, at) }
}

/// An agent's conversations are listed newest first, and only the newest where they are many.
pub async fn conversations_are_listed_newest_first(store: &dyn Directory) {
    let main = AgentId::new("main");
    assert_eq!(store.listed(&main, 10).await.unwrap(), []);
    let all = [listing("main", "b", 20), listing("main", "c", 3), listing("main", "a", 100), listing("main", "d", 20)];
    for listing in &all {
        store.list(listing).await.unwrap();
    }
    store.list(&listing("main2", "e", 50)).await.unwrap();
    let newest_first = [&all[2], &all[0], &all[3], &all[1]].map(Clone::clone);
    assert_eq!(store.listed(&main, 10).await.unwrap(), newest_first);
    for limit in 0..4 {
        assert_eq!(store.listed(&main, limit).await.unwrap(), newest_first[..limit]);
    }
    assert_eq!(store.listed(&AgentId::new("main2"), 10).await.unwrap(), [listing("main2", "e", 50)]);
    assert_eq!(store.listed(&AgentId::new("other"), 10).await.unwrap(), []);
}

/// What is noted of a conversation takes the place of what was: it never stands in a list twice.
pub async fn a_conversation_is_listed_once(store: &dyn Directory) {
    let (main, parent) = (AgentId::new("main"), session("parent"));
    let begun = child(&parent, "a", 10);
    let ended = Listing { ended: Some(NOW.plus(30)), label: None, ..begun.clone() };
    let anew = Listing { began: NOW.plus(40), ..begun.clone() };
    store.list(&child(&parent, "b", 20)).await.unwrap();
    for (now, order) in [(&begun, ["b", "a"]), (&ended, ["b", "a"]), (&anew, ["a", "b"])] {
        store.list(now).await.unwrap();
        store.list(now).await.unwrap();
        for found in [store.listed(&main, 10).await.unwrap(), store.children(&parent, 10).await.unwrap()] {
            assert_eq!(found.iter().map(|it| it.session.clone()).collect::<Vec<_>>(), order.map(session));
            assert!(found.contains(now), "{found:?}");
        }
    }
    store.list(&child(&parent, "c", 5)).await.unwrap();
    let found = store.listed(&main, 3).await.unwrap();
    assert_eq!(found.iter().map(|it| it.session.clone()).collect::<Vec<_>>(), ["a", "b", "c"].map(session));
}

/// Children are found by their parent, newest first, and nobody else's.
pub async fn children_are_found_by_their_parent(store: &dyn Directory) {
    let (parent, other) = (session("p"), session("p#"));
    assert_eq!(store.children(&parent, 10).await.unwrap(), []);
    let (old, new) = (child(&parent, "old", 1), child(&parent, "new", 2));
    let grandchild = child(&old.session, "grandchild", 3);
    for listing in [&new, &old, &grandchild, &child(&other, "others", 4), &listing("main", "nobody's", 5)] {
        store.list(listing).await.unwrap();
    }
    assert_eq!(store.children(&parent, 10).await.unwrap(), [new.clone(), old.clone()]);
    assert_eq!(store.children(&parent, 1).await.unwrap(), [new]);
    assert_eq!(store.children(&old.session, 10).await.unwrap(), [grandchild]);
    assert_eq!(store.listed(&AgentId::new("main"), 10).await.unwrap().len(), 5, "children are conversations, too");
}

/// Wishes are those of one conversation, whatever it is called, and the last ones count.
pub async fn wishes_are_replaced(store: &dyn Directory) {
    let long = "x".repeat(3000);
    let names = ["a", "a#", "á", "a\u{301}", "🦀", &long, &format!("{long}y")];
    let keys = names.map(SessionKey::from_stored);
    for key in &keys {
        assert_eq!(store.wishes(key).await.unwrap(), Wishes::default());
    }
    for key in &keys {
        let wishes = Wishes { answer_all: Some(false), queue: Some(key.as_str().to_owned()) };
        store.wish(key, &wishes).await.unwrap();
    }
    for key in &keys {
        let wishes = Wishes { answer_all: Some(false), queue: Some(key.as_str().to_owned()) };
        assert_eq!(store.wishes(key).await.unwrap(), wishes);
    }
    let fewer = Wishes { answer_all: Some(true), queue: None };
    store.wish(&keys[0], &fewer).await.unwrap();
    assert_eq!(store.wishes(&keys[0]).await.unwrap(), fewer);
    store.wish(&keys[0], &Wishes::default()).await.unwrap();
    assert_eq!(store.wishes(&keys[0]).await.unwrap(), Wishes::default());
    assert!(store.wishes(&keys[1]).await.unwrap().queue.is_some());
    assert_eq!(store.listed(&AgentId::new("main"), 10).await.unwrap(), [], "a wish is not a listing");
}

/// A place has one home, the last that was noted; no place has another's, and what is noted of conversations is apart.
pub async fn the_last_home_of_a_place_counts(store: &dyn Directory) {
    let home = |name: &str| Home { session: session(name), agent: AgentId::new("main") };
    let long = "9".repeat(2000);
    let places = ["1", "2", "1#", &long, &format!("{long}9")];
    for place in places {
        assert_eq!(store.home(place).await.unwrap(), None);
        store.note_home(place, &home(place), NOW).await.unwrap();
    }
    for place in places {
        assert_eq!(store.home(place).await.unwrap(), Some(home(place)));
    }
    let moved = Home { agent: AgentId::new("work"), ..home("elsewhere") };
    for _ in 0..2 {
        store.note_home("1", &moved, NOW.plus(1)).await.unwrap();
        assert_eq!(store.home("1").await.unwrap(), Some(moved.clone()));
    }
    assert_eq!(store.home("2").await.unwrap(), Some(home("2")));
    assert_eq!(store.listed(&AgentId::new("main"), 10).await.unwrap(), [], "a home is not a listing");
}

/// Declares one test for each law; `$make` is an `async fn() -> Subject<dyn Directory>`.
#[macro_export]
macro_rules! directory_laws {
    ($make:expr) => {
        $crate::law_tests!(
            directory,
            $make,
            [
                conversations_are_listed_newest_first,
                a_conversation_is_listed_once,
                children_are_found_by_their_parent,
                wishes_are_replaced,
                the_last_home_of_a_place_counts,
            ]
        );
    };
}
