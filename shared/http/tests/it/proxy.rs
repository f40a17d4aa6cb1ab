//! A proxy in the environment would resolve names for us.

use std::process::Command;

use chela_http::HttpError;

use crate::server::{Act, Server, client, get, ok};

const CHILD: &str = "CHELA_HTTP_TEST_PROXY_CHILD";

/// The environment of a process cannot be changed safely from inside, so the test runs itself once more.
#[tokio::test]
async fn s19_a_proxy_in_the_environment_is_ignored() {
    if let Ok(url) = std::env::var(CHILD) {
        let error = client(&[], None).send(get("https://nothing.invalid/")).await.unwrap_err();
        assert!(matches!(error, HttpError::NotSent { .. }), "{error:?}");
        assert_eq!(&client(&[&url], None).send(get(&url)).await.unwrap().body[..], b"direct");
        return;
    }
    let proxy = Server::start(|_| Act::Answer(ok("by proxy"))).await;
    let direct = Server::start(|_| Act::Answer(ok("direct"))).await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "proxy::s19_a_proxy_in_the_environment_is_ignored"]).env(CHILD, direct.url("/"));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.url(""));
    }
    let child = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!((proxy.seen().len(), direct.seen().len()), (0, 1));
}
