//! Microsoft's own SDK for Python as the judge of tokens, and of the activities in our samples and in what we send.

use chela_channel_kit::jwt::simulator::{TEST_KEY, test_key_set};
use chela_core::channel::{Choice, OutboundPart};
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{ARRIVAL, oracle, part, request};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::subject::subject;

/// The SDK validates each token with the test key as the published one, at the time of the test. It signs, too: with the
/// test key, and with another one.
const JUDGE: &str = r#"
import asyncio, datetime, json, sys
from unittest import mock
import jwt, jwt.api_jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from botbuilder.schema import Activity
from botframework.connector.auth import (
    AuthenticationConfiguration, ChannelValidation, JwtTokenValidation, SimpleCredentialProvider, SimpleChannelProvider,
)
from botframework.connector.auth.jwt_token_extractor import _OpenIdMetadata

asked = json.load(sys.stdin)
now, app, service = asked["now"], asked["app"], asked["service"]
impostor = rsa.generate_private_key(public_exponent=65537, key_size=2048)

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(now, tz)

async def refresh(self):
    self.last_updated, self.keys = datetime.datetime.now(), asked["keys"]["keys"]

good = {"iss": "https://api.botframework.com", "aud": app, "serviceurl": service, "nbf": now, "exp": now + 60}
tokens = {}
def sign(label, key=asked["pem"], kid="public-test-key", alg="RS256", **changed):
    claims = {claim: value for claim, value in {**good, **changed}.items() if value is not None}
    tokens[label] = jwt.encode(claims, key, algorithm=alg, headers={"kid": kid})

sign("good")
sign("within the leeway", exp=now - 290)
sign("expired", exp=now - 301)
sign("not yet", nbf=now + 301)
sign("another issuer", iss="https://api.botframework.us")
sign("emulator", iss="https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/")
sign("another app", aud="11111111-0000-4000-8000-00000000abcd")
sign("no audience", aud=None)
sign("another service", serviceurl="https://smba.trafficmanager.net/amer/")
sign("no service", serviceurl=None)
sign("impostor", key=impostor)
sign("hs256", key="x" * 64, alg="HS256")
sign("rs384", alg="RS384")
header, payload, signature = tokens["good"].split(".")
for at in range(0, len(signature) - 1, 13):
    other = "A" if signature[at] != "A" else "B"
    tokens[f"flip {at}"] = f"{header}.{payload}.{signature[:at]}{other}{signature[at + 1:]}"

async def judge(token):
    activity = Activity(channel_id="msteams", service_url=service)
    credentials = SimpleCredentialProvider(app, "")
    with mock.patch.object(_OpenIdMetadata, "_refresh", refresh), mock.patch.object(jwt.api_jwt, "datetime", Clock):
        try:
            identity = await ChannelValidation.authenticate_channel_token_with_service_url(
                "Bearer " + token, credentials, service, "msteams", AuthenticationConfiguration())
            return bool(identity.is_authenticated)
        except Exception:
            return False

async def main():
    return {label: await judge(token) for label, token in {**tokens, "ours": asked["ours"]}.items()}

judged = asyncio.run(main())
json.dump({"tokens": tokens, "judged": judged}, sys.stdout)
"#;

#[tokio::test]
async fn we_and_the_sdk_believe_the_same_tokens() {
    let sample = subject().sample("text");
    let body: Value = serde_json::from_slice(&sample.body).unwrap();
    let ours = subject().signed(&sample.body, ARRIVAL);
    let ours = ours.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let answer = oracle::ask(
        JUDGE,
        &json!({
            "now": ARRIVAL.0 / 1000,
            "app": "00000000-0000-4000-8000-00000000abcd",
            "service": body["serviceUrl"],
            "pem": TEST_KEY,
            "keys": test_key_set().unwrap(),
            "ours": ours,
        }),
    );
    assert_eq!(answer["judged"]["ours"], true, "the SDK believes what our simulator signs");
    let channel = subject().open("http://127.0.0.1:9");
    let mut believed = 0;
    let tokens = answer["tokens"].as_object().unwrap();
    for (name, token) in tokens {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.as_str().unwrap())).unwrap();
        let post = request(HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]), &sample.body);
        let ours = channel.verify(post).and_then(|verified| channel.parse(&verified));
        assert_eq!(json!(ours.is_ok()), answer["judged"][name], "{name}: {ours:?}");
        believed += usize::from(ours.is_ok());
    }
    assert_eq!((believed, tokens.len() > 35), (2, true));
}

/// What the SDK's schema sees in an activity. What it does not know ends up among the additional properties.
const SCHEMA: &str = r#"
import json, sys
from botbuilder.schema import Activity
from botbuilder.schema.teams import *
from msrest import Deserializer
import botbuilder.schema as schema

deserialize = Deserializer({name: value for name, value in vars(schema).items() if isinstance(value, type)})
def read(body):
    activity = deserialize("Activity", json.loads(body))
    return {
        "type": activity.type, "id": activity.id, "service": activity.service_url, "from": activity.from_property and activity.from_property.id,
        "conversation": activity.conversation and activity.conversation.id, "text": activity.text,
        "format": activity.text_format, "attachments": [each.content_type for each in activity.attachments or []],
        "timestamp": activity.timestamp and int(activity.timestamp.timestamp() * 1000),
    }
json.dump([read(body) for body in json.load(sys.stdin)], sys.stdout)
"#;

#[tokio::test]
async fn the_sdk_reads_our_samples_as_we_do() {
    let samples = subject().samples();
    let bodies: Vec<Value> = samples.iter().map(|sample| json!(std::str::from_utf8(&sample.body).unwrap())).collect();
    let answer = oracle::ask(SCHEMA, &Value::from(bodies));
    let channel = subject().open("http://127.0.0.1:9");
    let mut compared = 0;
    for (sample, theirs) in samples.iter().zip(answer.as_array().unwrap()) {
        let verified = channel.verify(subject().signed(&sample.body, ARRIVAL)).unwrap();
        let Some(ours) = channel.parse(&verified).unwrap().messages.into_iter().next() else { continue };
        assert_eq!(json!(ours.message_id), theirs["id"], "{}", sample.name);
        assert_eq!(json!(ours.sent_at.0), theirs["timestamp"], "{}", sample.name);
        let conversation = theirs["conversation"].as_str().unwrap();
        let (room, service) = ours.reply_to.to.split_once('|').unwrap();
        assert!(conversation.starts_with(room), "{}", sample.name);
        assert_eq!(conversation.split_once(";messageid=").map(|(_, root)| root), ours.thread.as_deref());
        assert_eq!(theirs["service"].as_str().unwrap().trim_end_matches('/'), service, "{}", sample.name);
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[tokio::test]
async fn the_sdk_reads_what_we_send() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let to = subject().address();
    let choices = [Choice { label: "Yes".to_owned(), value: "y".to_owned() }];
    channel.send(&OutboundPart { choices: &choices, ..part(&to, "**May** I?") }).await.unwrap();
    channel.typing(&to).await.unwrap();
    let bodies: Vec<Value> =
        platform.take().iter().map(|seen| json!(std::str::from_utf8(&seen.body).unwrap())).collect();
    let read = oracle::ask(SCHEMA, &Value::from(bodies));
    assert_eq!(
        (&read[0]["type"], &read[0]["text"], &read[0]["format"]),
        (&json!("message"), &json!("**May** I?"), &json!("markdown"))
    );
    assert_eq!(read[0]["attachments"], json!(["application/vnd.microsoft.card.adaptive"]));
    assert_eq!(read[1]["type"], "typing");
}
