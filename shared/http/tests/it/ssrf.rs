//! The server-side request forgery cases of the security corpus (`tests/ssrf.jsonl`), one test for each.

use std::time::Duration;

use chela_http::{HostPort, HttpClient, HttpError, HttpOptions, Request};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue};

use crate::server::{Act, Server, client, client_of, get, moved, ok};

/// Every case of the corpus has a test that begins with its id: here, in `proxy`, `one_way_out`, or beside the client.
#[test]
fn every_case_of_the_corpus_is_covered() {
    let sources = [
        include_str!("ssrf.rs"),
        include_str!("proxy.rs"),
        include_str!("one_way_out.rs"),
        include_str!("../../src/client.rs"),
    ];
    let corpus =
        include_str!("../ssrf.jsonl").lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut cases = 0;
    for case in corpus {
        let name = format!("fn {}_", case["id"].as_str().unwrap().to_lowercase());
        assert!(sources.iter().any(|source| source.contains(&name)), "no test is named {name}…");
        cases += 1;
    }
    assert_eq!(cases, 15);
}

/// Asserts that these are refused without a byte sent.
async fn assert_refused(urls: &[&str]) {
    // Another port of the same machine is configured; that opens nothing else.
    let client = client(&["http://localhost:11434", "http://127.0.0.1:11434"], None);
    for url in urls {
        let error = client.send(get(*url)).await.unwrap_err();
        let refused = matches!(error, HttpError::Blocked { .. } | HttpError::BadUrl { .. });
        assert!(refused && error.not_sent(), "{url}: {error:?}");
    }
}

/// The same, and no configuration opens them.
async fn assert_refused_although_listed(urls: &[&str]) {
    assert_refused(urls).await;
    for url in urls {
        let Ok(place) = HostPort::of_url(url) else { continue };
        let options = HttpOptions { allow_hosts: vec![place], user_agent: "t".to_owned(), extra_roots: None };
        let error = HttpClient::new(options).unwrap().send(get(*url)).await.unwrap_err();
        assert!(matches!(error, HttpError::Blocked { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn s01_credentials_of_the_machine() {
    let urls = ["http://169.254.169.254/latest/meta-data/iam/security-credentials/", "https://169.254.169.254/"];
    assert_refused_although_listed(&urls).await;
    assert_refused_although_listed(&[
        "http://169.254.170.2/v2/credentials",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
    ])
    .await;
}

#[tokio::test]
async fn s02_the_metadata_of_lambda() {
    let path = "http://169.254.100.1:9001/2026-01-15/metadata/execution-environment";
    assert_refused_although_listed(&[path, "https://169.254.100.1:9001/", "http://169.254.79.129:2000/"]).await;
}

/// A GET there takes the next user's message away.
#[tokio::test]
async fn s03_the_runtime_api_of_lambda() {
    let urls = [
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "https://127.0.0.1:9001/2020-01-01/extension/event/next",
        "http://localhost:9001/2018-06-01/runtime/invocation/next",
        "http://localhost.:9001/",
        "http://127.1.2.3:9001/",
        "http://[::1]:9001/",
        "http://[::ffff:127.0.0.1]:9001/",
        "http://0.0.0.0:9001/",
    ];
    assert_refused_although_listed(&urls).await;
    assert_refused(&["https://0x7f.1:9001/", "https://2130706433:9001/", "https://0177.0.0.1:9001/"]).await;
}

#[tokio::test]
async fn s04_the_secrets_extension_of_lambda() {
    let urls = [
        "http://localhost:2773/secretsmanager/get?secretId=x",
        "https://localhost:2773/systemsmanager/parameters/get",
        "https://[::1]:2773/",
        "http://127.0.0.1:2773/",
    ];
    assert_refused_although_listed(&urls).await;
}

#[tokio::test]
async fn s06_ipv4_inside_ipv6() {
    let urls = [
        "https://[::ffff:169.254.169.254]/",
        "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::5efe:127.0.0.1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[2a00::5efe:127.0.0.1]/",
        "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        "https://[fec0::1]/",
    ];
    assert_refused_although_listed(&urls).await;
    assert_refused(&[
        "https://[::ffff:0:127.0.0.1]/",
        "https://[5f00::1]/",
        "https://[2001:db8::1]/",
        "https://[3fff::1]/",
    ])
    .await;
    assert_refused(&["https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/"]).await;
}

#[tokio::test]
async fn s08_a_dot_or_a_zero_byte_hides_no_host() {
    assert_refused(&[
        "http://localhost./",
        "https://localhost./",
        "http://LOCALHOST%00.example/",
        "https://LOCALHOST/",
    ])
    .await;
}

#[tokio::test]
async fn s13_other_schemes() {
    let urls = [
        "file:///proc/self/environ",
        "gopher://example.com/",
        "data:text/plain,x",
        "\\\\evil\\share",
        "ftp://example.com/",
        "https:evil.example",
        "https:/evil.example/",
        "//evil.example/",
    ];
    assert_refused(&urls).await;
}

#[tokio::test]
async fn s14_special_ranges() {
    let urls = [
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://192.0.0.1/",
        "https://198.18.0.1/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://224.0.0.1/",
        "https://203.0.113.1/",
    ];
    assert_refused(&urls).await;
}

#[tokio::test]
async fn s17_a_host_has_one_spelling_and_no_user() {
    let urls = [
        "https://api.telegram.org@169.254.169.254/",
        "https://@example.com/",
        "https://user:password@example.com/",
        "https://exa\tmple.com/",
        "https://example.com\\@evil.example/",
        "https://-example.com/",
        "https://example..com/",
        "https://example.com:0/",
        "https://example.com:/",
        "https://example.com:00443/",
        "https://example.com:65536/",
        "https://ex%61mple.com/",
        "https://\u{ff11}.1.1.1/",
        "https://1\u{3002}1.1.1/",
        "https://ex\u{ff41}mple.com/",
        "https://0x1.1.1.1/",
        "https://01.1.1.1/",
        "https://1.1/",
        "https://16843009/",
        "https://",
    ];
    assert_refused(&urls).await;
    // A name that needs another script is one.
    assert!(HostPort::of_url("https://m\u{fc}nchen.example/").is_ok());
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

/// The trailing dot changes nothing, in the configuration or in the URL.
#[tokio::test]
async fn s08_a_trailing_dot_changes_no_verdict() {
    let server = Server::start(answer).await;
    let port = server.address.port();
    let (plain, dotted) = (format!("http://localhost:{port}/"), format!("http://localhost.:{port}/"));
    assert_eq!(HostPort::of_url(&plain).unwrap(), HostPort::of_url(&dotted).unwrap());
    for url in [&plain, &dotted] {
        assert!(client(&[&dotted], None).send(get(url)).await.is_ok(), "{url}");
    }
}

/// Names are compared whole.
#[test]
fn s17_a_longer_name_is_another_name() {
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

/// At the last hop that can be had on one machine: a stranger's redirect is vetted as a public URL, so it reaches
/// no configured private host; the headers it would carry are tested beside the client.
#[tokio::test]
async fn s11_a_redirect_to_another_origin_reaches_nothing_private() {
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

/// One byte now and then does not outlive the deadline, a compressed bomb is not unpacked.
#[tokio::test]
async fn s18_a_trickle_ends_at_the_deadline_and_nothing_is_unpacked() {
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nx";
    let server = Server::start(|_| Act::AnswerAndStall(head.to_owned())).await;
    let request = Request::get(server.url("/"), Duration::from_millis(200), 1024);
    let mut stream = client_of(&server).stream(request, Duration::from_secs(60)).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"x"[..]));
    assert!(matches!(stream.chunk().await, Err(HttpError::Unknown { .. })));
}

/// An endless body, one that says how long it will be, and a huge error are cut at the same cap.
#[tokio::test]
async fn s18_every_body_ends_at_the_cap() {
    let heads = [
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
        "HTTP/1.1 500 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
    ];
    for head in heads {
        let server = Server::start(move |_| Act::Endless(head.to_owned())).await;
        let error = client_of(&server).send(get(server.url("/"))).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { limit: 1024, .. }), "{head}: {error:?}");
    }
}

/// A head ends, too: neither one long line, nor many, nor one interim answer after another outlives the deadline.
#[tokio::test]
async fn s18_a_head_without_end_is_no_answer() {
    let lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(300));
    let interim = "HTTP/1.1 103 Hints\r\nx-a: b\r\n\r\n".repeat(5_000);
    let half = "HTTP/1.1 200 OK\r\nx-a: b\r\n".to_owned();
    let heads = [("a line", None), ("lines", Some(lines)), ("interim answers", Some(interim)), ("half", Some(half))];
    for (what, head) in heads {
        let endless = || Act::Endless("HTTP/1.1 200 OK\r\nx-a: ".to_owned());
        let server = Server::start(move |_| head.clone().map_or_else(endless, Act::AnswerAndStall)).await;
        let began = std::time::Instant::now();
        let request = Request::get(server.url("/"), Duration::from_secs(1), 1024);
        let error = client_of(&server).send(request).await.unwrap_err();
        assert!(matches!(error, HttpError::Unknown { .. }), "{what}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{what}: {:?}", began.elapsed());
    }
}

/// What carries a credential goes to its own host, and takes no redirect away from it.
#[tokio::test]
async fn s20_a_client_with_a_credential_speaks_to_its_own_host_only() {
    let other = Server::start(answer).await;
    let other_url = other.url("/");
    let own = Server::start(move |_| Act::Answer(moved(302, &other_url))).await;
    let client = client(&[&own.url("/"), &other.url("/")], None).only(HostPort::of_url(&own.url("/")).unwrap());
    let key = || (AUTHORIZATION, HeaderValue::from_static("Bearer t"));
    for url in [other.url("/"), "https://example.com/".to_owned(), own.url("/").replace("127.0.0.1", "localhost")] {
        let error = client.send(get(&url).header(key().0, key().1)).await.unwrap_err();
        assert!(matches!(error, HttpError::Blocked { .. }), "{url}: {error:?}");
    }
    let error = client.send(get(own.url("/")).header(key().0, key().1).follow(3)).await.unwrap_err();
    assert!(matches!(error, HttpError::Blocked { .. }), "{error:?}");
    assert_eq!(client.send(get(own.url("/")).header(key().0, key().1)).await.unwrap().status.as_u16(), 302);
    assert_eq!((own.seen().len(), other.seen().len()), (2, 0));
}

fn answer(_: &str) -> Act {
    Act::Answer(ok("inside"))
}
