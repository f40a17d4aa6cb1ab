//! Laws of [`ApprovalStore`].

use chela_core::agent_id::AgentId;
use chela_core::approval::{ApprovalStore, Decided, KEPT_MS, Request, Rule, State, VALID_MS, Verdict, digest};
use chela_core::clock::Millis;
use chela_core::session::Put;
use chela_core::session_key::SessionKey;
use chela_core::tool::{Caller, Consent};
use futures_util::future::join_all;
use serde_json::json;

use super::NOW;

pub(super) fn request(id: &str, at: Millis) -> Request {
    let input = json!({"command": "git push \u{1} 'é'"});
    let consent = Consent {
        shown: "git push".into(),
        programs: Some(vec![vec!["git".into(), "push".into()]]),
        beside: String::new(),
    };
    Request {
        id: id.into(),
        digest: digest("exec", &input, &consent.shown),
        session: SessionKey::from_stored("agent:main:main"),
        agent: AgentId::new("main"),
        turn: 1,
        call: "call #1".into(),
        model: "test/model".into(),
        tool: "exec".into(),
        input,
        consent,
        caller: Caller::default(),
        here: true,
        places: vec![],
        asked_at: at,
        expires_at: at.plus(VALID_MS),
        state: State::Waiting,
    }
}

fn decided(request: &Request, verdict: Verdict, event: &str) -> Request {
    let by = Decided { by: "telegram:42".into(), at: request.asked_at.plus(1), event: event.into() };
    request.decided(verdict, by).unwrap()
}

fn rule(words: &[&str]) -> Rule {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    Rule::exact(&AgentId::new("main"), "exec", &words, "in site", "telegram:42", NOW)
}

fn ids(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.id.as_str()).collect()
}

/// Nobody agreed to anything that was not asked.
pub async fn nothing_is_agreed_to_by_default(store: &dyn ApprovalStore) {
    assert_eq!(store.request("a").await.unwrap(), None);
    assert_eq!(store.waiting().await.unwrap(), []);
    assert_eq!(store.rules().await.unwrap(), []);
    assert!(!store.forget("a").await.unwrap());
    let nothing = request("a", NOW);
    assert!(!store.change(&nothing, &decided(&nothing, Verdict::Once, "e")).await.unwrap());
    assert_eq!(store.request("a").await.unwrap(), None, "a change makes no request");
}

/// A request is asked once: an attempt that asks it again finds what became of it.
pub async fn a_request_asked_again_is_as_it_was(store: &dyn ApprovalStore) {
    let asked = request("a", NOW);
    assert_eq!(store.ask(&asked).await.unwrap(), Put::Stored);
    assert_eq!(store.ask(&request("a", NOW.plus(5))).await.unwrap(), Put::Exists(asked.clone()));
    let allowed = decided(&asked, Verdict::Once, "e");
    assert!(store.change(&asked, &allowed).await.unwrap());
    assert_eq!(store.ask(&asked).await.unwrap(), Put::Exists(allowed.clone()));
    assert_eq!(store.request("a").await.unwrap(), Some(allowed));
}

/// A request changes only from what was seen.
pub async fn a_decision_is_taken_once(store: &dyn ApprovalStore) {
    let asked = request("a", NOW);
    store.ask(&asked).await.unwrap();
    let (allowed, denied) = (decided(&asked, Verdict::Once, "e"), decided(&asked, Verdict::Deny, "f"));
    assert!(store.change(&asked, &denied).await.unwrap());
    assert!(!store.change(&asked, &allowed).await.unwrap());
    assert_eq!(store.request("a").await.unwrap(), Some(denied));
}

/// Of many who decide at once one does.
pub async fn of_eight_decisions_at_once_one_counts(store: &dyn ApprovalStore) {
    let asked = request("a", NOW);
    store.ask(&asked).await.unwrap();
    let wishes: Vec<_> = (0..8).map(|n| decided(&asked, Verdict::Once, &n.to_string())).collect();
    let taken = join_all(wishes.iter().map(|wish| store.change(&asked, wish))).await;
    let taken: Vec<_> = taken.into_iter().map(Result::unwrap).collect();
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    let winner = taken.iter().position(|taken| *taken).unwrap();
    assert_eq!(store.request("a").await.unwrap().as_ref(), wishes.get(winner));
}

/// Of many attempts that would run what was allowed one may.
pub async fn of_eight_runs_at_once_one_is_let(store: &dyn ApprovalStore) {
    let asked = request("a", NOW);
    store.ask(&asked).await.unwrap();
    let allowed = decided(&asked, Verdict::Once, "e");
    store.change(&asked, &allowed).await.unwrap();
    let used = |key: usize| {
        let (session, now) = (&allowed.session, NOW.plus(2));
        allowed.used(session, &allowed.digest, &key.to_string(), now).unwrap()
    };
    let wishes: Vec<_> = (0..8).map(used).collect();
    let taken = join_all(wishes.iter().map(|wish| store.change(&allowed, wish))).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
}

/// What waits is listed, the newest first, also when its time is over; what was decided is not.
pub async fn what_waits_is_listed(store: &dyn ApprovalStore) {
    for (at, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        store.ask(&request(id, NOW.plus(at as u64))).await.unwrap();
    }
    assert_eq!(ids(&store.waiting().await.unwrap()), ["d", "c", "b", "a"]);
    let asked = request("c", NOW.plus(2));
    store.change(&asked, &decided(&asked, Verdict::Deny, "e")).await.unwrap();
    store.ask(&request("e", NOW.plus(VALID_MS + 1))).await.unwrap();
    assert_eq!(ids(&store.waiting().await.unwrap()), ["e", "d", "b", "a"]);
}

/// A late click is told what became of a request.
pub async fn a_request_is_remembered_after_its_time(store: &dyn ApprovalStore) {
    let asked = request("a", NOW);
    store.ask(&asked).await.unwrap();
    store.ask(&request("b", NOW.plus(VALID_MS + KEPT_MS - 1))).await.unwrap();
    assert_eq!(store.request("a").await.unwrap(), Some(asked));
}

/// Rules are remembered once each, until they are forgotten.
pub async fn rules_last_until_they_are_forgotten(store: &dyn ApprovalStore) {
    let (push, pull) = (rule(&["git", "push"]), rule(&["git", "pull"]));
    for rule in [&push, &pull, &push] {
        store.remember(rule).await.unwrap();
    }
    let mut both = vec![push.clone(), pull.clone()];
    both.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(store.rules().await.unwrap(), both);
    assert!(store.forget(&push.id).await.unwrap());
    assert!(!store.forget(&push.id).await.unwrap());
    assert_eq!(store.rules().await.unwrap(), [pull]);
    store.remember(&push).await.unwrap();
    assert_eq!(store.rules().await.unwrap(), both);
}

/// Declares one test for each law of approvals; `$make` is an `async fn() -> Subject<dyn ApprovalStore>`.
#[macro_export]
macro_rules! approval_laws {
    ($make:expr) => {
        $crate::law_tests!(
            approval,
            $make,
            [
                nothing_is_agreed_to_by_default,
                a_request_asked_again_is_as_it_was,
                a_decision_is_taken_once,
                of_eight_decisions_at_once_one_counts,
                of_eight_runs_at_once_one_is_let,
                what_waits_is_listed,
                a_request_is_remembered_after_its_time,
                rules_last_until_they_are_forgotten,
            ]
        );
    };
}
