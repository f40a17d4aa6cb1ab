//! What models do wrong: the turn ends with a clear reply, the transcript stays valid, nothing stays reserved.

use std::sync::Arc;

use chela_core::model::{Block, ModelError, ModelMessage};
use chela_core::spend::Scope;
use chela_testkit::model::{Line, ScriptedModel};
use serde_json::json;

use crate::world::{World, calls, choice, says};

/// A world with a limit, so that every call is reserved.
fn limited(lines: impl IntoIterator<Item = Line>) -> World {
    let mut world = World::new(lines);
    world.installation.spend.per_day = Some(10_000_000_000);
    world
}

/// Everything is settled, and another message of the conversation is answered: the scripted model refuses an invalid
/// transcript.
async fn is_sound(world: &World, calls: u64) {
    let all = world.spending().await.remove(&Scope::All).unwrap();
    assert_eq!((all.reserved, all.calls), (0, calls), "{all:?}");
    world.clock.advance(60_000);
    world.answer_until_done(&world.says("afterwards", "are you there?")).await;
    let newest = world.model.asked().pop().unwrap().messages.pop().unwrap();
    assert!(format!("{newest:?}").contains("are you there?"));
}

fn results(message: &ModelMessage) -> Vec<&str> {
    let texts = message.blocks.iter().filter_map(|block| match block {
        Block::ToolResult { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[tokio::test]
async fn a_model_that_says_nothing_is_asked_once_more() {
    let world = limited([Line::Nothing, says("here")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["here"]);
    is_sound(&world, 2).await;
}

#[tokio::test]
async fn a_model_that_says_nothing_twice_is_excused() {
    let world = limited([Line::Nothing, says("  "), says("never asked for")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert!(world.channel.shown()[0].contains("nothing at all, twice"), "{:?}", world.channel.shown());
    is_sound(&world, 2).await;
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let world = limited([says(&"é word ".repeat(500_000))]);
    world.answer_until_done(&world.says("1", "hi")).await;
    let shown = world.channel.shown();
    let chars: usize = shown.iter().map(|part| part.chars().count()).sum();
    assert!(chars < 110_000 && shown.last().unwrap().contains("the answer was longer"), "{chars}");
    is_sound(&world, 1).await;
}

#[tokio::test]
async fn unknown_tools_and_calls_with_one_name_are_answered_each() {
    let fly = |id: &str| (id.to_owned(), "fly".to_owned(), json!({"to": "the moon"}));
    let lamp = |id: &str| (id.to_owned(), "lamp".to_owned(), json!({}));
    let world = limited([Line::Calls(vec![fly("a"), lamp("a"), lamp(""), lamp("")]), says("done")]);
    world.answer_until_done(&world.says("1", "go")).await;
    let asked = world.model.asked();
    let results = results(asked[1].messages.last().unwrap());
    assert_eq!(results.len(), 4);
    assert!(
        results[0].contains("There is no tool \"fly\"") && results[1..].iter().all(|text| *text == "the lamp is on")
    );
    assert_eq!((world.lamp.switched(), world.channel.shown()), (3, vec!["done".to_owned()]));
    is_sound(&world, 2).await;
}

/// A row that cannot be read again would end its conversation for ever.
#[tokio::test]
async fn arguments_of_a_hundred_levels_do_not_end_the_conversation() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let world = limited([Line::Calls(vec![("a".into(), "lamp".into(), json!({ "a": deep }))]), says("well")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["well"]);
    is_sound(&world, 2).await;
}

#[tokio::test]
async fn forty_calls_at_once_are_all_answered() {
    let ids: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let world = limited([calls(&ids.iter().map(String::as_str).collect::<Vec<_>>()), says("done")]);
    world.answer_until_done(&world.says("1", "everything")).await;
    let asked = world.model.asked();
    assert_eq!(results(asked[1].messages.last().unwrap()).len(), 40);
    assert_eq!((world.lamp.switched(), world.channel.shown()), (16, vec!["done".to_owned()]));
    is_sound(&world, 2).await;
}

#[tokio::test]
async fn the_same_call_again_and_again_is_warned_of_and_then_stopped() {
    let mut world = limited((0..30).map(|n: u32| calls(&[format!("c{n}").as_str()])));
    world.installation.agents.values_mut().next().unwrap().max_steps = 20;
    world.answer_until_done(&world.says("1", "loop")).await;
    let asked = world.model.asked();
    assert_eq!(asked.len(), 7, "six calls, and one answer without tools");
    assert!(asked[5].tools.len() == 1 && asked[6].tools.is_empty());
    let told: Vec<bool> =
        asked[1..].iter().map(|it| results(it.messages.last().unwrap())[0].contains("times in a row")).collect();
    assert_eq!(told, [false, false, true, true, true, true]);
    assert_eq!(world.lamp.switched(), 6);
    assert!(world.channel.shown()[0].contains("I kept calling tools"), "{:?}", world.channel.shown());
    world.answer_until_done(&world.says("2", "now?")).await;
}

#[tokio::test]
async fn different_calls_are_no_loop() {
    let turn = |n: u32| Line::Calls(vec![(format!("c{n}"), "lamp".to_owned(), json!({"room": n % 2}))]);
    let mut world = limited((0..10).map(turn).chain([says("done")]));
    world.installation.agents.values_mut().next().unwrap().max_steps = 20;
    world.answer_until_done(&world.says("1", "all rooms")).await;
    assert_eq!((world.lamp.switched(), world.channel.shown()), (10, vec!["done".to_owned()]));
    assert!(!format!("{:?}", world.model.asked()).contains("times in a row"));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_in_the_middle_is_left_for_the_next_and_billed_at_its_worst() {
    let mut world = limited([Line::Hangs("I was just".into())]);
    let second = Arc::new(ScriptedModel::new([says("the second")]));
    world.models().push(choice("second/scripted", [("second:default", second.clone())]));
    world.answer_until_done(&world.says("1", "hi")).await;
    let all = world.spending().await.remove(&Scope::All).unwrap();
    assert!(all.reserved == 0 && all.calls == 2, "{all:?}");
    assert!(all.spent > 100_000_000, "what it may have cost stays counted: {all:?}");
    assert_eq!((world.channel.shown(), second.asked().len()), (vec!["the second".to_owned()], 1));
}

/// The dialects report arguments that are no JSON as a stream that broke off.
#[tokio::test]
async fn arguments_that_break_off_are_asked_for_elsewhere() {
    let torn = Line::Fails(|| ModelError::Unavailable { provider: "test".into(), reason: "a torn tool call".into() });
    let mut world = limited([torn]);
    let second = Arc::new(ScriptedModel::new([says("the second")]));
    world.models().push(choice("second/scripted", [("second:default", second)]));
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!((world.channel.shown(), world.lamp.switched()), (vec!["the second".to_owned()], 0));
    is_sound(&world, 2).await;
}

/// What a model thinks aloud is neither shown nor told to it again, also if a tool runs behind it.
#[tokio::test]
async fn thoughts_between_tags_are_not_stored() {
    let call = |id: &str| vec![(id.to_owned(), "lamp".to_owned(), serde_json::json!({}))];
    let lines = [
        Line::SaysAndCalls("<think>the secret lamp</think>I look.".into(), call("a")),
        Line::SaysAndCalls("<think>secret again</think>".into(), call("b")),
        says("<thinking>secretly</thinking>It is on."),
        says("Yes."),
    ];
    let world = World::new(lines);
    world.answer_until_done(&world.says("1", "is it on?")).await;
    world.answer_until_done(&world.says("2", "sure?")).await;
    assert_eq!(world.channel.shown().last().unwrap(), "Yes.");
    assert!(world.channel.shown().iter().all(|shown| !shown.contains("secret")), "{:?}", world.channel.shown());
    let told = format!("{:?}", world.model.asked());
    assert!(!told.contains("secret") && told.contains("I look.") && told.contains("It is on."), "{told}");
}
