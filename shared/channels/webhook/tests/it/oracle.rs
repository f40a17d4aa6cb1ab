//! The reference library of Standard Webhooks as the judge of signatures, in both directions.

use std::time::{SystemTime, UNIX_EPOCH};

use chela_channel_webhook::SIMULATOR;
use chela_core::channel::RawRequest;
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::secret::Secret;
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{oracle, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::subject;

const VERIFY: &str = r#"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError

verdicts = []
for question in json.load(sys.stdin):
    try:
        Webhook(question["secret"]).verify(question["body"], question["headers"])
        verdicts.append(True)
    except WebhookVerificationError:
        verdicts.append(False)
json.dump(verdicts, sys.stdout)
"#;

const SIGN: &str = r#"
import json, sys
from datetime import datetime, timezone
from standardwebhooks import Webhook

def sign(question):
    at = datetime.fromtimestamp(question["at"], tz=timezone.utc)
    return Webhook(question["secret"]).sign(question["id"], at, question["body"])

json.dump([sign(question) for question in json.load(sys.stdin)], sys.stdout)
"#;

fn secret() -> String {
    SIMULATOR.test_secrets()["webhookSecret"].expose().to_owned()
}

/// The library reads the clock itself.
fn real_now() -> Millis {
    Millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() * 1000)
}

#[tokio::test]
async fn the_reference_library_accepts_our_replies_and_nothing_else() {
    let platform = Platform::start(subject().manners).await;
    let to =
        ReplyAddress { channel: "webhook".into(), account: "main".into(), to: "c".into(), thread: None, message: None };
    for now in [real_now(), Millis(real_now().0 - 600_000)] {
        subject().open_at(platform.url(), now).send(&part(&to, "héllo 😀 **\"<&>\"**")).await.unwrap();
    }
    let seen = platform.take();
    let question = |at: usize, secret: &str, tail: &str| {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: Value = names
            .iter()
            .map(|name| ((*name).to_owned(), json!(seen[at].headers[*name].to_str().unwrap())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({"secret": secret, "headers": headers, "body": String::from_utf8(seen[at].body.to_vec()).unwrap() + tail})
    };
    let other = "whsec_AAAAr8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAA";
    let asked = json!([
        question(0, &secret(), ""),
        question(0, &secret(), " "),
        question(0, other, ""),
        question(1, &secret(), ""),
    ]);
    assert_eq!(oracle::ask(VERIFY, &asked), json!([true, false, false, false]));
}

#[test]
fn we_accept_what_the_reference_library_signs() {
    let bodies: Vec<String> = subject()
        .samples()
        .iter()
        .map(|sample| String::from_utf8(sample.body.to_vec()).unwrap())
        .chain(["{}".to_owned(), "{\"text\":\"h\\u00e9 😀 \\n\"}".to_owned()])
        .collect();
    let at = 1_767_225_600_u64;
    let asked: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| json!({"secret": secret(), "id": format!("msg_{n}"), "at": at, "body": body}))
        .collect();
    let signatures = oracle::ask(SIGN, &Value::from(asked));
    let channel = subject().open("http://127.0.0.1:9");
    let rotating = {
        let mut secrets = SIMULATOR.test_secrets();
        let both = format!("whsec_AAAAr8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAA {}", secret());
        secrets.insert("webhookSecret".to_owned(), Secret::new(both));
        subject().open_with("http://127.0.0.1:9", secrets)
    };
    for (n, body) in bodies.iter().enumerate() {
        let signed = |body: &str| -> RawRequest {
            let headers = [
                ("webhook-id", format!("msg_{n}")),
                ("webhook-timestamp", at.to_string()),
                ("webhook-signature", signatures[n].as_str().unwrap().to_owned()),
            ];
            let headers: HeaderMap = headers
                .into_iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap()))
                .collect();
            request(headers, body.as_bytes())
        };
        assert!(channel.verify(signed(body)).is_ok(), "{body}");
        assert!(rotating.verify(signed(body)).is_ok(), "while the secret is rotated: {body}");
        assert!(channel.verify(signed(&format!("{body} "))).is_err(), "{body}");
    }
}
