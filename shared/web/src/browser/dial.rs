//! The way to a browser that runs elsewhere: its address comes from the owner, and it is reached like everything else.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_http::{HttpClient, HttpError, Request};
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

/// Longest way to the open connection.
const WITHIN: Duration = Duration::from_secs(15);

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, of whatever kind.
pub(crate) type Line = Box<dyn Duplex>;

/// A WebSocket whose handshake is done. No error carries the address: keys of providers stand in it.
pub(crate) async fn dial(http: &HttpClient, cdp_url: &str, nonce: &str) -> Result<Line, String> {
    let cannot = |error: &HttpError| format!("The browser of browser.cdpUrl cannot be reached: {error}.");
    let url = as_http(cdp_url).ok_or("browser.cdpUrl must begin with ws://, wss://, http:// or https://.")?;
    let url = if cdp_url.starts_with("http") { told_door(http, &url).await? } else { url };
    let key: Vec<u8> = nonce.bytes().chain(std::iter::repeat(0)).take(16).collect();
    let key = HeaderValue::from_str(&STANDARD.encode(key)).map_err(|_| "no key".to_owned())?;
    let request = Request::get(url, WITHIN, 0)
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(SEC_WEBSOCKET_KEY, key);
    match http.upgrade(request).await.map_err(|error| cannot(&error))? {
        Ok(line) => Ok(Box::new(line)),
        Err(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err("The browser of browser.cdpUrl does not take its key.".to_owned())
        }
        Err(status) => Err(format!("Behind browser.cdpUrl is no browser: status {}.", status.as_u16())),
    }
}

/// DevTools that are named by their HTTP address say where their WebSocket is; only its path counts, not its host.
async fn told_door(http: &HttpClient, base: &str) -> Result<String, String> {
    let wrong = || "Behind browser.cdpUrl is no browser.".to_owned();
    let mut base = Url::parse(base).map_err(|_| wrong())?;
    base.set_path("/json/version");
    let answer = http.send(Request::get(base.clone(), WITHIN, 64 * 1024)).await;
    let answer = answer.map_err(|error| format!("The browser of browser.cdpUrl cannot be reached: {error}."))?;
    let told: Value = serde_json::from_slice(&answer.body).map_err(|_| wrong())?;
    let door = told.get("webSocketDebuggerUrl").and_then(Value::as_str).and_then(as_http).ok_or_else(wrong)?;
    let door = Url::parse(&door).map_err(|_| wrong())?;
    base.set_path(door.path());
    Ok(base.to_string())
}

fn as_http(url: &str) -> Option<String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Some(url.to_owned());
    }
    let rest = url.strip_prefix("ws")?;
    (rest.starts_with("://") || rest.starts_with("s://")).then(|| format!("http{rest}"))
}

/// The place of `browser.cdpUrl` as the one way out knows it, for the list of places that may be private.
pub fn cdp_origin(cdp_url: &str) -> Option<String> {
    as_http(cdp_url)
}
