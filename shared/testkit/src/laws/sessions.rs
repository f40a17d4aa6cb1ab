//! Laws of [`SessionStore`].

use std::collections::BTreeSet;

use chela_core::agent_id::AgentId;
use chela_core::message::EventKey;
use chela_core::model::Thinking;
use chela_core::queue::Envelope;
use chela_core::session::{
    Accepted, Choices, Claimed, Control, Entry, EntryBody, Fence, Flagged, Head, Intent, Put, RECENT_EVENTS,
    SessionStore, Settled, StoreError, UsageFooter, Verbose,
};
use chela_core::session_key::SessionKey;
use futures_util::future::join_all;

use super::NOW;
use super::sample::{accepted, assistant, claim, event, session, tool_done, tool_results};

const LEASE: u64 = 30_000;

async fn held(store: &dyn SessionStore, key: &SessionKey, event: &EventKey, owner: &str) -> Head {
    match store.claim(key, &claim(event, owner, NOW, LEASE)).await.unwrap() {
        Claimed::Held(head) => head,
        other => panic!("{owner} should hold the session: {other:?}"),
    }
}

fn fence<'a>(head: &'a Head, owner: &'a str) -> Fence<'a> {
    Fence { epoch: head.epoch, owner, lease_reaches: head.lease_until }
}

/// Ends the turn of `head` as a turn does: the event is remembered and the session released.
fn finished(head: &Head) -> Head {
    let event = head.current.clone().expect("a turn is in progress");
    let mut recent = head.recent.clone();
    recent.push(event.short().to_owned());
    Head { epoch: head.epoch, last_turn: head.turn(), recent, forgotten: head.forgotten, ..Head::default() }
}

/// A session that never was is claimed with epoch 1, and the head is what was answered.
pub async fn a_new_session_is_held_with_epoch_one(store: &dyn SessionStore) {
    let key = session("new");
    assert_eq!(store.head(&key).await.unwrap(), None);
    let head = held(store, &key, &event("1"), "a").await;
    let expected = Head {
        epoch: 1,
        owner: "a".into(),
        lease_until: NOW.plus(LEASE),
        current: Some(event("1")),
        attempts: 1,
        ..Head::default()
    };
    assert_eq!(head, expected);
    assert_eq!(store.head(&key).await.unwrap(), Some(expected));
}

/// While a lease is live another attempt learns its end and changes nothing.
pub async fn a_second_owner_is_told_the_end_of_the_lease(store: &dyn SessionStore) {
    let key = session("busy");
    let first = held(store, &key, &event("1"), "a").await;
    for other in [event("1"), event("2")] {
        let answer = store.claim(&key, &claim(&other, "b", NOW.plus(LEASE - 1), LEASE)).await.unwrap();
        assert_eq!(answer, Claimed::Busy { until: NOW.plus(LEASE) });
    }
    assert_eq!(store.head(&key).await.unwrap(), Some(first));
}

/// After the lease another attempt takes over the unfinished turn, not its own event.
pub async fn after_the_lease_another_owner_takes_over_the_turn_in_progress(store: &dyn SessionStore) {
    let key = session("takeover");
    let first = held(store, &key, &event("1"), "a").await;
    let later = NOW.plus(LEASE + 1);
    let answer = store.claim(&key, &claim(&event("2"), "b", later, LEASE)).await.unwrap();
    let expected = Head { epoch: 2, attempts: 2, owner: "b".into(), lease_until: later.plus(LEASE), ..first };
    assert_eq!(expected.current, Some(event("1")));
    assert_eq!(answer, Claimed::Held(expected.clone()));
    assert_eq!(store.head(&key).await.unwrap(), Some(expected));
}

/// The holder may claim again, which extends its lease under a new epoch.
pub async fn the_same_owner_claims_again(store: &dyn SessionStore) {
    let key = session("again");
    let first = held(store, &key, &event("1"), "a").await;
    let later = NOW.plus(1000);
    let answer = store.claim(&key, &claim(&event("1"), "a", later, LEASE)).await.unwrap();
    assert_eq!(answer, Claimed::Held(Head { epoch: 2, attempts: 2, lease_until: later.plus(LEASE), ..first }));
}

/// Of many attempts at once exactly one holds the session, and the others are told its lease.
pub async fn of_fifty_claims_at_once_exactly_one_holds(store: &dyn SessionStore) {
    let key = session("race");
    let owners: Vec<String> = (0..50).map(|n| format!("owner{n}")).collect();
    let asked = event("1");
    let claims: Vec<_> = owners.iter().map(|owner| claim(&asked, owner, NOW, LEASE)).collect();
    let answers = join_all(claims.iter().map(|claim| store.claim(&key, claim))).await;
    let mut holders = Vec::new();
    for (answer, owner) in answers.into_iter().zip(&owners) {
        match answer.unwrap() {
            Claimed::Held(head) => holders.push((owner.clone(), head.owner)),
            Claimed::Busy { until } => assert_eq!(until, NOW.plus(LEASE)),
            Claimed::Finished => panic!("nothing is finished"),
        }
    }
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert_eq!(holders[0].0, holders[0].1);
    let head = store.head(&key).await.unwrap().unwrap();
    assert_eq!((head.epoch, head.owner), (1, holders[0].0.clone()));
}

/// A late duplicate of a finished event is told so, held or not, and changes nothing.
pub async fn a_finished_event_is_told_so_and_changes_nothing(store: &dyn SessionStore) {
    let key = session("finished");
    let head = held(store, &key, &event("1"), "a").await;
    store.save(&key, &finished(&head), &fence(&head, "a")).await.unwrap();
    let released = store.head(&key).await.unwrap();
    assert_eq!(released, Some(finished(&head)));
    let again = store.claim(&key, &claim(&event("1"), "b", NOW.plus(1), LEASE)).await.unwrap();
    assert_eq!(again, Claimed::Finished);
    assert_eq!(store.head(&key).await.unwrap(), released);

    let next = held(store, &key, &event("2"), "c").await;
    let again = store.claim(&key, &claim(&event("1"), "b", NOW.plus(2), LEASE)).await.unwrap();
    assert_eq!(again, Claimed::Finished, "also while another turn is worked on");
    let again = store.claim(&key, &claim(&event("1"), "c", NOW.plus(2), LEASE)).await.unwrap();
    assert_eq!(again, Claimed::Finished, "also for the holder of another turn");
    assert_eq!(store.head(&key).await.unwrap(), Some(next));
}

/// A released session is free before its old lease ends, and the next event begins the next turn.
pub async fn a_released_session_is_free_for_the_next_event(store: &dyn SessionStore) {
    let key = session("released");
    let head = held(store, &key, &event("1"), "a").await;
    store.save(&key, &finished(&head), &fence(&head, "a")).await.unwrap();
    let next = held(store, &key, &event("2"), "b").await;
    let expected = Head {
        epoch: 2,
        owner: "b".into(),
        lease_until: NOW.plus(LEASE),
        last_turn: 1,
        current: Some(event("2")),
        attempts: 1,
        recent: vec![event("1").short().to_owned()],
        ..Head::default()
    };
    assert_eq!(next, expected);
    assert_eq!(next.turn(), 2);
}

/// Attempts are those of the turn in progress, whatever was left of the turn before.
pub async fn each_turn_counts_its_own_attempts(store: &dyn SessionStore) {
    let key = session("attempts");
    held(store, &key, &event("1"), "a").await;
    let head = held(store, &key, &event("1"), "a").await;
    assert_eq!(head.attempts, 2);
    let left = Head { attempts: 2, ..finished(&head) };
    store.save(&key, &left, &fence(&head, "a")).await.unwrap();
    assert_eq!(held(store, &key, &event("2"), "b").await.attempts, 1);
    assert_eq!(held(store, &key, &event("2"), "b").await.attempts, 2);
}

/// Only the claim's own epoch, owner and a long enough lease may change the head.
pub async fn a_save_outside_the_fence_changes_nothing(store: &dyn SessionStore) {
    let key = session("fence");
    let never = Fence { epoch: 0, owner: "", lease_reaches: NOW };
    let refused = store.save(&key, &Head::default(), &never).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "a session that never was: {refused:?}");
    assert_eq!(store.head(&key).await.unwrap(), None);

    held(store, &key, &event("1"), "a").await;
    let head = held(store, &key, &event("1"), "a").await;
    let changed = Head { intents: vec![Intent::Send { part: 0 }], ..head.clone() };
    let fences = [
        ("older epoch", Fence { epoch: 1, owner: "a", lease_reaches: NOW }),
        ("newer epoch", Fence { epoch: 3, owner: "a", lease_reaches: NOW }),
        ("other owner", Fence { epoch: 2, owner: "b", lease_reaches: NOW }),
        ("no owner", Fence { epoch: 2, owner: "", lease_reaches: NOW }),
        ("short lease", Fence { epoch: 2, owner: "a", lease_reaches: NOW.plus(LEASE + 1) }),
    ];
    for (what, fence) in fences {
        let refused = store.save(&key, &changed, &fence).await;
        assert!(matches!(refused, Err(StoreError::Fenced)), "{what}: {refused:?}");
        assert_eq!(store.head(&key).await.unwrap(), Some(head.clone()), "{what}");
    }
    let just_enough = Fence { epoch: 2, owner: "a", lease_reaches: NOW.plus(LEASE) };
    store.save(&key, &changed, &just_enough).await.unwrap();
    assert_eq!(store.head(&key).await.unwrap(), Some(changed));
}

/// The attempt that was taken over can begin nothing more.
pub async fn the_attempt_that_was_taken_over_is_fenced(store: &dyn SessionStore) {
    let key = session("fenced");
    let old = held(store, &key, &event("1"), "a").await;
    let later = NOW.plus(LEASE + 1);
    let Claimed::Held(new) = store.claim(&key, &claim(&event("1"), "b", later, LEASE)).await.unwrap() else {
        panic!("the lease is over")
    };
    let begun = Head { intents: vec![Intent::Send { part: 0 }], ..old.clone() };
    let anyway = Fence { epoch: old.epoch, owner: "a", lease_reaches: chela_core::clock::Millis(0) };
    assert!(matches!(store.save(&key, &begun, &anyway).await, Err(StoreError::Fenced)));
    assert_eq!(store.head(&key).await.unwrap(), Some(new));
}

/// Saving the same head twice is harmless.
pub async fn saving_twice_is_harmless(store: &dyn SessionStore) {
    let key = session("twice");
    let head = held(store, &key, &event("1"), "a").await;
    let changed = Head { settled: vec![Settled::Unknown], ..head.clone() };
    for _ in 0..2 {
        store.save(&key, &changed, &fence(&head, "a")).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap(), Some(changed.clone()));
    }
}

/// What a lost attempt had begun is known to the next.
pub async fn intents_and_settled_parts_survive_a_takeover(store: &dyn SessionStore) {
    let key = session("intents");
    let head = held(store, &key, &event("1"), "a").await;
    let begun = Head {
        intents: vec![Intent::Tool { step: 2, id: "call #1 ✨".into() }, Intent::Send { part: 3 }],
        settled: vec![Settled::Sent { id: "1700.42".into() }, Settled::Unknown, Settled::Dead],
        forgotten: 7,
        plain: 5,
        revision: 300,
        choices: Choices {
            model: Some("a/b ✨".into()),
            thinking: Some(Thinking::High),
            verbose: Some(Verbose::Full),
            usage: Some(UsageFooter::Tokens),
            profile: Some("a:second".into()),
        },
        ..head.clone()
    };
    store.save(&key, &begun, &fence(&head, "a")).await.unwrap();
    let later = NOW.plus(LEASE + 1);
    let answer = store.claim(&key, &claim(&event("2"), "b", later, LEASE)).await.unwrap();
    let expected = Head { epoch: 2, attempts: 2, owner: "b".into(), lease_until: later.plus(LEASE), ..begun };
    assert_eq!(answer, Claimed::Held(expected));
}

/// A head that remembers all it may stays under 1 KB and comes back whole.
pub async fn a_full_head_is_under_one_kilobyte(store: &dyn SessionStore) {
    let key = session("full-head");
    let head = held(store, &key, &event("1"), "0190f3a2c4e87b6d9a1b2c3d4e5f6a7b").await;
    let recent: Vec<String> = (0..RECENT_EVENTS).map(|n| event(&n.to_string()).short().to_owned()).collect();
    let full = Head {
        recent: recent.clone(),
        last_turn: 1_000_000,
        forgotten: 999_999,
        intents: vec![Intent::Tool { step: 12, id: "toolu_01A09q90qw90lq917835lq9".into() }, Intent::Send { part: 4 }],
        settled: vec![Settled::Sent { id: "1700000000.000100".into() }; 4],
        ..head.clone()
    };
    store.save(&key, &full, &fence(&head, &head.owner)).await.unwrap();
    assert_eq!(store.head(&key).await.unwrap(), Some(full.clone()));
    let bytes = serde_json::to_vec(&full).unwrap().len();
    assert!(bytes < 1024, "{bytes} bytes");
    for n in [0, RECENT_EVENTS - 1] {
        let again = store.claim(&key, &claim(&event(&n.to_string()), "b", NOW, LEASE)).await.unwrap();
        assert_eq!(again, Claimed::Finished, "oldest and newest are remembered: {n}");
    }
}

/// The first writer of an accepted event wins; the second learns what was stored.
pub async fn an_event_is_accepted_once(store: &dyn SessionStore) {
    let key = session("accept");
    assert_eq!(store.accepted(&key, &event("1")).await.unwrap(), None);
    let first = accepted("1", "first ✨");
    assert_eq!(store.accept(&key, &first).await.unwrap(), Put::Stored);
    assert_eq!(store.accept(&key, &accepted("1", "second")).await.unwrap(), Put::Exists(first.clone()));
    assert_eq!(store.accepted(&key, &event("1")).await.unwrap(), Some(first.clone()));
    let elsewhere = accepted("1", "elsewhere");
    assert_eq!(store.accept(&session("accept-2"), &elsewhere).await.unwrap(), Put::Stored);
    assert_eq!(store.accepted(&key, &event("1")).await.unwrap(), Some(first));
    assert_eq!(store.accepted(&key, &event("2")).await.unwrap(), None);
}

/// The first writer of an entry wins; the second adopts what was stored.
pub async fn an_entry_is_appended_once(store: &dyn SessionStore) {
    let key = session("append");
    let first = assistant(1, 0, "first ✨");
    assert_eq!(store.append(&key, &first).await.unwrap(), Put::Stored);
    assert_eq!(store.append(&key, &assistant(1, 0, "second")).await.unwrap(), Put::Exists(first.clone()));
    assert_eq!(store.history(&key, 0, 10).await.unwrap(), [first]);
}

/// Of many writers at once exactly one is the first, and all others learn the same content.
pub async fn of_sixteen_appends_at_once_exactly_one_is_stored(store: &dyn SessionStore) {
    let key = session("append-race");
    let entries: Vec<Entry> = (0..16).map(|n| assistant(1, 0, &format!("writer {n}"))).collect();
    let answers = join_all(entries.iter().map(|entry| store.append(&key, entry))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = entries.iter().zip(&answers).filter(|(_, answer)| **answer == Put::Stored).collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    let losers = answers.iter().filter(|answer| **answer == Put::Exists(winner.clone())).count();
    assert_eq!(losers, 15);
    assert_eq!(store.history(&key, 0, 100).await.unwrap(), std::slice::from_ref(winner));
}

/// Entries come back whole and in the order of their places, whatever order they were written in.
pub async fn history_is_in_the_order_of_the_transcript(store: &dyn SessionStore) {
    let key = session("history");
    let transcript = transcript();
    for entry in transcript.iter().rev() {
        assert_eq!(store.append(&key, entry).await.unwrap(), Put::Stored);
    }
    assert_eq!(store.history(&key, 0, 100).await.unwrap(), transcript);
    let places: Vec<_> = transcript.iter().map(Entry::place).collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// A limit keeps the newest; `after_turn` leaves out what is older.
pub async fn history_is_limited_to_the_newest(store: &dyn SessionStore) {
    let key = session("limit");
    let transcript = transcript();
    for entry in &transcript {
        store.append(&key, entry).await.unwrap();
    }
    store.append(&session("limit-2"), &assistant(9, 0, "another session's")).await.unwrap();
    for limit in [0, 1, 4, transcript.len(), 500] {
        let newest = &transcript[transcript.len().saturating_sub(limit)..];
        assert_eq!(store.history(&key, 0, limit).await.unwrap(), newest, "limit {limit}");
    }
    for after in 0..14 {
        let newer: Vec<_> = transcript.iter().filter(|entry| entry.turn > after).cloned().collect();
        assert_eq!(store.history(&key, after, 100).await.unwrap(), newer, "after {after}");
    }
    let both = store.history(&key, 1, 3).await.unwrap();
    assert_eq!(both, transcript[transcript.len() - 3..]);
}

/// A summary is found by its turn, and the first writer wins.
pub async fn a_summary_is_found_by_its_turn(store: &dyn SessionStore) {
    let key = session("summary");
    assert_eq!(store.summary(&key, 2).await.unwrap(), None);
    let first = summary(2, "they said hello ✨");
    assert_eq!(store.append(&key, &first).await.unwrap(), Put::Stored);
    assert_eq!(store.append(&key, &summary(2, "another")).await.unwrap(), Put::Exists(first.clone()));
    assert_eq!(store.append(&key, &summary(12, "later")).await.unwrap(), Put::Stored);
    assert_eq!(store.summary(&key, 2).await.unwrap(), Some(first));
    assert_eq!(store.summary(&key, 12).await.unwrap(), Some(summary(12, "later")));
    assert_eq!(store.summary(&key, 1).await.unwrap(), None);
    assert_eq!(store.summary(&session("summary-2"), 2).await.unwrap(), None);
}

/// A summary stands beside the transcript, which is as it was.
pub async fn a_summary_is_not_part_of_the_transcript(store: &dyn SessionStore) {
    let key = session("summary-beside");
    let transcript = transcript();
    for entry in &transcript {
        store.append(&key, entry).await.unwrap();
        store.append(&key, &summary(entry.turn, "in short")).await.unwrap();
    }
    assert_eq!(store.history(&key, 0, 100).await.unwrap(), transcript);
    let newest = transcript.last().cloned();
    assert_eq!(store.history(&key, 0, 1).await.unwrap().pop(), newest);
    for turn in [1, 2, 12] {
        let own: Vec<_> = transcript.iter().filter(|entry| entry.turn == turn).cloned().collect();
        assert_eq!(store.turn(&key, turn).await.unwrap(), own, "turn {turn}");
    }
}

/// A long entry, with characters of every width, comes back whole.
pub async fn a_long_entry_comes_back_whole(store: &dyn SessionStore) {
    let key = session("long");
    let long = assistant(1, 0, &"aß∂🦀\u{0}\u{1b}\"\\\n".repeat(6000));
    store.append(&key, &long).await.unwrap();
    assert_eq!(store.history(&key, 0, 1).await.unwrap(), [long]);
}

/// What the owner must decide is listed newest first, each part once.
pub async fn flags_are_listed_newest_first_and_once(store: &dyn SessionStore) {
    assert_eq!(store.flagged(10).await.unwrap(), []);
    let flags = [flag("z", 1, 0, 1000), flag("a", 12, 1, 3000), flag("a", 2, 0, 2000), flag("a", 12, 0, 4000)];
    for flagged in &flags {
        store.flag(flagged).await.unwrap();
        store.flag(flagged).await.unwrap();
    }
    let newest_first = [&flags[3], &flags[1], &flags[2], &flags[0]].map(Clone::clone);
    assert_eq!(store.flagged(10).await.unwrap(), newest_first);
    assert_eq!(store.flagged(2).await.unwrap(), newest_first[..2]);
    // A second attempt flags what the first had flagged, at its own time.
    store.flag(&flag("z", 1, 0, 1500)).await.unwrap();
    let places: Vec<_> = store.flagged(10).await.unwrap().into_iter().map(|f| (f.session, f.turn, f.part)).collect();
    assert_eq!(places.len(), 4);
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 4, "{places:?}");
}

/// Of two who decide about a flag at once one does; what was settled does not come back.
pub async fn a_flag_is_changed_only_as_it_was_seen(store: &dyn SessionStore) {
    let (first, other) = (flag("a", 1, 0, 1000), flag("a", 1, 1, 1000));
    store.flag(&first).await.unwrap();
    store.flag(&other).await.unwrap();
    let sending = Flagged { sending: true, ..first.clone() };
    assert!(store.change_flag(&first, Some(&sending)).await.unwrap());
    assert!(!store.change_flag(&first, Some(&sending)).await.unwrap(), "it is no longer as it was seen");
    assert!(!store.change_flag(&first, None).await.unwrap());
    let failed = Flagged { at: NOW.plus(2000), reason: "refused again".into(), ..first.clone() };
    assert!(store.change_flag(&sending, Some(&failed)).await.unwrap());
    assert_eq!(store.flagged(10).await.unwrap(), [failed.clone(), other.clone()], "by its new time");
    assert!(store.change_flag(&failed, None).await.unwrap());
    assert!(!store.change_flag(&failed, None).await.unwrap(), "twice");
    assert!(!store.change_flag(&flag("b", 1, 0, 1000), None).await.unwrap(), "never flagged");
    let left = [other];
    assert_eq!(store.flagged(10).await.unwrap(), left);
    // An attempt that was paused flags what the owner has settled in the meantime.
    store.flag(&first).await.unwrap();
    assert_eq!(store.flagged(10).await.unwrap(), left);
}

/// The entries of one turn, and of no other, in order.
pub async fn a_turn_is_its_own_entries(store: &dyn SessionStore) {
    let key = session("turn");
    let transcript = transcript();
    for entry in &transcript {
        store.append(&key, entry).await.unwrap();
    }
    store.append(&session("turn-2"), &assistant(2, 1, "another session's")).await.unwrap();
    for turn in 0..14 {
        let own: Vec<_> = transcript.iter().filter(|entry| entry.turn == turn).cloned().collect();
        assert_eq!(store.turn(&key, turn).await.unwrap(), own, "turn {turn}");
    }
}

/// A later mark for the running turn replaces an earlier one.
pub async fn a_control_mark_is_replaced(store: &dyn SessionStore) {
    let key = session("control");
    assert_eq!(store.control(&key).await.unwrap(), None);
    for at in [5, 10] {
        let mark = Control { stop_before: NOW.plus(at) };
        store.set_control(&key, &mark).await.unwrap();
        assert_eq!(store.control(&key).await.unwrap(), Some(mark));
    }
    assert_eq!(store.control(&session("control-2")).await.unwrap(), None);
    assert_eq!(store.head(&key).await.unwrap(), None, "a mark is not a head");
}

/// A copy of an earlier save that arrives late sets nothing back.
pub async fn an_earlier_save_of_the_same_attempt_changes_nothing(store: &dyn SessionStore) {
    let key = session("echo");
    let head = held(store, &key, &event("echo-1"), "a").await;
    let first = Head { revision: 1, intents: vec![Intent::Send { part: 0 }], ..head.clone() };
    let second = Head { revision: 2, settled: vec![Settled::Sent { id: "1".into() }], ..head.clone() };
    store.save(&key, &first, &fence(&head, "a")).await.unwrap();
    store.save(&key, &second, &fence(&head, "a")).await.unwrap();
    assert_eq!(store.save(&key, &first, &fence(&head, "a")).await, Err(StoreError::Fenced));
    assert_eq!(store.head(&key).await.unwrap().as_ref(), Some(&second));
    store.save(&key, &second, &fence(&head, "a")).await.unwrap();
}

/// What is left for a running turn comes in the order it was accepted in, and only what came after the turn's own.
pub async fn messages_left_for_a_turn_are_found_by_their_time(store: &dyn SessionStore) {
    let left = |id: &str, at: u64| {
        let Accepted { event, task, .. } = accepted(id, "look here");
        let task = task.expect("a task");
        let session = session("left");
        Envelope { version: 1, event, session, agent: AgentId::new("main"), accepted_at: NOW.plus(at), task }
    };
    let (early, late, later) = (left("left-1", 0), left("left-2", 20), left("left-3", 10));
    for envelope in [&early, &late, &later, &late] {
        store.leave(envelope).await.unwrap();
    }
    let found = store.left(&session("left"), NOW, 10).await.unwrap();
    assert_eq!(found, [later.clone(), late]);
    assert_eq!(store.left(&session("left"), NOW, 1).await.unwrap(), [later]);
    assert_eq!(store.left(&session("left-other"), NOW, 10).await.unwrap(), []);
    assert_eq!(store.control(&session("left")).await.unwrap(), None);
}

/// Marks do not disturb the holder, whose head they are not part of.
pub async fn a_control_mark_does_not_disturb_the_turn(store: &dyn SessionStore) {
    let key = session("control-turn");
    let head = held(store, &key, &event("1"), "a").await;
    store.set_control(&key, &Control { stop_before: NOW }).await.unwrap();
    store.save(&key, &head, &fence(&head, "a")).await.unwrap();
    assert_eq!(store.control(&key).await.unwrap(), Some(Control { stop_before: NOW }));
}

/// Sessions whose names are long, odd, or one another's beginning have nothing in common.
pub async fn odd_session_keys_are_separate(store: &dyn SessionStore) {
    let long = "x".repeat(300);
    let names = ["a", "a#", "a#M", "A", "a/b", "a\u{301}", "á", "🦀:群", " a", "%61", "a'--", "M#000000000001"];
    let mut keys: Vec<SessionKey> = names.into_iter().map(SessionKey::from_stored).collect();
    keys.push(SessionKey::from_stored(long.clone()));
    keys.push(SessionKey::from_stored(format!("{long}y")));
    for (n, key) in (0u64..).zip(&keys) {
        let owner = format!("owner{n}");
        assert_eq!(held(store, key, &event("1"), &owner).await.epoch, 1, "{key:?}");
        assert_eq!(store.accept(key, &accepted("1", &owner)).await.unwrap(), Put::Stored, "{key:?}");
        assert_eq!(store.append(key, &assistant(1, 0, &owner)).await.unwrap(), Put::Stored, "{key:?}");
        store.set_control(key, &Control { stop_before: NOW.plus(n) }).await.unwrap();
    }
    for (n, key) in (0u64..).zip(&keys) {
        let owner = format!("owner{n}");
        assert_eq!(store.head(key).await.unwrap().unwrap().owner, owner, "{key:?}");
        assert_eq!(store.accepted(key, &event("1")).await.unwrap(), Some(accepted("1", &owner)), "{key:?}");
        assert_eq!(store.history(key, 0, 10).await.unwrap(), [assistant(1, 0, &owner)], "{key:?}");
        assert_eq!(store.control(key).await.unwrap(), Some(Control { stop_before: NOW.plus(n) }), "{key:?}");
    }
}

fn summary(turn: u64, text: &str) -> Entry {
    Entry { turn, step: 0, at: NOW, body: EntryBody::Summary { text: text.into() } }
}

fn flag(name: &str, turn: u64, part: u16, at: u64) -> Flagged {
    let (event, at, reason) = (event("1"), NOW.plus(at), format!("refused #{at} ✨"));
    Flagged { session: session(name), turn, part, event, at, reason, sending: false }
}

/// Three turns, one of them with three steps, their tool journals and results; the last numbers have more digits.
fn transcript() -> Vec<Entry> {
    vec![
        assistant(1, 0, "one"),
        tool_done(1, 0, "call-1"),
        tool_done(1, 0, "call-2"),
        tool_results(1, 0, &["call-1", "call-2"]),
        assistant(1, 1, "two"),
        tool_results(1, 1, &["call-1"]),
        assistant(1, 2, "three"),
        assistant(2, 0, "four"),
        assistant(2, 9, "five"),
        assistant(2, 10, "six"),
        assistant(12, 0, "seven"),
        tool_results(12, 0, &["call-1"]),
        assistant(12, 1, "eight"),
    ]
}

/// Declares one test for each law of sessions; `$make` is an `async fn() -> Subject<dyn SessionStore>`.
#[macro_export]
macro_rules! session_laws {
    ($make:expr) => {
        $crate::law_tests!(
            sessions,
            $make,
            [
                a_new_session_is_held_with_epoch_one,
                a_second_owner_is_told_the_end_of_the_lease,
                after_the_lease_another_owner_takes_over_the_turn_in_progress,
                the_same_owner_claims_again,
                of_fifty_claims_at_once_exactly_one_holds,
                a_finished_event_is_told_so_and_changes_nothing,
                a_released_session_is_free_for_the_next_event,
                each_turn_counts_its_own_attempts,
                a_save_outside_the_fence_changes_nothing,
                the_attempt_that_was_taken_over_is_fenced,
                saving_twice_is_harmless,
                an_earlier_save_of_the_same_attempt_changes_nothing,
                intents_and_settled_parts_survive_a_takeover,
                a_full_head_is_under_one_kilobyte,
                an_event_is_accepted_once,
                an_entry_is_appended_once,
                of_sixteen_appends_at_once_exactly_one_is_stored,
                history_is_in_the_order_of_the_transcript,
                history_is_limited_to_the_newest,
                a_summary_is_found_by_its_turn,
                a_summary_is_not_part_of_the_transcript,
                a_long_entry_comes_back_whole,
                flags_are_listed_newest_first_and_once,
                a_flag_is_changed_only_as_it_was_seen,
                a_turn_is_its_own_entries,
                a_control_mark_is_replaced,
                messages_left_for_a_turn_are_found_by_their_time,
                a_control_mark_does_not_disturb_the_turn,
                odd_session_keys_are_separate,
            ]
        );
    };
}
