//! LINE's own SDK for Python as the judge of signatures in both directions, of our samples, and of what we send.

use chela_channel_line::SIMULATOR;
use chela_core::channel::{Choice, OutboundFile, OutboundPart};
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::platform::{Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, oracle, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::subject;

/// Whether the SDK takes each body with its signature, and what it reads in it.
const READ: &str = r#"
import base64, hashlib, hmac, json, logging, sys
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.webhook import SignatureValidator, WebhookParser

question = json.load(sys.stdin)
secret = question["secret"]

def read(asked):
    body, signature = asked
    body = bytes.fromhex(body).decode("utf-8", "surrogateescape")
    try:
        genuine = SignatureValidator(secret).validate(body, signature)
    except UnicodeEncodeError:
        return {"genuine": None}
    if not genuine:
        return {"genuine": False}
    events = []
    for event in WebhookParser(secret).parse(body, signature):
        seen = {"type": event.type, "id": getattr(event, "webhook_event_id", None)}
        message = getattr(event, "message", None)
        source = getattr(event, "source", None)
        if source is not None:
            seen["source"] = source.to_dict()
        if message is not None and not isinstance(message, int):
            seen["message"] = getattr(message, "id", None)
            text = getattr(message, "text", None) if message.type == "text" else None
            mention = getattr(message, "mention", None)
            if text is not None and mention is not None:
                for one in mention.mentionees:
                    if getattr(one, "is_self", False):
                        units = text.encode("utf-16-le")
                        mark = units[one.index * 2 : (one.index + one.length) * 2].decode("utf-16-le")
                        text = text.replace(mark + " ", "")
            seen["text"] = text
        events.append(seen)
    return {"genuine": True, "events": events}

json.dump([read(asked) for asked in question["asked"]], sys.stdout)
"#;

/// Whether the SDK would have sent each body, and what it would have made of it. Its models refuse what is too long, of
/// another type or missing; a key they do not know is lost in them, and shows in the comparison.
const SENT: &str = r#"
import json, sys
from linebot.v3.messaging import models

kinds = {
    "/v2/bot/message/reply": models.ReplyMessageRequest,
    "/v2/bot/message/push": models.PushMessageRequest,
    "/v2/bot/chat/loading/start": models.ShowLoadingAnimationRequest,
    "/v2/bot/channel/webhook/endpoint": models.SetWebhookEndpointRequest,
    "/v2/bot/channel/webhook/test": models.TestWebhookEndpointRequest,
}

def seen(asked):
    path, body = asked
    said = kinds[path].from_dict(body).to_dict()
    said.pop("notificationDisabled", None)
    return said

json.dump([seen(asked) for asked in json.load(sys.stdin)], sys.stdout)
"#;

fn secret() -> String {
    SIMULATOR.test_secrets()["channelSecret"].expose().to_owned()
}

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(body: &[u8]) -> String {
    subject().signed(body, ARRIVAL).headers["x-line-signature"].to_str().unwrap().to_owned()
}

#[test]
fn the_sdk_takes_and_refuses_what_we_take_and_refuse() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut asked: Vec<(Vec<u8>, String)> = Vec::new();
    for sample in subject().samples() {
        let body = sample.body.to_vec();
        let proof = signature(&body);
        asked.push((body.clone(), proof.clone()));
        for at in (0..body.len()).step_by(17) {
            let mut flipped = body.clone();
            flipped[at] ^= 1;
            asked.push((flipped, proof.clone()));
        }
        for at in 0..proof.len() {
            let mut flipped = proof.clone().into_bytes();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            asked.push((body.clone(), String::from_utf8(flipped).unwrap()));
        }
    }
    let question: Vec<Value> = asked.iter().map(|(body, proof)| json!([hex(body), proof])).collect();
    let answers = oracle::ask(READ, &json!({ "secret": secret(), "asked": question }));
    let (mut taken, mut refused) = (0, 0);
    for ((body, proof), answer) in asked.iter().zip(answers.as_array().unwrap()) {
        let headers = [(HeaderName::from_static("x-line-signature"), HeaderValue::from_str(proof).unwrap())];
        let ours = channel.verify(request(HeaderMap::from_iter(headers), body)).is_ok();
        // The SDK reads text only: a body that is none is no question to it.
        if let Some(theirs) = answer["genuine"].as_bool() {
            assert_eq!(ours, theirs, "{proof} over {}", String::from_utf8_lossy(body));
            if ours { taken += 1 } else { refused += 1 }
        }
    }
    assert!(taken >= 20 && refused >= 1_000, "{taken} were taken and {refused} refused");
}

#[test]
fn the_sdk_reads_our_samples_as_we_do() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let samples = subject.samples();
    let asked: Vec<Value> = samples.iter().map(|sample| json!([hex(&sample.body), signature(&sample.body)])).collect();
    let answers = oracle::ask(READ, &json!({ "secret": secret(), "asked": asked }));
    let mut compared = 0;
    for (sample, answer) in samples.iter().zip(answers.as_array().unwrap()) {
        assert_eq!(answer["genuine"], true, "{}", sample.name);
        let ours = channel.parse(&channel.verify(subject.signed(&sample.body, ARRIVAL)).unwrap()).unwrap().messages;
        let theirs = answer["events"].as_array().unwrap();
        for message in ours {
            let find = |event: &&Value| event["id"] == json!(message.event_id);
            let theirs = theirs.iter().find(find).unwrap_or_else(|| panic!("{}: {answer}", sample.name));
            let source = &theirs["source"];
            let place = [&source["groupId"], &source["roomId"], &source["userId"]].into_iter().find(|id| !id.is_null());
            assert_eq!(place.unwrap(), &json!(message.peer.id), "{}", sample.name);
            if let Some(id) = theirs["message"].as_str() {
                assert_eq!(Some(id), message.message_id.as_deref(), "{}", sample.name);
            }
            if let Some(text) = theirs["text"].as_str() {
                assert_eq!(text, message.text, "{}", sample.name);
                compared += 1;
            }
        }
    }
    assert!(compared >= 8, "only {compared} texts were compared");
}

#[tokio::test]
async fn the_sdk_would_have_sent_what_we_send() {
    let platform = Platform::start(subject().manners).await;
    let subject = subject();
    let channel = subject.open(platform.url());
    let read = |name: &str| {
        let signed = subject.signed(&subject.sample(name).body, ARRIVAL);
        channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone()
    };
    let pushed = ReplyAddress { message: None, ..read("text") };
    let choices = |count: usize| -> Vec<Choice> {
        (0..count).map(|at| Choice { label: format!("A long label of choice {at}"), value: "v".repeat(300) }).collect()
    };
    for to in [read("text"), read("group-mention"), pushed.clone()] {
        channel.send(&part(&to, "# T\n\n**a** `b`\n\n```rust\nfn a() {}\n```")).await.unwrap();
        for count in [1, 4, 5, 13] {
            channel.send(&OutboundPart { choices: &choices(count), ..part(&to, "Which?") }).await.unwrap();
        }
        for (content_type, caption) in [("image/png", "a caption"), ("image/png", ""), ("text/csv", "a caption")] {
            let url = Some("https://files.example.org/a");
            let file = OutboundFile { name: "a", content_type, bytes: b"x".as_slice().into(), url };
            channel.attach(&file, &part(&to, caption)).await.unwrap();
        }
    }
    channel.typing(&pushed).await.unwrap();
    channel.register("https://example.org/webhook/line", &[]).await.unwrap();
    let sent: Vec<Seen> = platform.take().into_iter().filter(|seen| seen.method != "GET").collect();
    let asked: Vec<Value> = sent.iter().map(|seen| json!([seen.path, seen.json()])).collect();
    let answers = oracle::ask(SENT, &Value::from(asked));
    for (seen, theirs) in sent.iter().zip(answers.as_array().unwrap()) {
        assert_eq!(&seen.json(), theirs, "{}", seen.path);
    }
    assert_eq!(sent.len(), 3 * 8 + 3);
}
