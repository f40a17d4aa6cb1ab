//! The server-side request forgery cases of the security corpus (`tests/ssrf.jsonl`), one test for each.

use std::collections::BTreeSet;
use std::time::Duration;

use chela_http::{HostPort, HttpError, Request};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue};

use crate::server::{Act, Server, client, client_of, get, moved, ok};

/// Concrete URLs for the corpus cases whose verdict is "refused without a byte sent".
const REFUSED: &[(&str, &[&str])] = &[
    ("S01", &["http://169.254.169.254/latest/meta-data/iam/security-credentials/", "https://169.254.169.254/"]),
    ("S02", &["http://169.254.100.1:9001/2026-01-15/metadata/execution-environment", "https://169.254.100.1:9001/"]),
    (
        "S03",
        &[
            "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
            "https://127.0.0.1:9001/2020-01-01/extension/event/next",
            "https://0x7f.1:9001/",
            "https://2130706433:9001/",
            "https://0177.0.0.1:9001/",
        ],
    ),
    (
        "S04",
        &[
            "http://localhost:2773/secretsmanager/get?secretId=x",
            "https://localhost:2773/systemsmanager/parameters/get",
            "https://[::1]:2773/",
        ],
    ),
    (
        "S06",
        &[
            "https://[::ffff:169.254.169.254]/",
            "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[::5efe:127.0.0.1]/",
            "https://[2a00::5efe:127.0.0.1]/",
            "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        ],
    ),
    ("S08", &["http://localhost./", "https://localhost./", "http://LOCALHOST%00.example/", "https://LOCALHOST/"]),
    (
        "S13",
        &[
            "file:///proc/self/environ",
            "gopher://example.com/",
            "data:text/plain,x",
            "\\\\evil\\share",
            "ftp://example.com/",
            "https:evil.example",
            "https:/evil.example/",
            "//evil.example/",
        ],
    ),
    (
        "S14",
        &[
            "https://0.0.0.0/",
            "https://100.64.0.1/",
            "https://192.0.0.1/",
            "https://198.18.0.1/",
            "https://240.0.0.1/",
            "https://255.255.255.255/",
        ],
    ),
    (
        "S17",
        &[
            "https://api.telegram.org@169.254.169.254/",
            "https://@example.com/",
            "https://user:password@example.com/",
            "https://exa\tmple.com/",
            "https://example.com\\@evil.example/",
            "https://-example.com/",
            "https://example..com/",
            "https://example.com:0/",
            "https://",
        ],
    ),
];

/// Cases with a test of their own: below, in `proxy`, in `wire`, and beside the resolver.
const TOLD_ELSEWHERE: &[&str] = &["S09", "S11", "S18", "S19"];

#[test]
fn every_case_of_the_corpus_is_covered() {
    let corpus: BTreeSet<String> = include_str!("../ssrf.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    let covered = REFUSED.iter().map(|(id, _)| id).chain(TOLD_ELSEWHERE).map(ToString::to_string).collect();
    assert_eq!(corpus, covered);
}

#[tokio::test]
async fn forbidden_ground_is_refused_without_a_byte_sent() {
    // Another port of the same machine is configured; that opens nothing else.
    let client = client(&["http://localhost:11434", "http://127.0.0.1:11434"], None);
    for (id, urls) in REFUSED {
        for url in *urls {
            let error = client.send(get(*url)).await.unwrap_err();
            let refused = matches!(error, HttpError::Blocked { .. } | HttpError::BadUrl { .. });
            assert!(refused && error.not_sent(), "{id} {url}: {error:?}");
        }
    }
}

#[tokio::test]
async fn plain_http_is_only_for_configured_hosts() {
    let error = client(&[], None).send(get("http://93.184.216.34/")).await.unwrap_err();
    assert!(matches!(&error, HttpError::Blocked { reason, .. } if reason.contains("https")), "{error:?}");
}

#[tokio::test]
async fn configured_means_host_and_port() {
    let (listed, other) = (Server::start(answer).await, Server::start(answer).await);
    let client = client_of(&listed);
    assert!(client.send(get(listed.url("/"))).await.is_ok());
    assert!(matches!(client.send(get(other.url("/"))).await, Err(HttpError::Blocked { .. })));
    assert_eq!(other.seen().len(), 0);
}

/// S08: the trailing dot changes nothing, in the configuration or in the URL.
#[tokio::test]
async fn a_trailing_dot_changes_no_verdict() {
    let server = Server::start(answer).await;
    let port = server.address.port();
    let (plain, dotted) = (format!("http://localhost:{port}/"), format!("http://localhost.:{port}/"));
    assert_eq!(HostPort::of_url(&plain).unwrap(), HostPort::of_url(&dotted).unwrap());
    for url in [&plain, &dotted] {
        assert!(client(&[&dotted], None).send(get(url)).await.is_ok(), "{url}");
    }
}

/// S17: names are compared whole.
#[test]
fn a_longer_name_is_another_name() {
    let telegram = HostPort::of_url("https://api.telegram.org/").unwrap();
    assert_ne!(telegram, HostPort::of_url("https://api.telegram.org.evil.example/").unwrap());
    assert_ne!(telegram, HostPort::of_url("https://xapi.telegram.org/").unwrap());
    assert_eq!(telegram, HostPort::of_url("https://API.Telegram.org:443/bot").unwrap());
}

#[tokio::test]
async fn urls_others_chose_do_not_reach_configured_private_hosts() {
    let server = Server::start(answer).await;
    let error = client_of(&server).public_only().send(get(server.url("/"))).await.unwrap_err();
    assert!(matches!(error, HttpError::Blocked { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 0);
}

/// S11, at the last hop that can be had on one machine: a stranger's redirect is vetted as a public URL, so it reaches
/// no configured private host; the headers it would carry are tested beside the client.
#[tokio::test]
async fn a_redirect_to_another_origin_reaches_nothing_private() {
    let inner = Server::start(answer).await;
    let inner_url = inner.url("/");
    let outer = Server::start(move |_| Act::Answer(moved(302, &inner_url))).await;
    let client = client(&[&outer.url("/"), &inner.url("/")], None);
    let request = get(outer.url("/"))
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer t"))
        .header(HeaderName::from_static("private-token"), HeaderValue::from_static("t"))
        .header(ACCEPT, HeaderValue::from_static("*/*"))
        .follow(5);
    let error = client.send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::Blocked { .. }), "{error:?}");
    assert_eq!((outer.seen().len(), inner.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_redirect_to_no_url_of_ours_is_refused() {
    for location in ["file:///etc/passwd", "https://user@example.com/", "https://169.254.169.254/"] {
        let server = Server::start(|_| Act::Answer(moved(301, location))).await;
        let error = client_of(&server).send(get(server.url("/")).follow(1)).await.unwrap_err();
        assert!(matches!(error, HttpError::BadUrl { .. } | HttpError::Blocked { .. }), "{location}: {error:?}");
    }
}

/// S18: one byte now and then does not outlive the deadline, a compressed bomb is not unpacked.
#[tokio::test]
async fn a_trickle_ends_at_the_deadline_and_nothing_is_unpacked() {
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nx";
    let server = Server::start(|_| Act::AnswerAndStall(head.to_owned())).await;
    let request = Request::get(server.url("/"), Duration::from_millis(200), 1024);
    let mut stream = client_of(&server).stream(request, Duration::from_secs(60)).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"x"[..]));
    assert!(matches!(stream.chunk().await, Err(HttpError::Unknown { .. })));
}

fn answer(_: &str) -> Act {
    Act::Answer(ok("inside"))
}
