//! `chela mcp serve`: what comes in on standard input goes to `/mcp` of a gateway, and what that answers comes out.

use chela_mcp::protocol::{METHOD_HEADER, NAME_HEADER, VERSION_HEADER, VERSION_KEY, header_text};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::remote::Remote;
use crate::show::line;

/// An error that is ours and not the gateway's.
const INTERNAL_ERROR: i64 = -32603;

pub(super) async fn run(remote: &Remote) -> anyhow::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(text) = lines.next_line().await? {
        if text.trim().is_empty() {
            continue;
        }
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let answer = remote.exchange("/mcp", text, headers(&message)).await;
        let Some(id) = message.get("id") else { continue };
        // One line each, so that a client can tell where it ends.
        match answer {
            Ok(answer) => line(&answer.to_string()),
            Err(error) => {
                let error = json!({ "code": INTERNAL_ERROR, "message": format!("{error:#}") });
                line(&json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string());
            }
        }
    }
    Ok(())
}

/// What HTTP repeats of a message.
fn headers(message: &Value) -> HeaderMap {
    let text = |at: &str| message.pointer(at).and_then(Value::as_str);
    let version = message.pointer("/params/_meta").and_then(|meta| meta.get(VERSION_KEY)).and_then(Value::as_str);
    let mut headers = HeaderMap::new();
    if let Some(version) = version {
        let name = text("/params/name").or_else(|| text("/params/uri")).map(header_text);
        let all = [
            (VERSION_HEADER, Some(version.to_owned())),
            (METHOD_HEADER, text("/method").map(str::to_owned)),
            (NAME_HEADER, name),
        ];
        for (name, value) in all {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
    headers
}
