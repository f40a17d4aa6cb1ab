//! Twilio's own SDK for Python as the judge of signatures in both directions, and of what we send.

use chela_channel_twilio::SIMULATOR;
use chela_core::channel::{OutboundFile, RawRequest};
use chela_testkit::laws::channel::platform::{Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, oracle, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::{ACCOUNT_SID, fields, subject};

const URL: &str = "https://example.org/webhook/twilio";

/// Signs forms, or judges signatures. Forms are read as the web frameworks of its users do.
pub(crate) const JUDGE: &str = r#"
import json, sys
from urllib.parse import parse_qsl
from twilio.request_validator import RequestValidator, get_signature_algorithm

class Form(dict):
    def __init__(self, body):
        super().__init__()
        for name, value in parse_qsl(bytes.fromhex(body).decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace"):
            self.setdefault(name, []).append(value)
    def getall(self, name):
        return self[name]

def judge(asked):
    validator = RequestValidator(asked["secret"])
    algorithm = get_signature_algorithm(asked.get("settings"))
    if "json" in asked:
        if "signature" not in asked:
            return validator.compute_signature(asked["url"], {}, algorithm)
        return validator.validate(asked["url"], asked["json"], asked["signature"], algorithm)
    form = Form(asked["body"])
    if "signature" not in asked:
        return validator.compute_signature(asked["url"], form, algorithm)
    return validator.validate(asked["url"], form, asked["signature"], algorithm)

json.dump([judge(asked) for asked in json.load(sys.stdin)], sys.stdout)
"#;

/// What the SDK sends when it is asked for the same messages.
const SENT: &str = r#"
import json, sys
from urllib.parse import urlencode
from twilio.base import values
from twilio.http.http_client import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

seen = []

class Recorder(HttpClient):
    def __init__(self):
        pass
    def request(self, method, url, params=None, data=None, headers=None, auth=None, timeout=None, allow_redirects=False):
        data = {key: value for key, value in (data or {}).items() if value is not values.unset}
        seen.append({"method": method, "url": url, "form": urlencode(data, doseq=True), "auth": list(auth)})
        return Response(201, json.dumps({"sid": "SM1", "account_sid": "AC1"}))

question = json.load(sys.stdin)
client = Client(question["account"], question["token"], http_client=Recorder())
for message in question["messages"]:
    client.messages.create(
        to=message["To"],
        from_=message.get("From", values.unset),
        body=message.get("Body", values.unset),
        media_url=[message["MediaUrl"]] if "MediaUrl" in message else values.unset,
        status_callback=message.get("StatusCallback", values.unset),
    )
client.incoming_phone_numbers("PN0123456789abcdef0123456789abcdef").update(sms_url=question["webhook"], sms_method="POST")
json.dump(seen, sys.stdout)
"#;

fn secret(key: &str) -> String {
    SIMULATOR.test_secrets()[key].expose().to_owned()
}

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn posted(query: &str, body: &[u8], signature: &str, settings: Option<&str>) -> RawRequest {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    };
    put("x-twilio-signature", signature);
    settings.into_iter().for_each(|settings| put("x-twilio-webhooks-signature-settings", settings));
    RawRequest { query: query.to_owned(), ..request(headers, body) }
}

/// Each way to sign: the URL with its query, what the SDK gets as the URL, the secret and the header.
const WAYS: [(&str, &str, &str, Option<&str>); 5] = [
    ("", URL, "authToken", None),
    ("", "https://example.org:443/webhook/twilio", "authToken", None),
    ("a=%41&b=+%2B", "https://example.org/webhook/twilio?a=%41&b=+%2B", "authToken", None),
    ("", URL, "sharedKey", Some("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256")),
    ("", URL, "sharedKey", Some("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1")),
];

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
        for (query, url, key, settings) in WAYS {
            questions.push((
                query,
                body.clone(),
                settings,
                json!({
                    "url": url, "body": hex(&body), "secret": secret(key), "settings": settings,
                }),
            ));
        }
    }
    let asked: Vec<&Value> = questions.iter().map(|(.., question)| question).collect();
    let signatures = oracle::ask(JUDGE, &json!(asked));
    for ((query, body, settings, _), signature) in questions.iter().zip(signatures.as_array().unwrap()) {
        let request = posted(query, body, signature.as_str().unwrap(), *settings);
        let verdict = channel.verify(request).map(|_| ());
        assert_eq!(verdict, Ok(()), "{query} {} {settings:?}", String::from_utf8_lossy(body));
    }
    assert!(questions.len() >= 100);
}

#[test]
fn the_sdk_takes_and_refuses_what_we_take_and_refuse() {
    let channel = subject().open("http://127.0.0.1:9");
    let mut cases: Vec<(Vec<u8>, String)> = Vec::new();
    for body in bodies() {
        let proof = subject().signed(&body, ARRIVAL).headers["x-twilio-signature"].to_str().unwrap().to_owned();
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
    }
    let question = |(body, proof): &(Vec<u8>, String)| json!({ "url": URL, "body": hex(body), "secret": secret("authToken"), "signature": proof });
    let answers = oracle::ask(JUDGE, &cases.iter().map(question).collect());
    let (mut taken, mut refused) = (0, 0);
    for ((body, proof), theirs) in cases.iter().zip(answers.as_array().unwrap()) {
        let ours = channel.verify(posted("", body, proof, None)).is_ok();
        assert_eq!(json!(ours), *theirs, "{proof} over {}", String::from_utf8_lossy(body));
        if ours { taken += 1 } else { refused += 1 }
    }
    assert!(taken >= 20 && refused >= 5_000, "{taken} were taken and {refused} refused");
}

#[test]
fn json_bodies_are_judged_alike() {
    let channel = subject().open("http://127.0.0.1:9");
    let body = r#"[{"specversion":"1.0","data":{"é":"👋"}}]"#;
    let digest = {
        use sha2::{Digest as _, Sha256};
        hex(&Sha256::digest(body.as_bytes()))
    };
    let query = format!("a=1&bodySHA256={digest}");
    let url = format!("{URL}?{query}");
    let signed = oracle::ask(JUDGE, &json!([{ "url": url, "json": body, "secret": secret("authToken") }]));
    let signature = signed[0].as_str().unwrap();
    for (body, wanted) in [(body.to_owned(), true), (body.replace('1', "2"), false), (String::new(), false)] {
        let question = json!([{ "url": url, "json": body, "secret": secret("authToken"), "signature": signature }]);
        assert_eq!(oracle::ask(JUDGE, &question), json!([wanted]), "{body}");
        assert_eq!(channel.verify(posted(&query, body.as_bytes(), signature, None)).is_ok(), wanted, "{body}");
    }
}

#[tokio::test]
async fn the_sdk_sends_what_we_send() {
    let subject = subject();
    let platform = Platform::start(subject.manners).await;
    let channel = subject.open(platform.url());
    let read = |name: &str| {
        let signed = subject.signed(&subject.sample(name).body, ARRIVAL);
        channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone()
    };
    for to in [read("text"), read("whatsapp-text")] {
        channel.send(&part(&to, "**a** & b + c = 100% 👋\n\n```\nx\n```")).await.unwrap();
        let url = Some("https://files.example.org/a.png?x=1&y=2");
        let file = OutboundFile { name: "a", content_type: "image/png", bytes: b"x".as_slice().into(), url };
        channel.attach(&file, &part(&to, "a caption")).await.unwrap();
        channel.attach(&file, &part(&to, "")).await.unwrap();
    }
    channel.register(URL, &[]).await.unwrap();
    let sent: Vec<Seen> = platform.take().into_iter().filter(|seen| seen.method == "POST").collect();
    let messages: Vec<Value> = sent
        .iter()
        .filter(|seen| seen.path.ends_with("/Messages.json"))
        .map(|seen| fields(seen).into_iter().map(|(name, value)| (name, json!(value))).collect())
        .collect();
    let question =
        json!({ "account": ACCOUNT_SID, "token": secret("authToken"), "messages": messages, "webhook": URL });
    let theirs = oracle::ask(SENT, &question);
    let sorted = |mut fields: Vec<(String, String)>| {
        fields.sort();
        fields
    };
    for (ours, theirs) in sent.iter().zip(theirs.as_array().unwrap()) {
        assert_eq!(theirs["method"], ours.method.as_str());
        assert_eq!(theirs["url"], format!("https://api.twilio.com{}", ours.path));
        let form = url::form_urlencoded::parse(theirs["form"].as_str().unwrap().as_bytes()).into_owned().collect();
        assert_eq!(sorted(fields(ours)), sorted(form), "{}", ours.path);
        let header = ours.headers["authorization"].to_str().unwrap();
        let auth = format!("{}:{}", theirs["auth"][0].as_str().unwrap(), theirs["auth"][1].as_str().unwrap());
        use base64::Engine as _;
        assert_eq!(header, format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(auth)));
    }
    assert_eq!((sent.len(), theirs.as_array().unwrap().len()), (7, 7));
}
