//! Servers that want a login: that of the official SDK, and those that would like to have somebody else's token.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_clock::SystemClock;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions, Request};
use chela_mcp::oauth::{Grant, Login, Wanted};
use chela_mcp::{Hidden, McpError, ServerSettings, Way};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::hostile::{Answer, Scripted};
use crate::house::{House, Sdk, at, named};

const REDIRECT: &str = "http://127.0.0.1:9/callback";

fn wanted() -> Wanted {
    Wanted { redirect: REDIRECT.into(), ..Wanted::default() }
}

fn plain_http(origin: &str) -> HttpClient {
    let allow_hosts = vec![HostPort::of_url(origin).unwrap()];
    HttpClient::new(HttpOptions { allow_hosts, user_agent: "test".into(), extra_roots: None }).unwrap()
}

/// What a browser would bring back.
async fn browse(origin: &str, address: &str) -> String {
    let answer = plain_http(origin).send(Request::get(address, Duration::from_secs(20), 65_536)).await.unwrap();
    let location = answer.headers.get("location").unwrap_or_else(|| panic!("{answer:?}")).to_str().unwrap();
    assert!(location.starts_with(REDIRECT), "{location}");
    Url::parse(location).unwrap().query().unwrap().to_owned()
}

fn with_grant(url: &str, grant: &Grant) -> ServerSettings {
    at(Way::Http { url: url.into(), headers: vec![], grant: Some(Hidden::Here(grant.text())) })
}

#[tokio::test]
async fn a_person_signs_in_once_and_the_token_is_renewed_for_every_process_after_it() {
    for group in ["mcp", "mcp-v1"] {
        let (house, sdk) = (House::new(), Sdk::start(group, &["oauth", "json"]).await);
        let unsigned = house.servers(vec![crate::house::http(&sdk.url())]);
        let (tools, problems) = unsigned.tools(true).await;
        assert!(tools.is_empty() && problems[0].contains("chela mcp login sdk"), "{problems:?}");

        let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
        let query: HashMap<_, _> = Url::parse(login.address()).unwrap().query_pairs().into_owned().collect();
        assert_eq!((query["code_challenge_method"].as_str(), query["resource"].as_str()), ("S256", sdk.url().as_str()));
        let back = browse(&sdk.origin, login.address()).await;
        let grant = login.finish(&back, &SystemClock).await.unwrap();
        assert!(grant.renews() && grant.expires_at().is_some());

        let servers = house.servers(vec![with_grant(&sdk.url(), &grant)]);
        let (tools, problems) = servers.tools(true).await;
        assert_eq!(problems, Vec::<String>::new(), "{group}");
        let add = named(&tools, "sdk__add");
        let sum = house.call(&add, json!({"a": 1, "b": 2})).await;
        assert!(!sum.is_error && sum.text.contains("\n3\n"), "{}", sum.text);

        // The server forgets its tokens: one renewal, and nobody has to sign in.
        let http = plain_http(&sdk.origin);
        let expire = || Request::post(format!("{}/expire", sdk.origin), "", Duration::from_secs(20), 65_536);
        http.send(expire()).await.unwrap();
        let sum = house.call(&add, json!({"a": 2, "b": 2})).await;
        assert!(!sum.is_error && sum.text.contains("\n4\n"), "{}", sum.text);
        // A refresh token is good for once: a later process finds its successor, sealed, in the file store.
        http.send(expire()).await.unwrap();
        let later = house.servers(vec![with_grant(&sdk.url(), &grant)]);
        let (tools, _) = later.tools(true).await;
        let sum = house.call(&named(&tools, "sdk__add"), json!({"a": 3, "b": 2})).await;
        assert!(!sum.is_error && sum.text.contains("\n5\n"), "{}", sum.text);
        let seen =
            http.send(Request::get(format!("{}/seen", sdk.origin), Duration::from_secs(20), 65_536)).await.unwrap();
        let seen: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(seen, json!({"resources": [sdk.url()], "refreshed": 2}), "{group}");
        let kept = std::fs::read(house.folder.path().join("files/mcp/sdk/tokens")).unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains("refresh"), "sealed");
    }
}

#[tokio::test]
async fn d06_only_the_answer_to_our_question_is_taken() {
    let sdk = Sdk::start("mcp", &["oauth", "json"]).await;
    let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
    let query: HashMap<_, _> = Url::parse(login.address()).unwrap().query_pairs().into_owned().collect();
    // The server knows the verifier at the end alone: nothing that travels before is what was hashed.
    for (key, value) in &query {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(value));
        assert!(hash != query["code_challenge"] && key != "code_verifier", "{key} is the verifier");
    }
    let other = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
    let other: HashMap<_, _> = Url::parse(other.address()).unwrap().query_pairs().into_owned().collect();
    assert!(other["state"] != query["state"] && other["code_challenge"] != query["code_challenge"]);
    assert!(query["state"].len() >= 32);
    for spoiled in ["state=", "state=x", ""] {
        let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
        let back = browse(&sdk.origin, login.address()).await;
        let rest: Vec<&str> = back.split('&').filter(|pair| !pair.starts_with("state=")).collect();
        let refused = login.finish(&format!("{}&{spoiled}", rest.join("&")), &SystemClock).await.err().unwrap();
        assert!(refused.to_string().contains("another question"), "\"{spoiled}\": {refused}");
    }
    // Of two answers in one nobody can tell which is meant.
    let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
    let back = browse(&sdk.origin, login.address()).await;
    assert!(login.finish(&format!("{back}&state=x"), &SystemClock).await.is_err());
    for (spoil, why) in [("state", "another question"), ("iss", "somebody else")] {
        let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
        let back = browse(&sdk.origin, login.address()).await;
        let changed = |(key, value): (String, String)| {
            let value = if key == spoil { format!("{value}x") } else { value };
            format!("{key}={}", url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>())
        };
        let pairs: Vec<String> = url::form_urlencoded::parse(back.as_bytes()).into_owned().map(changed).collect();
        let refused = login.finish(&pairs.join("&"), &SystemClock).await.err().unwrap();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
    let state =
        Url::parse(login.address()).unwrap().query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let denied = format!("state={state}&iss={}&error=access_denied", sdk.origin);
    let refused = login.finish(&denied, &SystemClock).await.err().unwrap();
    assert!(refused.to_string().contains("access_denied"), "{refused}");
}

/// A server whose words about itself are given.
async fn server_saying(resource: impl Fn(&str) -> Value, issuer: impl Fn(&str) -> Value) -> (Scripted, Vec<Answer>) {
    let server = Scripted::start().await;
    let words =
        vec![Answer::status(401), Answer::json(&resource(&server.origin)), Answer::json(&issuer(&server.origin))];
    (server, words)
}

#[tokio::test]
async fn whoever_lets_people_in_must_be_who_it_says_and_know_pkce() {
    let resource = |origin: &str| json!({"resource": format!("{origin}/mcp"), "authorization_servers": [origin]});
    let good = |origin: &str| {
        json!({
            "issuer": origin, "authorization_endpoint": format!("{origin}/a"), "token_endpoint": format!("{origin}/t"),
            "registration_endpoint": format!("{origin}/r"), "code_challenge_methods_supported": ["S256"],
        })
    };
    let with = |key: &'static str, value: Value| {
        move |origin: &str| {
            let mut words = good(origin);
            words[key] = value.clone();
            words
        }
    };
    type Words = Box<dyn Fn(&str) -> Value>;
    let cases: Vec<(Words, Words, &str)> = vec![
        (Box::new(resource), Box::new(with("issuer", json!("https://other.example"))), "another name"),
        (Box::new(resource), Box::new(with("code_challenge_methods_supported", json!(["plain"]))), "PKCE"),
        (Box::new(resource), Box::new(with("code_challenge_methods_supported", json!(null))), "PKCE"),
        (Box::new(resource), Box::new(with("authorization_endpoint", json!("http://evil.example/a"))), "plain http"),
        (
            Box::new(|origin| json!({"resource": "https://bank.example/mcp", "authorization_servers": [origin]})),
            Box::new(good),
            "another server",
        ),
    ];
    for (resource, issuer, why) in cases {
        let (server, mut words) = server_saying(resource, issuer).await;
        words.push(Answer::json(&json!({"client_id": "c"})));
        server.will(words);
        let refused = Login::begin(&server.url(), wanted(), &SystemClock).await.err().unwrap();
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    // The control: the same words without a fault.
    let (server, mut words) = server_saying(resource, good).await;
    words.push(Answer::json(&json!({"client_id": "c"})));
    server.will(words);
    Login::begin(&server.url(), wanted(), &SystemClock).await.unwrap();
}

#[tokio::test]
async fn a_server_cannot_send_us_into_the_private_network() {
    let inside = Scripted::start().await;
    let origin = inside.origin.clone();
    let resource = move |own: &str| json!({"resource": format!("{own}/mcp"), "authorization_servers": [origin]});
    let (server, words) = server_saying(resource, |_| json!({})).await;
    server.will(words);
    let refused = Login::begin(&server.url(), wanted(), &SystemClock).await.err().unwrap();
    assert!(matches!(refused, McpError::Unreachable(_)), "{refused}");
    assert!(inside.asked().is_empty());
    // Nor for the words about itself.
    let elsewhere = format!("Bearer resource_metadata=\"{}/x\"", inside.origin);
    server.will(vec![Answer::status(401).with("www-authenticate", &elsewhere)]);
    assert!(Login::begin(&server.url(), wanted(), &SystemClock).await.is_err());
    assert!(inside.asked().is_empty());
}

#[tokio::test]
async fn a_token_goes_to_the_server_it_was_given_for_and_nowhere_else() {
    let sdk = Sdk::start("mcp", &["oauth", "json"]).await;
    let login = Login::begin(&sdk.url(), wanted(), &SystemClock).await.unwrap();
    let back = browse(&sdk.origin, login.address()).await;
    let grant = login.finish(&back, &SystemClock).await.unwrap();
    let (house, other) = (House::new(), Scripted::start().await);
    let servers = house.servers(vec![with_grant(&other.url(), &grant)]);
    let (_, problems) = servers.tools(true).await;
    assert!(problems[0].contains("the login is for"), "{problems:?}");
    assert!(other.asked().is_empty());
    // A redirect takes nothing along either: it is not followed.
    let moved = Scripted::start().await;
    moved.will(vec![Answer::status(307).with("location", &other.url())]);
    let headers = vec![("authorization".to_owned(), Hidden::Here(Secret::new("Bearer own")))];
    let servers = house.servers(vec![at(Way::Http { url: moved.url(), headers, grant: None })]);
    let (_, problems) = servers.tools(true).await;
    assert!(!problems.is_empty() && other.asked().is_empty(), "{problems:?}");
}
