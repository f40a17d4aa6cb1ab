//! Pictures that tools show: who sees them, for how long, and what stands for them elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::Sees;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::model::{Block, ModelError, ModelRequest, ToolSpec};
use chela_core::session::SessionStore;
use chela_core::session_key::SessionKey;
use chela_core::shown::{MOST_FILES, StoredFile, files_of, store};
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_testkit::model::{Line, ScriptedModel};
use serde_json::json;

use crate::commands::told;
use crate::media::bringing;
use crate::world::{World, calls, choice, png, says};

const SEES: Sees = Sees { image: true, pdf: false };

/// A world whose lamp shows a picture, and whose model sees it.
fn world(lines: impl IntoIterator<Item = Line>) -> World {
    let mut world = World::new(lines);
    world.lamp.shows.store(true, Ordering::SeqCst);
    world.models()[0].sees = SEES;
    world.installation.agents.get_mut(&AgentId::new("main")).unwrap().max_steps = 20;
    world
}

/// The words and files of all results in a request.
fn results(request: &ModelRequest) -> Vec<(String, Vec<StoredFile>)> {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let results = blocks.filter_map(|block| match block {
        Block::ToolResult { text, files, .. } => Some((text.clone(), files.clone())),
        _ => None,
    });
    results.collect()
}

#[tokio::test]
async fn what_a_tool_shows_is_in_the_next_request_and_the_entry_holds_only_where_it_lies() {
    let world = world([calls(&["a"]), says("It is on."), says("Still on.")]);
    world.answer_until_done(&world.says("1", "lamp")).await;
    world.answer_until_done(&world.says("2", "and now?")).await;
    for request in &world.model.asked()[1..] {
        let (text, files) = results(request).remove(0);
        assert_eq!((text.as_str(), files.len()), ("the lamp is on", 1));
        assert_eq!(request.files.get(&files[0].key), Some(&png(0)));
    }
    let key = SessionKey::from_stored("agent:main:main");
    let stored = world.embedded.sessions.history(&key, 0, 100).await.unwrap();
    let row = serde_json::to_string(&stored[1]).unwrap();
    assert!(row.contains("media/main/") && row.len() < 400, "{row}");
}

#[tokio::test]
async fn a_model_that_takes_over_in_the_same_turn_and_sees_nothing_is_told_instead() {
    let mut world = world([]);
    let fails = || Line::Fails(|| ModelError::Unavailable { provider: "first".into(), reason: "503".into() });
    let seeing = Arc::new(ScriptedModel::new([calls(&["a"]), fails(), fails(), fails(), fails()]));
    let blind = Arc::new(ScriptedModel::new([says("I cannot see it."), says("Nor now.")]));
    *world.models() = vec![
        choice("first/big", [("first:default", seeing.clone())]),
        choice("second/small", [("second:default", blind.clone())]),
    ];
    world.models()[0].sees = SEES;
    world.answer_until_done(&world.says("1", "lamp")).await;
    assert_eq!(world.channel.shown(), ["I cannot see it."]);
    let seen = seeing.asked().pop().unwrap();
    assert_eq!((results(&seen)[0].1.len(), seen.files.len()), (1, 1));
    let asked = blind.asked().pop().unwrap();
    let (text, files) = results(&asked).remove(0);
    assert!(text.starts_with("the lamp is on\n[a picture, which this model cannot see: "), "{text}");
    assert_eq!((files, asked.files.len()), (vec![], 0));
}

#[tokio::test]
async fn old_screenshots_leave_the_request_several_at_once_and_the_users_picture_stays() {
    let ids: Vec<String> = (0..12).map(|n| format!("call{n}")).collect();
    let lines = ids.iter().map(|id| calls(&[id.as_str()])).chain([says("done")]);
    let mut world = world(lines);
    let channel = chela_testkit::channel::RecordingChannel::with(|channel| {
        channel.files.insert("cat".into(), png(1_000));
    });
    world.installation.outlets.values_mut().next().unwrap().channel = Arc::new(channel);
    world.answer_until_done(&bringing(world.says("1", "watch the lamp"), &["cat"])).await;
    let asked = world.model.asked();
    let mut changes = 0;
    for (number, request) in asked.iter().enumerate() {
        let results = results(request);
        let kept = results.iter().filter(|(_, files)| !files.is_empty()).count();
        assert!(kept == number || (3..=5).contains(&kept), "{kept} of {number}");
        let (old, new) = results.split_at(number - kept);
        assert!(new.iter().all(|(text, files)| files.len() == 1 && text == "the lamp is on"));
        assert!(old.iter().all(|(text, _)| text.contains("[a picture, which is not shown any more: ")), "{old:?}");
        assert_eq!(request.files.len(), kept + 1, "the cat is looked at in every step");
        if let Some(before) = number.checked_sub(1).and_then(|before| asked.get(before)) {
            changes += usize::from(!request.messages.starts_with(&before.messages));
        }
    }
    assert_eq!((asked.len(), changes), (13, 3), "what is cached is lost every third time at most");
}

/// However many pictures a past holds, they cost what the newest cost.
#[tokio::test]
async fn a_past_full_of_pictures_is_not_summed_up_for_their_sake() {
    let turns = 40;
    let lines = (0..turns).flat_map(|n| [calls(&[format!("c{n}").as_str()]), says("on")]);
    let mut world = world(lines);
    world.models()[0].context_window = 30_000;
    for n in 0..turns {
        world.answer_until_done(&world.says(&n.to_string(), "lamp")).await;
    }
    let asked = world.model.asked();
    assert_eq!(asked.len(), 2 * turns, "nobody summed up");
    let last = results(asked.last().unwrap());
    assert_eq!(last.len(), turns);
    assert!((3..=5).contains(&last.iter().filter(|(_, files)| !files.is_empty()).count()));
}

#[tokio::test]
async fn an_export_names_what_was_shown() {
    let world = world([calls(&["a"]), says("It is on.")]);
    world.answer_until_done(&world.says("1", "lamp")).await;
    for form in ["/export", "/export html"] {
        told(&world, &world.says(form, form)).await;
    }
    let files = world.embedded.blobs.list("agents/main/exports/", 10).await.unwrap();
    assert_eq!(files.len(), 2);
    for file in files {
        let blob = world.embedded.blobs.get(&file.key).await.unwrap().unwrap();
        let text = String::from_utf8(blob.bytes.to_vec()).unwrap();
        assert!(text.contains("the lamp is on\n[a picture: ") && text.contains(".png]"), "{text}");
    }
}

/// The file has expired, or the store does not answer: the turn goes on in words.
#[tokio::test]
async fn a_picture_that_is_gone_is_told_of() {
    let world = world([calls(&["a"]), says("It is on."), says("I do not see it any more.")]);
    world.answer_until_done(&world.says("1", "lamp")).await;
    let asked = world.model.asked();
    let blocks = asked[1].messages.iter().flat_map(|message| &message.blocks);
    let key = blocks.flat_map(files_of).map(|(key, _)| key.to_owned()).next().unwrap();
    world.embedded.blobs.put(&key, Bytes::from_static(b"something else"), Precondition::None).await.unwrap();
    world.answer_until_done(&world.says("2", "and now?")).await;
    let asked = world.model.asked().pop().unwrap();
    let (text, files) = results(&asked).remove(0);
    assert!(files.is_empty() && text.contains("[a picture, which cannot be shown: "), "{text}");
    assert!(asked.files.is_empty());
}

/// Shows more than a result may, or fails with a picture in its hand.
struct Album {
    fails: bool,
}

#[async_trait]
impl Tool for Album {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "lamp".into(), description: "An album.".into(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let mut answer = if self.fails { ToolAnswer::error("torn") } else { ToolAnswer::ok("an album") };
        for number in 0..9 {
            answer.files.push(store(&call, png(number)).await.unwrap());
        }
        answer
    }
}

/// Anthropic refuses files of failures.
#[tokio::test]
async fn a_result_shows_a_few_pictures_and_a_failure_none() {
    for (fails, shown) in [(false, MOST_FILES), (true, 0)] {
        let mut world = world([calls(&["a"]), says("Seen.")]);
        world.installation.agents.get_mut(&AgentId::new("main")).unwrap().tools = vec![Arc::new(Album { fails })];
        world.answer_until_done(&world.says("1", "show me")).await;
        let request = world.model.asked().pop().unwrap();
        assert_eq!((results(&request)[0].1.len(), request.files.len()), (shown, shown));
    }
}
