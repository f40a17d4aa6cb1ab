//! The reply's way out.

use std::time::Duration;

use chela_agent::Outcome;
use chela_core::channel::{Limits, SendError};
use chela_core::clock::{Clock, Millis};
use chela_core::message::{EventKey, ReplyAddress};
use chela_core::queue::{Envelope, Task};
use chela_core::session::SessionStore;
use chela_core::session_key::cron_session_key;
use chela_core::tool::Effect;
use chela_testkit::channel::{Fate, RecordingChannel};

use crate::world::{World, keyed_channel, says};

#[tokio::test]
async fn an_unconfirmed_part_is_flagged_and_not_sent_again() {
    let world = World::new([says("x")]);
    world.channel.will([Fate::ShownButLost]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["x"]);
    let flagged = world.store.flagged(10).await.unwrap();
    assert_eq!((flagged.len(), flagged[0].turn, flagged[0].part), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_part_is_sent_again_where_the_platform_knows_the_key() {
    let world = World::with([says("x")], keyed_channel(), Effect::None);
    world.channel.will([Fate::ShownButLost]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["x"]);
    let keys = world.channel.keys();
    assert_eq!((keys.len(), keys[0] == keys[1]), (2, true));
    assert!(world.store.flagged(10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_owner_may_prefer_a_part_twice_to_a_part_missing() {
    let mut world = World::new([says("x")]);
    for outlet in world.installation.outlets.values_mut() {
        outlet.wished = Some(chela_core::channel::Unconfirmed::Resend);
    }
    world.channel.will([Fate::ShownButLost]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["x", "x"]);
    assert!(world.store.flagged(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_reply_is_given_up_once_and_flagged() {
    let world = World::new([says(&"long ".repeat(1000)), says("next")]);
    world.channel.will([Fate::Fails(|| SendError::Refused { channel: "recording", reason: "blocked".into() })]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.keys().len(), 1, "the other parts are not tried");
    let flagged: Vec<_> = world.store.flagged(10).await.unwrap().into_iter().map(|flag| flag.reason).collect();
    assert_eq!(flagged, ["blocked", "not tried after part 0: blocked", "not tried after part 0: blocked"]);
    world.answer_until_done(&world.says("2", "again")).await;
    assert_eq!(world.channel.shown(), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_waited_here_and_a_long_one_in_the_queue() {
    let world = World::new([says("x")]);
    world.channel.will([
        Fate::Fails(|| SendError::RateLimited { channel: "recording", after: Duration::from_secs(1) }),
        Fate::Fails(|| SendError::RateLimited { channel: "recording", after: Duration::from_secs(40) }),
    ]);
    let envelope = world.says("1", "hi");
    let Outcome::Again { after_s, .. } = world.answer(&envelope).await else { panic!("it waits in the queue") };
    assert_eq!(after_s, 40);
    // The session is free: the next attempt needs no lease to run out.
    assert!(matches!(world.answer(&envelope).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), ["x"]);
    assert_eq!(world.model.asked().len(), 1, "the answer is stored; the model is not asked again");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_is_down_is_waited_for_longer_each_time() {
    let world = World::new([says("x")]);
    let down = || Fate::Fails(|| SendError::NotSent { channel: "recording", reason: "connection refused".into() });
    world.channel.will((0..9).map(|_| down()));
    let envelope = world.says("1", "hi");
    let mut waits = Vec::new();
    while let Outcome::Again { after_s, .. } = world.answer(&envelope).await {
        waits.push(after_s);
    }
    assert_eq!(waits, [10, 20, 40]);
    assert_eq!(world.channel.shown(), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_typed_shown_growing_and_ends_as_one_message() {
    let limits = Limits {
        choices: 0,
        text: 2000,
        edit_every: Some(Duration::from_secs(1)),
        typing_for: Some(Duration::from_secs(5)),
    };
    let channel = RecordingChannel::with(|channel| channel.limits = limits);
    let mut world = World::with([], channel, Effect::None);
    let slow = std::sync::Arc::new(crate::models::Dictation::new(
        "The quick brown fox jumps over the lazy dog again and again.",
    ));
    world
        .installation
        .agents
        .insert(chela_core::agent_id::AgentId::new("main"), crate::world::settings(slow, world.lamp.clone()));
    world.answer_until_done(&world.says("1", "hi")).await;
    assert!(world.channel.typed() >= 1);
    assert_eq!(world.channel.shown(), ["The quick brown fox jumps over the lazy dog again and again."]);
    assert_eq!(world.channel.keys().len(), 1, "one message, then edits");
}

fn heartbeat(world: &World, deliver: bool) -> Envelope {
    let to = ReplyAddress {
        channel: "recording".into(),
        account: "default".into(),
        to: "7".into(),
        thread: None,
        message: None,
    };
    let task = Task::Heartbeat {
        name: "daily".into(),
        scheduled_at: Millis(0),
        prompt: "Anything to tell?".into(),
        deliver_to: deliver.then_some(to),
        made_for: None,
    };
    let event = EventKey::of("schedule", "daily", &world.clock.now().0.to_string());
    Envelope { event, session: cron_session_key("daily"), task, ..world.says("1", "") }
}

#[tokio::test]
async fn a_heartbeat_speaks_only_when_there_is_something_to_say() {
    let world = World::new([says("HEARTBEAT_OK"), says("The dentist is at nine."), says("nobody hears this")]);
    for (n, deliver) in [(0, true), (1, true), (2, false)] {
        world.clock.advance(n);
        world.answer_until_done(&heartbeat(&world, deliver)).await;
    }
    assert_eq!(world.channel.shown(), ["The dentist is at nine."]);
    assert_eq!(world.model.asked().len(), 3);
}

#[tokio::test]
async fn a_channel_that_is_gone_flags_the_reply() {
    let mut world = World::new([says("x")]);
    world.installation.outlets.clear();
    world.answer_until_done(&world.says("1", "hi")).await;
    assert!(world.store.flagged(1).await.unwrap()[0].reason.contains("recording/default"));
}
