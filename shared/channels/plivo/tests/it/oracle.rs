//! Plivo's own SDK for Python as the judge of signatures in both directions, and of what we send.

use chela_channel_plivo::SIMULATOR;
use chela_core::channel::{OutboundFile, RawRequest};
use chela_testkit::laws::channel::platform::{Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, oracle, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::{AUTH_ID, WEBHOOK, subject};

/// The headers of version 2, by the account's token and by the main account's.
pub(crate) const SIGNED_V2: [&str; 2] = ["x-plivo-signature-v2", "x-plivo-signature-ma-v2"];

/// Signs posts, or judges signatures. Forms are read as the web frameworks of its users do.
const JUDGE: &str = r#"
import base64, hashlib, hmac, json, sys
from urllib.parse import parse_qs
from plivo.utils import signature_v3, validate_signature
from plivo.utils.signature_v3 import validate_v3_signature

def judge(asked):
    if asked.get("version") == 2:
        key, text = asked["secret"].encode(), (asked["url"].split("?")[0] + asked["nonce"]).encode()
        signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        assert validate_signature(asked["url"], asked["nonce"], signature, asked["secret"])
        return signature
    form = parse_qs(bytes.fromhex(asked["body"]).decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    if "signature" in asked:
        return validate_v3_signature("POST", asked["url"], asked["nonce"], asked["secret"], asked["signature"], form)
    text = signature_v3.construct_post_url(asked["url"], form).decode("utf-8")
    return signature_v3.get_signature_v3(asked["secret"], text, asked["nonce"]).decode()

json.dump([judge(asked) for asked in json.load(sys.stdin)], sys.stdout)
"#;

/// What the SDK sends when it is asked for the same.
const SENT: &str = r#"
import json, sys
import plivo
from requests import Response

seen = []
question = json.load(sys.stdin)
client = plivo.RestClient(question["account"], question["token"])

def record(prepared, **kwargs):
    body = json.loads(prepared.body) if prepared.body else None
    seen.append({"method": prepared.method, "url": prepared.url, "body": body, "authorization": prepared.headers["Authorization"]})
    response = Response()
    response.status_code = 202
    response._content = b'{"message": "changed", "message_uuid": ["u"], "api_id": "a"}'
    return response

client.session.send = record
for message in question["messages"]:
    client.messages.create(
        dst=message["dst"], src=message.get("src"), text=message.get("text"), type_=message["type"],
        url=message.get("url"), method=message.get("method"), media_urls=message.get("media_urls"),
    )
client.applications.update("29986316244302815", message_url=question["webhook"], message_method="POST")
json.dump(seen, sys.stdout)
"#;

/// The SDK's signature of a post to `url`.
pub(crate) fn sign(url: &str, body: &str, nonce: &str, token: &str) -> String {
    one(&json!({ "url": url, "body": hex(body.as_bytes()), "nonce": nonce, "secret": token }))
}

/// The same by version 2, which the SDK only judges.
pub(crate) fn sign_v2(url: &str, nonce: &str, token: &str) -> String {
    one(&json!({ "version": 2, "url": url, "nonce": nonce, "secret": token }))
}

fn one(question: &Value) -> String {
    oracle::ask(JUDGE, &json!([question]))[0].as_str().unwrap().to_owned()
}

fn secret() -> String {
    SIMULATOR.test_secrets()["authToken"].expose().to_owned()
}

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn posted(query: &str, body: &[u8], nonce: &str, signature: &str) -> RawRequest {
    let headers = [("x-plivo-signature-ma-v3", signature), ("x-plivo-signature-v3-nonce", nonce)];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    RawRequest { query: query.to_owned(), ..request(HeaderMap::from_iter(headers), body) }
}

fn bodies() -> Vec<Vec<u8>> {
    let odd: [&[u8]; 6] =
        [b"", b"a=1&a=1&a=0&A=2", b"x", b"=&==&&=a", b"b=%F0%9F%91%8B+%zz%4", b"%C3%A9=1&e=2&z=%FF%FE"];
    let samples = subject().samples().into_iter().map(|sample| sample.body.to_vec());
    samples.chain(odd.map(<[u8]>::to_vec)).collect()
}

#[test]
fn what_the_sdk_signs_is_genuine_to_us() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut questions = Vec::new();
    for body in bodies() {
        for query in ["", "part=0123456789abcdef", "b=2&a=%41&a=+%2B&c", "&&"] {
            let mark = if query.is_empty() { "" } else { "?" };
            let question = json!({
                "url": format!("{WEBHOOK}{mark}{query}"), "body": hex(&body), "nonce": "05429567804466091622",
                "secret": secret(),
            });
            questions.push((query, body.clone(), question));
        }
    }
    let asked: Vec<&Value> = questions.iter().map(|(.., question)| question).collect();
    let signatures = oracle::ask(JUDGE, &json!(asked));
    for ((query, body, question), signature) in questions.iter().zip(signatures.as_array().unwrap()) {
        let nonce = question["nonce"].as_str().unwrap();
        let verdict = channel.verify(posted(query, body, nonce, signature.as_str().unwrap())).map(|_| ());
        assert_eq!(verdict, Ok(()), "{query} {}", String::from_utf8_lossy(body));
    }
    assert!(questions.len() >= 70);
}

#[test]
fn the_sdk_takes_and_refuses_what_we_take_and_refuse() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut cases: Vec<(Vec<u8>, String)> = Vec::new();
    for body in bodies() {
        let headers = subject().signed(&body, ARRIVAL).headers;
        let proof = headers["x-plivo-signature-ma-v3"].to_str().unwrap().to_owned();
        cases.push((body.clone(), proof.clone()));
        for at in 0..body.len() {
            for bit in [0, 1, 5] {
                let mut flipped = body.clone();
                flipped[at] ^= 1 << bit;
                cases.push((flipped, proof.clone()));
            }
        }
        for at in 0..proof.len() {
            let mut flipped = proof.clone().into_bytes();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            cases.push((body.clone(), String::from_utf8(flipped).unwrap()));
        }
        cases.push((body.clone(), format!("AAAA,{proof}")));
    }
    let nonce = "12345678901234567890";
    let question = |(body, proof): &(Vec<u8>, String)| json!({ "url": WEBHOOK, "body": hex(body), "nonce": nonce, "secret": secret(), "signature": proof });
    let answers = oracle::ask(JUDGE, &cases.iter().map(question).collect());
    let (mut taken, mut refused) = (0, 0);
    for ((body, proof), theirs) in cases.iter().zip(answers.as_array().unwrap()) {
        let ours = channel.verify(posted("", body, nonce, proof)).is_ok();
        assert_eq!(json!(ours), *theirs, "{proof} over {}", String::from_utf8_lossy(body));
        if ours { taken += 1 } else { refused += 1 }
    }
    assert!(taken >= 30 && refused >= 5_000, "{taken} were taken and {refused} refused");
}

#[tokio::test]
async fn the_sdk_sends_what_we_send() {
    let subject = subject();
    let platform = Platform::start(subject.manners).await;
    let channel = subject.open(platform.url());
    let signed = subject.signed(&subject.sample("text").body, ARRIVAL);
    let to = channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone();
    channel.send(&part(&to, "**a** & b + c = 100% 👋\n\n```\nx\n```")).await.unwrap();
    let url = Some("https://files.example.org/a.png?x=1&y=2");
    let file = OutboundFile { name: "a", content_type: "image/png", bytes: b"x".as_slice().into(), url };
    channel.attach(&file, &part(&to, "a caption")).await.unwrap();
    channel.attach(&file, &part(&to, "")).await.unwrap();
    channel.register(WEBHOOK, &[]).await.unwrap();
    let sent: Vec<Seen> = platform.take().into_iter().filter(|seen| seen.method == "POST").collect();
    let messages: Vec<Value> =
        sent.iter().filter(|seen| seen.path.ends_with("/Message/")).map(|seen| seen.json()).collect();
    let question = json!({ "account": AUTH_ID, "token": secret(), "messages": messages, "webhook": WEBHOOK });
    let theirs = oracle::ask(SENT, &question);
    for (ours, theirs) in sent.iter().zip(theirs.as_array().unwrap()) {
        assert_eq!(theirs["method"], ours.method.as_str());
        assert_eq!(theirs["url"], format!("https://api.plivo.com{}", ours.path));
        assert_eq!(theirs["authorization"], ours.headers["authorization"].to_str().unwrap());
        // The SDK also sends what are Plivo's defaults.
        for (name, value) in ours.json().as_object().unwrap() {
            assert_eq!(theirs["body"][name], *value, "{name} of {}", ours.path);
        }
    }
    assert_eq!((sent.len(), theirs.as_array().unwrap().len()), (4, 4));
}
