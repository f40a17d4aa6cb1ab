//! What goes out, what comes back, and what is known when it does not.

use std::time::Duration;

use bytes::Bytes;
use chela_http::{HttpError, Request, StreamingResponse};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;

use crate::server::{Act, Server, client, client_of, get, moved, ok};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_request_arrives_as_it_was_written_and_its_answer_comes_back_whole() {
    let server = Server::start(|_| Act::Answer(ok("pong"))).await;
    let request = Request::post(server.url("/a%20b?x=1#f"), "ping", Duration::from_secs(10), 1024)
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer t"))
        .header(HOST, HeaderValue::from_static("elsewhere.example"));
    let response = client_of(&server).send(request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (StatusCode::OK, &b"pong"[..]));
    let seen = server.seen().concat().to_ascii_lowercase();
    assert!(seen.starts_with("post /a%20b?x=1 http/1.1\r\n"), "{seen}");
    assert!(seen.contains("authorization: bearer t\r\n") && seen.ends_with("\r\n\r\nping"), "{seen}");
    assert!(seen.contains(&format!("host: {}\r\n", server.address)) && !seen.contains("elsewhere"), "{seen}");
    assert!(seen.contains("user-agent: chela-test\r\n") && !seen.contains("accept-encoding"), "{seen}");
}

#[tokio::test]
async fn an_error_status_is_an_answer() {
    let server = Server::start(|_| Act::Answer("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno".to_owned())).await;
    let response = client_of(&server).send(get(server.url("/"))).await.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (500, &b"no"[..]));
}

#[tokio::test]
async fn the_words_of_the_http_crate_work_too() {
    let server = Server::start(|_| Act::Answer(ok("stored"))).await;
    let request = http::Request::builder()
        .method(Method::PUT)
        .uri(server.url("/bucket/key"))
        .header("x-amz-target", "a.B")
        .body(Bytes::from_static(b"data"))
        .unwrap();
    let response = client_of(&server).http_request(request, Duration::from_secs(10), 1024).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"stored"[..]));
    let seen = server.seen().concat();
    assert!(seen.starts_with("PUT /bucket/key HTTP/1.1\r\n") && seen.contains("x-amz-target: a.B\r\n"), "{seen}");
}

#[tokio::test]
async fn nobody_listening_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&[&url], None).send(get(&url)).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent { .. }) && error.not_sent(), "{error:?}");
}

#[tokio::test]
async fn silence_after_the_request_leaves_its_fate_unknown() {
    let server = Server::start(|_| Act::AnswerAndStall(String::new())).await;
    let request = Request::post(server.url("/"), "x", SHORT, 1024);
    let error = client_of(&server).send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { .. }) && !error.not_sent(), "{error:?}");
    assert_eq!(server.seen().len(), 1, "an unknown fate is not tried again");
}

#[tokio::test]
async fn a_connection_closed_after_the_request_leaves_its_fate_unknown() {
    let server = Server::start(|_| Act::Answer(String::new())).await;
    let error = client_of(&server).send(Request::post(server.url("/"), "x", SHORT, 1024)).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_an_answer() {
    let server = Server::start(|_| Act::Answer("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned())).await;
    let error = client_of(&server).send(get(server.url("/"))).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_over_the_cap_is_cut_announced_or_not() {
    let too_much = [
        || Act::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned()),
        || Act::AnswerAndStall("HTTP/1.1 200 OK\r\ncontent-length: 1025\r\n\r\n".to_owned()),
    ];
    for act in too_much {
        let server = Server::start(move |_| act()).await;
        let error = client_of(&server).send(get(server.url("/"))).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { limit: 1024, .. }), "{error:?}");
    }
    let server = Server::start(|_| Act::Answer(ok(&"y".repeat(1024)))).await;
    assert_eq!(client_of(&server).send(get(server.url("/"))).await.unwrap().body.len(), 1024);
}

async fn stalled(idle: Duration, timeout: Duration) -> (StreamingResponse, Server) {
    let server = Server::start(|_| Act::AnswerAndStall("HTTP/1.1 200 OK\r\n\r\nfirst".to_owned())).await;
    let request = Request::get(server.url("/"), timeout, 1024);
    (client_of(&server).stream(request, idle).await.unwrap(), server)
}

#[tokio::test]
async fn a_stream_hands_over_what_came_and_fails_when_nothing_more_comes() {
    let long = Duration::from_secs(20);
    for (idle, timeout, saying) in [(SHORT, long, "nothing came for 0.1 s"), (long, 3 * SHORT, "it took too long")] {
        let (mut stream, _server) = stalled(idle, timeout).await;
        assert_eq!(stream.status(), StatusCode::OK);
        assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"first"[..]));
        let error = stream.chunk().await.unwrap_err();
        assert!(matches!(&error, HttpError::Unknown { reason, .. } if reason.contains(saying)), "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_stops_at_its_cap() {
    let server = Server::start(|_| Act::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned())).await;
    let mut stream = client_of(&server).stream(get(server.url("/")), SHORT).await.unwrap();
    let mut taken = 0;
    let error = loop {
        match stream.chunk().await {
            Ok(piece) => taken += piece.unwrap().len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, HttpError::TooLarge { limit: 1024, .. }) && taken <= 1024, "{error:?} after {taken}");
}

#[tokio::test]
async fn redirects_are_answers_unless_asked_for() {
    let server = Server::start(|_| Act::Answer(moved(302, "/next"))).await;
    let response = client_of(&server).send(get(server.url("/"))).await.unwrap();
    assert_eq!((response.status.as_u16(), server.seen().len()), (302, 1));
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_its_credentials_and_ends_at_the_hop_limit() {
    let server = Server::start(|_| Act::Answer(moved(307, "/again"))).await;
    let request = get(server.url("/")).header(AUTHORIZATION, HeaderValue::from_static("Bearer t")).follow(3);
    let response = client_of(&server).send(request).await.unwrap();
    let seen = server.seen();
    assert_eq!((response.status.as_u16(), seen.len()), (307, 4));
    assert!(seen.iter().all(|request| request.contains("authorization: Bearer t")), "{seen:?}");
}

#[tokio::test]
async fn a_body_is_never_repeated_elsewhere() {
    let server = Server::start(|_| Act::Answer(moved(307, "/next"))).await;
    let request = Request::post(server.url("/"), "secret", Duration::from_secs(10), 1024).follow(3);
    let response = client_of(&server).send(request).await.unwrap();
    assert_eq!((response.status.as_u16(), server.seen().len()), (307, 1));
}

/// A search with a body is a GET, and its body is as private as any.
#[tokio::test]
async fn a_body_of_a_get_is_not_repeated_either() {
    let server = Server::start(|_| Act::Answer(moved(307, "/next"))).await;
    let mut request = Request::post(server.url("/"), "secret", Duration::from_secs(10), 1024).follow(3);
    request.method = Method::GET;
    let response = client_of(&server).send(request).await.unwrap();
    assert_eq!((response.status.as_u16(), server.seen().len()), (307, 1));
}

#[tokio::test]
async fn neither_errors_nor_debug_output_show_what_may_carry_a_token() {
    let server = Server::start(|_| Act::Answer(String::new())).await;
    let client = client_of(&server);
    let url = server.url("/botTOKEN/sendMessage?key=TOKEN");
    let request = get(&url).header(AUTHORIZATION, HeaderValue::from_static("TOKEN"));
    let mut shown = format!("{request:?}");
    for url in [&url, "http://127.0.0.1:1/TOKEN", "https://10.0.0.1/TOKEN", "https://a:TOKEN@b/", "https://[TOKEN"] {
        let error = client.send(get(url)).await.unwrap_err();
        shown.push_str(&format!("{error} {error:?} {:?}\n", get(url)));
    }
    assert!(shown.contains("https://10.0.0.1") && !shown.contains("TOKEN"), "{shown}");
}
