//! The owner's second try.

use chela_agent::{Outcome, Slice, Undelivered, undelivered};
use chela_core::channel::SendError;
use chela_core::clock::{Clock, Millis};
use chela_core::message::EventKey;
use chela_core::queue::{Envelope, Task};
use chela_core::session::{Flagged, SessionStore};
use chela_core::tool::Effect;
use chela_testkit::channel::{Fate, RecordingChannel};

use crate::world::{World, keyed_channel, says};

fn refused() -> SendError {
    SendError::Refused { channel: "recording", reason: "blocked".into() }
}

fn lost() -> SendError {
    SendError::Unknown { channel: "recording", reason: "no answer".into() }
}

/// A world whose only reply, "x", was refused and is flagged.
async fn with_flag(channel: RecordingChannel) -> (World, Flagged) {
    let world = World::with([says("x")], channel, Effect::None);
    world.channel.will([Fate::Fails(refused)]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert!(world.channel.shown().is_empty());
    let flagged = one_flag(&world).await;
    (world, flagged)
}

async fn one_flag(world: &World) -> Flagged {
    let mut flags = world.store.flagged(10).await.unwrap();
    assert_eq!(flags.len(), 1, "{flags:?}");
    flags.remove(0)
}

fn resend(world: &World, flagged: &Flagged) -> Envelope {
    let Flagged { turn, part, at, .. } = *flagged;
    let event = EventKey::of("deadletters", &flagged.id(), &at.0.to_string());
    Envelope { event, task: Task::Redeliver { turn, part, flagged_at: at }, ..world.says("", "") }
}

#[tokio::test]
async fn a_flagged_part_is_sent_again_under_its_own_key_and_its_flag_is_gone() {
    let (world, flagged) = with_flag(RecordingChannel::default()).await;
    assert!(matches!(world.answer(&resend(&world, &flagged)).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), ["x"]);
    let keys = world.channel.keys();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    assert_eq!(world.store.flagged(10).await.unwrap(), []);
}

#[tokio::test]
async fn each_part_after_a_refused_one_can_be_sent_again() {
    let world = World::new([says(&"long ".repeat(1000))]);
    world.channel.will([Fate::Fails(refused)]);
    world.answer_until_done(&world.says("1", "hi")).await;
    for flagged in world.store.flagged(10).await.unwrap() {
        world.answer(&resend(&world, &flagged)).await;
    }
    assert_eq!(world.channel.shown().concat().matches("long").count(), 1000);
    let mut keys = world.channel.keys();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), world.channel.shown().len(), "a key for each part");
}

#[tokio::test]
async fn a_part_is_not_sent_twice_by_two_requests_or_a_repeated_one() {
    let (world, flagged) = with_flag(RecordingChannel::default()).await;
    for _ in 0..3 {
        assert!(matches!(world.answer(&resend(&world, &flagged)).await, Outcome::Done(_)));
    }
    assert_eq!(world.channel.shown(), ["x"]);
    assert_eq!(world.channel.keys().len(), 2);
}

#[tokio::test]
async fn a_part_that_fails_again_stays_with_the_new_reason_for_a_new_decision() {
    let (world, flagged) = with_flag(RecordingChannel::default()).await;
    world.channel.will([Fate::Fails(lost)]);
    world.answer(&resend(&world, &flagged)).await;
    let again = one_flag(&world).await;
    assert_eq!((again.reason.as_str(), again.sending), ("recording did not confirm: no answer", false));
    assert!(again.at > flagged.at, "also where no time has passed");
    // A second click on what is shown no longer decides nothing.
    world.answer(&resend(&world, &flagged)).await;
    assert!(world.channel.shown().is_empty());
    world.answer(&resend(&world, &again)).await;
    assert_eq!(world.channel.shown(), ["x"]);
}

#[tokio::test]
async fn a_resending_may_die_anywhere_and_sends_no_unkeyed_part_twice() {
    for keyed in [false, true] {
        for applied in [false, true] {
            for operation in 0..10 {
                let channel = if keyed { keyed_channel() } else { RecordingChannel::default() };
                let (world, flagged) = with_flag(channel).await;
                let envelope = resend(&world, &flagged);
                world.store.dies_at(operation, applied);
                world.answer(&envelope).await;
                let died = world.store.revive();
                world.answer_until_done(&envelope).await;
                let at = format!("keyed {keyed}, applied {applied}, operation {operation}");
                let (shown, flags) = (world.channel.shown(), world.store.flagged(10).await.unwrap());
                assert!(shown.len() <= 1, "{at}: {shown:?}");
                assert!(shown.len() + flags.len() >= 1, "{at}: lost");
                assert!(flags.iter().all(|flag| !flag.sending), "{at}: {flags:?}");
                if keyed || !died {
                    assert_eq!((shown.len(), flags.len()), (1, 0), "{at}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_resending_begins_only_with_time_to_end() {
    let (world, flagged) = with_flag(RecordingChannel::default()).await;
    let slice = Slice { deadline: world.clock.now().plus(19_999) };
    let outcome = world.agent.answer(&world.installation, &resend(&world, &flagged), slice).await;
    assert!(matches!(outcome, Outcome::Again { after_s: 0, .. }), "{outcome:?}");
    assert_eq!(world.channel.keys().len(), 1);
}

#[tokio::test]
async fn a_part_whose_way_is_gone_stays_and_says_so() {
    let (mut world, flagged) = with_flag(RecordingChannel::default()).await;
    world.installation.outlets.clear();
    world.answer(&resend(&world, &flagged)).await;
    assert_eq!(one_flag(&world).await.reason, "channel recording/default is not configured any more");
}

#[tokio::test]
async fn a_part_whose_address_is_forgotten_stays_and_says_so() {
    let (world, flagged) = with_flag(RecordingChannel::default()).await;
    world.clock.advance(9 * 24 * 60 * 60 * 1000);
    let known = undelivered(world.store.as_ref(), &flagged).await.unwrap();
    assert_eq!(known, Undelivered { markdown: Some("x".into()), to: None });
    world.answer(&resend(&world, &flagged)).await;
    assert!(one_flag(&world).await.reason.contains("eight days"));
    let nothing = Flagged { turn: 7, at: Millis(1), ..flagged };
    assert_eq!(undelivered(world.store.as_ref(), &nothing).await.unwrap().markdown, None);
}

#[tokio::test]
async fn a_resending_leaves_the_turn_in_progress_alone() {
    let (world, flagged) = with_flag(RecordingChannel::default()).await;
    let before = world.store.head(&flagged.session).await.unwrap();
    world.answer(&resend(&world, &flagged)).await;
    assert_eq!(world.store.head(&flagged.session).await.unwrap(), before);
}
