//! The platforms' official SDKs, in Python: they make the requests nobody here wrote.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::architecture::root;

/// Runs a script with the SDKs at hand; its last word is JSON.
pub(crate) fn ask(script: &str, arguments: &[&str]) -> Value {
    let python = python();
    let output = Command::new(&python).arg("-c").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn python() -> PathBuf {
    let python = root().join(".tools/oracles/bin/python");
    assert!(python.exists(), "the official SDKs are missing: run `tools/bootstrap oracles`");
    python
}

/// An update as python-telegram-bot writes it, from a recorded one.
pub(crate) fn telegram_update(recorded: &str) -> String {
    let script = "import sys, json, telegram\n\
        update = telegram.Update.de_json(json.loads(sys.argv[1]), None)\n\
        print(json.dumps(update.to_json()))";
    ask(script, &[recorded]).as_str().unwrap().to_owned()
}

/// The headers Slack's own SDK signs a body with, now.
pub(crate) fn slack_headers(body: &str, secret: &str) -> http::HeaderMap {
    let script = "import sys, json, time\n\
        from slack_sdk.signature import SignatureVerifier\n\
        now = str(int(time.time()))\n\
        signature = SignatureVerifier(sys.argv[2]).generate_signature(timestamp=now, body=sys.argv[1])\n\
        print(json.dumps({'x-slack-request-timestamp': now, 'x-slack-signature': signature}))";
    headers(&ask(script, &[body, secret]))
}

/// A JSON object as headers.
pub(crate) fn headers(value: &Value) -> http::HeaderMap {
    let pairs = value.as_object().unwrap().iter();
    let mut headers: http::HeaderMap = pairs
        .map(|(name, value)| {
            (
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                http::HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
            )
        })
        .collect();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    headers
}

/// The body of a recorded event.
pub(crate) fn recorded(event: &str) -> String {
    let text = std::fs::read_to_string(root().join("events").join(event)).unwrap();
    let event: Value = serde_json::from_str(&text).unwrap();
    event["body"].as_str().unwrap().to_owned()
}
