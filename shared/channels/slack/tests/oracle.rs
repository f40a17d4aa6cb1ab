//! Slack's own SDK for Python as the judge of signatures, in both directions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod account;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use account::{open, posted, samples};
use chela_channel_slack::SIMULATOR;
use chela_testkit::laws::channel::{ARRIVAL, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

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

/// The Python that has the SDK.
fn python() -> PathBuf {
    std::env::var_os("CHELA_ORACLE_PYTHON")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.tools/oracles/bin/python"))
}

fn ask(questions: &[Value]) -> Vec<Value> {
    let python = python();
    let fix = format!(
        "{} does not answer for slack_sdk: run `tools/bootstrap oracles`, or set CHELA_ORACLE_PYTHON to a Python that \
         has it",
        python.display()
    );
    let judge = Command::new(&python)
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut judge = judge.unwrap_or_else(|error| panic!("{fix} ({error})"));
    judge.stdin.take().unwrap().write_all(Value::from(questions.to_vec()).to_string().as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert!(said.status.success(), "{fix}\n{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
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
