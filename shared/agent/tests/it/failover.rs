//! Which credential of which model is asked when, and which is left in peace.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::{Agent, Known, Outcome};
use chela_core::clock::Clock;
use chela_core::cooldown::{Cooldown, CooldownStore, Trouble};
use chela_core::model::{ModelError, Thinking};
use chela_core::session::Choices;
use chela_testkit::model::{Line, ScriptedModel};

use crate::world::{World, choice, says};

fn limited() -> Line {
    Line::Fails(|| ModelError::RateLimited { provider: "first".into(), after: None })
}

fn refused() -> Line {
    Line::Fails(|| ModelError::Credential { provider: "first".into(), reason: "401".into() })
}

fn rejected() -> Line {
    Line::Fails(|| ModelError::Rejected { provider: "first".into(), reason: "400".into() })
}

fn scripted<const N: usize>(lines: [Line; N]) -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new(lines))
}

fn asked<const N: usize>(models: [&Arc<ScriptedModel>; N]) -> [usize; N] {
    models.map(|model| model.asked().len())
}

async fn rests(world: &World) -> Vec<String> {
    world.embedded.sessions.cooldowns().await.unwrap().into_keys().collect()
}

#[tokio::test]
async fn credentials_and_then_models_are_asked_in_order_and_those_in_trouble_rest() {
    let mut world = World::new([]);
    let (work, home) = (scripted([limited(), says("work is back")]), scripted([refused()]));
    let second = scripted([says("one"), says("two")]);
    *world.models() = vec![
        choice("first/big", [("first:work", work.clone()), ("first:home", home.clone())]),
        choice("second/small", [("second:default", second.clone())]),
    ];
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(
        (asked([&work, &home, &second]), rests(&world).await),
        ([1, 1, 1], vec!["first:home".into(), "first:work".into()])
    );
    // Both rest: nobody asks them, and nobody writes.
    world.answer_until_done(&world.says("2", "hi")).await;
    assert_eq!(asked([&work, &home, &second]), [1, 1, 2]);
    // One is asked again as soon as its rest is over, and its success is noted.
    world.clock.advance(1_001);
    world.answer_until_done(&world.says("3", "hi")).await;
    assert_eq!((asked([&work, &home, &second]), rests(&world).await), ([2, 1, 2], vec!["first:home".to_owned()]));
    assert_eq!(world.channel.shown(), ["one", "two", "work is back"]);
}

#[tokio::test(start_paused = true)]
async fn rests_grow_while_trouble_lasts_and_the_sender_hears_of_it_after_an_hour() {
    let world = World::new((0..20).map(|_| limited()));
    let envelope = world.says("1", "hi");
    let mut waits = Vec::new();
    while let Outcome::Again { after_s, .. } = world.answer(&envelope).await {
        waits.push(after_s);
        // And the seconds that the attempt itself waited.
        world.clock.advance(u64::from(after_s + 6) * 1_000);
        assert!(waits.len() < 20, "{waits:?}");
    }
    assert_eq!(waits, [30, 300, 1800, 1800], "one and five seconds are waited for on the spot");
    assert!(world.channel.shown()[0].contains("cannot reach my model"), "{:?}", world.channel.shown());
}

#[tokio::test]
async fn two_processes_share_what_they_know_of_a_credential() {
    let mut world = World::new([]);
    let (first, second) = (scripted([limited()]), scripted([says("a"), says("b"), says("c")]));
    *world.models() = vec![
        choice("first/big", [("first:default", first.clone())]),
        choice("second/small", [("second:default", second.clone())]),
    ];
    let Agent {
        sessions,
        access,
        files,
        channels,
        events,
        queue,
        directory,
        spend,
        approvals,
        audit,
        schedules,
        cooldowns,
        clock,
        ..
    } = &world.agent;
    let other = Agent {
        sessions: sessions.clone(),
        access: access.clone(),
        files: files.clone(),
        channels: channels.clone(),
        events: events.clone(),
        queue: queue.clone(),
        directory: directory.clone(),
        spend: spend.clone(),
        approvals: approvals.clone(),
        audit: audit.clone(),
        schedules: schedules.clone(),
        cooldowns: cooldowns.clone(),
        known: Known::default(),
        clock: clock.clone(),
    };
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(asked([&first, &second]), [1, 1]);
    let slice = chela_agent::Slice { deadline: world.clock.now().plus(150_000) };
    let answered = other.answer(&world.installation, &world.says("2", "hi"), slice).await;
    assert!(matches!(answered, Outcome::Done(_)));
    assert_eq!(asked([&first, &second]), [1, 2], "the other process leaves it in peace, too");
}

#[tokio::test]
async fn what_is_known_of_rests_is_read_again_after_ten_seconds() {
    let world = World::new([says("before")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    let until = world.clock.now().plus(60_000);
    let rest = Cooldown { until, failures: 3, trouble: Trouble::RateLimit };
    world.embedded.sessions.rest("test:default", &rest).await.unwrap();
    world.answer_until_done(&world.says("2", "hi")).await;
    assert_eq!(world.model.asked().len(), 2, "it is not known yet");
    // The success has cleared nothing that it did not know of.
    world.clock.advance(10_000);
    assert_eq!(world.answer(&world.says("3", "hi")).await, Outcome::Again { after_s: 50, reason: parked() });
    assert_eq!(world.model.asked().len(), 2);
}

fn parked() -> String {
    "every provider asks to slow down".to_owned()
}

#[tokio::test]
async fn a_parked_turn_asks_nobody_uses_up_no_attempts_and_goes_on() {
    let world = World::new([says("here I am")]);
    let until = world.clock.now().plus(120_000);
    let rest = Cooldown { until, failures: 3, trouble: Trouble::RateLimit };
    world.embedded.sessions.rest("test:default", &rest).await.unwrap();
    let envelope = world.says("1", "hi");
    for _ in 0..20 {
        assert_eq!(world.answer(&envelope).await, Outcome::Again { after_s: 120, reason: parked() });
    }
    assert!(world.model.asked().is_empty() && world.spending().await.is_empty());
    world.clock.advance(120_000);
    assert!(matches!(world.answer(&envelope).await, Outcome::Done(_)));
    assert_eq!((world.channel.shown(), rests(&world).await), (vec!["here I am".to_owned()], vec![]));
}

#[tokio::test]
async fn where_the_owner_must_act_the_sender_is_told_at_once() {
    for (trouble, words) in
        [(Trouble::Credential, "models.providers.test.apiKey"), (Trouble::Billing, "run out of money")]
    {
        let world = World::new([]);
        let rest = Cooldown { until: world.clock.now().plus(3_600_000), failures: 3, trouble };
        world.embedded.sessions.rest("test:default", &rest).await.unwrap();
        assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Done(_)));
        assert!(world.channel.shown()[0].contains(words), "{:?}", world.channel.shown());
        assert!(world.model.asked().is_empty());
    }
}

#[tokio::test]
async fn a_conversation_stays_with_the_credential_that_answered_last() {
    let mut world = World::new([]);
    let (work, home) = (scripted([limited(), says("work")]), scripted([says("1"), says("2")]));
    *world.models() = vec![choice("first/big", [("first:work", work.clone()), ("first:home", home.clone())])];
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.chosen().await.profile.as_deref(), Some("first:home"));
    world.clock.advance(60_000);
    world.answer_until_done(&world.says("2", "hi")).await;
    assert_eq!(asked([&work, &home]), [1, 2]);
}

#[tokio::test]
async fn what_was_chosen_for_the_conversation_is_asked_first_and_thinks_as_chosen() {
    let mut world = World::new([says("the configured one")]);
    let other = scripted([limited()]);
    let settings = world.installation.agents.values_mut().next().unwrap();
    settings.further_models = vec![choice("other/one", [("other:default", other.clone())])];
    settings.thinking = Thinking::Low;
    let choices = Choices { model: Some("other/one".into()), thinking: Some(Thinking::High), ..Choices::default() };
    world.choose(choices.clone()).await;
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!((other.asked()[0].model.as_str(), other.asked()[0].thinking), ("one", Thinking::High));
    assert_eq!(world.model.asked()[0].thinking, Thinking::High, "the configured model stands in");
    assert_eq!(world.chosen().await, choices, "with one credential there is nothing to remember");
    world.choose(Choices::default()).await;
    world.answer_until_done(&world.says("2", "hi")).await;
    assert_eq!((other.asked().len(), world.model.asked()[1].thinking), (1, Thinking::Low));
}

#[tokio::test]
async fn a_request_that_two_models_call_wrong_is_not_tried_with_a_third() {
    let mut world = World::new([]);
    let models = [scripted([rejected()]), scripted([rejected()]), scripted([says("never")])];
    let chosen = models.iter().enumerate();
    *world.models() = chosen
        .map(|(at, model)| choice(&format!("p{at}/m"), [(format!("p{at}:default").as_str(), model.clone() as _)]))
        .collect();
    assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Done(_)));
    assert_eq!(models.map(|model| model.asked().len()), [1, 1, 0]);
    assert!(world.channel.shown()[0].contains("rejects the request") && rests(&world).await.is_empty());
}

#[tokio::test]
async fn the_providers_word_about_a_wait_counts() {
    let after = || ModelError::Overloaded { provider: "first".into(), after: Some(Duration::from_secs(40)) };
    let world = World::new([Line::Fails(after)]);
    let Outcome::Again { after_s, .. } = world.answer(&world.says("1", "hi")).await else { panic!("it waits") };
    assert_eq!(after_s, 40);
}
