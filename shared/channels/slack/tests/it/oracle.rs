//! Slack's own SDK for Python as the judge of signatures, in both directions, and of what we send.

use crate::account::{address, open, posted, samples};
use chela_channel_slack::SIMULATOR;
use chela_core::channel::{Choice, OutboundFile, OutboundPart};
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, oracle, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

/// Reads a list of questions and answers each with what the SDK says. The SDK's clock is set by the question.
const JUDGE: &str = r#"
import json, sys
from slack_sdk.signature import Clock, SignatureVerifier

class At(Clock):
    def __init__(self, seconds):
        self.seconds = seconds
    def now(self):
        return self.seconds

answers = []
for question in json.load(sys.stdin):
    at = question["at"]
    verifier = SignatureVerifier(question["secret"], At(at))
    body = bytes.fromhex(question["body"])
    if "headers" in question:
        answers.append(verifier.is_valid_request(body, question["headers"]))
    else:
        answers.append(verifier.generate_signature(timestamp=str(at), body=body))
json.dump(answers, sys.stdout)
"#;

fn ask(questions: &[Value]) -> Vec<Value> {
    oracle::ask(JUDGE, &Value::from(questions.to_vec())).as_array().unwrap().clone()
}

fn secret() -> String {
    SIMULATOR.test_secrets()["signingSecret"].expose().to_owned()
}

fn question(body: &[u8]) -> Value {
    let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "secret": secret(), "at": ARRIVAL.seconds(), "body": digits })
}

#[test]
fn what_the_sdk_signs_is_genuine_to_us() {
    let samples = samples();
    let signatures = ask(&samples.iter().map(|(_, body)| question(body)).collect::<Vec<_>>());
    let channel = open(json!({}), &[]);
    assert_eq!(samples.len(), signatures.len());
    for ((name, body), signature) in samples.iter().zip(&signatures) {
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static("x-slack-signature"), HeaderValue::from_str(signature.as_str().unwrap()).unwrap()),
            (HeaderName::from_static("x-slack-request-timestamp"), HeaderValue::from(ARRIVAL.seconds())),
        ]);
        let verified = channel.verify(request(headers, body)).unwrap_or_else(|error| panic!("{name}: {error}"));
        channel.parse(&verified).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn what_the_simulator_signs_is_genuine_to_the_sdk() {
    let samples = samples();
    let mut questions = Vec::new();
    for (_, body) in &samples {
        let signed = posted(body);
        let text = |name: &str| signed.headers[name].to_str().unwrap().to_owned();
        let headers = json!({
            "X-Slack-Signature": text("x-slack-signature"),
            "X-Slack-Request-Timestamp": text("x-slack-request-timestamp"),
        });
        let mut genuine = question(body);
        genuine["headers"] = headers;
        // The control: the SDK does tell a changed body.
        let mut changed = genuine.clone();
        changed["body"] = json!(format!("{}20", genuine["body"].as_str().unwrap()));
        questions.extend([genuine, changed]);
    }
    let verdicts = ask(&questions);
    for ((name, _), verdict) in samples.iter().zip(verdicts.chunks(2)) {
        assert_eq!(verdict, [json!(true), json!(false)], "{name}");
    }
}

/// The SDK's own calls with the same content, caught on their way out, and its opinion of our blocks.
const CALL: &str = r#"
import json, sys
from slack_sdk import WebClient
from slack_sdk.models.blocks import ActionsBlock, Block, ButtonElement, MarkdownTextObject, PlainTextObject, SectionBlock

question = json.load(sys.stdin)
caught = []

class Caught(WebClient):
    def api_call(self, api_method, *, params=None, json=None, **_):
        fields = {name: value for name, value in (params or json or {}).items() if value is not None}
        caught.append({"method": api_method, "fields": fields})

client = Caught()
blocks = [
    SectionBlock(text=MarkdownTextObject(text="May *I*?")),
    ActionsBlock(elements=[ButtonElement(text=PlainTextObject(text="Yes"), action_id="choice#0", value="approve:42")]),
]
place = {"channel": "C1", "text": "May *I*?"}
client.chat_postMessage(**place, thread_ts="5.000100", blocks=blocks, unfurl_links=False, unfurl_media=False)
client.chat_update(**place, ts="7.000100", blocks=blocks)
client.files_getUploadURLExternal(filename="a.txt", length=10)
client.files_completeUploadExternal(
    files=[{"id": "F9", "title": "a.txt"}], channel_id="C1", thread_ts="5.000100", initial_comment="May *I*?")
client.reactions_add(channel="C1", timestamp="7.000100", name="eyes")
client.files_info(file="F2")

def fits(block):
    try:
        Block.parse(block).validate_json()
        return True
    except Exception:
        return False

json.dump({"caught": caught, "fits": [fits(block) for block in question]}, sys.stdout)
"#;

/// The fields of a call; JSON within a form is compared as JSON.
fn fields(seen: &Seen) -> Map<String, Value> {
    let form = || -> Map<String, Value> {
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&seen.body).unwrap();
        fields.into_iter().map(|(name, value)| (name, json!(value))).collect()
    };
    let fields = seen.json().as_object().cloned().unwrap_or_else(form);
    fields.into_iter().map(|(name, value)| (name, unfolded(value))).collect()
}

fn unfolded(value: Value) -> Value {
    let inner = |value: &Value| serde_json::from_str::<Value>(value.as_str()?).ok().filter(|inner| inner.is_array());
    // Numbers and switches are texts in forms.
    inner(&value).unwrap_or_else(|| match value {
        Value::Number(number) => json!(number.to_string()),
        other => other,
    })
}

/// The SDK leaves out what is false by itself.
fn without_emoji(value: &Value) -> Value {
    let text = value.to_string().replace(r#","emoji":true"#, "");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_sdk_makes_the_same_calls_and_takes_our_blocks() {
    let platform = Platform::start(|seen| {
        let host = seen.headers["host"].to_str().unwrap();
        let place = format!("http://{host}/upload/v1/abc");
        Answer::json(
            200,
            &json!({
                "ok": true, "channel": "C1", "ts": "7.000100", "upload_url": place, "file_id": "F9",
                "file": { "url_private": format!("http://{host}/files-pri/a") },
            }),
        )
    })
    .await;
    let channel = open(json!({ "apiBaseUrl": format!("{}/api", platform.url()) }), &[]);
    let to = address("C1", Some("5.000100"));
    let choices = [Choice { label: "Yes".into(), value: "approve:42".into() }];
    let asked = OutboundPart { choices: &choices, ..part(&to, "May **I**?") };
    channel.send(&asked).await.unwrap();
    channel.edit("C1:7.000100", &asked).await.unwrap();
    let file = OutboundFile { name: "a.txt", content_type: "text/plain", bytes: "some bytes".into(), url: None };
    channel.attach(&file, &part(&to, "May **I**?")).await.unwrap();
    channel.react(&to, "C1:7.000100", "👀").await.unwrap();
    let media = chela_core::message::Media {
        missing: None,
        reference: "F2".into(),
        content_type: None,
        name: None,
        size: None,
    };
    channel.fetch(&media, 999, std::time::Duration::from_secs(1)).await.unwrap();
    let ours: Vec<Seen> = platform.take().into_iter().filter(|seen| seen.path.starts_with("/api/")).collect();

    let long = Choice { label: "l".repeat(200), value: "v".repeat(3000) };
    let many = vec![long; 25];
    let grown = format!("```\n{}\n```", "<&>\n".repeat(900));
    channel.send(&OutboundPart { choices: &many, ..part(&to, &grown) }).await.unwrap();
    let mut blocks = platform.take()[0].json()["blocks"].as_array().unwrap().clone();
    let fit = blocks.len();
    assert!(fit > 2, "the text needs several sections");
    // The control: what is too long is seen.
    blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x".repeat(3001) } }));
    let answer = oracle::ask(CALL, &Value::from(blocks));

    let theirs = answer["caught"].as_array().unwrap();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.path, format!("/api/{}", theirs["method"].as_str().unwrap()));
        let wanted = theirs["fields"].as_object().unwrap().clone();
        let wanted: Map<String, Value> = wanted.into_iter().map(|(name, value)| (name, unfolded(value))).collect();
        assert_eq!(Value::Object(fields(ours)), without_emoji(&Value::Object(wanted)), "{}", ours.path);
    }
    let (last, fits) = answer["fits"].as_array().unwrap().split_last().unwrap();
    assert_eq!((last, fits), (&json!(false), &vec![json!(true); fit][..]));
}
