//! The tool that makes pictures.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chela_core::blob::BlobStore;
use chela_core::purse::Service;
use chela_core::tool::{Effect, Tool};
use chela_media::{ImageGenerate, Painter, PainterForm};
use chela_testkit::purse::Till;
use serde_json::{Value, json};

use crate::server::{KEY, Server, Turn, json_reply, png, reply, tariff};

fn painter(server: &Server, form: PainterForm, model: &str) -> Painter {
    Painter { provider: server.provider("somebody"), form, model: model.into(), tariff: tariff(Service::Pictures) }
}

fn tool(server: &Server, form: PainterForm, model: &str) -> ImageGenerate {
    ImageGenerate { painters: vec![painter(server, form, model)] }
}

fn openai() -> Value {
    json!({ "data": [{ "b64_json": BASE64_STANDARD.encode(png()) }] })
}

#[tokio::test]
async fn every_form_is_asked_in_its_own_words() {
    let data = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png()));
    let parts = json!([{ "text": "Here" }, { "inlineData": { "mimeType": "image/png", "data": BASE64_STANDARD.encode(png()) } }]);
    let bearer = format!("Bearer {KEY}");
    let fal = format!("Key {KEY}");
    let cases = [
        (
            PainterForm::OpenAi,
            "gpt-image-1",
            openai(),
            "POST /v1/images/generations HTTP/1.1",
            ("authorization", bearer.as_str()),
            json!({ "model": "gpt-image-1", "prompt": "a cat", "n": 1, "size": "1536x1024", "quality": "low" }),
        ),
        (
            PainterForm::OpenAi,
            "flux",
            openai(),
            "POST /v1/images/generations HTTP/1.1",
            ("authorization", bearer.as_str()),
            json!({ "model": "flux", "prompt": "a cat", "n": 1, "size": "1536x1024", "response_format": "b64_json" }),
        ),
        (
            PainterForm::Google,
            "gemini-2.5-flash-image",
            json!({ "candidates": [{ "content": { "parts": parts } }] }),
            "POST /v1/models/gemini-2.5-flash-image:generateContent HTTP/1.1",
            ("x-goog-api-key", KEY),
            json!({
                "contents": [{ "role": "user", "parts": [{ "text": "a cat" }] }],
                "generationConfig": { "responseModalities": ["TEXT", "IMAGE"] },
            }),
        ),
        (
            PainterForm::Fal,
            "fal-ai/flux/dev",
            json!({ "images": [{ "url": data }] }),
            "POST /v1/fal-ai/flux/dev HTTP/1.1",
            ("authorization", fal.as_str()),
            json!({
                "prompt": "a cat", "num_images": 1, "sync_mode": true,
                "image_size": { "width": 1536, "height": 1024 },
            }),
        ),
    ];
    for (form, model, answer, line, (header, value), body) in cases {
        let (turn, server) = (Turn::new(), Server::start([json_reply(200, &answer)]).await);
        let tool = tool(&server, form, model);
        let made = turn.call(&tool, json!({ "prompt": " a cat ", "size": "1536x1024" }), "k").await;
        let (path, bytes) = turn.file(&made).await;
        assert!(path.starts_with("outbox/") && path.ends_with(".png"), "{path}");
        assert_eq!(bytes, png());
        let asked = &server.asked()[0];
        assert_eq!((asked.line.as_str(), asked.header(header)), (line, Some(value)));
        assert_eq!(asked.json(), body);
    }
}

#[tokio::test]
async fn the_same_call_again_is_paid_for_once() {
    let (turn, server) = (Turn::new(), Server::start([json_reply(200, &openai())]).await);
    let tool = tool(&server, PainterForm::OpenAi, "gpt-image-1");
    assert_eq!(tool.effect(), Effect::Keyed);
    let first = turn.call(&tool, json!({ "prompt": "a cat" }), "k").await;
    assert_eq!(turn.call(&tool, json!({ "prompt": "a cat" }), "k").await, first);
    assert_eq!(server.asked().len(), 1);
    let [seen] = &first.files[..] else { panic!("the model sees what it made: {first:?}") };
    assert_eq!(turn.embedded.blobs.get(&seen.key).await.unwrap().unwrap().bytes, png());
}

#[tokio::test]
async fn a_link_in_an_answer_may_not_lead_inside_and_the_key_does_not_go_there() {
    let inside = Server::start([reply(200, "image/png", &png())]).await;
    let answer = json!({ "data": [{ "url": format!("{}/picture.png", inside.base_url) }] });
    let (turn, server) = (Turn::new(), Server::start([json_reply(200, &answer)]).await);
    let provider = chela_media::Provider {
        http: crate::server::http(&[&server.base_url, &inside.base_url]),
        ..server.provider("somebody")
    };
    let tool = ImageGenerate { painters: vec![Painter { provider, ..painter(&inside, PainterForm::OpenAi, "m") }] };
    let answer = turn.call(&tool, json!({ "prompt": "a cat" }), "k").await;
    assert!(answer.is_error, "{answer:?}");
    assert!(inside.asked().is_empty(), "an allowed private address is allowed for what the owner wrote alone");
}

#[tokio::test]
async fn the_next_one_paints_where_the_first_does_not() {
    let failing = Server::start([json_reply(429, &json!({ "error": { "message": "busy" } }))]).await;
    let (turn, server) = (Turn::new(), Server::start([json_reply(200, &openai())]).await);
    let painters = [&failing, &server].map(|server| painter(server, PainterForm::OpenAi, "m")).to_vec();
    let answer = turn.call(&ImageGenerate { painters }, json!({ "prompt": "a cat" }), "k").await;
    assert!(!answer.is_error, "{answer:?}");
}

#[tokio::test]
async fn refusals_are_told_without_the_key() {
    let blocked = json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" } });
    let words = json!({ "error": { "message": format!("Incorrect API key {KEY}") } });
    let cases = [
        (PainterForm::Google, json_reply(200, &blocked), "PROHIBITED_CONTENT"),
        (PainterForm::OpenAi, json_reply(200, &json!({ "data": [] })), "no picture"),
        (PainterForm::OpenAi, json_reply(200, &json!({ "data": [{ "b64_json": "***" }] })), "base64"),
        (
            PainterForm::OpenAi,
            json_reply(200, &json!({ "data": [{ "b64_json": "aGVsbG8=" }] })),
            "something else than a picture",
        ),
        (PainterForm::Fal, json_reply(401, &words), "refuses the credential"),
        (PainterForm::OpenAi, reply(500, "text/html", b"<p>"), "status 500"),
    ];
    for (form, answer, reason) in cases {
        let (turn, server) = (Turn::new(), Server::start([answer]).await);
        let answer = turn.call(&tool(&server, form, "m"), json!({ "prompt": "a cat" }), "k").await;
        assert!(answer.is_error && answer.text.contains(reason) && !answer.text.contains("sk-p"), "{answer:?}");
        assert_eq!(turn.embedded.blobs.list("agents/main/outbox/", 10).await.unwrap(), []);
    }
    let (turn, server) = (Turn::new(), Server::start([]).await);
    let answer = turn.call(&tool(&server, PainterForm::OpenAi, "m"), json!({ "prompt": "a cat" }), "k").await;
    assert!(answer.is_error && answer.text.contains("took too long"), "{answer:?}");
}

#[tokio::test]
async fn bad_arguments_are_answered_and_not_paid_for() {
    let (turn, server) = (Turn::new(), Server::start([]).await);
    let tool = tool(&server, PainterForm::OpenAi, "m");
    let long = "x".repeat(4_001);
    let sizes = ["1x1", "1024", "axb", "99999x64", "-64x64", "1024x1024x1"];
    let sizes = sizes.map(|size| json!({ "prompt": "a cat", "size": size }));
    for input in [json!(null), json!({}), json!({ "prompt": "" }), json!({ "prompt": long })].into_iter().chain(sizes) {
        let answer = turn.call(&tool, input.clone(), "k").await;
        assert!(answer.is_error, "{input}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn the_size_is_reserved_and_what_was_painted_is_paid() {
    let answers = [
        json_reply(200, &openai()),
        json_reply(200, &openai()),
        json_reply(200, &json!({})),
        json_reply(400, &json!({})),
    ];
    let (turn, server) = (Turn::new(), Server::start(answers).await);
    let tool = tool(&server, PainterForm::OpenAi, "m");
    let sizes = [
        json!({ "prompt": "a", "size": "2048x1024" }),
        json!({ "prompt": "a" }),
        json!({ "prompt": "a" }),
        json!({ "prompt": "a" }),
    ];
    for (input, key) in sizes.into_iter().zip(["1", "2", "3", "4"]) {
        turn.call(&tool, input, key).await;
    }
    // The picture that came has 16 x 16; none came the third time, which nobody knows the price of.
    let of = |reserved, used| (Service::Pictures, reserved, used);
    assert_eq!(turn.till.paid(), [of(2_000, 1), of(1_500, 1), of(1_500, 0), of(1_500, 0)]);
    let poor = Turn::paying(Till::holding(1_499));
    let answer = poor.call(&tool, json!({ "prompt": "a" }), "5").await;
    assert!(answer.is_error && answer.text.contains("limit on spending"), "{answer:?}");
    assert_eq!(server.asked().len(), 4);
}
