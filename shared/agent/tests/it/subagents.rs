//! Work that is given away: done in the background, reported once, answered to the person who asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chela_agent::{AgentSettings, Outcome, Voice};
use chela_core::agent_id::AgentId;
use chela_core::clock::Clock;
use chela_core::directory::Directory;
use chela_core::model::{Block, Model, ModelError, ModelRequest};
use chela_core::queue::{Authority, Purpose, Task};
use chela_core::session::{Control, SessionStore};
use chela_core::session_key::{PeerKind, SessionKey};
use chela_core::spend::Scope;
use chela_core::tool::Effect;
use chela_testkit::model::Line;
use chela_tools::sessions::{House, Member, tools};
use serde_json::{Value, json};

use crate::world::{Steadfast, World, calls, keyed_channel, message, says, settings};

/// More operations than the three turns of a spawn have.
const EVERY_OPERATION: u32 = 60;

fn house(max_depth: u8) -> Arc<House> {
    let member = Member { models: vec!["test/scripted".into()], ..Member::default() };
    Arc::new(House {
        agents: BTreeMap::from([(AgentId::new("main"), member)]),
        max_depth,
        max_children: 5,
        max_concurrent: 8,
        ..House::default()
    })
}

/// A world whose agent can give work away.
fn world(lines: impl IntoIterator<Item = Line>, max_depth: u8) -> World {
    let mut world = World::with(lines, keyed_channel(), Effect::None);
    let model = world.model.clone();
    employ(&mut world, model, max_depth);
    world
}

fn employ(world: &mut World, model: Arc<dyn Model>, max_depth: u8) {
    let settings = AgentSettings { tools: tools(&house(max_depth)), ..settings(model, world.lamp.clone()) };
    world.installation.agents.insert(AgentId::new("main"), settings);
}

fn spawns(task: &str) -> Line {
    spawns_with(json!({"task": task, "label": "weather"}))
}

fn spawns_with(input: Value) -> Line {
    Line::Calls(vec![("c1".into(), "sessions_spawn".into(), input)])
}

/// What the model read last, in words.
fn last_said(world: &World) -> String {
    let request = world.model.asked().pop().unwrap();
    let texts = request.messages.last().unwrap().blocks.iter().filter_map(|block| match block {
        Block::Text { text } => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

/// Whoever has work done pays for it, from wherever they asked for it.
#[tokio::test]
async fn work_that_was_asked_for_in_a_room_counts_for_whoever_asked() {
    let world = world([spawns("look"), says("Asked."), says("Found."), says("There.")], 1);
    let mut asked = world.says("1", "look it up");
    asked.session = SessionKey::from_stored("agent:main:recording:group:-100");
    let Task::Message { inbound, .. } = &mut asked.task else { panic!("a message") };
    inbound.peer.kind = PeerKind::Group;
    world.answer(&asked).await;
    while let Some(work) = world.next().await {
        world.answer_until_done(&work).await;
    }
    let spending = world.spending().await;
    let calls = |scope: &Scope| spending.get(scope).map_or(0, |it| it.calls);
    assert_eq!((calls(&Scope::All), calls(&Scope::User("recording:7".into()))), (4, 4), "{spending:?}");
}

#[tokio::test]
async fn work_is_done_in_the_background_and_its_result_told_to_the_person() {
    let world = world(
        [spawns("the weather in Bonn?"), says("I have asked."), says("Rain.\nAll day."), says("Rain, they say.")],
        1,
    );
    assert!(matches!(world.answer(&world.says("1", "is it raining?")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), ["I have asked."]);

    let work = world.next().await.unwrap();
    let Task::Relay { from, purpose, text, depth, authority, .. } = &work.task else { panic!("a relay") };
    assert_eq!((from.as_str(), *purpose, text.as_str()), ("agent:main:main", Purpose::Assign, "the weather in Bonn?"));
    assert_eq!((*depth, *authority), (1, Authority::Owner));
    assert!(work.session.as_str().starts_with("agent:main:subagent:"), "{}", work.session);
    let children = world.embedded.sessions.children(from, 9).await.unwrap();
    assert_eq!((children.len(), children[0].ended), (1, None));

    assert!(matches!(world.answer(&work).await, Outcome::Done(_)));
    assert!(last_said(&world).contains("the weather in Bonn?"));
    let offered: Vec<String> = world.model.asked().pop().unwrap().tools.into_iter().map(|tool| tool.name).collect();
    assert!(offered.is_empty(), "a sub-agent at the limit hands nothing on");
    assert_eq!(world.channel.shown().len(), 1, "its words are for its conversation alone");
    let children = world.embedded.sessions.children(from, 9).await.unwrap();
    assert!(children[0].ended.is_some() && children[0].label.as_deref() == Some("weather"));

    let report = world.next().await.unwrap();
    assert_eq!(report.session.as_str(), "agent:main:main");
    assert!(matches!(world.answer(&report).await, Outcome::Done(_)));
    let said = last_said(&world);
    assert!(said.starts_with("[Sub-agent \"weather\" (agent:main:subagent:"), "{said}");
    assert!(said.ends_with("\n> Rain.\n> All day."), "{said}");
    assert_eq!(world.channel.shown(), ["I have asked.", "Rain, they say."]);
    assert!(world.next().await.is_none());
}

/// Whoever gave the work would wait for ever.
#[tokio::test]
async fn a_sub_agent_that_is_stopped_reports_that_it_was() {
    let world = world([spawns("look"), says("I have asked."), calls(&["a"]), says("It was stopped.")], 2);
    assert!(matches!(world.answer(&world.says("1", "is it raining?")).await, Outcome::Done(_)));
    let work = world.next().await.unwrap();
    let stop = Control { stop_before: world.clock.now().plus(1) };
    world.embedded.sessions.set_control(&work.session, &stop).await.unwrap();
    assert!(matches!(world.answer(&work).await, Outcome::Done(_)));
    let report = world.next().await.unwrap();
    assert!(matches!(world.answer(&report).await, Outcome::Done(_)));
    let said = last_said(&world);
    assert!(said.ends_with("> (stopped by a person before it came to an end)"), "{said}");
    let children = world.embedded.sessions.children(&report.session, 9).await.unwrap();
    assert!(children[0].ended.is_some());
    assert!(world.next().await.is_none());
}

/// Gives the work away, does it, tells what came of it.
fn steadfast(request: &ModelRequest) -> Block {
    let says = |text: &str| Block::Text { text: text.into() };
    match request.messages.last().and_then(|message| message.blocks.last()) {
        Some(Block::ToolResult { is_error: false, .. }) => says("I have asked."),
        Some(Block::Text { text }) if text.starts_with("[Task") => says("Rain."),
        Some(Block::Text { text }) if text.starts_with("[Sub-agent") && text.ends_with("> Rain.") => says("It rains."),
        Some(Block::Text { text }) if text == "is it raining?" => {
            let (id, input) = ("c1".to_owned(), json!({"task": "look", "model": "test/scripted"}));
            Block::ToolUse { id, name: "sessions_spawn".into(), input }
        }
        other => panic!("asked {other:?}"),
    }
}

/// Also when a process is away so long that the queue has forgotten what it was given.
#[tokio::test]
async fn one_child_one_report_one_answer_wherever_it_dies() {
    for rest in [chela_agent::LEASE_MS + 1_000, 400_000] {
        let mut died = 0;
        let every = (0..EVERY_OPERATION).flat_map(|operation| [(operation, false), (operation, true)]);
        for (operation, applied) in every {
            let mut world = world([], 1);
            employ(&mut world, Arc::new(Steadfast(steadfast)), 1);
            world.store.dies_at(operation, applied);
            let attempts = world.answer_all(&world.says("1", "is it raining?"), rest).await;
            let at = format!("operation {operation}, applied {applied}, rest {rest}");
            assert_eq!(world.channel.shown(), ["I have asked.", "It rains."], "{at}");
            let parent = SessionKey::from_stored("agent:main:main");
            let children = world.embedded.sessions.children(&parent, 9).await.unwrap();
            assert_eq!((children.len(), children[0].ended.is_some()), (1, true), "{at}");
            let turns = |key: SessionKey| {
                let sessions = world.embedded.sessions.clone();
                async move { sessions.head(&key).await.unwrap().unwrap().last_turn }
            };
            assert_eq!((turns(parent).await, turns(children[0].session.clone()).await), (2, 1), "{at}");
            assert_eq!(world.embedded.sessions.flagged(9).await.unwrap(), [], "{at}");
            died += usize::from(attempts > 3);
            if attempts == 3 {
                break;
            }
        }
        assert!(died > 25, "the three turns have more operations than {died}");
    }
}

#[tokio::test]
async fn what_was_chosen_for_a_child_is_in_its_head() {
    let world = world([spawns_with(json!({"task": "x", "model": "test/scripted", "thinking": "high"})), says("ok")], 1);
    world.answer_until_done(&world.says("1", "go")).await;
    let work = world.next().await.unwrap();
    world.answer_until_done(&work).await;
    let head = world.embedded.sessions.head(&work.session).await.unwrap().unwrap();
    assert_eq!(head.choices.model.as_deref(), Some("test/scripted"));
    assert_eq!((head.choices.thinking, head.last_turn), (Some(chela_core::model::Thinking::High), 1));
}

/// A model may call what nobody offered to it.
#[tokio::test]
async fn a_tool_that_is_not_there_for_the_caller_is_not_run() {
    let mut world = world([spawns("x"), says("asked"), spawns("y"), says("I may not.")], 1);
    let lamp = world.lamp.clone();
    world.installation.agents.values_mut().for_each(|agent| agent.tools.push(lamp.clone()));
    world.answer_until_done(&world.says("1", "go")).await;
    let work = world.next().await.unwrap();
    world.answer_until_done(&work).await;
    let request = world.model.asked().pop().unwrap();
    let last = format!("{:?}", request.messages.last());
    assert!(last.contains("may not be used in this conversation"), "{last}");
    assert_eq!(world.embedded.sessions.children(&work.session, 9).await.unwrap(), []);
}

#[tokio::test]
async fn x22_a_guests_sub_agent_may_no_more_than_the_guest() {
    let world = world([spawns("x"), says("asked"), says("done"), says("told")], 1);
    let mut envelope =
        message("1", "go", PeerKind::Direct, chela_core::queue::Standing::Allowed, world.agent.clock.now());
    if let Task::Message { authority, .. } = &mut envelope.task {
        *authority = Authority::Guest;
    }
    world.answer_until_done(&envelope).await;
    for expected in [Purpose::Assign, Purpose::Report] {
        let envelope = world.next().await.unwrap();
        let Task::Relay { purpose, authority, .. } = &envelope.task else { panic!("a relay") };
        assert_eq!((*purpose, *authority), (expected, Authority::Guest));
        world.answer_until_done(&envelope).await;
    }
    assert_eq!(world.channel.shown(), ["asked", "told"]);
}

#[tokio::test]
async fn a_sub_agent_that_says_nothing_or_fails_is_reported_too() {
    let refused = || ModelError::Rejected { provider: "test".into(), reason: "no".into() };
    for (line, reported) in [(says("NO_REPLY"), "> (no answer)"), (Line::Fails(refused), "> I cannot answer")] {
        let world = world([spawns("x"), says("asked"), line, says("told")], 1);
        world.answer_all(&world.says("1", "go"), 1).await;
        assert!(last_said(&world).contains(reported), "{}", last_said(&world));
        assert_eq!(world.channel.shown(), ["asked", "told"]);
    }
}

/// person ▸ child ▸ grandchild: the child's silence while it waits is no result.
#[tokio::test]
async fn a_sub_agent_that_waits_for_its_own_reports_when_it_has_heard() {
    let world = world(
        [spawns("a"), says("asked"), spawns("b"), says("NO_REPLY"), says("42"), says("It is 42."), says("42, I hear.")],
        2,
    );
    assert_eq!(world.answer_all(&world.says("1", "go"), 1).await, 5);
    assert_eq!(world.channel.shown(), ["asked", "42, I hear."]);
    assert!(last_said(&world).ends_with("> It is 42."));
}

#[tokio::test]
async fn a_conversation_is_listed_once_it_begins() {
    let world = world([says("hi"), says("again")], 1);
    world.answer_until_done(&world.says("1", "hello")).await;
    let listed = || async { world.embedded.sessions.listed(&AgentId::new("main"), 9).await.unwrap() };
    let first = listed().await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].session.as_str(), first[0].label.as_deref()), ("agent:main:main", Some("recording Ada")));
    world.clock.advance(60_000);
    world.answer_until_done(&world.says("2", "hello")).await;
    assert_eq!(listed().await, first);
}

#[tokio::test]
async fn a_turn_that_takes_too_long_ends_with_a_word() {
    let mut world = World::new([calls(&["a"]), says("never asked")]);
    let settings = world.installation.agents.get_mut(&AgentId::new("main")).unwrap();
    settings.longest_turn = Some(Duration::from_secs(30));
    // The process dies when the results of the first step are to be stored.
    world.store.dies_at(4, false);
    let envelope = world.says("1", "hi");
    let _ = world.answer(&envelope).await;
    assert!(world.store.revive());
    world.clock.advance(chela_agent::LEASE_MS + 1_000);
    world.answer_until_done(&envelope).await;
    assert!(world.channel.shown()[0].contains("longer than the 30 s"), "{:?}", world.channel.shown());
    assert_eq!(world.model.asked().len(), 1);
}

#[tokio::test]
async fn several_agents_in_one_place_say_who_they_are() {
    let mut world = World::new([says("hello"), says("hello"), says("NO_REPLY")]);
    let voice = |prefix: Option<&str>, shared: &[&str]| Voice {
        prefix: prefix.map(str::to_owned),
        signature: "**🦊 Fox:**".into(),
        shared: shared.iter().map(|&peer| peer.to_owned()).collect(),
    };
    let settings = |world: &mut World, voice| {
        world.installation.agents.get_mut(&AgentId::new("main")).unwrap().voice = voice;
    };
    settings(&mut world, voice(Some("[Fox]"), &["recording:8"]));
    world.answer_until_done(&world.says("1", "hi")).await;
    settings(&mut world, voice(Some("[Fox]"), &["recording:7"]));
    world.answer_until_done(&world.says("2", "hi")).await;
    world.answer_until_done(&world.says("3", "hi")).await;
    assert_eq!(world.channel.shown(), ["[Fox] hello", "**🦊 Fox:** hello"]);
}
