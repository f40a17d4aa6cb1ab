//! Several messages in one turn: joined before it began, or heeded while it runs.

use chela_agent::{LEASE_MS, Outcome, Slice};
use chela_core::clock::Clock;
use chela_core::queue::{Envelope, Task};
use chela_core::session::SessionStore;

use crate::world::{World, calls, says};

async fn together(world: &World, first: &Envelope, others: &[Envelope]) -> Outcome {
    let slice = Slice { deadline: world.clock.now().plus(150_000) };
    world.agent.answer_together(&world.installation, first, others, slice).await
}

fn three(world: &World) -> (Envelope, Vec<Envelope>) {
    (world.says("1", "one"), vec![world.says("2", "two"), world.says("3", "three")])
}

fn last_question(world: &World) -> String {
    format!("{:?}", world.model.asked().last().unwrap().messages.last().unwrap())
}

#[tokio::test]
async fn messages_that_waited_together_are_answered_once() {
    let world = World::new([says("all three"), says("again")]);
    let (first, others) = three(&world);
    let Outcome::Done(report) = together(&world, &first, &others).await else { panic!("done") };
    assert_eq!(report.also, [others[0].event.clone(), others[1].event.clone()]);
    assert_eq!(world.channel.shown(), ["all three"]);
    let asked = last_question(&world);
    assert!(asked.contains("one") && asked.contains("two") && asked.contains("three"), "{asked}");
    for other in &others {
        let Outcome::Done(report) = world.answer(other).await else { panic!("done") };
        assert!(report.duplicate);
    }
    for n in 0..30 {
        world.answer_until_done(&world.says(&format!("later {n}"), "next")).await;
    }
    let Outcome::Done(report) = world.answer(&others[1]).await else { panic!("done") };
    assert!(report.duplicate, "also when the head has long forgotten it");
}

/// Killed at every operation, and delivered again without the last of the three, which comes alone later: as a queue
/// may well do it.
#[tokio::test]
async fn a_joined_message_is_neither_lost_nor_answered_twice() {
    for operation in 0..12 {
        for applied in [false, true] {
            let world = World::new((0..4).map(|_| says("answer")));
            let (first, others) = three(&world);
            world.store.dies_at(operation, applied);
            let _ = together(&world, &first, &others).await;
            world.store.revive();
            world.clock.advance(LEASE_MS + 1_000);
            let mut answered = vec![first.event.clone()];
            loop {
                match together(&world, &first, &others[..1]).await {
                    Outcome::Done(report) => break answered.extend(report.also),
                    Outcome::Again { .. } => world.clock.advance(LEASE_MS + 1_000),
                }
            }
            for other in &others {
                world.answer_until_done(other).await;
            }
            let shown = world.channel.shown().len();
            let flagged = world.embedded.sessions.flagged(10).await.unwrap().len();
            let questions: String = world.model.asked().iter().map(|asked| format!("{:?}", asked.messages)).collect();
            for word in ["one", "two", "three"] {
                assert!(questions.contains(word), "{word} was lost after {operation}/{applied}");
            }
            assert!((1..=3).contains(&(shown + flagged)), "{shown} shown, {flagged} flagged, {operation}/{applied}");
            let history = world.embedded.sessions.history(&first.session, 0, 50).await.unwrap();
            let stored: Vec<String> = history.iter().map(|entry| format!("{entry:?}")).collect();
            for word in ["\"one\"", "\"two\"", "\"three\""] {
                let times = stored.iter().filter(|entry| entry.contains(word)).count();
                assert_eq!(times, 1, "{word} stands {times} times in the transcript after {operation}/{applied}");
            }
        }
    }
}

#[tokio::test]
async fn a_message_left_for_the_running_turn_is_seen_at_its_next_step() {
    let world = World::new([calls(&["a"]), says("the lamp is on, and it is Tuesday")]);
    let first = world.says("1", "switch on the lamp");
    world.clock.advance(10);
    let second = world.says("2", "and which day is it?");
    world.embedded.sessions.leave(&second).await.unwrap();
    world.answer_until_done(&first).await;
    assert!(last_question(&world).contains("which day"), "{}", last_question(&world));
    assert!(!format!("{:?}", world.model.asked()[0].messages).contains("which day"), "not before");
    let Outcome::Done(report) = world.answer(&second).await else { panic!("done") };
    assert!(report.duplicate, "its own delivery finds it answered");
    assert_eq!(world.channel.shown().len(), 1);
}

#[tokio::test]
async fn a_message_that_had_its_own_turn_steers_no_other() {
    let world = World::new([says("hello"), calls(&["a"]), says("on")]);
    let first = world.says("1", "hi");
    world.answer_until_done(&first).await;
    world.clock.advance(10);
    let second = world.says("2", "switch on the lamp");
    // It was left late, when its own turn had ended; and an older one lies about too.
    world.embedded.sessions.leave(&first).await.unwrap();
    world.embedded.sessions.leave(&second).await.unwrap();
    world.answer_until_done(&second).await;
    let asked = format!("{:?}", world.model.asked().last().unwrap().messages);
    assert_eq!(asked.matches("switch on the lamp").count(), 1, "{asked}");
    assert_eq!(asked.matches("\"hi\"").count(), 1, "{asked}");
}

/// Whoever writes elsewhere may have other tools there.
#[tokio::test]
async fn a_turn_is_steered_only_by_messages_of_its_own_channel_and_account() {
    for (channel, account) in [("other", "default"), ("recording", "second")] {
        let world = World::new([calls(&["a"]), says("it is on"), says("Tuesday")]);
        let first = world.says("1", "switch on the lamp");
        world.clock.advance(10);
        let mut second = world.says("2", "and which day is it?");
        if let Task::Message { inbound, .. } = &mut second.task {
            (inbound.reply_to.channel, inbound.reply_to.account) = (channel.into(), account.into());
        }
        world.embedded.sessions.leave(&second).await.unwrap();
        world.answer_until_done(&first).await;
        assert_eq!(world.model.asked().len(), 2);
        let asked = format!("{:?}", world.model.asked()[1].messages);
        assert!(!asked.contains("which day"), "{channel} {account}: {asked}");
        let Outcome::Done(report) = world.answer(&second).await else { panic!("done") };
        assert!(!report.duplicate, "it has a turn of its own");
    }
}
