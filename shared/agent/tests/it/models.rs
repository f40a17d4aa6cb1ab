//! Models that fail, wait, call nonsense.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::Outcome;
use chela_core::clock::Clock;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, Usage};
use chela_core::queue::Standing;
use chela_core::session_key::PeerKind;
use chela_testkit::model::{Line, ScriptedModel};
use serde_json::json;

use crate::world::{World, calls, choice, message, says};

/// A model that speaks a word every half second.
pub(crate) struct Dictation(&'static str);

impl Dictation {
    pub(crate) fn new(text: &'static str) -> Self {
        Self(text)
    }
}

#[async_trait]
impl Model for Dictation {
    async fn call(
        &self,
        _: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        for word in self.0.split_inclusive(' ') {
            tokio::time::sleep(Duration::from_millis(500)).await;
            on_delta(&Delta::Text(word.to_owned()));
        }
        Ok(ModelAnswer { blocks: vec![Block::Text { text: self.0.into() }], stop: Stop::End, usage: Usage::default() })
    }
}

fn down() -> Line {
    Line::Fails(|| ModelError::Unavailable { provider: "test".into(), reason: "503".into() })
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_down_is_waited_for_and_then_its_user_is_told() {
    let world = World::new((0..30).map(|_| down()));
    let envelope = world.says("1", "hi");
    let mut waits = Vec::new();
    while let Outcome::Again { after_s, .. } = world.answer(&envelope).await {
        waits.push(after_s);
        // And the six seconds that the attempt itself waited.
        world.clock.advance(u64::from(after_s + 6) * 1_000);
        assert!(waits.len() < 20, "{waits:?}");
    }
    // One and five seconds are waited for on the spot.
    assert_eq!(waits, [30, 60, 60, 60]);
    assert_eq!(world.model.asked().len(), 3 + 4);
    assert!(world.channel.shown()[0].contains("cannot reach my model"), "{:?}", world.channel.shown());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_recovers_answers() {
    let world = World::new([down(), down(), says("here I am")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["here I am"]);
}

#[tokio::test]
async fn the_providers_wait_is_honoured() {
    let limited =
        Line::Fails(|| ModelError::RateLimited { provider: "test".into(), after: Some(Duration::from_secs(120)) });
    let world = World::new([limited]);
    let Outcome::Again { after_s, .. } = world.answer(&world.says("1", "hi")).await else { panic!("it waits") };
    assert_eq!(after_s, 120);
}

#[tokio::test]
async fn the_next_model_answers_for_the_first() {
    let mut world = World::new([down()]);
    let second = Arc::new(ScriptedModel::new([says("the second")]));
    let settings = world.installation.agents.values_mut().next().unwrap();
    settings.models.push(choice("second/scripted", [("second:default", second)]));
    world.answer_until_done(&world.says("1", "hi")).await;
    assert_eq!(world.channel.shown(), ["the second"]);
}

#[tokio::test]
async fn a_refused_credential_tells_the_owner_where_to_mend_it() {
    let refused = Line::Fails(|| ModelError::Credential { provider: "anthropic".into(), reason: "401".into() });
    let world = World::new([refused]);
    assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Done(_)));
    assert!(world.channel.shown()[0].contains("models.providers.anthropic.apiKey"));
}

#[tokio::test]
async fn an_unknown_tool_is_answered_with_the_known_ones() {
    let unknown = Line::Calls(vec![("a".into(), "fly".into(), json!({}))]);
    let world = World::new([unknown, says("sorry")]);
    world.answer_until_done(&world.says("1", "fly")).await;
    let asked = world.model.asked().pop().unwrap();
    assert!(format!("{asked:?}").contains("There is no tool \\\"fly\\\". There are: lamp."));
}

#[tokio::test]
async fn a_model_that_never_stops_calling_gets_no_tools_in_the_last_step() {
    let mut script: Vec<Line> = (0..5).map(|_| calls(&["again"])).collect();
    script.push(says("enough"));
    let world = World::new(script);
    world.answer_until_done(&world.says("1", "loop")).await;
    let asked = world.model.asked();
    assert_eq!(asked.len(), 6);
    assert!(asked[5].tools.is_empty() && !asked[4].tools.is_empty());
    assert_eq!(world.channel.shown(), ["enough"]);
}

#[tokio::test]
async fn forty_calls_at_once_are_capped_and_all_answered() {
    let ids: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let world = World::new([calls(&ids.iter().map(String::as_str).collect::<Vec<_>>()), says("done")]);
    world.answer_until_done(&world.says("1", "everything")).await;
    assert_eq!(world.lamp.switched(), 16);
    assert_eq!(world.channel.shown(), ["done"]);
}

#[tokio::test]
async fn in_a_room_the_model_reads_who_speaks() {
    let world = World::new([says("hi")]);
    world.answer_until_done(&message("1", "hello", PeerKind::Group, Standing::Allowed, world.clock.now())).await;
    assert!(format!("{:?}", world.model.asked()[0].messages).contains("[Ada] hello"));
}

#[tokio::test]
async fn a_used_up_slice_continues_in_the_next() {
    let world = World::new([calls(&["a"]), says("done")]);
    let envelope = world.says("1", "work");
    let short = chela_agent::Slice { deadline: world.clock.now().plus(1_000) };
    assert_eq!(
        world.agent.answer(&world.installation, &envelope, short).await,
        Outcome::Again { after_s: 0, reason: "the slice is used up".into() }
    );
    assert!(matches!(world.answer(&envelope).await, Outcome::Done(_)));
    assert_eq!((world.lamp.switched(), world.channel.shown().len()), (1, 1));
}
