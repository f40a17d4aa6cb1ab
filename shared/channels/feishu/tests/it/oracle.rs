//! Feishu's own SDK for Python as the judge: it signs and decrypts, and reads what we send.

use crate::account::{address, at, open, samples, signed};
use chela_channel_feishu::SIMULATOR;
use chela_core::channel::{Choice, OutboundPart};
use chela_core::clock::Millis;
use chela_testkit::laws::channel::oracle::ask;
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{ARRIVAL, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::manners;

/// The SDK's receiver, which is given requests; and the other side of its cipher, which Feishu has.
const JUDGE: &str = r#"
import base64, hashlib, json, logging, os, sys
from Crypto.Cipher import AES
import lark_oapi as lark
from lark_oapi.core.model import RawRequest
logging.disable(logging.CRITICAL)

def seal(text, key):
    digest = hashlib.sha256(key.encode()).digest()
    iv = hashlib.md5(text.encode()).digest()
    data = text.encode()
    pad = 16 - len(data) % 16
    sealed = AES.new(digest, AES.MODE_CBC, iv).encrypt(data + bytes([pad]) * pad)
    return json.dumps({"encrypt": base64.b64encode(iv + sealed).decode()})

def receive(question):
    heard = []
    build = lark.EventDispatcherHandler.builder(question["key"], question["token"])
    build.register_p2_im_message_receive_v1(lambda data: heard.append([data.header.event_id, data.event.message.message_id, data.event.sender.sender_id.open_id]))
    build.register_p2_im_message_reaction_created_v1(lambda data: heard.append("reaction"))
    build.register_p2_im_message_message_read_v1(lambda data: heard.append("read"))
    def pressed(data):
        heard.append([data.header.event_id, data.event.context.open_message_id, data.event.operator.open_id])
        from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTriggerResponse
        return P2CardActionTriggerResponse({})
    build.register_p2_card_action_trigger(pressed)
    request = RawRequest()
    request.uri = "/"
    request.headers = question["headers"]
    request.body = bytes.fromhex(question["body"])
    response = build.build().do(request)
    return {"status": response.status_code, "body": response.content.decode() if response.content else "", "heard": heard}

def read(question):
    from lark_oapi.api.im.v1.model import CreateMessageRequestBody, ReplyMessageRequestBody, PatchMessageRequestBody, CreateMessageReactionRequestBody
    kinds = {"create": CreateMessageRequestBody, "reply": ReplyMessageRequestBody, "patch": PatchMessageRequestBody, "react": CreateMessageReactionRequestBody}
    body = kinds[question["kind"]](question["body"])
    return json.loads(lark.JSON.marshal(body))

def sign(question):
    # The SDK checks signatures and makes none; this is the line in which it checks them.
    body = bytes.fromhex(question["body"])
    return hashlib.sha256((question["at"] + question["nonce"] + question["key"]).encode() + body).hexdigest()

answers = []
for question in json.load(sys.stdin):
    does = {"receive": receive, "read": read, "sign": sign, "seal": lambda q: seal(q["text"], q["key"])}
    answers.append(does[question["do"]](question))
json.dump(answers, sys.stdout)
"#;

const KEY: &str = "simulator-encrypt-key";
const TOKEN: &str = "simulator-verification-token";

fn put(questions: &[Value]) -> Vec<Value> {
    ask(JUDGE, &json!(questions)).as_array().unwrap().clone()
}

fn receive(body: &[u8], headers: &HeaderMap) -> Value {
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    json!({
        "do": "receive", "key": KEY, "token": TOKEN, "body": hex(body),
        "headers": {
            "X-Lark-Request-Timestamp": header("x-lark-request-timestamp"),
            "X-Lark-Request-Nonce": header("x-lark-request-nonce"),
            "X-Lark-Signature": header("x-lark-signature"),
        },
    })
}

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What we make of a body that the simulator signed: the answer, and for each message its ids.
fn ours(body: &[u8], headers: HeaderMap) -> Result<(String, Vec<Value>), ()> {
    let channel = open(json!({"appId": "cli_1"}), SIMULATOR.secrets).unwrap();
    let verified = channel.verify(request(headers, body)).map_err(drop)?;
    let parsed = channel.parse(&verified).unwrap();
    let heard = parsed.messages.iter().map(|message| json!([message.event_id, message.message_id, message.sender.id]));
    Ok((String::from_utf8(parsed.ack.body.to_vec()).unwrap(), heard.collect()))
}

#[test]
fn the_sdk_hears_what_we_hear_and_answers_alike() {
    let bodies: Vec<_> = samples().into_iter().filter(|(name, _)| name != "old-schema").collect();
    let questions: Vec<Value> = bodies.iter().map(|(_, body)| receive(body, &signed(body, ARRIVAL))).collect();
    for ((name, body), theirs) in bodies.iter().zip(put(&questions)) {
        let (answer, heard) = ours(body, signed(body, ARRIVAL)).unwrap();
        assert_eq!(theirs["status"], 200, "{name}: {theirs}");
        let answers =
            [theirs["body"].as_str().unwrap(), &answer].map(|text| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(answers[0], answers[1], "{name}");
        // The SDK leaves it to its user to drop echoes, stickers and reactions.
        if !heard.is_empty() {
            assert_eq!(theirs["heard"], json!(heard), "{name}");
        }
    }
}

#[test]
fn what_feishu_seals_says_the_same_as_in_the_clear() {
    let bodies = samples();
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    let seals: Vec<Value> =
        bodies.iter().map(|(_, body)| json!({"do": "seal", "key": KEY, "text": text(body)})).collect();
    for ((name, body), sealed) in bodies.iter().zip(put(&seals)).filter(|((name, _), _)| name != "encrypted") {
        let sealed = sealed.as_str().unwrap().as_bytes();
        assert_eq!(ours(sealed, signed(sealed, ARRIVAL)), ours(body, signed(body, ARRIVAL)), "{name}");
    }
}

#[test]
fn what_the_sdk_would_accept_we_accept_and_flipped_bytes_neither_does() {
    let sealed = json!({"do": "seal", "key": KEY, "text": String::from_utf8(samples()[0].1.to_vec()).unwrap()});
    let sealed = put(&[sealed])[0].as_str().unwrap().as_bytes().to_vec();
    let (at, nonce) = (ARRIVAL.seconds().to_string(), "n0nce");
    let sign = json!({"do": "sign", "key": KEY, "at": at, "nonce": nonce, "body": hex(&sealed)});
    let signature = put(&[sign])[0].as_str().unwrap().to_owned();
    let headers = |signature: &str| {
        let pairs =
            [("x-lark-signature", signature), ("x-lark-request-timestamp", &at), ("x-lark-request-nonce", nonce)];
        HeaderMap::from_iter(
            pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())),
        )
    };
    let mut tries = vec![(sealed.clone(), signature.clone())];
    // Within the ciphertext, so that both still find JSON.
    for byte in (12..sealed.len() - 2).step_by(7) {
        let mut flipped = sealed.clone();
        flipped[byte] = if flipped[byte] == b'A' { b'B' } else { b'A' };
        tries.push((flipped, signature.clone()));
    }
    for byte in 0..signature.len() {
        let mut flipped = signature.clone().into_bytes();
        flipped[byte] = if flipped[byte] == b'0' { b'1' } else { b'0' };
        tries.push((sealed.clone(), String::from_utf8(flipped).unwrap()));
    }
    let questions: Vec<Value> = tries.iter().map(|(body, signature)| receive(body, &headers(signature))).collect();
    for (at, ((body, signature), theirs)) in tries.iter().zip(put(&questions)).enumerate() {
        let genuine = at == 0;
        assert_eq!(
            (theirs["status"] == 200, ours(body, headers(signature)).is_ok()),
            (genuine, genuine),
            "{at}: {theirs}"
        );
    }
}

#[tokio::test]
async fn the_sdks_models_know_every_field_we_send() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let choices = [Choice { label: "Yes".into(), value: "approve:1".into() }];
    let to = address("oc_1", None, None);
    let thread = address("oc_1", Some("om_root"), None);
    channel.send(&OutboundPart { choices: &choices, ..part(&to, "**May I?**") }).await.unwrap();
    channel.send(&part(&thread, "here")).await.unwrap();
    channel.edit("om_1", &part(&to, "done")).await.unwrap();
    channel.react(&to, "om_1", "👀").await.unwrap();
    let sent: Vec<Value> = platform
        .take()
        .iter()
        .skip(1)
        .filter(|seen| seen.method != http::Method::GET)
        .map(|seen| seen.json())
        .collect();
    let questions: Vec<Value> = ["create", "reply", "patch", "react"]
        .iter()
        .zip(&sent)
        .map(|(kind, body)| json!({"do": "read", "kind": kind, "body": body}))
        .collect();
    assert_eq!((questions.len(), put(&questions)), (4, sent));
}

#[test]
fn a_request_of_another_day_is_refused_though_the_sdk_takes_it() {
    let body = &samples()[0].1;
    let old = signed(body, Millis(ARRIVAL.0 - 3_600_000));
    assert_eq!(put(&[receive(body, &old)])[0]["status"], 200);
    assert!(ours(body, old).is_err());
}
