//! What is answered without a model.

use chela_agent::Outcome;
use chela_core::access::AccessStore;
use chela_core::clock::Clock;
use chela_core::queue::Standing;
use chela_core::session::{Control, SessionStore};
use chela_core::session_key::PeerKind;

use crate::world::{World, calls, message, says};

#[tokio::test]
async fn new_sets_aside_what_was_said_before() {
    let world = World::new([says("one"), says("two"), says("three")]);
    world.answer_until_done(&world.says("1", "remember the word quince")).await;
    world.answer_until_done(&world.says("2", "and now?")).await;
    world.answer_until_done(&world.says("3", "/new")).await;
    world.answer_until_done(&world.says("4", "which word?")).await;
    let asked = world.model.asked();
    assert_eq!(asked.len(), 3, "/new asks no model");
    assert!(format!("{:?}", asked[1].messages).contains("quince"));
    assert!(!format!("{:?}", asked[2].messages).contains("quince"));
    assert_eq!(world.channel.shown()[2], "A new conversation begins here.");
}

#[tokio::test]
async fn status_and_help_answer_and_stay_out_of_the_transcript() {
    let world = World::new([says("hello")]);
    world.answer_until_done(&world.says("1", "/status")).await;
    world.answer_until_done(&world.says("2", "/HELP me")).await;
    world.answer_until_done(&world.says("3", "hi")).await;
    let shown = world.channel.shown();
    assert!(shown[0].contains("test/scripted") && shown[0].contains("agent:main:main"));
    for command in ["/new", "/status", "/stop", "/help"] {
        assert!(shown[1].contains(command));
    }
    assert_eq!(world.model.asked()[0].messages.len(), 1);
}

#[tokio::test]
async fn stop_ends_a_running_turn_at_its_next_step() {
    let world = World::new([calls(&["a"]), says("never said")]);
    let envelope = world.says("1", "long work");
    // The mark is left while the first step runs: here, before it, but after the message was accepted.
    let control = Control { stop_before: world.clock.now().plus(1) };
    world.store.set_control(&envelope.session, &control).await.unwrap();
    world.answer_until_done(&envelope).await;
    assert_eq!(world.model.asked().len(), 1);
    assert!(world.channel.shown().is_empty());
    world.clock.advance(10);
    world.answer_until_done(&world.says("2", "/stop")).await;
    assert_eq!(world.channel.shown(), ["Stopped."]);
}

#[tokio::test]
async fn a_stop_does_not_end_later_turns() {
    let world = World::new([calls(&["a"]), says("done")]);
    let before = Control { stop_before: world.clock.now() };
    let envelope = world.says("1", "work");
    world.store.set_control(&envelope.session, &before).await.unwrap();
    world.answer_until_done(&envelope).await;
    assert_eq!(world.channel.shown(), ["done"]);
}

#[tokio::test]
async fn a_stranger_gets_one_code_and_no_model() {
    let world = World::new([says("welcome")]);
    let stranger = |event: &str| message(event, "let me in", PeerKind::Direct, Standing::IfPaired, world.clock.now());
    world.answer_until_done(&stranger("1")).await;
    world.answer_until_done(&stranger("2")).await;
    assert_eq!(world.channel.shown().len(), 1, "the code is told once");
    assert!(world.model.asked().is_empty());

    let access = &world.embedded.sessions;
    let pending = access.pending("recording", "default", world.clock.now()).await.unwrap();
    assert!(world.channel.shown()[0].contains(&pending[0].code));
    access.approve("recording", "default", &pending[0].code, world.clock.now()).await.unwrap().unwrap();
    world.answer_until_done(&stranger("3")).await;
    assert_eq!(world.channel.shown()[1], "welcome");
    let asked = format!("{:?}", world.model.asked()[0].messages);
    assert_eq!(asked.matches("let me in").count(), 1, "what a stranger said before is not in the transcript");
}

#[tokio::test]
async fn an_agent_that_is_not_configured_leaves_the_message_in_the_queue() {
    let world = World::new([]);
    let mut envelope = world.says("1", "hi");
    envelope.agent = chela_core::agent_id::AgentId::new("ghost");
    let Outcome::Again { reason, .. } = world.answer(&envelope).await else { panic!("it waits") };
    assert!(reason.contains("ghost") && reason.contains("agents.list"), "{reason}");
}
