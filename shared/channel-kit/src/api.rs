//! Calls of a platform's JSON API through the house's one HTTP client. What goes wrong becomes a [`SendError`] that says
//! what the caller can do and never where the request went: Telegram's URLs carry the token.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chela_core::channel::{Fetched, SendError};
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpError, Request};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Answers of platforms are small; one that is not is no answer.
const MOST_ANSWER_BYTES: usize = 1024 * 1024;

/// A file may lie on another host than the API.
const MOST_REDIRECTS: u8 = 3;

/// Waited after a 429 that names no delay.
const DEFAULT_DELAY: Duration = Duration::from_secs(5);

/// The longest wait that is believed: a wrong number must not put a reply off until next year.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest text of a platform that goes into an error.
const MOST_REASON_CHARS: usize = 200;

/// One channel's way to its platform.
#[derive(Clone)]
pub struct Api {
    channel: &'static str,
    http: HttpClient,
    hidden: Vec<Secret>,
}

/// One call. It has no `Debug`: URL, headers and body carry secrets and messages.
pub struct ApiCall<'a> {
    /// GET or POST.
    pub method: Method,
    /// Where; may carry a token, and is never shown.
    pub url: &'a str,
    /// Headers beside the content type, for example the authorization.
    pub headers: HeaderMap,
    /// The body and its content type; `None` sends none.
    pub body: Option<(HeaderValue, Bytes)>,
    /// Give up after this long.
    pub timeout: Duration,
}

impl<'a> ApiCall<'a> {
    /// A POST of JSON.
    pub fn json(url: &'a str, body: &Value, timeout: Duration) -> Self {
        Self::post(url, "application/json; charset=utf-8", Bytes::from(body.to_string()), timeout)
    }

    /// A GET.
    pub fn get(url: &'a str, timeout: Duration) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: None, timeout }
    }

    /// The same with another method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// A POST of these very bytes.
    pub fn post(url: &'a str, content_type: &'static str, body: Bytes, timeout: Duration) -> Self {
        let body = Some((HeaderValue::from_static(content_type), body));
        Self { method: Method::POST, url, headers: HeaderMap::new(), body, timeout }
    }

    /// With one more header.
    pub fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// An answer of whatever status. It has no `Debug`: its body may quote messages.
pub struct ApiReply {
    /// The status.
    pub status: StatusCode,
    /// The delay the platform asks for in `Retry-After`, where it does in whole seconds.
    pub retry_after: Option<Duration>,
    /// All headers: some platforms say there, in words of their own, how long to wait.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ApiReply {
    /// A header that is a whole number.
    pub fn number(&self, header: &str) -> Option<u64> {
        self.headers.get(header)?.to_str().ok()?.trim().parse().ok()
    }

    /// The body as JSON; `None` if it is none, as from a proxy's error page.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Api {
    /// The way of `channel`, whose errors never show `hidden`.
    pub fn new(channel: &'static str, http: HttpClient, hidden: Vec<Secret>) -> Self {
        Self { channel, http, hidden }
    }

    /// Makes a call. Statuses are answers; only the lack of an answer is an error.
    pub async fn call(&self, call: ApiCall<'_>) -> Result<ApiReply, SendError> {
        let mut request = Request::get(call.url, call.timeout, MOST_ANSWER_BYTES);
        request.method = call.method;
        request.headers = call.headers;
        if let Some((content_type, body)) = call.body {
            request.headers.insert(CONTENT_TYPE, content_type);
            request.body = body;
        }
        let response = self.http.send(request).await.map_err(|error| self.unanswered(&error))?;
        let retry_after = delay(&response.headers);
        Ok(ApiReply { status: response.status, retry_after, headers: response.headers, body: response.body })
    }

    /// Fetches a file of at most `most` bytes. Redirects are followed; `headers` go to the first host only.
    pub async fn download(
        &self,
        url: &str,
        headers: HeaderMap,
        most: usize,
        timeout: Duration,
    ) -> Result<Fetched, SendError> {
        let mut request = Request::get(url, timeout, most).follow(MOST_REDIRECTS);
        request.headers = headers;
        let response = match self.http.send(request).await {
            Ok(response) => response,
            Err(HttpError::TooLarge { .. }) => return Err(self.refused(&format!("the file is over {most} bytes"))),
            Err(error) => return Err(self.unanswered(&error)),
        };
        let retry_after = delay(&response.headers);
        let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let reply = ApiReply { status: response.status, retry_after, headers: response.headers, body: response.body };
        self.judge(&reply, "instead of the file")?;
        Ok(Fetched { content_type, bytes: reply.body })
    }

    /// What a status means on most platforms: 429 waits, another 4xx is final, and a 5xx may or may not have done its
    /// work. `reason` is the platform's own explanation. Channels that know better say so before they ask this.
    pub fn judge(&self, reply: &ApiReply, reason: &str) -> Result<(), SendError> {
        match reply.status.as_u16() {
            200..=299 => Ok(()),
            429 => Err(self.rate_limited(reply.retry_after)),
            500.. => Err(self.unknown(&format!("status {} {reason}", reply.status.as_u16()))),
            status => Err(self.refused(&format!("status {status} {reason}"))),
        }
    }

    /// The platform asks to wait.
    pub fn rate_limited(&self, after: Option<Duration>) -> SendError {
        SendError::RateLimited { channel: self.channel, after: after.unwrap_or(DEFAULT_DELAY).min(LONGEST_DELAY) }
    }

    /// The platform did nothing; trying again may help.
    pub fn not_sent(&self, reason: &str) -> SendError {
        SendError::NotSent { channel: self.channel, reason: self.clean(reason) }
    }

    /// Nobody knows what the platform did.
    pub fn unknown(&self, reason: &str) -> SendError {
        SendError::Unknown { channel: self.channel, reason: self.clean(reason) }
    }

    /// The platform refused for good.
    pub fn refused(&self, reason: &str) -> SendError {
        SendError::Refused { channel: self.channel, reason: self.clean(reason) }
    }

    fn unanswered(&self, error: &HttpError) -> SendError {
        match error {
            HttpError::BadUrl { .. } | HttpError::Blocked { .. } => self.refused(&error.to_string()),
            HttpError::NotSent { .. } | HttpError::Setup { .. } => self.not_sent(&error.to_string()),
            HttpError::Unknown { .. } | HttpError::TooLarge { .. } => self.unknown(&error.to_string()),
        }
    }

    /// A platform's words, short, on one line, without the account's secrets.
    fn clean(&self, reason: &str) -> String {
        let mut clean = reason.to_owned();
        for word in self.hidden.iter().flat_map(|secret| secret.expose().split_whitespace()) {
            clean = clean.replace(word, "…");
        }
        clean
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MOST_REASON_CHARS)
            .collect::<String>()
            .trim()
            .to_owned()
    }
}

/// `Retry-After` in seconds.
fn delay(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

impl fmt::Debug for Api {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Api({})", self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_http::HttpOptions;

    fn api() -> Api {
        let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None });
        Api::new("x", http.unwrap(), vec![Secret::new("hunter2 hunter3")])
    }

    fn reply(status: u16, retry_after: Option<u64>) -> ApiReply {
        let retry_after = retry_after.map(Duration::from_secs);
        let status = StatusCode::from_u16(status).unwrap();
        ApiReply { status, retry_after, headers: HeaderMap::new(), body: Bytes::new() }
    }

    #[test]
    fn a_status_says_what_the_caller_can_do() {
        let api = api();
        let judged = |status, after| api.judge(&reply(status, after), "why").map_err(|error| error.to_string());
        assert_eq!((judged(200, None), judged(204, None)), (Ok(()), Ok(())));
        assert_eq!(judged(429, Some(7)).unwrap_err(), "x asks to wait 7 s");
        assert_eq!(judged(429, None).unwrap_err(), "x asks to wait 5 s");
        assert_eq!(judged(429, Some(u64::MAX)).unwrap_err(), "x asks to wait 86400 s");
        assert_eq!(judged(302, None).unwrap_err(), "x refused: status 302 why");
        assert_eq!(judged(403, None).unwrap_err(), "x refused: status 403 why");
        assert_eq!(judged(503, Some(9)).unwrap_err(), "x did not confirm: status 503 why");
    }

    #[test]
    fn a_header_is_read_as_a_number_or_not_at_all() {
        let mut reply = reply(429, None);
        reply.headers.insert("x-reset", HeaderValue::from_static(" 12 "));
        reply.headers.insert("x-odd", HeaderValue::from_static("soon"));
        assert_eq!(["x-reset", "x-odd", "x-none"].map(|name| reply.number(name)), [Some(12), None, None]);
    }

    #[test]
    fn a_platforms_words_are_cut_flattened_and_free_of_secrets() {
        let error = api().refused(&format!("line\r\none hunter2, hunter3 \u{7} {}", "x".repeat(1_000))).to_string();
        assert!(error.starts_with("x refused: line  one …, …   xxx"), "{error}");
        assert_eq!(error.chars().count(), "x refused: ".len() + MOST_REASON_CHARS);
    }

    #[test]
    fn what_was_never_sent_is_told_apart_from_what_may_have_arrived() {
        let origin = || "https://x".to_owned();
        let cases = [
            (HttpError::BadUrl { reason: "no" }, "refused"),
            (HttpError::Blocked { origin: origin(), reason: "private" }, "refused"),
            (HttpError::NotSent { origin: origin(), reason: "dns".into() }, "could not be reached"),
            (HttpError::Setup { reason: "tls".into() }, "could not be reached"),
            (HttpError::Unknown { origin: origin(), reason: "reset".into() }, "did not confirm"),
            (HttpError::TooLarge { origin: origin(), limit: 1 }, "did not confirm"),
        ];
        for (error, wanted) in cases {
            let told = api().unanswered(&error).to_string();
            assert!(told.contains(wanted), "{error}: {told}");
        }
    }
}
