//! Requests and decisions in a house that dies at every operation of its store.

use std::sync::Arc;

use chela_agent::Outcome;
use chela_core::audit::What;
use chela_core::model::{Block, ModelRequest};
use chela_core::queue::{Envelope, Lane, Queue};
use chela_core::session::SessionStore;
use chela_core::session_key::SessionKey;
use chela_core::tool::Effect;
use serde_json::json;

use super::Office;
use crate::world::{Steadfast, choice};

/// First the call, then that it is done.
fn push_first(request: &ModelRequest) -> Block {
    match request.messages.last().and_then(|message| message.blocks.last()) {
        Some(Block::ToolResult { .. }) => Block::Text { text: "It is pushed.".into() },
        _ => Block::ToolUse { id: "a".into(), name: "exec".into(), input: json!({"command": "git push"}) },
    }
}

/// The whole story killed at every operation of the store, before and after it took effect: what was allowed runs at most
/// once; a tool that knows keys runs exactly once; and the person is asked and answered whatever dies.
async fn killed_everywhere(effect: Effect) -> Vec<usize> {
    let mut ran = Vec::new();
    for (kill_in, applied) in [(0, false), (0, true), (1, false), (1, true), (2, false), (2, true)] {
        for operation in 0.. {
            let mut office = Office::new([], effect);
            *office.world.models() =
                vec![choice("test/steadfast", [("test:default", Arc::new(Steadfast(push_first)) as _)])];
            let die = |turn| {
                if turn == kill_in {
                    office.world.store.dies_at(operation, applied);
                }
            };
            let mut died = false;
            die(0);
            died |= office.survives(&office.world.says("1", "push it")).await;
            let id = office.the_request().await.id;
            assert!(office.world.channel.shown().iter().any(|text| text.contains(&id)), "asked: {kill_in} {operation}");
            die(1);
            died |= office.survives(&office.world.says("2", &format!("/approve {id}"))).await;
            die(2);
            let decision = office.decision().await;
            died |= office.survives(&decision).await;
            assert_eq!(office.last_shown(), "It is pushed.", "{kill_in} {operation} {applied}");
            if office.exec.ran().is_empty() {
                assert!(office.says_unknown().await, "{kill_in} {operation} {applied}");
            }
            assert_eq!(office.waiting().await.len(), 0);
            let log = office.log().await;
            assert_eq!(log.iter().filter(|what| **what == What::AllowedOnce).count(), 1, "{log:?}");
            assert!(log.iter().filter(|what| **what == What::Ran).count() >= office.exec.ran().len(), "{log:?}");
            ran.push(office.exec.ran().len());
            if !died {
                break;
            }
        }
    }
    ran
}

impl Office {
    /// The envelope until it is done; whether the first process died.
    pub(super) async fn survives(&self, envelope: &Envelope) -> bool {
        let mut died = false;
        for _ in 0..20 {
            let outcome = self.world.answer(envelope).await;
            died |= self.world.store.revive();
            if let Outcome::Done(_) = outcome {
                return died;
            }
            self.world.clock.advance(chela_agent::LEASE_MS + 1_000);
        }
        panic!("never done");
    }

    /// Whether the model was told that nobody knows.
    async fn says_unknown(&self) -> bool {
        let key = SessionKey::from_stored("agent:main:main");
        let entries = self.world.embedded.sessions.history(&key, 0, 100).await.unwrap();
        serde_json::to_string(&entries).unwrap().contains("outcome of this call is unknown")
    }

    async fn decision(&self) -> Envelope {
        let deliveries = self.world.embedded.queue.receive(Lane::Live, 10, 30).await.unwrap();
        assert_eq!(deliveries.len(), 1, "one decision, one turn");
        serde_json::from_str(&deliveries[0].body).unwrap()
    }
}

#[tokio::test]
async fn with_keys_what_was_allowed_runs_exactly_once_wherever_it_dies() {
    let ran = killed_everywhere(Effect::Keyed).await;
    assert!(ran.len() > 60 && ran.iter().all(|times| *times == 1), "{ran:?}");
}

#[tokio::test]
async fn without_keys_what_was_allowed_runs_at_most_once_and_what_is_unknown_is_told() {
    let ran = killed_everywhere(Effect::Unkeyed).await;
    assert!(ran.len() > 60 && ran.iter().all(|times| *times <= 1), "{ran:?}");
    let unknown = ran.iter().filter(|times| **times == 0).count();
    assert!((1..=10).contains(&unknown), "{unknown} of {}", ran.len());
}
