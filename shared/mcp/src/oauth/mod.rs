//! OAuth 2.1 as the protocol asks for it: the server says who lets people in (RFC 9728), that says where (RFC 8414), we
//! introduce ourselves (RFC 7591), a person signs in with PKCE (RFC 7636), and the token is good for this one server
//! (RFC 8707).

mod discovery;
mod grant;
mod keeper;
mod login;

use std::time::Duration;

use chela_http::{HttpClient, HttpError, Request, Response};
use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use crate::error::McpError;

pub use grant::Grant;
pub(crate) use keeper::Keeper;
pub use login::{Login, Wanted};

/// Longest wait for an answer of whoever lets people in, and the most of it that is read.
const TIMEOUT: Duration = Duration::from_secs(15);
const MOST_BYTES: usize = 256 * 1024;

/// What a server says when it lets nobody in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Challenge {
    /// Where it says who does.
    pub(crate) metadata: Option<String>,
    /// What the token must be good for.
    pub(crate) scope: Option<String>,
    /// There was a token, and it is not good for enough.
    pub(crate) insufficient_scope: bool,
}

impl Challenge {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut challenge = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let Some(rest) = value.to_str().ok().and_then(|text| strip_scheme(text, "bearer")) else { continue };
            for (name, value) in parameters(rest) {
                match name.as_str() {
                    "resource_metadata" => challenge.metadata = Some(value),
                    "scope" => challenge.scope = Some(crate::outside::line(&value, 500)),
                    "error" => challenge.insufficient_scope = value == "insufficient_scope",
                    _ => {}
                }
            }
        }
        challenge
    }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (first, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    first.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// `name=value, name="value"`.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name, value.trim().to_owned()));
        rest = next.trim_start_matches([' ', ',']);
    }
    found
}

/// The ways to a server and to whoever lets people in to it. The client reaches no private address but the server's own:
/// that stands in the configuration, every other address was chosen by somebody else.
#[derive(Clone)]
pub(crate) struct Ways {
    server: Url,
    http: HttpClient,
}

impl Ways {
    pub(crate) fn new(server: &str, http: HttpClient) -> Result<Self, McpError> {
        let server = Url::parse(server).map_err(|_| McpError::Setup("its url is no URL".to_owned()))?;
        Ok(Self { server, http })
    }

    /// A JSON document; `None` if there is none.
    async fn document(&self, url: &Url) -> Result<Option<Value>, McpError> {
        let request =
            Request::get(url.clone(), TIMEOUT, MOST_BYTES).header(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.http.send(request).await.map_err(unreachable)?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        Ok(serde_json::from_slice(&answer.body).ok().filter(Value::is_object))
    }

    /// Posts what is to be kept from everybody else; never redirected.
    async fn post(
        &self,
        url: &str,
        kind: &'static str,
        body: String,
        headers: HeaderMap,
    ) -> Result<Response, McpError> {
        let mut request = Request::post(url, body, TIMEOUT, MOST_BYTES)
            .header(CONTENT_TYPE, HeaderValue::from_static(kind))
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers.extend(headers);
        self.http.send(request).await.map_err(unreachable)
    }
}

fn unreachable(error: HttpError) -> McpError {
    McpError::Unreachable(error.to_string())
}

/// What a refusal says for people; its body may repeat what was sent, so only the two standard fields are taken.
fn reason(answer: &Response) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let field = |name: &str| crate::outside::line(body.get(name).and_then(Value::as_str).unwrap_or_default(), 200);
    match (field("error"), field("error_description")) {
        (error, words) if !error.is_empty() => format!("{error} {words}").trim_end().to_owned(),
        _ => format!("HTTP {}", answer.status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_every_spelling() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(text));
            Challenge::of(&headers)
        };
        let whole = of(r#"Bearer error="invalid_token", scope="a b", resource_metadata="https://x/.well-known/y""#);
        assert_eq!((whole.metadata.as_deref(), whole.scope.as_deref()), (Some("https://x/.well-known/y"), Some("a b")));
        assert!(!whole.insufficient_scope);
        assert!(of("bearer error=insufficient_scope,scope=a").insufficient_scope);
        assert_eq!(of("bearer error=insufficient_scope,scope=a").scope.as_deref(), Some("a"));
        for nothing in ["Bearer", "Basic realm=\"x\"", "", "Bearer ="] {
            assert_eq!(of(nothing).metadata, None, "{nothing}");
        }
    }
}
