//! Google's own library for Python as the judge of tokens, in both directions.

use chela_channel_googlechat::SIMULATOR;
use chela_channel_kit::jwt::simulator::{TEST_KEY, test_key_set};
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, oracle, part, request};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::subject::subject;

/// The library validates each token as Google's guide for Chat apps shows it, with the test key as the published one and
/// at the time of the test. It signs, too: with the test key, and with another one.
const JUDGE: &str = r#"
import datetime, json, sys
from unittest import mock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt, exceptions
from google.oauth2 import id_token

asked = json.load(sys.stdin)
now, url, number = asked["now"], asked["url"], asked["number"]
CHAT = "chat@system.gserviceaccount.com"
pem = asked["pem"].encode()
own = serialization.load_pem_private_key(pem, None)
text = lambda key: key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
public = own.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
impostor = rsa.generate_private_key(public_exponent=65537, key_size=2048)

def published(certs_url, method="GET", **_):
    return mock.Mock(status=200, data=json.dumps({"public-test-key": public}).encode())

good = {
    "url": {"iss": "https://accounts.google.com", "aud": url, "email": CHAT, "email_verified": True, "sub": "1", "iat": now, "exp": now + 60},
    "number": {"iss": CHAT, "aud": number, "iat": now, "exp": now + 60},
}
tokens = {"url": {}, "number": {}}
for kind in tokens:
    def sign(label, key=own, kid="public-test-key", **changed):
        claims = {claim: value for claim, value in {**good[kind], **changed}.items() if value is not None}
        signer = crypt.RSASigner.from_string(text(key), kid)
        tokens[kind][label] = jwt.encode(signer, claims).decode()
    sign("good")
    sign("within the leeway", exp=now - 290)
    sign("expired", exp=now - 310)
    sign("a little early", iat=now + 290)
    sign("early", iat=now + 310)
    sign("another audience", aud="https://evil.example")
    sign("no audience", aud=None)
    sign("no end", exp=None)
    sign("another issuer", iss="https://evil.example")
    sign("impostor", key=impostor)
    sign("another key", kid="other")
    sign("a person", email="ada@example.com") if kind == "url" else None
    sign("not verified", email_verified=False) if kind == "url" else None
    sign("the other spelling", iss="accounts.google.com") if kind == "url" else None
    header, payload, signature = tokens[kind]["good"].split(".")
    signature = signature.rstrip("=")
    for at in range(0, len(signature) - 1, 17):
        other = "A" if signature[at] != "A" else "B"
        tokens[kind][f"flip {at}"] = f"{header}.{payload}.{signature[:at]}{other}{signature[at + 1:]}"

def judge(kind, token):
    at = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).replace(tzinfo=None)
    with mock.patch("google.auth._helpers.utcnow", lambda: at):
        try:
            if kind == "url":
                claims = id_token.verify_oauth2_token(token, published, url, clock_skew_in_seconds=300)
                return claims["email_verified"] is True and claims["email"] == CHAT
            certs = "https://www.googleapis.com/service_accounts/v1/metadata/x509/" + CHAT
            claims = id_token.verify_token(token, published, number, certs_url=certs, clock_skew_in_seconds=300)
            return claims["iss"] == CHAT
        except (exceptions.GoogleAuthError, ValueError):
            return False

judged = {kind: {label: judge(kind, token) for label, token in each.items()} for kind, each in tokens.items()}
ours = {kind: judge(kind, asked["ours"][kind]) for kind in tokens}
json.dump({"tokens": tokens, "judged": judged, "ours": ours}, sys.stdout)
"#;

const URL: &str = "https://chela.example.com/webhook/googlechat";
const NUMBER: &str = "123456789012";

fn for_number() -> ChannelUnderTest {
    const SECRETS: &[(&str, &str)] = &[("audience", NUMBER), ("serviceAccount", SIMULATOR.secrets[1].1)];
    let options = |url: &str| json!({ "apiBaseUrl": url, "audienceType": "project-number", "publicKeys": test_key_set().unwrap() });
    let mut simulator = SIMULATOR;
    simulator.secrets = SECRETS;
    ChannelUnderTest { simulator, options, ..subject() }
}

#[tokio::test]
async fn we_and_googles_library_believe_the_same_tokens() {
    let kinds = [("url", subject()), ("number", for_number())];
    let ours = |subject: &ChannelUnderTest| {
        let signed = subject.signed(b"{}", ARRIVAL).headers["authorization"].to_str().unwrap().to_owned();
        json!(signed.strip_prefix("Bearer ").unwrap())
    };
    let answer = oracle::ask(
        JUDGE,
        &json!({
            "now": ARRIVAL.0 / 1000, "url": URL, "number": NUMBER, "pem": TEST_KEY,
            "ours": { "url": ours(&kinds[0].1), "number": ours(&kinds[1].1) },
        }),
    );
    assert_eq!(answer["ours"], json!({ "url": true, "number": true }), "the library believes what our simulator signs");
    let (mut believed, mut refused) = (0, 0);
    for (kind, subject) in &kinds {
        let channel = subject.open("http://127.0.0.1:9");
        for (name, token) in answer["tokens"][kind].as_object().unwrap() {
            // The library pads its Base64, which no token of Google's does (RFC 7515, section 2).
            let token = token.as_str().unwrap().replace('=', "");
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            let ours = channel.verify(request(HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]), b"{}"));
            assert_eq!(json!(ours.is_ok()), answer["judged"][kind][name], "{kind} {name}: {:?}", ours.map(drop));
            *(if answer["judged"][kind][name] == true { &mut believed } else { &mut refused }) += 1;
        }
    }
    assert_eq!((believed, refused > 50), (7, true), "{refused}");
}

/// The library makes the assertion for the same account at the same time, and reads ours.
const ASSERT: &str = r#"
import datetime, json, sys
from unittest import mock
from google.auth import jwt
from google.oauth2 import service_account

asked = json.load(sys.stdin)
at = datetime.datetime.fromtimestamp(asked["now"], datetime.timezone.utc).replace(tzinfo=None)
with mock.patch("google.auth._helpers.utcnow", lambda: at):
    credentials = service_account.Credentials.from_service_account_info(json.loads(asked["key"]), scopes=["https://www.googleapis.com/auth/chat.bot"])
    theirs = credentials._make_authorization_grant_assertion()
both = [asked["ours"], theirs]
read = lambda token: {"header": jwt.decode_header(token), "claims": jwt.decode(token, verify=False)}
json.dump([read(token) for token in both], sys.stdout)
"#;

#[tokio::test]
async fn our_assertion_is_the_librarys() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    channel.send(&part(&subject().address(), "hello")).await.unwrap();
    let asked = platform.take_asides().remove(0);
    assert_eq!(asked.path, "/token");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    assert_eq!(form[0], ("grant_type".to_owned(), "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()));
    assert_eq!((form[1].0.as_str(), form.len()), ("assertion", 2));
    let question = json!({ "now": ARRIVAL.0 / 1000, "key": SIMULATOR.secrets[1].1, "ours": form[1].1 });
    let read: Value = oracle::ask(ASSERT, &question);
    assert_eq!(read[0], read[1]);
}
