//! The API, which is what a console would speak to. There is no console, no cookie and no WebSocket: whoever has the key is
//! the owner, and nobody else is anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::binaries::{chela, folder};
use crate::local::{PATIENCE, model_config};

/// Everything the API serves to whoever has the key.
const GUARDED: [&str; 14] = [
    "/metrics",
    "/message",
    "/pairing",
    "/channels",
    "/sessions",
    "/usage",
    "/approvals",
    "/forget",
    "/deadletters",
    "/memory",
    "/memory/note",
    "/memory/search",
    "/usage/halt",
    "/mcp",
];

async fn plain() -> House {
    let platforms = Platforms::open().await;
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let config = json!({"channels": {"telegram": account(telegram, &platforms.url, &everybody())}});
    House::with(platforms, &config).await
}

#[tokio::test]
async fn a15_scopes_that_a_client_declares_are_worth_nothing() {
    let house = plain().await;
    let before = house.settled().await;
    let declared = headers(&[
        ("x-openclaw-scopes", "operator.admin"),
        ("x-scopes", "admin"),
        ("x-forwarded-user", "owner"),
        ("x-amzn-oidc-identity", "owner"),
        ("cookie", &format!("token={0}; authorization=Bearer {0}; session=admin", house.word())),
        ("authorization", "Basic b3duZXI6b3duZXI="),
    ]);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
        "capabilities": {"scopes": ["admin"]}, "clientInfo": {"name": "t", "version": "1", "scopes": ["admin"], "role": "owner"}}});
    let said = json!({"text": "hello", "scopes": ["admin"], "role": "owner"});
    for target in GUARDED {
        for body in [&hello, &said] {
            let (status, answer) = house.send(&Method::POST, target, &declared, body.to_string().as_bytes()).await;
            assert_eq!(status, 401, "{target}: {answer}");
            assert_eq!(house.get(&format!("{target}?scopes=admin&role=owner"), &declared).await.0, 401, "{target}");
        }
    }
    // With the key there is nothing above it to ask for.
    for more in ["scopes", "role", "authority", "agent", "session", "standing"] {
        let body = json!({"text": "hello", (more): ["admin"]}).to_string();
        let (status, answer) = house.owner(Method::POST, "/message", &body).await;
        assert!(status == 400 && answer.contains(more), "{more}: {status} {answer}");
    }
    assert!(before == house.settled().await, "something was written");
}

/// Where things go is in the configuration alone.
#[tokio::test]
async fn a19_no_parameter_of_a_url_changes_where_anything_goes() {
    let house = plain().await;
    let evil = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = evil.local_addr().unwrap();
    let called = Arc::new(AtomicUsize::new(0));
    let count = called.clone();
    tokio::spawn(async move {
        while evil.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let names =
        ["gatewayUrl", "url", "baseUrl", "apiBaseUrl", "api", "host", "callback_url", "redirect", "server", "ws"];
    let query: Vec<String> =
        names.iter().flat_map(|name| ["ws", "http"].map(|s| format!("{name}={s}://{address}"))).collect();
    let query = query.join("&");
    for target in ["/", "/message", "/readyz", "/sessions", "/mcp", "/channels", "/usage"] {
        house.owner(Method::GET, &format!("{target}?{query}"), "").await;
    }
    let said = json!({"text": "hello", "wait": 20}).to_string();
    let (status, answer) = house.owner(Method::POST, &format!("/message?{query}"), &said).await;
    assert!(status == 200 && answer.contains("hello"), "{status} {answer}");
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let (body, proof) = (text_of("telegram"), signed(telegram, &text_of("telegram")));
    let target = format!("/webhook/telegram?{query}");
    assert_eq!(house.send(&Method::POST, &target, &proof, &body).await.0, 200);
    house.platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    house.settled().await;
    assert_eq!(called.load(Ordering::SeqCst), 0, "somebody else was called");
}

#[tokio::test]
async fn a20_pages_of_elsewhere_may_not_speak_to_the_api() {
    let house = plain().await;
    let before = house.settled().await;
    let (key, own) = (house.key(), house.gateway.url.clone());
    let said = json!({"text": "hello"}).to_string();
    let mut let_in = Vec::new();
    for target in GUARDED {
        for origins in [
            &["https://evil.example"][..],
            &["null"],
            &["http://localhost.evil.example"],
            &["http://127.0.0.1.evil.example"],
            &[own.as_str(), "https://evil.example"],
            &[own.as_str(), own.as_str()],
            &["file://"],
            &[""],
        ] {
            let mut all = headers(&[("authorization", &key)]);
            for origin in origins {
                all.append("origin", HeaderValue::from_str(origin).unwrap());
            }
            for method in [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE] {
                let (status, _) = house.send(&method, target, &all, said.as_bytes()).await;
                if status != 403 {
                    let_in.push(format!("{method} {target} from {origins:?}: {status}"));
                }
            }
        }
        // A name of somebody else's that leads here, as a page sees it: with the key it would have to steal first.
        for host in [
            "evil.example",
            "evil.example:18789",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.example.",
            "@",
            "",
        ] {
            let all = headers(&[("authorization", &key), ("host", host)]);
            let (status, _) = house.send(&Method::POST, target, &all, said.as_bytes()).await;
            if status != 403 && status != 400 {
                let_in.push(format!("{target} as {host}: {status}"));
            }
        }
    }
    assert!(let_in.is_empty(), "{let_in:#?}");
    for open in ["/readyz", "/healthz"] {
        assert_eq!(house.get(open, &headers(&[("host", "evil.example")])).await.0, 403, "{open}");
    }
    // A WebSocket is not to be had at all.
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for target in ["/", "/ws", "/message", "/mcp"] {
        let status = house.get(target, &headers(&upgrade)).await.0;
        assert!(status == 401 || status == 404, "{target}: {status}");
    }
    assert!(before == house.settled().await, "something was written");
    for from in [own.as_str(), "http://localhost:3000"] {
        let all = headers(&[("authorization", &key), ("origin", from)]);
        assert_eq!(house.get("/sessions", &all).await.0, 200, "the control: {from}");
    }
}

const CANARY: &str = "canary7secret7never7shown";

/// A configuration with a secret wherever one can stand: written, from a variable, by reference, within lists and maps.
fn full_of_secrets(url: &str) -> Value {
    let mut config = model_config(url);
    let mut number = 0;
    let mut next = || {
        number += 1;
        format!("{CANARY}{number}")
    };
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let mut account = account(telegram, url, &everybody());
    account["botToken"] = json!(format!("99:{}", next()));
    account["webhookSecret"] = json!("${CANARY_VARIABLE}");
    config["channels"] = json!({"telegram": {"accounts": {"default": account}}});
    config["models"]["providers"]["local"]["apiKey"] = json!({"source": "env", "id": "CANARY_VARIABLE"});
    config["models"]["providers"]["other"] = json!({"baseUrl": format!("{url}/v2"), "api": "openai-completions", "apiKey": next(), "headers": {"x-key": next()}});
    config["tools"] = json!({"web": {"search": {"provider": "brave", "apiKey": next()}}});
    config["mcp"] = json!({"servers": {"docs": {"url": format!("{url}/mcp"), "headers": {"authorization": next()}}}});
    config
}

/// There is nothing at which an operator who may only read would see the configuration, and no answer holds a secret of it.
#[tokio::test]
async fn a22_no_answer_holds_a_secret_of_the_configuration() {
    let platforms = Platforms::open().await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("chela.json5");
    std::fs::write(&path, full_of_secrets(&platforms.url).to_string()).unwrap();
    let mut command = chela();
    let variable = format!("{CANARY}-of-the-environment");
    command.env("CANARY_VARIABLE", &variable);
    let gateway = crate::binaries::Gateway::start_with(place.path(), command).await;
    let house = House { platforms, gateway, folder: place };
    let (status, answer) = house.owner(Method::POST, "/message", r#"{"text": "/status"}"#).await;
    assert_eq!(status, 200, "{answer}");
    let climbing = [
        "chela.json5",
        "../chela.json5",
        "../../chela.json5",
        "..%2f..%2fchela.json5",
        "/etc/passwd",
        "%2e%2e/chela.json5",
    ];
    let notes = climbing.iter().map(|path| format!("/memory/note?path={path}"));
    let pages = ["/config", "/config.json", "/chela.json5", "/api/config", "/readyz", "/healthz", "/debug", "/env"];
    let targets = GUARDED.iter().chain(&pages).map(|target| (*target).to_owned()).chain(notes);
    let mut told = String::new();
    for target in targets {
        told.push_str(&house.owner(Method::GET, &target, "").await.1);
    }
    let read = |uri: &str| json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}});
    let calls = ["tools/list", "resources/list", "config/get", "config.get"];
    let calls = calls.map(|method| json!({"jsonrpc": "2.0", "id": 1, "method": method}));
    let uris = ["chela://main/chela.json5", "chela://main/../../chela.json5", "file:///etc/passwd", "chela://config"];
    for call in calls.into_iter().chain(uris.map(read)) {
        told.push_str(&house.owner(Method::POST, "/mcp", &call.to_string()).await.1);
    }
    for words in [
        &["config", "check", "--json"][..],
        &["channels", "status", "--json"],
        &["audit", "--json"],
        &["doctor"],
        &["mcp", "list"],
        &["usage"],
    ] {
        let mut command = tokio::process::Command::new(folder().join("chela"));
        command.args(words).arg("--config").arg(&path).env("CANARY_VARIABLE", &variable);
        command.current_dir(house.folder.path()).env("CHELA_DATA", &house.gateway.data);
        let output = command.output().await.unwrap();
        told.push_str(&String::from_utf8_lossy(&output.stdout));
        told.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    assert!(told.len() > 5_000 && told.contains("telegram"), "{told}");
    assert!(!told.contains(CANARY), "{}", told.lines().find(|line| line.contains(CANARY)).unwrap());
    assert!(!told.contains("root:x:0"), "{told}");
    assert!(!house.log().contains(CANARY), "a secret is in the log");
    let sent: String = house.platforms.sent_to("").iter().map(|sent| sent.body.to_string()).collect();
    assert!(!sent.contains(CANARY), "{sent}");
}
