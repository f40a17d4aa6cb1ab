//! pywa, an SDK of Meta's platform, as the judge of signatures in both directions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

mod subject;

use chela_testkit::laws::channel::{ARRIVAL, oracle, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use self::subject::subject;

/// Says of each body whether the SDK accepts its signature, and signs it by the recipe of Meta's documentation.
const JUDGE: &str = r#"
import hashlib, hmac, json, sys
from pywa.utils import webhook_updates_validator

def answer(question):
    body, secret = bytes.fromhex(question["body"]), question["secret"]
    signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return [webhook_updates_validator(secret, body, question["signature"]), signed]

json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
"#;

const SECRET: &str = "public-test-app-secret";

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_sdk_and_we_agree_on_every_signature() {
    let mut bodies: Vec<Vec<u8>> = subject().samples().iter().map(|sample| sample.body.to_vec()).collect();
    bodies.push(b"{\"text\":\"h\\u00e9\\u00e9 \\ud83d\\ude00\"}".to_vec());
    bodies.push(vec![0, 255, 10]);
    let ours =
        |body: &[u8]| subject().signed(body, ARRIVAL).headers["x-hub-signature-256"].to_str().unwrap().to_owned();
    let mut questions = Vec::new();
    for body in &bodies {
        let mut flipped = body.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let question =
            |body: &[u8], signature: String| json!({"body": hex(body), "secret": SECRET, "signature": signature});
        questions.push(question(body, ours(body)));
        questions.push(question(&flipped, ours(body)));
    }
    let verdicts = oracle::ask(JUDGE, &Value::from(questions));
    let channel = subject().open("http://127.0.0.1:9");
    for (body, verdicts) in bodies.iter().zip(verdicts.as_array().unwrap().chunks(2)) {
        assert_eq!((&verdicts[0][0], &verdicts[1][0]), (&json!(true), &json!(false)));
        let signature = HeaderValue::from_str(verdicts[0][1].as_str().unwrap()).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-hub-signature-256"), signature)]);
        assert!(channel.verify(request(headers.clone(), body)).is_ok());
        for at in 0..body.len() {
            let mut flipped = body.clone();
            flipped[at] ^= 1;
            assert!(channel.verify(request(headers.clone(), &flipped)).is_err(), "byte {at}");
        }
    }
}
