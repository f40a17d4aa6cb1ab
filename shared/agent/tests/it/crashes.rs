//! Whatever dies, wherever: answered exactly once, or visibly flagged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chela_agent::Outcome;
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::channel::Unconfirmed;
use chela_core::model::{Block, ModelRequest};
use chela_core::session::{Entry, EntryBody, SessionStore};
use chela_core::session_key::SessionKey;
use chela_core::shown::files_of;
use chela_core::tool::Effect;
use chela_testkit::channel::RecordingChannel;
use serde_json::json;

use crate::world::{Steadfast, World, calls, keyed_channel, says, settings};

/// More operations than any of these turns has.
const EVERY_OPERATION: u32 = 20;

#[tokio::test]
async fn a_plain_turn_costs_five_writes() {
    let world = World::new([says("Hello Ada.")]);
    assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), ["Hello Ada."]);
    assert_eq!(world.store.writes(), 5);
}

/// The id of the message that becomes the part is stored in the place of a mark.
#[tokio::test]
async fn a_part_that_takes_its_place_costs_as_much() {
    let channel = RecordingChannel::with(|channel| channel.unconfirmed = Unconfirmed::Placeholder);
    let world = World::with([says("Hello Ada.")], channel, Effect::None);
    assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), ["Hello Ada."]);
    assert_eq!((world.store.writes(), world.channel.keys().len()), (5, 1));
}

/// An answer of two parts, whatever the store was doing when the process died: each is shown once, nothing is in doubt.
#[tokio::test]
async fn parts_that_take_their_places_are_shown_once_wherever_it_dies() {
    for applied in [false, true] {
        for operation in 0..EVERY_OPERATION {
            let channel = RecordingChannel::with(|channel| {
                channel.unconfirmed = Unconfirmed::Placeholder;
                channel.limits.text = 12;
            });
            let world = World::with(
                [says("Hello Ada.\n\nHow are you?"), says("Hello Ada.\n\nHow are you?")],
                channel,
                Effect::None,
            );
            world.store.dies_at(operation, applied);
            let _ = world.answer(&world.says("1", "hi")).await;
            world.store.revive();
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
            world.answer_until_done(&world.says("1", "hi")).await;
            let shown = world.channel.shown();
            let shown: Vec<&str> = shown.iter().map(|text| text.trim()).filter(|text| *text != "…").collect();
            assert_eq!(shown, ["Hello Ada.", "How are you?"], "operation {operation}, applied {applied}");
            assert_eq!(
                world.embedded.sessions.flagged(10).await.unwrap(),
                [],
                "operation {operation}, applied {applied}"
            );
        }
    }
}

#[tokio::test]
async fn an_answered_message_is_never_answered_again() {
    let world = World::new([says("once"), says("twice")]);
    let envelope = world.says("1", "hi");
    world.answer_until_done(&envelope).await;
    let Outcome::Done(report) = world.answer(&envelope).await else { panic!("done") };
    assert!(report.duplicate);
    assert_eq!(world.channel.shown(), ["once"]);
    assert_eq!(world.model.asked().len(), 1);
}

#[tokio::test]
async fn a_duplicate_older_than_the_head_remembers_is_recognised() {
    let world = World::new((0..40).map(|_| says("answer")));
    let first = world.says("first", "hi");
    world.answer_until_done(&first).await;
    for n in 0..30 {
        world.answer_until_done(&world.says(&n.to_string(), "next")).await;
    }
    let Outcome::Done(report) = world.answer(&first).await else { panic!("done") };
    assert!(report.duplicate);
    assert_eq!(world.channel.shown().len(), 31);
    world.answer_until_done(&world.says("after", "still works")).await;
    assert_eq!(world.channel.shown().len(), 32);
}

#[tokio::test]
async fn a_second_attempt_waits_while_the_first_lives() {
    let world = World::new([says("x")]);
    let envelope = world.says("1", "hi");
    world.store.dies_at(2, false); // after claim and accept
    assert!(matches!(world.answer(&envelope).await, Outcome::Again { .. }));
    world.store.revive();
    let Outcome::Again { after_s, .. } = world.answer(&envelope).await else { panic!("the lease is alive") };
    assert_eq!(u64::from(after_s) * 1000, chela_agent::LEASE_MS);
}

/// The turn with a tool and a reply in two parts, killed at every operation, before and after it took effect.
async fn killed_everywhere(channel: fn() -> RecordingChannel, effect: Effect) -> Vec<(usize, usize, usize)> {
    let long = format!("{}\n\n{}", "first part ".repeat(120), "second part ".repeat(120));
    let mut seen = Vec::new();
    for operation in 0..EVERY_OPERATION {
        for applied in [false, true] {
            let mut world = World::with([], channel(), effect);
            let steadfast = Arc::new(Steadfast(lamp_first(long.clone())));
            let mut settings = settings(steadfast, world.lamp.clone());
            settings.models[0].sees.image = true;
            world.lamp.shows.store(true, Ordering::SeqCst);
            world.installation.agents.insert(AgentId::new("main"), settings);
            let envelope = world.says("1", "switch on the lamp");
            world.store.dies_at(operation, applied);
            let _ = world.answer(&envelope).await;
            let died = world.store.revive();
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
            world.answer_until_done(&envelope).await;
            let flagged = world.embedded.sessions.flagged(10).await.unwrap().len();
            let shown = world.channel.shown();
            let mut distinct = shown.clone();
            distinct.dedup();
            assert_eq!(shown, distinct, "doubled at {operation}/{applied}");
            seen.push((shown.len(), flagged, world.lamp.switched()));
            assert_valid_at_rest(&world).await;
            if !died {
                break;
            }
        }
    }
    seen
}

/// The lamp first, then this answer. What the lamp showed is there in every attempt.
fn lamp_first(text: String) -> impl Fn(&ModelRequest) -> Block + Send + Sync {
    move |request| match request.messages.last().and_then(|message| message.blocks.last()) {
        Some(Block::ToolResult { files, is_error, .. }) => {
            let shown = files.iter().filter(|file| request.files.contains_key(&file.key)).count();
            assert!(*is_error || shown == 1, "{request:?}");
            Block::Text { text: text.clone() }
        }
        _ => Block::ToolUse { id: "a".into(), name: "lamp".into(), input: json!({}) },
    }
}

fn results_of(entry: &Entry) -> &[Block] {
    match &entry.body {
        EntryBody::ToolResults { results } => results,
        _ => &[],
    }
}

async fn assert_valid_at_rest(world: &World) {
    let key = SessionKey::from_stored("agent:main:main");
    let entries = world.embedded.sessions.history(&key, 0, 100).await.unwrap();
    let answers = entries.iter().filter(|entry| matches!(entry.body, EntryBody::Assistant(_))).count();
    let results = entries.iter().filter(|entry| matches!(entry.body, EntryBody::ToolResults { .. })).count();
    assert_eq!(answers, results + 1, "one answer with a tool call, its results, one final answer");
    for file in entries.iter().flat_map(results_of).flat_map(files_of) {
        assert!(world.embedded.blobs.get(file.0).await.unwrap().is_some(), "{file:?} is stored before it is told of");
    }
}

#[tokio::test]
async fn with_keys_everything_happens_exactly_once_wherever_it_dies() {
    let seen = killed_everywhere(keyed_channel, Effect::Keyed).await;
    assert!(seen.len() > 12, "the turn has more operations than that");
    for (shown, flagged, switched) in seen {
        assert_eq!((shown, flagged, switched), (2, 0, 1));
    }
}

#[tokio::test]
async fn without_keys_nothing_happens_twice_and_what_is_unknown_is_flagged() {
    let seen = killed_everywhere(RecordingChannel::default, Effect::Unkeyed).await;
    let mut flags = 0;
    for (shown, flagged, switched) in seen {
        assert!(switched <= 1);
        assert!(shown + flagged >= 2, "a part is neither shown nor flagged: {shown} shown, {flagged} flagged");
        assert!(shown <= 2 && flagged <= 1);
        flags += flagged;
    }
    assert!(flags > 0, "a death between mark and record is flagged");
}

#[tokio::test]
async fn an_unfinished_turn_is_finished_before_the_next_message() {
    // The first answer is lost with its process, before it could be stored.
    let world = World::new([says("lost"), says("to one"), says("to two")]);
    let one = world.says("1", "one");
    world.store.dies_at(2, false);
    let _ = world.answer(&one).await;
    world.store.revive();
    world.clock.advance(chela_agent::LEASE_MS + 1_000);
    // The first message is lost from the queue (redriven, say); the second finds its turn open.
    world.answer_until_done(&world.says("2", "two")).await;
    assert_eq!(world.channel.shown(), ["to one", "to two"]);
}

#[tokio::test]
async fn parallel_effects_are_journalled_one_by_one() {
    // claim, accept, append answer, save marks, journal a │ journal b, append results
    let world = World::with([calls(&["a", "b"]), says("both")], keyed_channel(), Effect::Unkeyed);
    let envelope = world.says("1", "both lamps");
    world.store.dies_at(5, false);
    let _ = world.answer(&envelope).await;
    assert!(world.store.revive());
    assert_eq!(world.lamp.switched(), 2);
    world.clock.advance(chela_agent::LEASE_MS + 1_000);
    world.answer_until_done(&envelope).await;
    assert_eq!(world.lamp.switched(), 2, "neither is repeated");
    let request = world.model.asked().pop().unwrap();
    let results = format!("{:?}", request.messages.last().unwrap());
    assert!(results.contains("the lamp is on"), "a is in the journal: {results}");
    assert!(results.contains("outcome of this call is unknown"), "b is not: {results}");
}
