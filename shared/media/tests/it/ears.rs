//! Voice notes to words.

use bytes::Bytes;
use chela_core::media::{Ears, MediaError, Recording};
use chela_core::purse::{Declined, Service};
use chela_core::secret::Secret;
use chela_media::{EarsForm, Hearing, Listener, Provider};
use chela_testkit::purse::Till;
use serde_json::json;

use crate::server::{KEY, Server, json_reply, reply, tariff};

/// Every byte there is, among them what looks like the end of a form.
fn note() -> Recording {
    let mut bytes: Vec<u8> = b"OggS\r\n--chela\r\n\r\n".to_vec();
    bytes.extend((0..=255).cycle().take(3_000));
    Recording { bytes: Bytes::from(bytes), content_type: "audio/ogg".into(), extension: "ogg".into() }
}

fn listener(provider: Provider, form: EarsForm) -> Listener {
    let tariff = tariff(Service::Transcripts);
    Listener { provider, form, model: "hears-1".into(), language: None, max_bytes: 10_000, tariff }
}

#[tokio::test]
async fn openais_form_carries_the_file_its_name_and_the_model() {
    let server = Server::start([json_reply(200, &json!({ "text": " Buy milk. " })); 1]).await;
    let mut german = listener(server.provider("groq"), EarsForm::OpenAi);
    german.language = Some("de".into());
    assert_eq!(Hearing(vec![german]).transcribe(&note(), &Till::full()).await.unwrap(), "Buy milk.");
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /v1/audio/transcriptions HTTP/1.1");
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let parts = asked.parts();
    let value = |name: &str| {
        let head = format!("\r\nContent-Disposition: form-data; name=\"{name}\"");
        let found = parts.iter().find(|(part, _)| format!("\r\n{part}").starts_with(&head)).unwrap();
        (found.0.clone(), found.1.clone())
    };
    assert_eq!(value("model").1, b"hears-1");
    assert_eq!(value("language").1, b"de");
    assert_eq!(value("response_format").1, b"json");
    let (head, bytes) = value("file");
    assert!(head.contains("filename=\"voice.ogg\"\r\nContent-Type: audio/ogg"), "{head}");
    assert_eq!(bytes, note().bytes);
    assert_eq!(parts.len(), 4);
}

#[tokio::test]
async fn deepgram_takes_the_bare_bytes_and_guesses_the_language() {
    let answer = json!({ "results": { "channels": [{ "alternatives": [{ "transcript": "Guten Tag" }] }] } });
    let server = Server::start([json_reply(200, &answer), json_reply(200, &answer)]).await;
    let guessing = listener(server.provider("deepgram"), EarsForm::Deepgram);
    let told = Listener { language: Some("de&x".into()), ..guessing.clone() };
    assert_eq!(Hearing(vec![guessing]).transcribe(&note(), &Till::full()).await.unwrap(), "Guten Tag");
    Hearing(vec![told]).transcribe(&note(), &Till::full()).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /v1/listen?model=hears-1&smart_format=true&detect_language=true HTTP/1.1");
    assert_eq!(asked[1].line, "POST /v1/listen?model=hears-1&smart_format=true&language=de%26x HTTP/1.1");
    assert_eq!(asked[0].header("authorization"), Some(format!("Token {KEY}").as_str()));
    assert_eq!(asked[0].header("content-type"), Some("audio/ogg"));
    assert_eq!(asked[0].body, note().bytes);
}

#[tokio::test]
async fn the_next_one_is_asked_where_the_first_does_not_answer() {
    let failures = [
        json_reply(401, &json!({ "error": { "message": format!("Incorrect API key provided: {KEY}") } })),
        json_reply(429, &json!({ "error": { "message": "Slow down" } })),
        reply(500, "text/html", b"<html>sk-proj-abcdefghijkl</html>"),
        json_reply(200, &json!({ "no": "text" })),
        reply(200, "text/plain", b"not JSON"),
    ];
    for failure in failures {
        let first = Server::start([failure]).await;
        let second = Server::start([json_reply(200, &json!({ "text": "" }))]).await;
        let both = [&first, &second].map(|server| listener(server.provider("openai"), EarsForm::OpenAi));
        assert_eq!(
            Hearing(both.to_vec()).transcribe(&note(), &Till::full()).await.unwrap(),
            "",
            "silence is an answer"
        );
        assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_failure_says_what_can_be_done_and_never_the_key() {
    let quoting = json!({ "error": { "message": format!("Incorrect API key provided: {KEY} or sk-p****ijkl.") } });
    let quota = json!({ "error": { "code": "insufficient_quota", "message": "You exceeded your current quota" } });
    let cases = [
        (json_reply(401, &quoting), "Credential"),
        (json_reply(429, &quota), "Credential"),
        (json_reply(429, &json!({ "err_msg": "too many" })), "Unavailable"),
        (json_reply(503, &quoting), "Unavailable"),
        (json_reply(400, &json!({ "detail": "corrupted audio" })), "Rejected"),
        (reply(302, "text/plain", b""), "Rejected"),
    ];
    for (answer, kind) in cases {
        let server = Server::start([answer]).await;
        let error = Hearing(vec![listener(server.provider("openai"), EarsForm::OpenAi)])
            .transcribe(&note(), &Till::full())
            .await;
        let error = error.unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("sk-p") && shown.contains("openai"), "{shown}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_given_up() {
    let server = Server::start([]).await;
    let error =
        Hearing(vec![listener(server.provider("openai"), EarsForm::OpenAi)]).transcribe(&note(), &Till::full()).await;
    assert!(matches!(error, Err(MediaError::Unknown { reason, .. }) if reason.contains("took too long")));
}

#[tokio::test]
async fn what_is_too_short_or_too_long_is_sent_to_nobody() {
    let server = Server::start([]).await;
    let hearing = Hearing(vec![listener(server.provider("openai"), EarsForm::OpenAi)]);
    for (length, reason) in [(0, "too short"), (1_023, "too short"), (10_001, "over the 10000 bytes")] {
        let bytes = Bytes::from(vec![1; length]);
        let error = hearing.transcribe(&Recording { bytes, ..note() }, &Till::full()).await.unwrap_err();
        assert!(matches!(&error, MediaError::Unfit(words) if words.contains(reason)), "{error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_private_address_must_be_among_the_allowed_ones_and_a_key_among_characters() {
    let server = Server::start([]).await;
    let outside = Provider { http: crate::server::http(&[]), ..server.provider("openai") };
    let odd = Provider { key: Some(Secret::new("sk-pr\n")), ..server.provider("openai") };
    for provider in [outside, odd] {
        let error =
            Hearing(vec![listener(provider, EarsForm::OpenAi)]).transcribe(&note(), &Till::full()).await.unwrap_err();
        assert!(matches!(error, MediaError::Rejected { .. }), "{error:?}");
        assert!(!error.to_string().contains("sk-p"));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn the_longest_it_can_be_is_reserved_and_what_the_provider_heard_is_paid() {
    let longest = note().bytes.len().div_ceil(500) as u64;
    let deepgram = json!({ "metadata": { "duration": 2.2 }, "results": { "channels": [{ "alternatives": [{ "transcript": "a" }] }] } });
    let newer = json!({ "text": "a", "usage": { "type": "tokens", "input_token_details": { "audio_tokens": 14 } } });
    for (form, answer, used) in [
        (EarsForm::Deepgram, json_reply(200, &deepgram), 3),
        (EarsForm::OpenAi, json_reply(200, &json!({ "text": "a", "duration": 1.0 })), 1),
        (EarsForm::OpenAi, json_reply(200, &json!({ "text": "a", "usage": { "seconds": 2 } })), 2),
        (EarsForm::OpenAi, json_reply(200, &newer), 2),
        (EarsForm::OpenAi, json_reply(200, &json!({ "text": "a" })), longest),
        (EarsForm::OpenAi, json_reply(200, &json!({ "what": "a" })), longest),
        (EarsForm::OpenAi, json_reply(429, &json!({})), 0),
    ] {
        let (server, till) = (Server::start([answer]).await, Till::full());
        let _ = Hearing(vec![listener(server.provider("somebody"), form)]).transcribe(&note(), &till).await;
        assert_eq!(till.paid(), [(Service::Transcripts, longest, used)]);
    }
}

#[tokio::test]
async fn nobody_listens_beyond_a_limit() {
    let server = Server::start([json_reply(200, &json!({ "text": "a" }))]).await;
    let hearing = Hearing(vec![listener(server.provider("somebody"), EarsForm::OpenAi)]);
    let error = hearing.transcribe(&note(), &Till::holding(1)).await.unwrap_err();
    assert_eq!(error, MediaError::Declined(Declined::Limit));
    assert!(server.asked().is_empty());
}
