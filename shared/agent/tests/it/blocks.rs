//! What is said on the way to an answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::Blocks;
use chela_core::agent_id::AgentId;
use chela_core::model::{Delta, Model, ModelAnswer, ModelError, ModelRequest};
use chela_core::session::SessionStore;
use chela_core::tool::Effect;
use chela_testkit::channel::RecordingChannel;
use chela_testkit::model::{Line, ScriptedModel};
use serde_json::json;

use crate::world::{World, says, settings};

/// More operations than this turn has.
const EVERY_OPERATION: u32 = 24;

fn explains(text: &str, id: &str) -> Line {
    Line::SaysAndCalls(text.into(), vec![(id.to_owned(), "lamp".to_owned(), json!({}))])
}

/// Says the same at the same place of a turn, whoever asks.
struct Steadfast;

#[async_trait]
impl Model for Steadfast {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let line = lines().into_iter().nth(request.messages.len() / 2);
        ScriptedModel::new(line).call(request, on_delta).await
    }
}

fn world(lines: impl IntoIterator<Item = Line>, least: Option<usize>) -> World {
    let mut world = World::with(lines, RecordingChannel::default(), Effect::Keyed);
    let outlet = world.installation.outlets.values_mut().next().unwrap();
    let blocks = |least| Blocks { least, most: usize::MAX, idle: Duration::from_secs(1), growing: false };
    (outlet.blocks, outlet.streaming) = (least.map(blocks), false);
    world
}

fn lines() -> [Line; 3] {
    [explains("Let me look at the lamp first.", "a"), explains("Hm.", "b"), says("It is on.")]
}

#[tokio::test]
async fn what_is_said_before_a_tool_runs_is_sent_where_that_is_wished() {
    let quiet = world(lines(), None);
    quiet.answer_until_done(&quiet.says("1", "lamp?")).await;
    assert_eq!(quiet.channel.shown(), ["It is on."]);
    // "Hm." is too short for a message of its own and comes with the answer.
    let chatty = world(lines(), Some(10));
    chatty.answer_until_done(&chatty.says("1", "lamp?")).await;
    assert_eq!(chatty.channel.shown(), ["Let me look at the lamp first.", "Hm.\n\nIt is on."]);
    assert_eq!(chatty.embedded.sessions.flagged(10).await.unwrap(), []);
}

#[tokio::test]
async fn silence_and_thoughts_are_not_shown_on_the_way() {
    let lines = [explains("<think>secret plan of many words</think>NO_REPLY", "a"), says("Done.")];
    let world = world(lines, Some(1));
    world.answer_until_done(&world.says("1", "?")).await;
    assert_eq!(world.channel.shown(), ["Done."]);
}

/// Wherever it dies: what was shown is not shown again, and nothing is missing but what is flagged.
#[tokio::test]
async fn parts_on_the_way_are_shown_once_wherever_it_dies() {
    let mut doubts = Vec::new();
    for applied in [false, true] {
        for operation in 0..EVERY_OPERATION {
            let place = format!("operation {operation}, applied {applied}");
            let mut world = world([], Some(10));
            let settings = settings(Arc::new(Steadfast), world.lamp.clone());
            world.installation.agents.insert(AgentId::new("main"), settings);
            world.store.dies_at(operation, applied);
            let _ = world.answer(&world.says("1", "lamp?")).await;
            world.store.revive();
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
            world.answer_until_done(&world.says("1", "lamp?")).await;
            let shown = world.channel.shown();
            let flagged = world.embedded.sessions.flagged(10).await.unwrap();
            let all = ["Let me look at the lamp first.", "Hm.\n\nIt is on."];
            let lost = |part: usize| flagged.iter().any(|flag| usize::from(flag.part) == part);
            let wanted: Vec<&str> = (0..2)
                .filter(|part| !lost(*part) || shown.iter().any(|it| it == all[*part]))
                .map(|part| all[part])
                .collect();
            assert_eq!(shown, wanted, "{place}: {flagged:?}");
            doubts.extend(flagged.iter().map(|flag| (operation, applied, flag.part)));
        }
    }
    // Only between a part's mark and the record of its end nobody knows.
    assert_eq!(doubts, [(4, false, 0), (16, false, 1), (3, true, 0), (15, true, 1)]);
}
