//! Which tools a turn may use, and that what it begins may use no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use chela_agent::AgentSettings;
use chela_core::agent_id::AgentId;
use chela_core::clock::Clock;
use chela_core::model::{Block, ModelError, ModelRequest};
use chela_core::queue::{Authority, Envelope, MadeFor, Purpose, Task};
use chela_core::relay::MOST_HOPS;
use chela_core::session::SessionStore;
use chela_core::session_key::{Peer, PeerKind, SessionKey, cron_session_key};
use chela_core::tool::Effect;
use chela_core::tool_policy::{Limit, ModelToolRules, Place, Room, Scope, ToolPolicy, ToolRules, Who};
use chela_testkit::model::{Line, ScriptedModel};
use chela_tools::sessions::{House, Member, Visibility, tools};
use serde_json::{Value, json};

use crate::world::{Steadfast, World, calls, choice, keyed_channel, says, settings};

/// After so long a lease has run out.
const REST_MS: u64 = chela_agent::LEASE_MS + 1_000;

/// Another conversation of the agent's.
const OTHER: &str = "agent:main:recording:group:9";

/// More operations than the three turns of a spawn have.
const EVERY_OPERATION: u32 = 80;

fn denied(tool: &str) -> ToolRules {
    ToolRules { deny: vec![tool.to_owned()], ..ToolRules::default() }
}

/// Nobody but some may use a tool.
fn by_sender(rules: &[(&str, ToolRules)]) -> Arc<ToolPolicy> {
    let by_sender = rules.iter().map(|(key, rules)| ((*key).to_owned(), rules.clone())).collect();
    let all = Scope { at: "tools".into(), by_sender, ..Scope::default() };
    Arc::new(ToolPolicy { all, ..ToolPolicy::default() })
}

/// Whoever talks to it, in whichever conversation: it switches the lamp, and says what came of it. A person's request it
/// gives to a sub-agent or another conversation first.
fn eager(request: &ModelRequest) -> Block {
    let says = |text: &str| Block::Text { text: text.into() };
    let uses = |name: &str, input: Value| {
        let id = format!("{name}-{}", request.messages.len());
        Block::ToolUse { id, name: name.into(), input }
    };
    match request.messages.last().and_then(|message| message.blocks.last()) {
        Some(Block::Text { text }) if text == "light!" => uses("sessions_spawn", json!({"task": "light it"})),
        Some(Block::Text { text }) if text == "tell the other!" => {
            uses("sessions_send", json!({"sessionKey": OTHER, "message": "light it"}))
        }
        Some(Block::ToolResult { text, .. }) if text.starts_with("Accepted") || text.starts_with("Sent to") => {
            says("I have asked.")
        }
        Some(Block::ToolResult { text, .. }) => says(text),
        Some(Block::Text { .. }) => uses("lamp", json!({})),
        other => panic!("asked {other:?}"),
    }
}

fn world() -> World {
    world_of(eager)
}

fn world_of(model: impl Fn(&ModelRequest) -> Block + Send + Sync + 'static) -> World {
    let mut world = World::with([], keyed_channel(), Effect::None);
    let member = Member { models: vec!["test/scripted".into()], ..Member::default() };
    let house = House {
        agents: BTreeMap::from([(AgentId::new("main"), member)]),
        max_depth: 1,
        max_children: 5,
        max_concurrent: 8,
        visibility: Visibility::All,
        ..House::default()
    };
    let mut tools = tools(&Arc::new(house));
    tools.push(world.lamp.clone());
    let settings = AgentSettings { tools, ..settings(Arc::new(Steadfast(model)), world.lamp.clone()) };
    world.installation.agents.insert(AgentId::new("main"), settings);
    world
}

fn told(world: &World) -> String {
    world.channel.shown().last().unwrap().clone()
}

/// X22: the sub-agent of somebody who may not use a tool asks for it, and so does the turn that hears its report.
#[tokio::test]
async fn x22_nobody_gets_by_a_sub_agent_what_they_may_not_use_wherever_it_dies() {
    let mut died = 0;
    for (operation, applied) in (0..EVERY_OPERATION).flat_map(|operation| [(operation, false), (operation, true)]) {
        let mut world = world();
        world.installation.tools = by_sender(&[("channel:recording:7", denied("lamp")), ("*", ToolRules::default())]);
        world.store.dies_at(operation, applied);
        let attempts = world.answer_all(&world.says("1", "light!"), REST_MS).await;
        assert_eq!(world.lamp.switched(), 0, "operation {operation}, applied {applied}");
        let why = "\"lamp\" may not be used in this conversation: tools.toolsBySender.channel:recording:7.deny does not \
                   allow it.";
        assert_eq!(told(&world), why, "operation {operation}, applied {applied}");
        died += usize::from(attempts > 3);
        if attempts == 3 {
            break;
        }
    }
    assert!(died > 25, "the three turns have more operations than {died}");
}

#[tokio::test]
async fn a_sub_agent_has_the_tools_of_whoever_it_works_for() {
    let mut world = world();
    world.installation.tools = by_sender(&[("id:7", ToolRules::default()), ("*", denied("lamp"))]);
    world.answer_all(&world.says("1", "light!"), REST_MS).await;
    assert_eq!((world.lamp.switched(), told(&world).as_str()), (2, "the lamp is on"));
}

/// X22: another conversation does nothing for somebody that they may not do themselves.
#[tokio::test]
async fn x22_nobody_gets_by_a_letter_what_they_may_not_use() {
    for (rules, switched) in [(denied("lamp"), 0), (ToolRules::default(), 2)] {
        let mut world = world();
        let mut other = Envelope { session: SessionKey::from_stored(OTHER), ..world.says("0", "hello") };
        if let Task::Message { inbound, .. } = &mut other.task {
            (inbound.sender.id, inbound.peer, inbound.reply_to.to) =
                ("8".into(), Peer::new(PeerKind::Group, "9"), "9".into());
        }
        world.answer_until_done(&other).await;
        let before = world.lamp.switched();
        assert_eq!(before, 1, "whoever is in the other conversation may");
        world.installation.tools = by_sender(&[("channel:recording:7", rules), ("*", ToolRules::default())]);
        world.answer_all(&world.says("1", "tell the other!"), REST_MS).await;
        assert_eq!(world.lamp.switched() - before, switched);
    }
}

/// The owner takes a tool away while the work waits: it is gone at once.
#[tokio::test]
async fn what_is_taken_away_meanwhile_is_gone() {
    let mut world = world();
    world.answer_until_done(&world.says("1", "light!")).await;
    let work = world.next().await.unwrap();
    world.installation.tools = by_sender(&[("id:7", denied("lamp"))]);
    world.answer_until_done(&work).await;
    assert_eq!(world.lamp.switched(), 0);
}

/// Queued before letters had limits: nobody knows for whom, so what is said of anybody holds.
#[tokio::test]
async fn work_that_says_not_for_whom_it_is_has_the_tools_that_everybody_has() {
    let mut world = world();
    world.answer_until_done(&world.says("1", "light!")).await;
    let work = world.next().await.unwrap();
    let mut old = serde_json::to_value(&work).unwrap();
    assert!(old["task"].as_object_mut().unwrap().remove("limit").is_some());
    let old: Envelope = serde_json::from_value(old).unwrap();
    world.installation.tools = by_sender(&[("id:somebody-else", denied("lamp"))]);
    world.answer_until_done(&old).await;
    assert_eq!(world.lamp.switched(), 0);
}

fn beat(world: &World, made_for: Option<MadeFor>) -> Envelope {
    let task = Task::Heartbeat {
        name: "n".into(),
        scheduled_at: world.clock.now(),
        prompt: "switch it".into(),
        deliver_to: None,
        made_for: made_for.map(Box::new),
    };
    Envelope { task, session: cron_session_key("n"), ..world.says(&world.clock.unique(), "") }
}

#[tokio::test]
async fn x22_a_schedule_may_no_more_than_whoever_had_it_made() {
    let mut world = world();
    world.installation.tools = by_sender(&[("id:7", denied("lamp"))]);
    world.answer_until_done(&beat(&world, None)).await;
    assert_eq!(world.lamp.switched(), 1, "the owner's own");
    let mut limit = Limit::default();
    let senders = vec!["7".into()];
    limit.add_who(Who { channel: "recording".into(), account: "default".into(), senders, ..Who::default() });
    let made = MadeFor { authority: Authority::Guest, limit };
    let envelope = beat(&world, Some(made));
    assert_eq!(envelope.task.authority(), Authority::Guest);
    world.answer_until_done(&envelope).await;
    assert_eq!(world.lamp.switched(), 1);
}

#[tokio::test]
async fn each_model_is_offered_what_it_may_use_and_may_call_no_more() {
    let away = || ModelError::Unavailable { provider: "test".into(), reason: "away".into() };
    let mut world = World::new([Line::Fails(away), calls(&["a"]), says("I may not.")]);
    let other = Arc::new(ScriptedModel::new([says("hello"), calls(&["b"]), says("done")]));
    world.models().push(choice("other/one", [("other:default", other.clone())]));
    let rules = ModelToolRules { deny: vec!["lamp".into()], ..ModelToolRules::default() };
    let by_provider = BTreeMap::from([("test".to_owned(), rules)]);
    let all = Scope { at: "tools".into(), by_provider, ..Scope::default() };
    world.installation.tools = Arc::new(ToolPolicy { all, ..ToolPolicy::default() });
    let agent = world.installation.agents.values_mut().next().unwrap();
    agent.tools.extend(chela_tools::all(&chela_tools::ToolSettings::default()));
    world.answer_until_done(&world.says("1", "hi")).await;
    let offered = |model: &ScriptedModel| -> Vec<bool> {
        let offers = |request: &ModelRequest| request.tools.iter().any(|tool| tool.name == "lamp");
        model.asked().iter().map(offers).collect()
    };
    assert_eq!((offered(&world.model), offered(&other)), (vec![false], vec![true]));
    world.clock.advance(600_000);
    world.answer_until_done(&world.says("2", "light!")).await;
    assert_eq!(world.lamp.switched(), 0, "a model may call what nobody offered to it");
    let asked = world.model.asked().pop().unwrap();
    assert!(format!("{:?}", asked.messages.last()).contains("tools.byProvider.test.deny"), "{asked:?}");
}

/// And so in its threads, which are rooms of their own.
#[tokio::test]
async fn a_rooms_rules_hold_in_it_and_nowhere_else() {
    let mut world = World::new(["a", "b", "c"].iter().flat_map(|id| [calls(&[id]), says("so be it")]));
    let room = Room { at: "channels.recording.groups.club".into(), rules: Some(denied("lamp")), ..Room::default() };
    let place = Place { rooms: BTreeMap::from([("club".to_owned(), room)]), ..Place::default() };
    let places = BTreeMap::from([(("recording".to_owned(), "default".to_owned()), place)]);
    world.installation.tools = Arc::new(ToolPolicy { places, ..ToolPolicy::default() });
    let room = |id: &str| Peer { kind: PeerKind::Group, id: id.to_owned() };
    let rooms = [("club", None, 0), ("thread", Some("club"), 0), ("hall", None, 1)];
    for (event, (id, around, switched)) in rooms.into_iter().enumerate() {
        let mut envelope = world.says(&event.to_string(), "light!");
        let Task::Message { inbound, .. } = &mut envelope.task else { panic!("a message") };
        (inbound.peer, inbound.parent_peer) = (room(id), around.map(room));
        world.answer_until_done(&envelope).await;
        assert_eq!(world.lamp.switched(), switched, "{id}");
    }
}

/// A letter to a conversation with a person, who knows `hops` others before it.
fn letter(world: &World, text: &str, hops: u8) -> Envelope {
    let mut limit = Limit::default();
    let senders = vec!["7".into()];
    limit.add_who(Who { channel: "recording".into(), account: "default".into(), senders, ..Who::default() });
    let task = Task::Relay {
        from: SessionKey::from_stored("agent:main:other"),
        purpose: Purpose::Message,
        label: None,
        text: text.into(),
        depth: 0,
        hops,
        authority: Authority::Owner,
        limit,
        deliver_to: world.says("", "").task.reply_to().cloned(),
    };
    Envelope { task, ..world.says(&world.clock.unique(), "") }
}

#[tokio::test]
async fn whoever_speaks_up_meanwhile_brings_their_own_rules() {
    for (sender, switched) in [("7", 2), ("8", 1)] {
        let mut world = World::new([calls(&["a"]), calls(&["b"]), says("done")]);
        world.installation.tools = by_sender(&[("id:8", denied("lamp"))]);
        let first = letter(&world, "switch it", 1);
        world.clock.advance(10);
        let mut second = world.says("2", "And again!");
        let Task::Message { inbound, .. } = &mut second.task else { panic!("a message") };
        inbound.sender.id = sender.into();
        world.embedded.sessions.leave(&second).await.unwrap();
        world.answer_until_done(&first).await;
        assert_eq!(world.lamp.switched(), switched, "{sender}");
    }
}

#[tokio::test]
async fn conversations_do_not_write_to_one_another_for_ever() {
    let world = world_of(|request| match request.messages.last().and_then(|message| message.blocks.last()) {
        Some(Block::ToolResult { text, .. }) => Block::Text { text: text.clone() },
        _ => Block::ToolUse { id: "a".into(), name: "sessions_spawn".into(), input: json!({"task": "go on"}) },
    });
    world.answer_until_done(&letter(&world, "go on", 1)).await;
    assert!(world.next().await.is_some(), "the control");
    world.answer_until_done(&letter(&world, "go on", MOST_HOPS)).await;
    assert!(world.next().await.is_none() && told(&world).contains("often enough"), "{}", told(&world));
}
