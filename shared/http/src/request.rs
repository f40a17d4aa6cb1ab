//! One question and its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::target::origin_of;

/// A request. Its `Debug` shows method and origin only.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// Headers; `Host` is always taken from the URL.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// From the first look at the name to the last byte of the answer, redirects included.
    pub timeout: Duration,
    /// Most bytes of body to take; more is [`crate::HttpError::TooLarge`].
    pub max_bytes: usize,
    /// How many redirects a `GET` or `HEAD` may follow; 0 unless set by [`Request::follow`].
    pub follow: u8,
}

impl Request {
    /// Asks for something.
    pub fn get(url: impl Into<String>, timeout: Duration, max_bytes: usize) -> Self {
        Self::new(Method::GET, url.into(), Bytes::new(), timeout, max_bytes)
    }

    /// Sends something.
    pub fn post(url: impl Into<String>, body: impl Into<Bytes>, timeout: Duration, max_bytes: usize) -> Self {
        Self::new(Method::POST, url.into(), body.into(), timeout, max_bytes)
    }

    fn new(method: Method, url: String, body: Bytes, timeout: Duration, max_bytes: usize) -> Self {
        Self { method, url, headers: HeaderMap::new(), body, timeout, max_bytes, follow: 0 }
    }

    /// With this header, replacing what it had under that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Follows up to `hops` redirects. Every hop is vetted anew, and what left for one origin (every header but
    /// `Accept` and `User-Agent`) does not go to another. Other methods than `GET` and `HEAD` are never redirected,
    /// so that no body is repeated elsewhere (CVE-2026-40037).
    #[must_use]
    pub fn follow(mut self, hops: u8) -> Self {
        self.follow = hops;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Request({} {}, {} bytes)", self.method, origin_of(&self.url), self.body.len())
    }
}

/// A whole answer. Its `Debug` shows status and length only.
#[derive(Clone, PartialEq)]
pub struct Response {
    /// The status; any status is an answer, also 500.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Response({}, {} bytes)", self.status.as_u16(), self.body.len())
    }
}
