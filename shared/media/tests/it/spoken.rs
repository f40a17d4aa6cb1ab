//! Words to speech, and the tool that does it.

use std::sync::Arc;

use chela_core::media::{MediaError, Voice};
use chela_core::purse::Service;
use chela_core::tool::{Effect, Tool};
use chela_media::{Speaker, Tts, VoiceForm};
use chela_testkit::purse::Till;
use serde_json::json;

use crate::server::{KEY, Server, Turn, json_reply, mp3, reply, tariff};

fn speaker(server: &Server, form: VoiceForm) -> Speaker {
    let provider = server.provider("somebody");
    let (model, voice, tariff) = ("says-1".into(), "alloy".into(), tariff(Service::Speech));
    Speaker { provider, form, model, voice, format: None, most: 1_000, tariff }
}

#[tokio::test]
async fn openai_is_told_the_words_and_not_the_marks() {
    let server = Server::start([reply(200, "audio/mpeg", &mp3())]).await;
    let speech = speaker(&server, VoiceForm::OpenAi).say("**Hello** `there`", &Till::full()).await.unwrap();
    assert_eq!((speech.bytes.to_vec(), speech.extension), (mp3(), "mp3"));
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /v1/audio/speech HTTP/1.1");
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let wanted = json!({ "model": "says-1", "input": "Hello there.", "voice": "alloy", "response_format": "mp3" });
    assert_eq!(asked.json(), wanted);
}

#[tokio::test]
async fn elevenlabs_has_the_voice_in_its_address_and_the_key_in_a_header_of_its_own() {
    let ogg = [b"OggS\0\x02".to_vec(), vec![0; 22], b"\x01\x13OpusHead".to_vec(), vec![0; 100]].concat();
    let server = Server::start([reply(200, "audio/ogg", &ogg)]).await;
    let speaker = Speaker {
        voice: "a/../b".into(),
        format: Some("opus_48000_64".into()),
        ..speaker(&server, VoiceForm::ElevenLabs)
    };
    let speech = speaker.say("Hello", &Till::full()).await.unwrap();
    assert!(["ogg", "opus"].contains(&speech.extension), "{}", speech.extension);
    let asked = &server.asked()[0];
    let line = "POST /v1/v1/text-to-speech/a%2F..%2Fb?output_format=opus_48000_64 HTTP/1.1";
    assert_eq!(asked.line, line, "the test's base URL ends with /v1");
    assert_eq!((asked.header("xi-api-key"), asked.header("authorization")), (Some(KEY), None));
    assert_eq!(asked.json(), json!({ "text": "Hello.", "model_id": "says-1" }));
}

#[tokio::test]
async fn what_is_no_sound_is_no_answer() {
    let cases = [
        (reply(200, "application/json", b"{\"error\": \"no credits\"}"), "something else than sound"),
        (reply(200, "audio/mpeg", b""), "something else than sound"),
        (json_reply(401, &json!({ "detail": { "message": format!("bad key {KEY}") } })), "bad key …"),
        (json_reply(500, &json!({})), "status 500"),
    ];
    for (answer, reason) in cases {
        let server = Server::start([answer]).await;
        let error = speaker(&server, VoiceForm::OpenAi).say("Hello", &Till::full()).await.unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("sk-p"), "{error}");
    }
    let server = Server::start([]).await;
    let error = speaker(&server, VoiceForm::OpenAi).say("```\ncode\n```", &Till::full()).await.unwrap_err();
    assert!(matches!(error, MediaError::Unfit(_)), "{error:?}");
    assert!(server.asked().is_empty(), "there was nothing to say");
}

#[tokio::test]
async fn the_same_call_again_is_paid_for_once() {
    let (turn, server) =
        (Turn::new(), Server::start([reply(200, "audio/mpeg", &mp3()), reply(200, "audio/mpeg", &mp3())]).await);
    let tool = Tts { voice: Arc::new(speaker(&server, VoiceForm::OpenAi)), tags: false };
    assert_eq!(tool.effect(), Effect::Keyed);
    let first = turn.call(&tool, json!({ "text": "Hello" }), "agent:1:call").await;
    let again = turn.call(&tool, json!({ "text": "Hello" }), "agent:1:call").await;
    assert_eq!(first, again);
    assert_eq!(server.asked().len(), 1);
    let (path, bytes) = turn.file(&first).await;
    assert!(path.starts_with("outbox/") && path.ends_with(".mp3"), "{path}");
    assert_eq!(bytes, mp3());
    let other = turn.call(&tool, json!({ "text": "Hello" }), "agent:2:call").await;
    assert_ne!(turn.file(&other).await.0, path);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn bad_arguments_are_answered_and_not_paid_for() {
    let (turn, server) = (Turn::new(), Server::start([]).await);
    let tool = Tts { voice: Arc::new(speaker(&server, VoiceForm::OpenAi)), tags: true };
    for input in [json!(null), json!({}), json!({ "text": 3 }), json!({ "text": " " }), json!([1])] {
        assert!(turn.call(&tool, input.clone(), "k").await.is_error, "{input}");
    }
    assert!(server.asked().is_empty());
    assert!(tool.spec().description.contains("[[tts]]"), "the model learns of the mark where it counts");
}

#[tokio::test]
async fn characters_are_paid_for_and_a_limit_silences() {
    let (turn, server) =
        (Turn::new(), Server::start([reply(200, "audio/mpeg", &mp3()), json_reply(429, &json!({}))]).await);
    let tool = Tts { voice: Arc::new(speaker(&server, VoiceForm::OpenAi)), tags: false };
    assert!(!turn.call(&tool, json!({ "text": "**Hello**" }), "1").await.is_error);
    assert!(turn.call(&tool, json!({ "text": "Hello" }), "2").await.is_error, "it is busy, and bills nothing");
    assert_eq!(turn.till.paid(), [(Service::Speech, 6, 6), (Service::Speech, 6, 0)]);
    let poor = Turn::paying(Till::holding(5));
    let answer = poor.call(&tool, json!({ "text": "Hello" }), "3").await;
    assert!(answer.is_error && answer.text.contains("limit on spending"), "{answer:?}");
    assert_eq!(server.asked().len(), 2);
}
