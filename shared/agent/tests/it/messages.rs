//! Messages beside the reply: whatever dies, nobody reads one twice, and what may have arrived is told.

use std::sync::Arc;

use bytes::Bytes;
use chela_agent::Outcome;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::channel::{SendError, Unconfirmed};
use chela_core::message::ReplyAddress;
use chela_core::model::{Block, ModelRequest, Role};
use chela_core::queue::{Authority, Envelope, Task};
use chela_core::session::{EntryBody, SessionStore};
use chela_core::session_key::SessionKey;
use chela_core::tool::{Effect, Tool};
use chela_testkit::channel::{Fate, RecordingChannel};
use chela_testkit::model::Line;
use chela_tools::{ToolSettings, on_demand};
use serde_json::{Value, json};

use crate::world::{Steadfast, World, keyed_channel, says, settings};

/// Another person's chat.
const BOB: &str = "8";

/// More operations than such a turn has.
const EVERY_OPERATION: u32 = 20;

/// The tool, which may write to Bob's chat unasked.
fn tool() -> Arc<dyn Tool> {
    let settings = ToolSettings { written_to: vec![at(BOB), at("9")], ..ToolSettings::default() };
    chela_tools::all(&settings).into_iter().find(|tool| tool.spec().name == "message").unwrap()
}

/// Tools that have to be found first.
fn found(tools: Vec<Arc<dyn Tool>>) -> Vec<Arc<dyn Tool>> {
    on_demand::offered(tools, &Arc::default(), &AgentId::new("main"))
}

fn world(lines: impl IntoIterator<Item = Line>, channel: RecordingChannel) -> World {
    let mut world = World::with(lines, channel, Effect::None);
    world.installation.agents.values_mut().next().unwrap().tools = found(vec![tool()]);
    world
}

/// A house whose model says the same however often it is asked: this call first, then what it was told.
fn steadfast(channel: RecordingChannel, input: Value) -> World {
    let mut world = world([], channel);
    let mut settings = settings(Arc::new(Steadfast(call_first(input))), tool());
    settings.tools = found(settings.tools);
    world.installation.agents.insert(AgentId::new("main"), settings);
    world
}

fn message(input: Value) -> Line {
    Line::Calls(vec![("call_1".into(), "message".into(), input)])
}

/// This call first, then what it was told.
fn call_first(input: Value) -> impl Fn(&ModelRequest) -> Block + Send + Sync {
    move |request| match request.messages.last().and_then(|message| message.blocks.last()) {
        Some(Block::ToolResult { text, .. }) => Block::Text { text: format!("told: {text}") },
        _ => Block::ToolUse { id: "a".into(), name: "message".into(), input: input.clone() },
    }
}

/// What is shown after a turn with a message of two parts that died at each of its operations, before and after.
async fn killed_everywhere(channel: fn() -> RecordingChannel) -> Vec<Vec<String>> {
    let mut seen = Vec::new();
    for operation in 0..EVERY_OPERATION {
        for applied in [false, true] {
            let text = "Hello Ada, hello.\n\nAnd hello Bob, hello.";
            let mut world = steadfast(channel(), json!({"action": "send", "text": text}));
            for outlet in world.installation.outlets.values_mut() {
                outlet.text_limit = Some(24);
            }
            let envelope = world.says("1", "greet them");
            world.store.dies_at(operation, applied);
            let _ = world.answer(&envelope).await;
            let died = world.store.revive();
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
            world.answer_until_done(&envelope).await;
            seen.push(world.channel.shown());
            if !died {
                return seen;
            }
        }
    }
    panic!("the turn has more operations than that");
}

fn count(shown: &[String], text: &str) -> usize {
    shown.iter().filter(|shown| shown.contains(text)).count()
}

#[tokio::test]
async fn with_keys_a_message_arrives_once_wherever_it_dies() {
    let seen = killed_everywhere(keyed_channel).await;
    assert!(seen.len() > 12, "{}", seen.len());
    for shown in seen {
        let told = shown.iter().any(|text| text.contains("sent"));
        assert!(count(&shown, "hello.") == 2 && told && count(&shown, "unknown") == 0, "{shown:?}");
    }
}

#[tokio::test]
async fn without_keys_nothing_arrives_twice_and_what_nobody_knows_is_told() {
    let seen = killed_everywhere(RecordingChannel::default).await;
    let mut unknown = 0;
    for shown in seen {
        let (greetings, doubts) = (count(&shown, "hello."), count(&shown, "may or may not"));
        assert!(greetings == 2 || (greetings == 0 && doubts > 0), "{shown:?}");
        unknown += doubts;
    }
    assert!(unknown > 0, "a death between mark and result is told");
}

#[tokio::test]
async fn what_is_done_to_messages_may_be_done_again() {
    for operation in 0..EVERY_OPERATION {
        let world = steadfast(RecordingChannel::default(), json!({"action": "delete", "messageId": "9"}));
        let envelope = world.says("1", "take it away");
        world.store.dies_at(operation, true);
        let _ = world.answer(&envelope).await;
        world.store.revive();
        world.clock.advance(chela_agent::LEASE_MS + 1_000);
        world.answer_until_done(&envelope).await;
        let done = world.channel.done();
        assert!(!done.is_empty() && done.iter().all(|done| done == "delete 9"), "{done:?}");
    }
}

#[tokio::test]
async fn a_message_is_cut_and_rendered_as_a_reply_is() {
    let text = format!("{}\n\n{}", "one ".repeat(10).trim(), "two ".repeat(10).trim());
    let mut world = world([message(json!({"action": "send", "text": text})), says("Done.")], keyed_channel());
    for outlet in world.installation.outlets.values_mut() {
        outlet.text_limit = Some(60);
    }
    world.answer_until_done(&world.says("1", "go")).await;
    let shown: Vec<String> = world.channel.shown().iter().map(|text| text.trim().to_owned()).collect();
    assert_eq!(shown, ["one ".repeat(10).trim(), "two ".repeat(10).trim(), "Done."]);
    assert_eq!(world.channel.places(), ["7"; 3]);
    let mut keys = world.channel.keys();
    keys.dedup();
    assert_eq!(keys.len(), 3, "each part has a key of its own");
}

#[tokio::test]
async fn a_moments_patience_is_had_and_the_rest_of_a_failed_message_is_told() {
    let lines = || [message(json!({"action": "send", "text": "hello"})), says("Done.")];
    let patient = world(lines(), RecordingChannel::default());
    let wait = || SendError::RateLimited { channel: "recording", after: std::time::Duration::from_millis(5) };
    patient.channel.will([Fate::Fails(wait)]);
    patient.answer_until_done(&patient.says("1", "go")).await;
    assert_eq!(patient.channel.shown(), ["hello", "Done."]);

    let lost = world(lines(), RecordingChannel::default());
    lost.channel.will([Fate::ShownButLost]);
    lost.answer_until_done(&lost.says("1", "go")).await;
    let told = format!("{:?}", lost.model.asked().last().unwrap().messages.last());
    assert!(told.contains("outcome of this call is unknown"), "{told}");
    assert_eq!(lost.channel.shown(), ["hello", "Done."]);
}

#[tokio::test]
async fn what_a_channel_cannot_do_is_said_and_so_is_an_account_that_is_not_there() {
    let thread = message(json!({"action": "thread", "text": "Plans"}));
    let no_file = Line::Calls(vec![("call_2".into(), "message".into(), json!({"action": "send", "file": "none.png"}))]);
    let world = world([thread, no_file, says("Done.")], RecordingChannel::with(|channel| channel.uploads = true));
    let outcome = world.answer(&world.says("1", "go")).await;
    assert!(matches!(outcome, Outcome::Done(_)));
    let told = format!("{:?}", world.model.asked());
    assert!(told.contains("recording refused: threads cannot be begun here"), "{told}");
    assert!(told.contains("recording refused: there is no such file"), "{told}");
    assert_eq!(world.channel.shown(), ["Done."], "nobody is told of a file that is not there");
}

#[tokio::test]
async fn its_owner_may_rather_have_it_twice() {
    let mut world = steadfast(RecordingChannel::default(), json!({"action": "send", "text": "hello"}));
    for outlet in world.installation.outlets.values_mut() {
        outlet.wished = Some(Unconfirmed::Resend);
    }
    let envelope = world.says("1", "go");
    // claim, accept, append answer, save marks; dies on appending the results.
    world.store.dies_at(4, false);
    let _ = world.answer(&envelope).await;
    world.store.revive();
    world.clock.advance(chela_agent::LEASE_MS + 1_000);
    world.answer_until_done(&envelope).await;
    assert_eq!(
        world.channel.shown().iter().filter(|shown| *shown == "hello").count(),
        2,
        "{:?}",
        world.channel.shown()
    );
}

/// A guest gets no file by message that he would not get with a reply.
#[tokio::test]
async fn a_guest_gets_no_file_of_the_owners() {
    let lines = [
        message(json!({"action": "send", "file": "MEMORY.md"})),
        Line::Calls(vec![("call_2".into(), "message".into(), json!({"action": "send", "text": "MEDIA:MEMORY.md"}))]),
        Line::Calls(vec![("call_3".into(), "message".into(), json!({"action": "send", "file": "outbox/a.txt"}))]),
        says("Done."),
    ];
    let world = world(lines, RecordingChannel::with(|channel| channel.uploads = true));
    for path in ["MEMORY.md", "outbox/a.txt"] {
        let key = format!("agents/main/{path}");
        world.embedded.blobs.put(&key, Bytes::from_static(b"private"), Precondition::None).await.unwrap();
    }
    let mut envelope = world.says("1", "send me your memory");
    if let Task::Message { authority, .. } = &mut envelope.task {
        *authority = Authority::Guest;
    }
    world.answer_until_done(&envelope).await;
    let shown = world.channel.shown();
    assert_eq!(shown, ["(A file that only the owner may have is not sent.)", "a.txt: text/plain, 7", "Done."]);
}

fn at(to: &str) -> ReplyAddress {
    ReplyAddress { channel: "recording".into(), account: "default".into(), to: to.into(), thread: None, message: None }
}

const WITH_BOB: &str = "agent:main:recording:direct:8";

/// Bob writes, in a conversation of his own.
fn bob(world: &World, event: &str, text: &str) -> Envelope {
    let mut envelope = Envelope { session: SessionKey::from_stored(WITH_BOB), ..world.says(event, text) };
    if let Task::Message { inbound, authority, .. } = &mut envelope.task {
        (inbound.sender.id, inbound.peer.id) = (BOB.into(), BOB.into());
        (inbound.reply_to, *authority) = (ReplyAddress { message: Some("41".into()), ..at(BOB) }, Authority::Guest);
    }
    envelope
}

/// How often the words stand in Bob's transcript as the agent's own.
async fn written(world: &World, words: &str) -> usize {
    let entries = world.embedded.sessions.history(&SessionKey::from_stored(WITH_BOB), 0, 100).await.unwrap();
    let said = |body: &EntryBody| match body {
        EntryBody::Assistant(answer) => {
            answer.blocks.iter().filter(|it| matches!(it, Block::Text { text } if text == words)).count()
        }
        _ => 0,
    };
    entries.iter().map(|entry| said(&entry.body)).sum()
}

#[tokio::test]
async fn what_was_written_elsewhere_stands_in_that_conversation_and_its_answer_is_understood() {
    let to_bob = |text: &str| message(json!({"action": "send", "to": BOB, "text": text}));
    let first = [says("Hello Bob."), to_bob("Come at nine."), says("Done."), says("See you.")];
    let lines = first.into_iter().chain([to_bob("Bring tea."), says("Told.")]);
    let world = world(lines, RecordingChannel::default());
    world.answer_until_done(&bob(&world, "1", "hi")).await;
    world.answer_until_done(&world.says("2", "tell Bob to come at nine")).await;
    let wrote = world.next().await.unwrap();
    assert_eq!((wrote.session.as_str(), wrote.task.authority()), (WITH_BOB, Authority::Owner));
    for _ in 0..2 {
        world.answer_until_done(&wrote).await;
    }
    assert_eq!(world.next().await, None);
    assert_eq!(
        world.channel.shown(),
        ["Hello Bob.", "Come at nine.", "Done."],
        "it was sent once, and nobody is woken"
    );
    assert_eq!((world.model.asked().len(), written(&world, "Come at nine.").await), (3, 1));
    world.answer_until_done(&bob(&world, "3", "yes")).await;
    let asked = world.model.asked().pop().unwrap();
    let before = asked.messages.iter().rev().nth(1).unwrap();
    assert_eq!(before.role, Role::Assistant);
    assert_eq!(before.blocks, [Block::Text { text: "Come at nine.".into() }]);
    let told = format!("{:?}", asked.messages);
    assert!(told.contains("While you worked in the conversation agent:main:main you sent"), "{told}");
    world.answer_until_done(&world.says("4", "and to bring tea")).await;
    world.answer_until_done(&world.next().await.unwrap()).await;
    assert_eq!(written(&world, "Bring tea.").await, 1, "another message is another");
}

/// In the conversation itself the call stands; of a place from which nobody wrote nobody knows whose conversation it is;
/// and what was not sent was not written.
#[tokio::test]
async fn nothing_is_noted_of_what_is_known_or_nobody_knows_the_place_of() {
    let send = |to: &str| message(json!({"action": "send", "to": to, "text": "hello"}));
    let react = message(json!({"action": "react", "to": BOB, "messageId": "1", "emoji": "👍"}));
    let lines =
        [says("Hello Bob."), send("7"), says("a"), send("9"), says("b"), react, says("c"), send(BOB), says("d")];
    let world = world(lines, RecordingChannel::default());
    world.answer_until_done(&bob(&world, "1", "hi")).await;
    for event in ["2", "3", "4"] {
        world.answer_until_done(&world.says(event, "go")).await;
        assert_eq!(world.next().await, None, "{event}");
    }
    world.channel.will([Fate::Fails(|| SendError::Refused { channel: "recording", reason: "no".into() })]);
    world.answer_until_done(&world.says("5", "go")).await;
    assert_eq!(world.next().await, None);
}

/// Routing decides where a place is answered, and may decide anew.
#[tokio::test]
async fn the_conversation_is_the_one_in_which_its_reader_was_answered_last() {
    let to_bob = message(json!({"action": "send", "to": BOB, "text": "hello"}));
    let world = world([says("1"), says("2"), to_bob, says("3")], RecordingChannel::default());
    world.answer_until_done(&bob(&world, "1", "hi")).await;
    let moved = SessionKey::from_stored("agent:main:direct:bob");
    world.answer_until_done(&Envelope { session: moved.clone(), ..bob(&world, "2", "hi again") }).await;
    world.answer_until_done(&world.says("3", "go")).await;
    assert_eq!(world.next().await.unwrap().session, moved);
}

/// The writer's turn, and then that of the note, killed at every operation.
#[tokio::test]
async fn what_was_written_elsewhere_stands_there_once_wherever_it_dies() {
    for kill_in in 0..2 {
        for (operation, applied) in (0..EVERY_OPERATION).flat_map(|operation| [(operation, false), (operation, true)]) {
            let world = steadfast(keyed_channel(), json!({"action": "send", "to": BOB, "text": "hello"}));
            let home =
                chela_core::directory::Home { session: SessionKey::from_stored(WITH_BOB), agent: AgentId::new("main") };
            let place = chela_core::directory::place_mark(&at(BOB));
            world.agent.directory.note_home(&place, &home, chela_core::clock::Millis(0)).await.unwrap();
            let mut open = vec![world.says("1", "go")];
            let mut died = false;
            for turn in 0..2 {
                if turn == kill_in {
                    world.store.dies_at(operation, applied);
                }
                let envelope = open.pop().unwrap();
                let _ = world.answer(&envelope).await;
                died |= world.store.revive();
                world.clock.advance(chela_agent::LEASE_MS + 1_000);
                world.answer_until_done(&envelope).await;
                open.extend(world.next().await);
            }
            let at = format!("{kill_in} {operation} {applied}");
            assert_eq!((open.len(), written(&world, "hello").await), (0, 1), "{at}");
            assert_eq!(count(&world.channel.shown(), "hello"), 1, "{at}");
            if !died {
                assert!(operation >= 4, "{at}");
                break;
            }
        }
    }
}
