//! Messages beside the reply: whatever dies, nobody reads one twice, and what may have arrived is told.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::Outcome;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::channel::{SendError, Unconfirmed};
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, Usage};
use chela_core::queue::{Authority, Task};
use chela_core::tool::{Effect, Tool};
use chela_testkit::channel::{Fate, RecordingChannel};
use chela_testkit::model::{Line, assert_valid};
use chela_tools::{ToolSettings, on_demand};
use serde_json::{Value, json};

use crate::world::{World, keyed_channel, says, settings};

/// More operations than such a turn has.
const EVERY_OPERATION: u32 = 20;

fn tool() -> Arc<dyn Tool> {
    chela_tools::all(&ToolSettings::default()).into_iter().find(|tool| tool.spec().name == "message").unwrap()
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
    let mut settings = settings(Arc::new(Steadfast(input)), tool());
    settings.tools = found(settings.tools);
    world.installation.agents.insert(AgentId::new("main"), settings);
    world
}

fn message(input: Value) -> Line {
    Line::Calls(vec![("call_1".into(), "message".into(), input)])
}

/// The model of [`steadfast`].
struct Steadfast(Value);

#[async_trait]
impl Model for Steadfast {
    async fn call(
        &self,
        request: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        assert_valid(request);
        let last = request.messages.last().and_then(|message| message.blocks.last());
        let (block, stop) = match last {
            Some(Block::ToolResult { text, .. }) => (Block::Text { text: format!("told: {text}") }, Stop::End),
            _ => (Block::ToolUse { id: "a".into(), name: "message".into(), input: self.0.clone() }, Stop::ToolUse),
        };
        Ok(ModelAnswer { blocks: vec![block], stop, usage: Usage::default() })
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
