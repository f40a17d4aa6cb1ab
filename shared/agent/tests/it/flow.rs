//! Answers that are sent in blocks while they grow.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chela_agent::{Blocks, Outcome};
use chela_core::agent_id::AgentId;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, Usage};
use chela_core::queue::{Authority, Task};
use chela_core::session::{EntryBody, SessionStore};
use chela_core::session_key::SessionKey;
use chela_core::tool::Effect;
use chela_testkit::channel::RecordingChannel;
use chela_testkit::clock::ManualClock;
use serde_json::json;

use crate::world::{World, settings};

/// The pieces of an answer, each with the messages that are sent of it before it goes on, and how it breaks off.
type Answer = (&'static [(&'static str, usize)], Option<fn() -> ModelError>);

/// Longest wait for messages, as real time passes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says this piece by piece.
struct Slow {
    clock: Arc<ManualClock>,
    channel: Arc<RecordingChannel>,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<ModelRequest>>,
}

#[async_trait]
impl Model for Slow {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        chela_testkit::model::assert_valid(request);
        self.asked.lock().unwrap().push(request.clone());
        let (pieces, error) = self.answers.lock().unwrap().pop_front().unwrap_or((&[("(end of script)", 0)], None));
        let (began, before) = (Instant::now(), self.channel.shown().len());
        for (piece, sent) in pieces {
            on_delta(&Delta::Text((*piece).to_owned()));
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.clock.advance(1_000);
            while self.channel.shown().len() < before + sent {
                assert!(began.elapsed() < PATIENCE, "nothing was sent of {piece:?}");
                // The store works in a thread of its own, whose time is not that of the test.
                std::thread::sleep(Duration::from_millis(1));
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.clock.advance(100);
            }
        }
        if let Some(error) = error {
            return Err(error());
        }
        let text: String = pieces.iter().map(|(piece, _)| *piece).collect();
        let usage = Usage { input: 10, output: 5, ..Usage::default() };
        let lamp = text.ends_with("Now the lamp.");
        let mut blocks = vec![Block::Thinking { text: "hm".into(), signature: None }, Block::Text { text }];
        if lamp {
            blocks.push(Block::ToolUse { id: "a".into(), name: "lamp".into(), input: json!({}) });
        }
        Ok(ModelAnswer { blocks, stop: Stop::End, usage })
    }
}

fn growing(answers: Vec<Answer>) -> (World, Arc<Slow>) {
    let mut world = World::with([], RecordingChannel::default(), Effect::Keyed);
    let outlet = world.installation.outlets.values_mut().next().unwrap();
    let blocks = Blocks { least: 10, most: 40, idle: Duration::from_secs(5), growing: true };
    (outlet.blocks, outlet.streaming, outlet.seen) = (Some(blocks), false, None);
    let (answers, asked) = (Mutex::new(answers.into()), Mutex::default());
    let model = Arc::new(Slow { clock: world.clock.clone(), channel: world.channel.clone(), answers, asked });
    let settings = settings(model.clone(), world.lamp.clone());
    world.installation.agents.insert(AgentId::new("main"), settings);
    (world, model)
}

const LONG: &[(&str, usize)] = &[
    ("The first thing is this.\n\n", 0),
    ("The second thing is that.\n\n", 1),
    ("```sh\necho one\n\n", 2),
    ("echo two two two two two\n```\n\n", 2),
    ("That is all.", 3),
];
const SHOWN: [&str; 4] = [
    "The first thing is this.",
    "The second thing is that.",
    "```sh\necho one\n\necho two two two two two\n```",
    "That is all.",
];

/// The words of all answers of the session, blocks left out, without blanks.
async fn stored(world: &World) -> String {
    let key = SessionKey::from_stored("agent:main:main");
    let entries = world.embedded.sessions.history(&key, 0, 100).await.unwrap();
    let blocks = entries.iter().flat_map(|entry| match &entry.body {
        EntryBody::Assistant(answer) => answer.blocks.as_slice(),
        _ => &[],
    });
    let texts = blocks.filter_map(|block| match block {
        Block::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<String>().split_whitespace().collect()
}

fn without_blanks(parts: &[&str]) -> String {
    parts.concat().split_whitespace().collect()
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_sent_in_blocks_while_it_grows_and_no_code_is_cut() {
    let (world, _) = growing(vec![(LONG, None), (&[("Well.", 0)], None)]);
    assert!(matches!(world.answer(&world.says("1", "?")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), SHOWN);
    assert_eq!(stored(&world).await, without_blanks(&SHOWN), "the answer is stored once, and whole");
    assert!(matches!(world.answer(&world.says("2", "?")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown().len(), 5, "a short answer is one message");
    assert_eq!(world.embedded.sessions.flagged(10).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stands_still_shows_what_there_is() {
    let (mut world, _) = growing(vec![(&[("Let me look. I thi", 0), ("", 0), ("", 1), ("nk it is on.", 1)], None)]);
    let outlet = world.installation.outlets.values_mut().next().unwrap();
    outlet.blocks = Some(Blocks { least: 5, most: 400, idle: Duration::from_secs(2), growing: true });
    assert!(matches!(world.answer(&world.says("1", "?")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), ["Let me look.", "I think it is on."]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_while_it_grows_where_that_is_not_wished_or_shown_otherwise() {
    for (growing_wished, streaming) in [(false, false), (true, true)] {
        let (mut world, _) = growing(vec![(LONG, None)]);
        world.channel = Arc::new(RecordingChannel::with(|it| it.limits.edit_every = Some(Duration::from_secs(1))));
        let outlet = world.installation.outlets.values_mut().next().unwrap();
        outlet.channel = world.channel.clone();
        outlet.streaming = streaming;
        outlet.blocks.as_mut().unwrap().growing = growing_wished;
        assert!(matches!(world.answer(&world.says("1", "?")).await, Outcome::Done(_)));
        assert_eq!(world.channel.shown().len(), 1, "{:?}", world.channel.shown());
    }
}

#[tokio::test(start_paused = true)]
async fn silence_thoughts_and_files_are_not_in_blocks() {
    let quiet: &[(&str, usize)] = &[
        ("<think>a long and secret plan of", 0),
        (" very many words\n\n and more</think>", 0),
        ("NO_", 0),
        ("REPLY", 0),
    ];
    let file: &[(&str, usize)] = &[
        ("<think>a plan</think>Here is the picture you", 0),
        (" asked for.\n\nLook:\nMEDIA:out", 1),
        ("box/a.png\nMore words ", 1),
        ("follow it in many words.", 1),
    ];
    let (world, _) = growing(vec![(quiet, None), (file, None)]);
    assert!(matches!(world.answer(&world.says("1", "?")).await, Outcome::Done(_)));
    assert_eq!(world.channel.shown(), [""; 0]);
    assert!(matches!(world.answer(&world.says("2", "?")).await, Outcome::Done(_)));
    let shown = world.channel.shown();
    assert_eq!(shown[0], "Here is the picture you asked for.");
    assert!(shown.iter().skip(1).any(|part| part.contains("More words follow")), "{shown:?}");
    assert!(!shown.concat().contains("plan"), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_needs_said_before_it_is_said_once() {
    let (world, model) = growing(vec![
        (&[("The first thing is this.\n\n", 0), ("The second is that.\n\n", 1), ("Now the lamp.", 1)], None),
        (&[("It is on.", 0)], None),
    ]);
    assert!(matches!(world.answer(&world.says("1", "?")).await, Outcome::Done(_)));
    assert_eq!(
        world.channel.shown(),
        ["The first thing is this.", "The second is that.\n\nNow the lamp.", "It is on."]
    );
    assert_eq!(world.lamp.switched(), 1);
    // The model reads its own answer as it gave it.
    let asked = model.asked.lock().unwrap();
    let said = &asked[1].messages[1].blocks;
    assert!(matches!(said[0], Block::Thinking { .. }) && said.len() == 3, "{said:?}");
}

/// What was said before and waits for more goes out with a block, as it would with the answer.
#[tokio::test(start_paused = true)]
async fn guests_get_no_file_of_the_owner_s_with_a_block() {
    let (mut world, _) = growing(vec![
        (&[("MEDIA:USER.md\nNow the lamp.", 0)], None),
        (&[("The first thing is this one and none of the others.\n\n", 0), ("The second thing is that.", 1)], None),
    ]);
    let outlet = world.installation.outlets.values_mut().next().unwrap();
    outlet.blocks = Some(Blocks { least: 40, most: 60, idle: Duration::from_secs(5), growing: true });
    let mut asked = world.says("1", "?");
    let Task::Message { authority, .. } = &mut asked.task else { panic!("a message") };
    *authority = Authority::Guest;
    assert!(matches!(world.answer(&asked).await, Outcome::Done(_)));
    let shown = world.channel.shown();
    assert!(shown[0].contains("only the owner") && shown.concat().contains("none of the others."), "{shown:?}");
    assert!(!shown.concat().contains("USER.md"), "{shown:?}");
}

fn overloaded() -> ModelError {
    ModelError::Unavailable { provider: "test".into(), reason: "it broke off".into() }
}

/// No other model and no other call can go on with an answer of which something was sent, as if nothing had been.
#[tokio::test(start_paused = true)]
async fn a_model_that_breaks_off_is_asked_for_the_rest() {
    let begun: &[(&str, usize)] =
        &[("The first thing is this.\n\n", 0), ("The second thing is that.\n\n", 1), ("The third thing I thi", 2)];
    let (world, model) = growing(vec![(begun, Some(overloaded)), (&[("The third thing is long gone.", 0)], None)]);
    world.answer_until_done(&world.says("1", "?")).await;
    let shown = world.channel.shown();
    assert_eq!(shown, ["The first thing is this.", "The second thing is that.", "The third thing is long gone."]);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    assert_eq!(stored(&world).await, without_blanks(&shown));
    let asked = model.asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "the second call is another attempt's");
    let [.., begun, go_on] = asked[1].messages.as_slice() else { panic!("{:?}", asked[1].messages) };
    let text = "The first thing is this.\n\nThe second thing is that.";
    assert_eq!(begun.blocks, [Block::Text { text: text.to_owned() }]);
    assert!(matches!(&go_on.blocks[..], [Block::Text { text }] if text.contains("repeat nothing")), "{go_on:?}");
}

/// Wherever it dies: no block is shown twice, what is shown is what is stored, and nothing is missing but what is
/// flagged. The model says something else each time it is asked.
#[tokio::test(start_paused = true)]
async fn blocks_are_shown_once_and_are_what_is_stored_wherever_it_dies() {
    const AGAIN: &[(&str, usize)] =
        &[("Another thing is this one.\n\n", 0), ("One more thing is that one.\n\n", 1), ("This is the end of it.", 2)];
    let mut doubts = 0;
    for applied in [false, true] {
        for operation in 0..32 {
            let place = format!("operation {operation}, applied {applied}");
            let (world, _) = growing(vec![(LONG, None), (AGAIN, None)]);
            world.store.dies_at(operation, applied);
            let _ = world.answer(&world.says("1", "?")).await;
            world.store.revive();
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
            world.answer_until_done(&world.says("1", "?")).await;
            let shown = world.channel.shown();
            let distinct: BTreeSet<&String> = shown.iter().collect();
            assert_eq!(distinct.len(), shown.len(), "{place}: {shown:?}");
            let flagged = world.embedded.sessions.flagged(10).await.unwrap();
            doubts += flagged.len();
            let (mut left, stored) = (String::new(), stored(&world).await);
            let mut rest = stored.as_str();
            for part in &shown {
                let part = without_blanks(&[part]);
                let Some((before, after)) = rest.split_once(&part) else { panic!("{place}: {part} is not in {rest}") };
                (left, rest) = (left + before, after);
            }
            left.push_str(rest);
            assert!(left.is_empty() || !flagged.is_empty(), "{place}: {shown:?} of {stored}, flagged {flagged:?}");
        }
    }
    // Only between a part's mark and the record of its end nobody knows: twice for each of the four parts.
    assert!((4..=8).contains(&doubts), "{doubts}");
}
