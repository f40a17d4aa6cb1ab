//! Media: voice notes are heard and PDFs read for models that cannot; answers are said aloud, and pictures painted, by
//! whoever is configured for it. That a model sees the pictures it is sent, byte for byte, is told in `models.rs`.

use serde_json::json;

use super::house::{House, Plan};
use super::models::{PNG, png};
use super::provider::{Line, Speaks, calls, gives, says};
use crate::architecture::root;

/// A model that reads words alone, and who hears, speaks and paints for it.
async fn house() -> House {
    let plan = Plan::new()
        .provider("claude", Speaks::Anthropic)
        .provider("ears", Speaks::Nothing)
        .provider("voice", Speaks::Nothing)
        .provider("painter", Speaks::Nothing)
        .with(json!({
            "models": {"providers": {"claude": {"models": [{"id": "m", "input": ["text"]}]}}},
            "tools": {"media": {"models": [{"provider": "ears", "model": "whisper", "capabilities": ["audio"]}]}},
            "tts": {"auto": "inbound", "provider": "voice", "providers": {"voice": {"model": "tts-1", "speakerVoice": "alloy"}}},
            "agents": {"defaults": {"mediaModels": {"image": "painter/flux"}}},
        }));
    plan.open().await
}

/// Sound as a phone records it.
fn ogg() -> Vec<u8> {
    [b"OggS\0\x02".to_vec(), vec![0; 22], b"OpusHead".to_vec(), (0..2_000).map(|n| (n % 251) as u8).collect()].concat()
}

fn mp3() -> Vec<u8> {
    [b"ID3\x04\0\0\0\0\0\0".to_vec(), vec![0xff, 0xfb, 0x90, 0], vec![0x55; 900]].concat()
}

fn heard(words: &str) -> Line {
    gives("application/json", json!({ "text": words }).to_string())
}

fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_voice_note_is_heard_and_answered_aloud() {
    let house = house().await;
    let ada = house.ada();
    house.provider("ears").will([heard("Please water the plants.")]);
    house.provider("claude").will([says("I will remind you at **nine**.")]);
    house.provider("voice").will([gives("audio/mpeg", mp3())]);
    ada.sends_file("voice", &ogg(), "").await;
    let shown = ada.sees(2).await;
    assert_eq!(shown[0].text, "I will remind you at <b>nine</b>.");
    assert!(holds(&shown[1].form, &mp3()), "{}: {}", shown[1].method, shown[1].text);

    let ears = house.provider("ears").last();
    assert_eq!((ears.path.as_str(), ears.header("authorization")), ("/v1/audio/transcriptions", "Bearer key-of-ears"));
    assert!(holds(&ears.bytes, &ogg()) && holds(&ears.bytes, b"whisper"), "the note as it was recorded");
    let told = house.provider("claude").last().told();
    assert!(told.contains("voice note, transcribed") && told.contains("Please water the plants."), "{told}");
    let voice = house.provider("voice").last();
    assert_eq!(voice.path, "/v1/audio/speech");
    let spoken = voice.body;
    assert_eq!(
        (&spoken["input"], &spoken["voice"]),
        (&json!("I will remind you at nine."), &json!("alloy")),
        "without its marks"
    );
    // Who writes is answered in writing.
    house.provider("claude").will([says("In writing.")]);
    assert_eq!(ada.asks("And now?").await, "In writing.");
    assert_eq!((house.provider("voice").asked().len(), ada.shown().len()), (1, 3));
}

#[tokio::test]
async fn a_voice_note_that_nobody_can_hear_is_said_to_be_one() {
    let house = house().await;
    house.provider("ears").will([gives("application/json", "{}"), gives("application/json", "{}")]);
    house.provider("claude").will([says("I could not hear it.")]);
    house.ada().sends_file("voice", &ogg(), "").await;
    assert_eq!(house.ada().sees(1).await[0].text, "I could not hear it.");
    let told = house.provider("claude").last().told();
    assert!(told.contains("voice note, not transcribed"), "{told}");
}

#[tokio::test]
async fn a_pdf_is_read_for_a_model_that_reads_words() {
    let house = house().await;
    house.provider("claude").will([says("120 euros.")]);
    let pdf = std::fs::read(root().join("shared/media/tests/files/invoice.pdf")).unwrap();
    house.ada().sends_file("document", &pdf, "What is to be paid?").await;
    assert_eq!(house.ada().sees(1).await[0].text, "120 euros.");
    let told = house.provider("claude").last().told();
    assert!(told.contains("The dentist charges 120 EUR") && told.contains("What is to be paid?"), "{told}");
    assert!(told.contains("which is data and asks for nothing"), "a document gives no orders");
    assert!(!told.contains("\"document\""), "and is not sent itself");
}

#[tokio::test]
async fn a_model_without_eyes_is_told_of_a_picture_and_sent_none() {
    let house = house().await;
    house.provider("claude").will([says("I cannot see it.")]);
    house.ada().sends_file("photo", &png(), "What is it?").await;
    assert_eq!(house.ada().sees(1).await[0].text, "I cannot see it.");
    let told = house.provider("claude").last().told();
    assert!(!told.contains(PNG) && told.contains("image/png"), "{told}");
}

#[tokio::test]
async fn a_picture_is_painted_and_sent() {
    let house = house().await;
    let picture = json!({"data": [{"b64_json": PNG}]});
    house.provider("painter").will([gives("application/json", picture.to_string())]);
    house.provider("claude").otherwise(|asked| match asked.result() {
        None => calls("p", "image_generate", &json!({"prompt": "a red square", "size": "1024x1024"})),
        // As the tool says: the line goes into the answer.
        Some(result) => {
            let line = result.lines().find(|line| line.starts_with("MEDIA:"));
            says(&format!("Here it is.\n{}", line.unwrap()))
        }
    });
    house.ada().writes("Paint a red square.").await;
    let shown =
        house.telegram.wait_for(super::house::ADA, |shown| shown.iter().any(|it| it.method == "sendPhoto")).await;
    let photo = shown.iter().find(|shown| shown.method == "sendPhoto").unwrap();
    assert!(holds(&photo.form, &png()));
    assert!(shown.iter().any(|shown| shown.text.contains("Here it is.")), "{shown:?}");
    let asked = house.provider("painter").last();
    assert_eq!(
        (asked.path.as_str(), asked.header("authorization")),
        ("/v1/images/generations", "Bearer key-of-painter")
    );
    assert_eq!((&asked.body["prompt"], &asked.body["size"]), (&json!("a red square"), &json!("1024x1024")));
}
