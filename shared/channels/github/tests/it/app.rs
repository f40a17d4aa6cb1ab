//! A GitHub App: its own token, and those of its installations. PyJWT judges the one, `cryptography` makes the keys, so that
//! none lies in the repository.

use std::sync::{Arc, OnceLock};

use crate::account::{address, calls, open_at};
use chela_core::channel::{Channel, Registration, SendError};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::oracle::ask;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, part};
use serde_json::{Value, json};

use crate::subject::manners;

const JUDGE: &str = r#"
import json, sys
question = json.load(sys.stdin)
if question["do"] == "key":
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = lambda key, form: key.private_bytes(s.Encoding.PEM, form, s.NoEncryption()).decode()
    answer = {
        "pkcs1": private(key, s.PrivateFormat.TraditionalOpenSSL),
        "pkcs8": private(key, s.PrivateFormat.PKCS8),
        "public": key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode(),
        "curve": private(ec.generate_private_key(ec.SECP256R1()), s.PrivateFormat.PKCS8),
    }
else:
    import datetime, jwt
    class At(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(question["at"], tz)
    jwt.api_jwt.datetime = At
    answer = []
    for token in question["tokens"]:
        try:
            answer.append(jwt.decode(token, question["public"], algorithms=["RS256"]))
        except jwt.InvalidTokenError as error:
            answer.append(type(error).__name__)
json.dump(answer, sys.stdout)
"#;

fn keys() -> &'static Value {
    static KEYS: OnceLock<Value> = OnceLock::new();
    KEYS.get_or_init(|| ask(JUDGE, &json!({"do": "key"})))
}

fn app_with(url: &str, pem: &str, clock: Arc<ManualClock>) -> Arc<dyn Channel> {
    let options = json!({"apiBaseUrl": url, "botLogin": "chela-bot", "appId": "5", "repos": ["octo-org/*", "other/*"]});
    open_at(options, &[("webhookSecret", "w"), ("privateKey", pem)], clock).unwrap()
}

fn app(url: &str) -> Arc<dyn Channel> {
    app_with(url, keys()["pkcs1"].as_str().unwrap(), Arc::new(ManualClock::at(ARRIVAL)))
}

#[tokio::test]
async fn pyjwt_takes_our_token_in_time_and_refuses_it_changed_or_late() {
    let platform = Platform::start(manners).await;
    let pem = |form: &str| keys()[form].as_str().unwrap().to_owned();
    let forms = [pem("pkcs1"), pem("pkcs8"), pem("pkcs1").replace('\n', "\\n")];
    let mut tokens = Vec::new();
    for pem in &forms {
        let channel = app_with(platform.url(), pem, Arc::new(ManualClock::at(ARRIVAL)));
        assert!(channel.health().await.unwrap().ok);
        let (path, authorization, _) = calls(&platform).remove(0);
        assert_eq!(path, "GET /app");
        tokens.push(authorization.strip_prefix("Bearer ").unwrap().to_owned());
    }
    let good = tokens[0].clone();
    // Every eighth character: the last one of a part may have bits that say nothing.
    for at in (0..good.len() - 1).step_by(8) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        tokens.push(String::from_utf8(bytes).unwrap());
    }
    let at = |seconds: u64, tokens: &[String]| {
        ask(JUDGE, &json!({"do": "judge", "at": seconds, "public": keys()["public"], "tokens": tokens}))
    };
    let now = ARRIVAL.seconds();
    let said = at(now, &tokens);
    let claims = json!({"iat": now - 60, "exp": now + 540, "iss": "5"});
    for (number, verdict) in said.as_array().unwrap().iter().enumerate() {
        assert_eq!(*verdict == claims, number < forms.len(), "{number}: {verdict}");
    }
    assert_eq!(at(now + 541, std::slice::from_ref(&good)), json!(["ExpiredSignatureError"]));
    assert_eq!(at(now - 61, &[good]), json!(["ImmatureSignatureError"]));
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_unseen() {
    let curve = keys()["curve"].as_str().unwrap();
    for pem in [curve, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "hunter2"] {
        let options = json!({"botLogin": "a", "appId": "5", "repos": ["o/*"]});
        let clock = Arc::new(ManualClock::at(ARRIVAL));
        let error = open_at(options, &[("webhookSecret", "w"), ("privateKey", pem)], clock).map(|_| ()).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("privateKey") && !told.contains("hunter2") && !told.contains("AAAA"), "{told}");
    }
}

#[tokio::test]
async fn each_owner_has_a_token_that_is_kept_until_shortly_before_its_end() {
    let platform = Platform::start(manners).await;
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    let channel = app_with(platform.url(), keys()["pkcs1"].as_str().unwrap(), clock.clone());
    let say = async |to: &str| {
        channel.send(&part(&address(to, None, None), "hi")).await.unwrap();
        calls(&platform).into_iter().map(|(path, authorization, _)| (path, authorization)).collect::<Vec<_>>()
    };
    let asked = say("octo-org/hello-world#7").await;
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.as_str()).collect();
    let wanted = [
        "GET /repos/octo-org/hello-world/installation",
        "POST /app/installations/99/access_tokens",
        "POST /repos/octo-org/hello-world/issues/7/comments",
    ];
    assert_eq!(paths, wanted);
    assert_eq!(asked[2].1, "Bearer ghs_installation");
    assert!(asked[0].1.starts_with("Bearer ey") && asked[1].1.starts_with("Bearer ey"));
    assert_eq!(say("Octo-Org/another#1").await.len(), 1, "the owner's token is there");
    assert_eq!(say("other/one#1").await.len(), 3, "another owner has another installation");
    // It ends at 01:00.
    clock.advance(54 * 60_000);
    assert_eq!(say("octo-org/hello-world#7").await.len(), 1);
    clock.advance(60_000);
    assert_eq!(say("octo-org/hello-world#7").await.len(), 3);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let platform = Platform::start(manners).await;
    let channel = app(platform.url());
    let to = address("octo-org/hello-world#7", None, None);
    channel.send(&part(&to, "hi")).await.unwrap();
    calls(&platform);
    let bad = || Answer::json(401, &json!({"message": "Bad credentials"}));
    platform.next(bad());
    channel.send(&part(&to, "hi")).await.unwrap();
    assert_eq!(calls(&platform).len(), 4);
    platform.next(bad());
    platform.next(Answer::json(200, &json!({"id": 99})));
    platform.next(Answer::json(201, &json!({"token": "ghs_2", "expires_at": "2026-01-01T01:00:00Z"})));
    platform.next(bad());
    let error = channel.send(&part(&to, "hi")).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "{error}");
    assert_eq!(calls(&platform).len(), 4);
}

#[tokio::test]
async fn without_a_token_nothing_was_sent() {
    let platform = Platform::start(manners).await;
    let channel = app(platform.url());
    let to = address("octo-org/hello-world#7", None, None);
    platform.next(Answer::text(502, "<html>"));
    let error = channel.send(&part(&to, "hi")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    platform.next(Answer::json(404, &json!({"message": "Not Found"})));
    let error = channel.send(&part(&to, "hi")).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn the_apps_webhook_is_set_with_its_secret() {
    let platform = Platform::start(manners).await;
    let url = "https://example.org/webhook/github";
    let done = app(platform.url()).register(url, &[]).await.unwrap();
    assert!(matches!(done, Registration::Done { .. }));
    let (path, _, body) = calls(&platform).remove(0);
    assert_eq!(path, "PATCH /app/hook/config");
    assert_eq!(body, json!({"url": url, "content_type": "json", "secret": "w", "insecure_ssl": "0"}));
    platform.next(Answer::json(200, &json!({"slug": "another-app"})));
    let told = app(platform.url()).health().await.unwrap();
    assert!(!told.ok && told.summary.starts_with("@another-app; posts to https://example.org/w"), "{told:?}");
}
