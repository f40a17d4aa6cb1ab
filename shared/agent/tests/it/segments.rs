//! Providers that refuse a transcript, again and again unless something is done about it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chela_agent::Outcome;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Role};
use chela_testkit::model::{Line, ScriptedModel, assert_valid};

use crate::world::{World, calls, says};

/// A model that answers 400 to some requests, and follows its script at others.
struct Picky {
    refuses: Mutex<fn(&ModelRequest) -> Option<ModelError>>,
    script: Arc<ScriptedModel>,
    asked: Mutex<Vec<ModelRequest>>,
}

#[async_trait]
impl Model for Picky {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        assert_valid(request);
        self.asked.lock().unwrap().push(request.clone());
        let refusal = (*self.refuses.lock().unwrap())(request);
        match refusal {
            Some(error) => Err(error),
            None => self.script.call(request, on_delta).await,
        }
    }
}

fn refused() -> Option<ModelError> {
    Some(ModelError::Rejected { provider: "test".into(), reason: "status 400: no".into() })
}

fn takes_all(_: &ModelRequest) -> Option<ModelError> {
    None
}

fn has_tool_blocks(request: &ModelRequest) -> bool {
    let mut blocks = request.messages.iter().flat_map(|message| &message.blocks);
    blocks.any(|block| matches!(block, Block::ToolUse { .. } | Block::ToolResult { .. }))
}

fn no_tool_blocks(request: &ModelRequest) -> Option<ModelError> {
    has_tool_blocks(request).then(refused)?
}

/// Chokes on something said long ago, in whatever form.
fn no_past(request: &ModelRequest) -> Option<ModelError> {
    (has_tool_blocks(request) || !first_text(request).contains("What was said before")).then(refused)?
}

fn too_long(request: &ModelRequest) -> Option<ModelError> {
    (request.messages.len() > 1).then(|| ModelError::TooLong { provider: "test".into() })
}

fn nothing(_: &ModelRequest) -> Option<ModelError> {
    refused()
}

struct Refusing {
    world: World,
    model: Arc<Picky>,
}

impl Refusing {
    fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        let mut world = World::new(lines);
        let (refuses, script) = (Mutex::new(takes_all as fn(&ModelRequest) -> _), world.model.clone());
        let model = Arc::new(Picky { refuses, script, asked: Mutex::default() });
        let settings = world.installation.agents.values_mut().next().unwrap();
        settings.models[0].profiles[0].model = model.clone();
        Self { world, model }
    }

    fn refuses(&self, refuses: fn(&ModelRequest) -> Option<ModelError>) {
        *self.model.refuses.lock().unwrap() = refuses;
    }

    /// What the model was asked for this message, and what the user was shown last.
    async fn says(&self, event: &str, text: &str) -> (Vec<ModelRequest>, String) {
        self.model.asked.lock().unwrap().clear();
        let outcome = self.world.answer(&self.world.says(event, text)).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        (self.model.asked.lock().unwrap().clone(), self.world.channel.shown().last().unwrap().clone())
    }
}

fn first_text(request: &ModelRequest) -> &str {
    match &request.messages[0].blocks[0] {
        Block::Text { text } => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_transcript_is_put_in_plain_words_at_once_and_from_then_on() {
    let talk = Refusing::new([calls(&["a"]), says("it is on"), says("yes"), says("still")]);
    talk.says("1", "light!").await;
    talk.refuses(no_tool_blocks);
    let (asked, shown) = talk.says("2", "is it on?").await;
    assert_eq!((asked.len(), shown.as_str()), (2, "yes"));
    assert_eq!(asked[1].messages.len(), 3, "what was said before is there: {:?}", asked[1].messages);
    let (asked, shown) = talk.says("3", "and now?").await;
    assert_eq!((asked.len(), shown.as_str()), (1, "still"), "the session remembers");
}

#[tokio::test]
async fn a_transcript_refused_in_every_form_becomes_a_summary_and_stays_one() {
    let talk = Refusing::new([calls(&["a"]), says("it is on"), says("yes"), says("still"), says("as ever")]);
    talk.says("1", "light!").await;
    talk.refuses(no_past);
    let (asked, shown) = talk.says("2", "is it on?").await;
    assert_eq!((asked.len(), shown.as_str()), (3, "yes"));
    let [summary] = &asked[2].messages[..] else { panic!("one message: {:?}", asked[2].messages) };
    let words = format!("{summary:?}");
    assert!(summary.role == Role::User && words.contains("The user: light!"), "{words}");
    assert!(words.contains("You: it is on") && words.contains("is it on?"), "{words}");

    talk.refuses(takes_all);
    let (asked, shown) = talk.says("3", "and now?").await;
    assert_eq!((asked.len(), shown.as_str()), (1, "still"), "the session remembers");
    assert_eq!(asked[0].messages.len(), 3, "the segment begins with the summary: {:?}", asked[0].messages);
    assert!(first_text(&asked[0]).contains("The user: light!"));
    assert!(!format!("{:?}", asked[0]).contains("ToolUse"), "nothing of before is repeated");
    let (asked, _) = talk.says("4", "and again?").await;
    assert!(first_text(&asked[0]).contains("The user: light!") && asked[0].messages.len() == 5);
}

#[tokio::test]
async fn the_summary_stands_in_the_later_steps_of_its_turn_too() {
    let talk = Refusing::new([says("hello"), calls(&["a"]), says("it is on"), says("bye")]);
    talk.says("1", "hi").await;
    talk.refuses(no_past);
    // The calls of the turn itself are refused as well and told in words.
    let (asked, shown) = talk.says("2", "light!").await;
    assert_eq!((asked.len(), shown.as_str()), (4, "it is on"), "{asked:#?}");
    assert_eq!(asked[2].messages.len(), 3, "the turns before are not repeated beside their summary");
    talk.refuses(takes_all);
    let (asked, _) = talk.says("3", "bye").await;
    assert!(first_text(&asked[0]).contains("You: hello"), "{:?}", asked[0].messages);
    assert_eq!(talk.world.lamp.switched(), 1);
}

#[tokio::test]
async fn a_past_that_no_half_makes_fit_becomes_a_summary() {
    let talk = Refusing::new([says("hello"), says("fine")]);
    talk.says("1", "hi").await;
    talk.refuses(too_long);
    let (asked, shown) = talk.says("2", "how are you?").await;
    assert_eq!((asked.len(), shown.as_str()), (3, "fine"));
}

#[tokio::test]
async fn i12_a_provider_that_refuses_everything_is_asked_three_times_and_its_user_told() {
    let talk = Refusing::new([calls(&["a"]), says("it is on"), says("yes")]);
    talk.says("1", "light!").await;
    talk.refuses(nothing);
    let (asked, shown) = talk.says("2", "is it on?").await;
    assert_eq!(asked.len(), 3);
    assert!(shown.contains("/new"), "{shown}");
    talk.refuses(takes_all);
    let (asked, shown) = talk.says("3", "and now?").await;
    assert_eq!((asked.len(), shown.as_str()), (1, "yes"));
    assert!(first_text(&asked[0]).contains("light!"), "nothing was given up for it");
}

#[tokio::test]
async fn a_first_message_that_is_refused_is_not_repeated() {
    let talk = Refusing::new([]);
    talk.refuses(nothing);
    let (asked, shown) = talk.says("1", "hi").await;
    assert_eq!(asked.len(), 1);
    assert!(shown.contains("cannot answer"), "{shown}");
}
