//! Answers, results and messages larger than a row: the store is as narrow as the table on AWS.

use std::sync::Arc;

use async_trait::async_trait;
use chela_agent::Outcome;
use chela_core::clock::{Clock, Millis};
use chela_core::message::EventKey;
use chela_core::model::{Block, ToolSpec};
use chela_core::session::{AssistantEntry, Claim, Claimed, Entry, EntryBody, Fence, SessionStore, UserFragment};
use chela_core::session_key::SessionKey;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_testkit::model::Line;
use futures_util::future::join_all;
use serde_json::json;

use crate::world::{World, says};

struct Library(Effect);

#[async_trait]
impl Tool for Library {
    fn spec(&self) -> ToolSpec {
        let input_schema = json!({"type": "object"});
        ToolSpec { name: "library".into(), description: "Reads a book.".into(), input_schema }
    }

    fn effect(&self) -> Effect {
        self.0
    }

    async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
        ToolAnswer::ok("書".repeat(100_000))
    }
}

fn with_library(lines: impl IntoIterator<Item = Line>, effect: Effect) -> World {
    let mut world = World::new(lines);
    let settings = world.installation.agents.values_mut().next().unwrap();
    settings.tools.push(Arc::new(Library(effect)));
    settings.models[0].context_window = 1_000_000;
    world
}

fn sixteen_books() -> Line {
    Line::Calls((0..16).map(|n| (n.to_string(), "library".into(), json!({}))).collect())
}

async fn answered(world: &World, event: &str, text: &str) {
    let outcome = world.answer(&world.says(event, text)).await;
    assert!(matches!(&outcome, Outcome::Done(report) if report.failed.is_none()), "{outcome:?}");
}

#[tokio::test]
async fn sixteen_books_at_once_are_read_in_part() {
    for effect in [Effect::None, Effect::Unkeyed] {
        let world = with_library([sixteen_books(), says("read them"), says("hello")], effect);
        answered(&world, "1", "read everything").await;
        answered(&world, "2", "hi").await;
        assert_eq!(world.channel.shown(), ["read them", "hello"]);
        let results = world.model.asked()[1].messages[2].blocks.clone();
        assert_eq!(results.len(), 16);
        assert!(matches!(&results[15], Block::ToolResult { text, .. } if text.contains("[cut here")));
    }
}

#[tokio::test]
async fn a_book_for_an_answer_is_sent_as_far_as_it_can_be_kept() {
    let world = World::new([says(&"章".repeat(300_000)), says("hello")]);
    answered(&world, "1", "tell me everything").await;
    answered(&world, "2", "hi").await;
    let shown = world.channel.shown();
    assert!(shown.iter().map(|part| part.chars().count()).sum::<usize>() > 40_000, "{} parts", shown.len());
    assert!(shown[shown.len() - 2].contains("[cut here"), "its reader is told");
    assert_eq!(shown.last().unwrap(), "hello");
}

#[tokio::test]
async fn a_book_for_a_question_is_read_in_part() {
    let world = with_library([says("long"), says("hello")], Effect::None);
    answered(&world, "1", &"問".repeat(300_000)).await;
    answered(&world, "2", "hi").await;
    assert_eq!(world.channel.shown(), ["long", "hello"]);
    assert!(format!("{:?}", world.model.asked()[0].messages).contains("[cut here"), "the model is told");
}

/// A turn of three entries: a call, its result, the answer.
fn turn(number: u64) -> [Entry; 3] {
    let entry = |step, body| Entry { turn: number, step, at: Millis(1), body };
    let user = UserFragment { sender: "7".into(), text: format!("question {number}"), ..Default::default() };
    let call = Block::ToolUse { id: "a".into(), name: "lamp".into(), input: json!({}) };
    let asking = AssistantEntry { user: vec![user], blocks: vec![call], ..AssistantEntry::default() };
    let result = Block::ToolResult { id: "a".into(), text: "on".into(), is_error: false, files: vec![] };
    let blocks = vec![Block::Text { text: "done".into() }];
    let ending = AssistantEntry { blocks, outbox: Some(vec![]), ..AssistantEntry::default() };
    [
        entry(0, EntryBody::Assistant(asking)),
        entry(0, EntryBody::ToolResults { results: vec![result] }),
        entry(1, EntryBody::Assistant(ending)),
    ]
}

#[tokio::test]
async fn after_ten_thousand_entries_a_turn_reads_the_newest() {
    const TURNS: u64 = 3_334;
    let world = World::new((0..20).map(|_| says("hello")));
    let (session, store) = (SessionKey::from_stored("agent:main:main"), &world.embedded.sessions);
    let entries: Vec<Entry> = (1..=TURNS).flat_map(turn).collect();
    let stored = join_all(entries.iter().map(|entry| store.append(&session, entry))).await;
    assert!(stored.iter().all(Result::is_ok));
    let (event, now) = (EventKey::of("recording", "default", "old"), world.clock.now());
    let claim = Claim { event: &event, owner: "a", now, until: now.plus(1_000) };
    let Claimed::Held(mut head) = store.claim(&session, &claim).await.unwrap() else { panic!("it is free") };
    let fence = Fence { epoch: head.epoch, owner: "a", lease_reaches: Millis(0) };
    head.last_turn = TURNS - 1;
    head.finish(&[]);
    store.save(&session, &head, &fence).await.unwrap();

    answered(&world, "1", "hi").await;
    let asked = world.model.asked();
    // A hundred and sixty entries are fifty-three turns; all the others stand in a record, of which the first part tells
    // of the first turn.
    let told = asked.last().unwrap();
    assert_eq!(told.messages.len(), 53 * 4 + 1);
    assert!(format!("{:?}", told.messages[0]).contains("question 3282"), "{:?}", told.messages[0]);
    assert!(format!("{:?}", asked[0].messages).contains("question 1\\n"), "{:?}", asked[0].messages);
    answered(&world, "2", "and?").await;
    assert_eq!(world.model.asked().len(), asked.len() + 1, "it is done once");
}
