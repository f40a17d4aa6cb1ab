//! Python's own `hmac` as the judge: the bridge of the README runs as it stands there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chela_channel_bridge::SIMULATOR;
use chela_core::channel::{RawRequest, SendError};
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{oracle, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::subject;

const SIGN: &str = r#"
import hashlib, hmac, json, sys

def sign(question):
    signed = str(question["at"]).encode() + b"." + question["body"].encode()
    return "sha256=" + hmac.new(question["secret"].encode(), signed, hashlib.sha256).hexdigest()

json.dump([sign(question) for question in json.load(sys.stdin)], sys.stdout)
"#;

fn secret() -> String {
    SIMULATOR.test_secrets()["bridgeSecret"].expose().to_owned()
}

fn real_now() -> Millis {
    Millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() * 1000)
}

#[test]
fn we_accept_what_python_signs_and_nothing_that_differs_by_a_bit() {
    let bodies: Vec<String> = subject()
        .samples()
        .iter()
        .map(|sample| String::from_utf8(sample.body.to_vec()).unwrap())
        .chain(["{}".to_owned(), String::new(), "{\"text\":\"h\\u00e9 😀 \\n\"}".to_owned()])
        .collect();
    let at = 1_767_225_600_u64;
    let asked: Vec<Value> = bodies.iter().map(|body| json!({"secret": secret(), "at": at, "body": body})).collect();
    let signatures = oracle::ask(SIGN, &Value::from(asked));
    let channel = subject().open("http://127.0.0.1:9");
    for (body, signature) in bodies.iter().zip(signatures.as_array().unwrap()) {
        let posted = |body: &[u8], at: u64| -> RawRequest {
            let headers = [
                ("x-bridge-timestamp", at.to_string()),
                ("x-bridge-signature", signature.as_str().unwrap().to_owned()),
            ];
            let headers: HeaderMap = headers
                .into_iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap()))
                .collect();
            request(headers, body)
        };
        assert!(channel.verify(posted(body.as_bytes(), at)).is_ok(), "{body}");
        assert!(channel.verify(posted(body.as_bytes(), at + 1)).is_err(), "{body}");
        for byte in 0..body.len() {
            let mut flipped = body.as_bytes().to_vec();
            flipped[byte] ^= 1;
            assert!(channel.verify(posted(&flipped, at)).is_err(), "{body} at {byte}");
        }
    }
}

/// The bridge that the README shows, as a process.
struct Example {
    process: Child,
    url: String,
}

impl Example {
    fn start(gateway: &str) -> Self {
        let (_, code) = include_str!("../../README.md").split_once("```python\n").unwrap();
        let (code, _) = code.split_once("```").unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new("python3")
            .args(["-c", code])
            .env("BRIDGE_SECRET", secret())
            .env("GATEWAY", gateway)
            .env("PORT", port.to_string())
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the example does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_bridge_of_the_readme_is_a_bridge() {
    let gateway = Platform::start(|_| Answer::text(200, "")).await;
    // The first attempt fails; the second has the same id.
    gateway.next(Answer::text(503, "not now"));
    let mut example = Example::start(gateway.url());
    let mut subject = subject();
    subject.options = |url| json!({"bridgeUrl": url});
    let channel = subject.open_at(&example.url, real_now());

    example.process.stdin.as_mut().unwrap().write_all("héllo 😀\n".as_bytes()).unwrap();
    let mut posts = Vec::new();
    let until = Instant::now() + Duration::from_secs(20);
    while posts.len() < 2 {
        assert!(Instant::now() < until, "{posts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        posts.extend(gateway.take());
    }
    let heard = posts.iter().map(|seen| {
        let posted = RawRequest { received_at: real_now(), ..request(seen.headers.clone(), &seen.body) };
        channel.parse(&channel.verify(posted).unwrap()).unwrap().messages.remove(0)
    });
    let heard: Vec<_> = heard.collect();
    assert_eq!(heard[0], heard[1]);
    assert_eq!((heard[0].text.as_str(), heard[0].peer.id.as_str()), ("héllo 😀", "user"));

    // Twice with one key, once with another.
    let to: ReplyAddress = heard[0].reply_to.clone();
    let first = channel.send(&part(&to, "said once")).await.unwrap();
    assert_eq!(channel.send(&part(&to, "said once")).await.unwrap(), first);
    let mut other = part(&to, "and this");
    other.idempotency_key = "another";
    assert_ne!(channel.send(&other).await.unwrap(), first);
    // What is signed with another secret, or too old, is not said.
    let mut secrets = SIMULATOR.test_secrets();
    secrets.insert("bridgeSecret".to_owned(), chela_core::secret::Secret::new("0123456789abcdef"));
    for stranger in
        [subject.open_with(&example.url, secrets), subject.open_at(&example.url, Millis(real_now().0 - 400_000))]
    {
        let mut unheard = part(&to, "unheard");
        unheard.idempotency_key = "third";
        let refused = stranger.send(&unheard).await.unwrap_err();
        assert!(matches!(&refused, SendError::Refused { reason, .. } if reason.contains("not proven")), "{refused}");
    }
    drop(example.process.stdin.take());
    let said: Vec<String> =
        BufReader::new(example.process.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(said, ["said once", "and this"]);
}
