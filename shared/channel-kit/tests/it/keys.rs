//! When keys and access tokens are fetched.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::jwt::simulator::{TEST_KEY, TEST_KID, test_bearer, test_key_set};
use chela_channel_kit::jwt::{
    AccessToken, AccessTokens, Expected, KeySource, PublishedKeys, SigningKey, exchange, verify,
};
use chela_channel_kit::{AccountSettings, Api};
use chela_core::channel::{RawRequest, SendError};
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::ARRIVAL;
use chela_testkit::laws::channel::platform::{Answer, Platform, nobody};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

const DAY: u64 = 24 * 60 * 60 * 1000;

fn settings(options: Value, url: &str) -> AccountSettings {
    let allow_hosts = vec![HostPort::of_url(url).unwrap()];
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "t".into(), extra_roots: None }).unwrap();
    AccountSettings {
        account: "main".to_owned(),
        options: options.as_object().unwrap().clone(),
        secrets: Default::default(),
        http,
        clock: Arc::new(ManualClock::at(ARRIVAL)),
    }
}

fn api(url: &str) -> Api {
    Api::new("x", settings(json!({}), url).http, vec![Secret::new("hunter2")])
}

fn fetching(source: KeySource, url: &str) -> PublishedKeys {
    PublishedKeys::new(&settings(json!({}), url), api(url), source).unwrap()
}

/// Keys as an owner gives them.
pub(crate) fn given(set: &Value) -> PublishedKeys {
    let url = "http://127.0.0.1:9";
    let source = KeySource::Jwks(url.to_owned());
    PublishedKeys::new(&settings(json!({ "publicKeys": set }), url), api(url), source).unwrap()
}

/// A post with this authorization.
pub(crate) fn request(bearer: &HeaderValue, received_at: Millis) -> RawRequest {
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer.clone())]);
    let (path, query) = (String::new(), String::new());
    RawRequest { method: Method::POST, path, query, headers, body: Bytes::new(), received_at }
}

/// A genuine post, valid for years.
fn post(received_at: Millis) -> RawRequest {
    let claims = json!({ "iss": "i", "aud": "us", "exp": u64::MAX });
    request(&test_bearer(&claims).unwrap(), received_at)
}

/// A post signed with a key that nobody has published.
fn invented(kid: &str, received_at: Millis) -> RawRequest {
    let claims = json!({ "iss": "i", "aud": "us", "exp": u64::MAX });
    let token = SigningKey::from_pem(&Secret::new(TEST_KEY)).unwrap().token(Some(kid), &claims);
    request(&HeaderValue::from_str(&format!("Bearer {}", token.expose())).unwrap(), received_at)
}

fn believed(keys: &PublishedKeys, request: RawRequest) -> bool {
    verify(request, keys, &Expected { issuers: &["i"], audiences: &["us"] }, |_, _| Ok(())).is_ok()
}

async fn publisher() -> Platform {
    Platform::start(|_| Answer::json(200, &test_key_set().unwrap())).await
}

#[tokio::test]
async fn keys_are_fetched_once_a_day() {
    let platform = publisher().await;
    let keys = fetching(KeySource::Jwks(format!("{}/keys", platform.url())), platform.url());
    assert!(!believed(&keys, post(ARRIVAL)), "nobody is believed without keys");
    for later in [0, 1, DAY - 1] {
        keys.fetch(&post(ARRIVAL.plus(later))).await.unwrap();
        assert!(believed(&keys, post(ARRIVAL.plus(later))));
    }
    assert_eq!(platform.take().len(), 1);
    keys.fetch(&post(ARRIVAL.plus(DAY))).await.unwrap();
    assert_eq!(platform.take().len(), 1);
    assert_eq!(format!("{keys:?}"), "PublishedKeys(1)");
}

#[tokio::test]
async fn a_flood_of_invented_keys_is_one_fetch_in_five_minutes() {
    let platform = publisher().await;
    let keys = fetching(KeySource::Jwks(platform.url().to_owned()), platform.url());
    keys.fetch(&post(ARRIVAL)).await.unwrap();
    platform.take();
    for at in 0..300 {
        keys.fetch(&invented(&format!("k{at}"), ARRIVAL.plus(at * 1000 - at))).await.unwrap();
    }
    assert_eq!(platform.take().len(), 0, "five minutes have not passed since the first fetch");
    for at in 0..300 {
        keys.fetch(&invented(&format!("k{at}"), ARRIVAL.plus(300_000 + at * 999))).await.unwrap();
    }
    assert_eq!(platform.take().len(), 1);
    // What is no token at all, or one of another kind, costs nothing.
    let odd = [HeaderValue::from_static("Bearer x"), HeaderValue::from_static("Bearer eyJhbGciOiJub25lIn0.e30.")];
    for odd in odd {
        keys.fetch(&request(&odd, ARRIVAL.plus(2 * DAY))).await.unwrap();
    }
    assert_eq!(platform.take().len(), 0);
}

#[tokio::test]
async fn a_new_key_of_the_platform_is_found() {
    fn manners(seen: &chela_testkit::laws::channel::platform::Seen) -> Answer {
        let mut set = test_key_set().unwrap();
        if seen.path.contains("old") {
            set["keys"][0]["kid"] = json!("old");
        }
        Answer::json(200, &set)
    }
    let platform = Platform::start(manners).await;
    let mut old = test_key_set().unwrap();
    old["keys"][0]["kid"] = json!("old");
    platform.next(Answer::json(200, &old));
    let keys = fetching(KeySource::Jwks(platform.url().to_owned()), platform.url());
    keys.fetch(&invented("old", ARRIVAL)).await.unwrap();
    assert!(believed(&keys, invented("old", ARRIVAL)) && !believed(&keys, post(ARRIVAL)));
    keys.fetch(&post(ARRIVAL.plus(300_000))).await.unwrap();
    assert!(believed(&keys, post(ARRIVAL.plus(300_000))));
    assert!(!believed(&keys, invented("old", ARRIVAL.plus(300_000))), "a key that is published no more is dropped");
    assert_eq!(platform.take().len(), 2);
}

#[tokio::test]
async fn those_who_ask_together_share_one_fetch() {
    let platform = publisher().await;
    let keys = Arc::new(fetching(KeySource::Jwks(platform.url().to_owned()), platform.url()));
    let fetches: Vec<_> = (0..20)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.fetch(&post(ARRIVAL)).await.is_ok() })
        })
        .collect();
    for fetch in fetches {
        assert!(fetch.await.unwrap());
    }
    assert_eq!(platform.take().len(), 1);
}

#[tokio::test]
async fn a_platform_that_cannot_be_asked_is_asked_again_soon_and_believed_for_a_day_more() {
    let platform = publisher().await;
    let keys = fetching(KeySource::Jwks(platform.url().to_owned()), platform.url());
    let failing = |later: u64| {
        let keys = &keys;
        async move { keys.fetch(&post(ARRIVAL.plus(later))).await.unwrap_err().to_string() }
    };
    for answer in [Answer::text(503, "no"), Answer::text(200, "<html>"), Answer::json(200, &json!({ "keys": [] }))] {
        platform.next(answer);
    }
    assert!(
        failing(0).await.contains("could not be reached: the platform's public keys cannot be fetched: status 503")
    );
    assert!(failing(9_999).await.contains("could not be reached"));
    assert_eq!(platform.take().len(), 1, "ten seconds have not passed");
    assert!(failing(10_000).await.contains("not what the platform documents"));
    assert!(failing(20_000).await.contains("no keys that can be used"));
    keys.fetch(&post(ARRIVAL.plus(30_000))).await.unwrap();
    platform.take();
    // A day later it is down; its keys do for another day, and not longer.
    for _ in 0..3 {
        platform.next(Answer::text(503, "no"));
    }
    keys.fetch(&post(ARRIVAL.plus(DAY + 30_000))).await.unwrap();
    assert!(believed(&keys, post(ARRIVAL.plus(DAY + 30_000))));
    assert!(keys.fetch(&invented("new", ARRIVAL.plus(DAY + 60_000))).await.is_err());
    assert!(keys.fetch(&post(ARRIVAL.plus(2 * DAY + 30_000))).await.is_err());
    assert!(!believed(&keys, post(ARRIVAL.plus(2 * DAY + 30_000))));
    assert_eq!(platform.take().len(), 3);
}

#[tokio::test]
async fn metadata_lead_to_keys_on_the_same_host_only() {
    let platform = publisher().await;
    let keys = fetching(KeySource::Metadata(format!("{}/.well-known/openid", platform.url())), platform.url());
    platform.next(Answer::json(200, &json!({ "jwks_uri": "https://evil.example/keys" })));
    let error = keys.fetch(&post(ARRIVAL)).await.unwrap_err().to_string();
    assert!(error.contains("another host"), "{error}");
    assert_eq!(platform.take().len(), 1);
    platform.next(Answer::json(200, &json!({ "jwks_uri": format!("{}/k", platform.url()), "issuer": "i" })));
    keys.fetch(&post(ARRIVAL.plus(10_000))).await.unwrap();
    let paths: Vec<_> = platform.take().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/.well-known/openid", "/k"]);
    assert!(believed(&keys, post(ARRIVAL.plus(10_000))));
}

#[tokio::test]
async fn keys_that_the_owner_gives_are_never_fetched_and_never_end() {
    let keys = given(&test_key_set().unwrap());
    keys.fetch(&post(ARRIVAL.plus(400 * DAY))).await.unwrap();
    assert!(believed(&keys, post(ARRIVAL.plus(400 * DAY))));
    let unfit = |set: Value| {
        let settings = settings(json!({ "publicKeys": set }), "http://127.0.0.1:9");
        let source = KeySource::Jwks(String::new());
        PublishedKeys::new(&settings, api("http://127.0.0.1:9"), source).map(drop).unwrap_err().to_string()
    };
    assert!(unfit(json!("keys")).contains("\"publicKeys\" cannot be used: it is no JSON Web Key Set"));
    let good = test_key_set().unwrap()["keys"][0].clone();
    for (field, value) in [
        ("kty", json!("EC")),
        ("use", json!("enc")),
        ("alg", json!("RS512")),
        ("kid", json!("")),
        ("kid", json!(null)),
        ("n", json!("")),
        ("n", json!("!")),
        ("e", json!("AAAA")),
    ] {
        let mut key = good.clone();
        key[field] = value.clone();
        assert!(unfit(json!({ "keys": [key] })).contains("no RSA key"), "{field}: {value}");
    }
    let zero = good["n"].as_str().unwrap();
    assert!(!zero.is_empty() && good["kid"] == TEST_KID);
}

fn token(value: &str, seconds: u64) -> AccessToken {
    AccessToken::new(value, Duration::from_secs(seconds)).unwrap()
}

#[tokio::test]
async fn an_access_token_is_kept_and_replaced_before_it_ends() {
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    let tokens = AccessTokens::new(clock.clone());
    let get = async |word: &str, lives: u64| {
        tokens.get(async || Ok(token(word, lives))).await.unwrap().value().expose().to_owned()
    };
    assert_eq!(get("one", 3600).await, "one");
    clock.advance(3_299_999);
    assert_eq!(get("two", 60).await, "one");
    clock.advance(1);
    assert_eq!(get("two", 60).await, "two");
    clock.advance(29_999);
    assert_eq!(get("three", 60).await, "two", "half of a short life");
    clock.advance(1);
    assert_eq!(get("three", 60).await, "three");
    let failed = tokens.get(async || Err(SendError::NotSent { channel: "x", reason: "no".into() }));
    clock.advance(60_000);
    assert!(failed.await.is_err());
    assert_eq!(get("four", 3600).await, "four");
}

#[tokio::test]
async fn those_who_need_a_token_together_share_one_exchange() {
    let platform = Platform::start(|_| Answer::json(200, &json!({ "access_token": "t", "expires_in": 3599 }))).await;
    let tokens = Arc::new(AccessTokens::new(Arc::new(ManualClock::at(ARRIVAL))));
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (tokens, api, url) = (tokens.clone(), api(platform.url()), platform.url().to_owned());
            let wait = Duration::from_secs(1);
            tokio::spawn(async move { tokens.get(async || exchange(&api, &url, &[], wait).await).await.is_ok() })
        })
        .collect();
    for got in waiting {
        assert!(got.await.unwrap());
    }
    assert_eq!(platform.take().len(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_forgotten_and_an_old_one_is_worth_another_attempt() {
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    let tokens = AccessTokens::new(clock.clone());
    let first = tokens.get(async || Ok(token("one", 3600))).await.unwrap();
    assert!(!tokens.refused(&first).await, "a new one will be refused too");
    let second = tokens.get(async || Ok(token("two", 3600))).await.unwrap();
    assert_eq!(second.value().expose(), "two");
    clock.advance(60_000);
    assert!(tokens.refused(&first).await, "it has been replaced meanwhile");
    assert_eq!(tokens.get(async || Ok(token("three", 3600))).await.unwrap().value().expose(), "two");
    assert!(tokens.refused(&second).await);
    assert_eq!(tokens.get(async || Ok(token("three", 3600))).await.unwrap().value().expose(), "three");
    assert!(!format!("{second:?} {:?} {tokens:?}", second.bearer()).contains("two"));
}

#[tokio::test]
async fn a_token_is_asked_for_as_oauth_says() {
    let platform = Platform::start(|_| Answer::json(200, &json!({ "access_token": "t", "expires_in": 3599 }))).await;
    let api = api(platform.url());
    let wait = Duration::from_millis(300);
    let url = format!("{}/token", platform.url());
    let form = [("grant_type", "client_credentials"), ("client_secret", "a&b=c d")];
    let got = exchange(&api, &url, &form, wait).await.unwrap();
    assert_eq!((got.value().expose(), got.bearer()), ("t", HeaderValue::from_static("Bearer t")));
    let seen = platform.take().remove(0);
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(&seen.body[..], b"grant_type=client_credentials&client_secret=a%26b%3Dc+d");
    let denied = json!({ "error": "invalid_client", "error_description": "hunter2 is wrong" });
    for (answer, told) in [
        (Answer::json(401, &denied), "x refused: no access token: status 401 invalid_client … is wrong"),
        (Answer::text(400, "<html>"), "x refused: no access token: status 400"),
        (Answer::text(429, "").header("retry-after", "7"), "x asks to wait 7 s"),
        (Answer::text(503, ""), "x could not be reached: no access token: status 503"),
        (Answer::text(200, "{}"), "x could not be reached: no access token: the answer is not one of OAuth 2.0"),
        (
            Answer::json(200, &json!({ "access_token": "a\nb", "expires_in": 1 })),
            "x could not be reached: no access token: it cannot stand in a header",
        ),
        (
            Answer::json(200, &json!({ "access_token": "", "expires_in": 1 })),
            "x could not be reached: no access token: it cannot stand in a header",
        ),
    ] {
        platform.next(answer);
        assert_eq!(exchange(&api, &url, &form, wait).await.unwrap_err().to_string(), told);
    }
    platform.next(Answer::Silence);
    let silent = exchange(&api, &url, &form, wait).await.unwrap_err();
    assert!(matches!(silent, SendError::NotSent { .. }), "no message left: {silent}");
    let gone = exchange(&api, &nobody().await, &form, wait).await.unwrap_err();
    assert!(!matches!(gone, SendError::Unknown { .. }), "{gone}");
}
