//! Official SDKs as judges. They are Python packages, which `tools/bootstrap oracles` installs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{ARRIVAL, ChannelUnderTest, request};

/// Lets a Python script read `question` as JSON from its input, and gives the JSON it prints. `CHELA_ORACLE_PYTHON` names
/// another Python that has the packages.
pub fn ask(script: &str, question: &Value) -> Value {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/oracles/bin/python");
    let python = std::env::var_os("CHELA_ORACLE_PYTHON").map_or_else(installed, PathBuf::from);
    let fix = format!("{} cannot be asked; run: tools/bootstrap oracles", python.display());
    let started = Command::new(&python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut judge = started.unwrap_or_else(|error| panic!("{fix} ({error})"));
    judge.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert!(said.status.success(), "{fix}\n{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Lets an SDK judge the signatures of all samples and of `more` bodies, ours and those of bodies with a flipped byte, and
/// judges its own: `script` reads `[{body, secret, signature}]`, the body in hexadecimal digits, and prints for each whether
/// it accepts the signature, and how it would sign.
pub fn signatures_agree(subject: &ChannelUnderTest, script: &str, secret: &str, more: &[&[u8]]) {
    let header = subject.proof_header;
    let samples = subject.samples();
    let bodies: Vec<&[u8]> = samples.iter().map(|sample| &sample.body[..]).chain(more.iter().copied()).collect();
    let ours = |body: &[u8]| subject.signed(body, ARRIVAL).headers[header].to_str().unwrap().to_owned();
    let question = |body: &[u8], signature: String| {
        let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"body": digits, "secret": secret, "signature": signature})
    };
    let mut questions = Vec::new();
    for body in &bodies {
        let mut flipped = body.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        questions.push(question(body, ours(body)));
        questions.push(question(&flipped, ours(body)));
    }
    let verdicts = ask(script, &Value::from(questions));
    let channel = subject.open("http://127.0.0.1:9");
    for (body, verdicts) in bodies.iter().zip(verdicts.as_array().unwrap().chunks(2)) {
        assert_eq!((&verdicts[0][0], &verdicts[1][0]), (&json!(true), &json!(false)));
        let signature = HeaderValue::from_str(verdicts[0][1].as_str().unwrap()).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static(header), signature)]);
        assert!(channel.verify(request(headers.clone(), body)).is_ok());
        for at in 0..body.len() {
            let mut flipped = body.to_vec();
            flipped[at] ^= 1;
            assert!(channel.verify(request(headers.clone(), &flipped)).is_err(), "byte {at}");
        }
    }
}
