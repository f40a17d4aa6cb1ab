//! PyJWT signs what we must believe and refuse, and reads what we sign.

use chela_channel_kit::jwt::simulator::{TEST_KEY, TEST_KID, test_key_set};
use chela_channel_kit::jwt::{Expected, SigningKey, verify};
use chela_core::channel::Rejected;
use chela_core::secret::Secret;
use chela_testkit::laws::channel::{ARRIVAL, oracle};
use http::HeaderValue;
use serde_json::{Value, json};

use crate::jwt::{IMPOSTOR, NOW};
use crate::keys::{given, request};

/// Makes two RSA keys, publishes one of them as a JWK, and signs all kinds of tokens. Each is named, and judged by PyJWT
/// itself at the time of the test with our five minutes.
const SIGN: &str = r#"
import json, sys, base64, datetime
from unittest import mock
import jwt, jwt.api_jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

now = json.load(sys.stdin)
key, impostor = (rsa.generate_private_key(public_exponent=65537, key_size=bits) for bits in (3072, 2048))
jwk = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
jwk.update(kid="k1", use="sig", alg="RS256")

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(now, tz)

good = {"iss": "i", "aud": "us", "exp": now + 60, "nbf": now, "iat": now}
tokens = {}
def sign(label, signer=key, alg="RS256", head={"kid": "k1"}, **changed):
    claims = {claim: value for claim, value in {**good, **changed}.items() if value is not None}
    tokens[label] = jwt.encode(claims, signer, algorithm=alg, headers=head)

sign("good")
sign("unicode", name="Ada \u00e9 \U0001f600", deep={"a": [1, {"b": None}]})
sign("expired within the leeway", exp=now - 299)
sign("expired", exp=now - 300)
sign("not yet, within the leeway", nbf=now + 300)
sign("not yet", nbf=now + 301)
sign("from the future", iat=now + 301)
sign("without exp", exp=None)
sign("without iss", iss=None)
sign("without aud", aud=None)
sign("another issuer", iss="j")
sign("another audience", aud="them")
sign("impostor", signer=impostor)
sign("another name", head={"kid": "k2"})
sign("none", signer=None, alg="none")
sign("hs256", signer="x" * 64, alg="HS256")
sign("rs384", alg="RS384")
sign("rs512", alg="RS512")
sign("ps256", alg="PS256")

good_token = tokens["good"]
header, payload, signature = good_token.split(".")
tokens["payload of another"] = ".".join([header, tokens["unicode"].split(".")[1], signature])
raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
for at in range(0, len(raw), 16):
    raw[at] ^= 1
    tokens[f"flip {at}"] = ".".join([header, payload, base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()])
    raw[at] ^= 1

def judge(token):
    with mock.patch.object(jwt.api_jwt, "datetime", Clock):
        try:
            if jwt.get_unverified_header(token)["kid"] != "k1":
                return False
            options = {"require": ["exp", "iss", "aud"]}
            jwt.decode(token, jwt.PyJWK(jwk), algorithms=["RS256"], issuer="i", audience="us", leeway=300, options=options)
            return True
        except jwt.exceptions.PyJWTError:
            return False

judged = {name: judge(token) for name, token in tokens.items()}
json.dump({"keys": {"keys": [jwk]}, "tokens": tokens, "judged": judged}, sys.stdout)
"#;

#[test]
fn we_and_pyjwt_believe_the_same_tokens() {
    let answer = oracle::ask(SIGN, &json!(NOW));
    let keys = given(&answer["keys"]);
    let expected = Expected { issuers: &["i"], audiences: &["us"] };
    let mut counted = (0, 0);
    for (name, token) in answer["tokens"].as_object().unwrap() {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.as_str().unwrap())).unwrap();
        let ours = verify(request(&bearer, ARRIVAL), &keys, &expected, |_, _| Ok(()));
        assert_eq!(json!(ours.is_ok()), answer["judged"][name], "{name}: {:?}", ours.map(drop));
        if let Err(error) = &ours {
            assert!(matches!(error, Rejected::Unproven(_)), "{name}: {error}");
            counted.1 += 1;
        } else {
            counted.0 += 1;
        }
    }
    assert_eq!(counted, (4, 40), "believed and refused");
}

const READ: &str = r#"
import json, sys
import jwt

asked = json.load(sys.stdin)
def read(token, jwk):
    claims = jwt.decode(token, jwt.PyJWK(jwk), algorithms=["RS256"], options={"verify_exp": False, "verify_aud": False, "verify_iat": False})
    return {"header": jwt.get_unverified_header(token), "claims": claims}
json.dump([read(token, jwk) for token, jwk in asked], sys.stdout)
"#;

#[test]
fn pyjwt_reads_what_we_sign() {
    let claims = json!({ "iss": "bot@x", "aud": "https://oauth2.googleapis.com/token", "iat": NOW, "exp": NOW + 3600, "é": "😀" });
    let signed = |pem: &str, kid: Option<&str>| -> Value {
        let key = SigningKey::from_pem(&Secret::new(pem)).unwrap();
        json!([key.token(kid, &claims).expose(), key.public_jwk()])
    };
    let published = test_key_set().unwrap()["keys"][0].clone();
    let mut test = signed(TEST_KEY, Some(TEST_KID));
    test[1] = published;
    let read = oracle::ask(READ, &json!([test, signed(IMPOSTOR, None)]));
    assert_eq!(read[0], json!({ "header": { "alg": "RS256", "typ": "JWT", "kid": TEST_KID }, "claims": claims }));
    assert_eq!(read[1], json!({ "header": { "alg": "RS256", "typ": "JWT" }, "claims": claims }));
}
