//! Two judges of signatures: PyNaCl signs what we must accept, and Discord's own package checks what our simulator signs.

use chela_channel_discord::SIMULATOR;
use chela_channel_kit::bridge::is_bridged;
use chela_core::channel::Channel;
use chela_core::secret::Secret;
use chela_testkit::laws::channel::{ARRIVAL, Sample, oracle, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::subject;

/// A key of its own, and signatures of each body with it.
const SIGN: &str = r#"
import json, sys
from nacl.signing import SigningKey

question = json.load(sys.stdin)
key = SigningKey(bytes(range(32)))
at = question["at"].encode()
signed = [key.sign(at + bytes.fromhex(body)).signature.hex() for body in question["bodies"]]
json.dump({"key": key.verify_key.encode().hex(), "signatures": signed}, sys.stdout)
"#;

/// The package prints why it refuses.
const VERIFY: &str = r#"
import contextlib, json, sys
from discord_interactions import verify_key

questions = json.load(sys.stdin)
with contextlib.redirect_stdout(sys.stderr):
    verdicts = [verify_key(bytes.fromhex(q["body"]), q["signature"], q["at"], q["key"]) for q in questions]
json.dump(verdicts, sys.stdout)
"#;

fn interactions() -> Vec<Sample> {
    let subject = subject();
    subject.samples().into_iter().filter(|sample| !is_bridged(&subject.signed(&sample.body, ARRIVAL))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn takes(channel: &dyn Channel, signature: &str, at: &str, body: &[u8]) -> bool {
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("x-signature-ed25519"), HeaderValue::from_str(signature).unwrap()),
        (HeaderName::from_static("x-signature-timestamp"), HeaderValue::from_str(at).unwrap()),
    ]);
    channel.verify(request(headers, body)).is_ok_and(|verified| channel.parse(&verified).is_ok())
}

#[test]
fn what_pynacl_signs_is_genuine_to_us_and_nothing_else() {
    let samples = interactions();
    assert!(samples.len() >= 10, "only {} samples", samples.len());
    let at = ARRIVAL.seconds().to_string();
    let bodies: Vec<String> = samples.iter().map(|sample| hex(&sample.body)).collect();
    let answer = oracle::ask(SIGN, &json!({ "at": at, "bodies": bodies }));
    let key = answer["key"].as_str().unwrap();
    let mut secrets = SIMULATOR.test_secrets();
    // The old key is still taken while the new one is brought in.
    secrets.insert("publicKey".to_owned(), Secret::new(format!("{key} {}", secrets["publicKey"].expose())));
    let channel = subject().open_with("http://127.0.0.1:9", secrets);
    for (sample, signature) in samples.iter().zip(answer["signatures"].as_array().unwrap()) {
        let signature = signature.as_str().unwrap();
        assert!(takes(&*channel, signature, &at, &sample.body), "{}", sample.name);
        let mut changed = sample.body.to_vec();
        for byte in 0..changed.len() {
            changed[byte] ^= 0x20;
            assert!(!takes(&*channel, signature, &at, &changed), "{} with byte {byte} changed", sample.name);
            changed[byte] ^= 0x20;
        }
        let later = (ARRIVAL.seconds() + 1).to_string();
        assert!(!takes(&*channel, signature, &later, &sample.body), "{} at another time", sample.name);
        let ours = subject().open("http://127.0.0.1:9");
        assert!(!takes(&*ours, signature, &at, &sample.body), "{} by another application", sample.name);
    }
}

#[test]
fn what_the_simulator_signs_is_genuine_to_discords_package() {
    let subject = subject();
    let samples = interactions();
    let key = SIMULATOR.test_secrets()["publicKey"].expose().to_owned();
    let mut questions = Vec::new();
    for sample in &samples {
        let signed = subject.signed(&sample.body, ARRIVAL);
        let header = |name: &str| signed.headers[name].to_str().unwrap().to_owned();
        let (signature, at) = (header("x-signature-ed25519"), header("x-signature-timestamp"));
        let genuine = json!({ "key": key, "signature": signature, "at": at, "body": hex(&sample.body) });
        let mut changed = genuine.clone();
        changed["body"] = json!(format!("{}20", hex(&sample.body)));
        let mut moved = genuine.clone();
        moved["at"] = json!("1767225601");
        questions.extend([genuine, changed, moved]);
    }
    let verdicts = oracle::ask(VERIFY, &Value::from(questions));
    let verdicts = verdicts.as_array().unwrap();
    assert_eq!(verdicts.len(), 3 * samples.len());
    for (sample, verdicts) in samples.iter().zip(verdicts.chunks(3)) {
        assert_eq!(verdicts, [json!(true), json!(false), json!(false)], "{}", sample.name);
    }
}
