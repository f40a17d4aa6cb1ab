//! Files, choices, reactions and late confirmations.

use bytes::Bytes;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::channel::{Choice, Limits};
use chela_core::channel_log::ChannelLog;
use chela_core::clock::Clock;
use chela_core::message::Media;
use chela_core::queue::{Envelope, Standing, Task};
use chela_core::session::SessionStore;
use chela_core::session_key::PeerKind;
use chela_core::tool::Effect;
use chela_core::turn::idempotency_key;
use chela_testkit::channel::{Fate, RecordingChannel};
use chela_testkit::model::Line;

use crate::world::{World, message};

const LIMITS: Limits = Limits { text: 2000, edit_every: None, typing_for: None, choices: 3 };

fn with_files(mut envelope: Envelope, references: &[&str]) -> Envelope {
    let Task::Message { inbound, .. } = &mut envelope.task else { panic!("a message") };
    inbound.message_id = Some("m1".into());
    inbound.media = references
        .iter()
        .map(|reference| Media {
            reference: (*reference).into(),
            content_type: Some("image/png".into()),
            name: Some("../x\n\"y\".png".into()),
            size: None,
            missing: None,
        })
        .collect();
    envelope
}

async fn said(world: &World) -> String {
    let key = chela_core::session_key::SessionKey::from_stored("agent:main:main");
    let entries = world.embedded.sessions.turn(&key, 1).await.unwrap();
    serde_json::to_string(&entries).unwrap()
}

#[tokio::test]
async fn p07_files_of_a_message_are_stored_by_what_they_are_and_the_model_is_told() {
    let pdf = Bytes::from_static(b"%PDF-1.7 hello");
    let channel = RecordingChannel::with(|channel| {
        channel.files.insert("a".into(), pdf.clone());
        channel.files.insert("big".into(), Bytes::from(vec![0; 2000]));
    });
    let world = World::with([Line::Says("ok".into())], channel, Effect::None);
    world.answer_until_done(&with_files(world.says("1", "look"), &["a", "big", "gone"])).await;
    let told = said(&world).await;
    let event = world.says("1", "look").event;
    let key = format!("media/main/{}-0.pdf", event.short());
    assert!(told.contains("application/pdf, 14 bytes, called \\\"../x"), "{told}");
    assert!(told.contains(&format!("stored as {key}")), "{told}");
    assert!(
        told.contains("not available: too large") && told.contains("not available: recording could not be"),
        "{told}"
    );
    assert_eq!(world.embedded.blobs.get(&key).await.unwrap().unwrap().bytes, pdf);
    assert_eq!(world.channel.shown(), ["ok"]);
}

#[tokio::test]
async fn a_strangers_files_are_not_fetched() {
    let channel = RecordingChannel::with(|channel| {
        channel.files.insert("a".into(), Bytes::from_static(b"x"));
    });
    let world = World::with([], channel, Effect::None);
    let stranger = message("1", "hi", PeerKind::Direct, Standing::IfPaired, world.clock.now());
    world.answer_until_done(&with_files(stranger, &["a"])).await;
    assert_eq!(world.embedded.blobs.list("media/", 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_message_brings_ten_files_at_most() {
    let channel = RecordingChannel::with(|channel| {
        channel.files.insert("a".into(), Bytes::from_static(b"x"));
    });
    let world = World::with([Line::Says("ok".into())], channel, Effect::None);
    world.answer_until_done(&with_files(world.says("1", "look"), &["a"; 12])).await;
    assert_eq!(world.embedded.blobs.list("media/", 20).await.unwrap().len(), 10);
    assert_eq!(said(&world).await.matches("a message may bring 10 files").count(), 2);
}

#[tokio::test]
async fn files_of_an_answer_are_sent_between_its_words() {
    let channel = RecordingChannel::with(|channel| channel.uploads = true);
    let world = World::with(
        [Line::Says("Here:\nMEDIA:charts/a.png\nDone. [[quick_replies: A, B]]".into())],
        channel,
        Effect::None,
    );
    let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n");
    world.embedded.blobs.put("agents/main/charts/a.png", png, Precondition::None).await.unwrap();
    world.answer_until_done(&world.says("1", "chart?")).await;
    assert_eq!(world.channel.shown(), ["Here:", "a.png: image/png, 8", "Done.\n\n1. A\n2. B"]);
}

#[tokio::test]
async fn p08_a_file_that_cannot_be_sent_is_named() {
    let line = "MEDIA:../../config/chela.json5\nMEDIA:none.png\nMEDIA:a.txt";
    let world = World::with([Line::Says(line.into())], RecordingChannel::default(), Effect::None);
    world.embedded.blobs.put("agents/main/a.txt", Bytes::from_static(b"x"), Precondition::None).await.unwrap();
    world.answer_until_done(&world.says("1", "?")).await;
    let shown = world.channel.shown();
    assert!(shown[0].starts_with("`chela.json5` could not be sent: "), "{shown:?}");
    assert_eq!(shown[1], "`none.png` could not be sent: there is no such file");
    assert_eq!(shown[2], "`a.txt` could not be sent: no files");
}

#[tokio::test]
async fn choices_are_buttons_where_there_are_buttons() {
    let channel = RecordingChannel::with(|channel| channel.limits = LIMITS);
    let world = World::with([Line::Says("[[buttons: Deploy? | | Yes:go, No:stop]]".into())], channel, Effect::None);
    world.answer_until_done(&world.says("1", "deploy")).await;
    let choice = |label: &str, value: &str| Choice { label: label.into(), value: value.into() };
    assert_eq!(world.channel.shown(), ["Deploy?"]);
    assert_eq!(world.channel.choices(), [choice("Yes", "go"), choice("No", "stop")]);
}

#[tokio::test]
async fn more_choices_than_buttons_are_a_list() {
    let channel = RecordingChannel::with(|channel| channel.limits = LIMITS);
    let world = World::with([Line::Says("Pick [[quick_replies: A, B, C, D]]".into())], channel, Effect::None);
    world.answer_until_done(&world.says("1", "?")).await;
    assert_eq!(world.channel.shown(), ["Pick\n\n1. A\n2. B\n3. C\n4. D"]);
    assert_eq!(world.channel.choices(), []);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_answer_takes_a_while_is_marked_as_seen_once() {
    let mut world = World::with([], RecordingChannel::default(), Effect::None);
    let slow = std::sync::Arc::new(crate::models::Dictation::new("The quick brown fox jumps over the lazy dog."));
    let settings = crate::world::settings(slow, world.lamp.clone());
    world.installation.agents.insert(chela_core::agent_id::AgentId::new("main"), settings);
    world.answer_until_done(&with_files(world.says("1", "hi"), &[])).await;
    assert_eq!(world.channel.reactions(), ["m1 👀"]);
}

/// WhatsApp tells by a webhook what became of a part, before or after we stopped waiting for its answer.
#[tokio::test]
async fn a_part_that_the_platform_confirmed_late_is_not_flagged() {
    for confirmed in [false, true] {
        let world = World::new([Line::Says("hello".into())]);
        let envelope = world.says("1", "hi");
        let key = idempotency_key(&envelope.session, &envelope.event, "part:0");
        if confirmed {
            world.embedded.sessions.confirm(&key, world.clock.now()).await.unwrap();
        }
        world.channel.will([Fate::ShownButLost]);
        world.answer_until_done(&envelope).await;
        assert_eq!(world.channel.keys(), [key]);
        assert_eq!(world.embedded.sessions.flagged(10).await.unwrap().is_empty(), confirmed);
    }
}
