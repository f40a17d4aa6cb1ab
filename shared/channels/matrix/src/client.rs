//! Calls of the homeserver's client API. <https://spec.matrix.org/v1.16/client-server-api/#api-standards>

use std::time::Duration;

use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::SendError;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

use crate::Matrix;

/// What a homeserver says that did not do as it was told.
#[derive(Default, Deserialize)]
struct Trouble {
    #[serde(default)]
    errcode: String,
    #[serde(default)]
    error: String,
    retry_after_ms: Option<u64>,
}

/// Why something was not done.
pub(crate) enum Failure {
    /// The homeserver's code for it, such as `M_FORBIDDEN`, beside what the caller can do.
    Coded(String, SendError),
    /// There was no such answer.
    Plain(SendError),
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Coded(_, error) | Failure::Plain(error) => error,
        }
    }
}

impl Matrix {
    /// The URL of a place on the homeserver. Segments are data, and leave their place by no character.
    pub(crate) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> String {
        let mut url = self.settings.homeserver.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url.into()
    }

    pub(crate) fn authorization(&self) -> HeaderValue {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.settings.as_token.expose()));
        let mut value = value.unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// Calls, and takes only a 2xx for an answer.
    pub(crate) async fn call(&self, call: ApiCall<'_>) -> Result<ApiReply, Failure> {
        let call = call.header(AUTHORIZATION, self.authorization());
        let reply = self.api.call(call).await.map_err(Failure::Plain)?;
        let trouble: Trouble =
            if reply.status.is_success() { Trouble::default() } else { reply.json().unwrap_or_default() };
        let reason = match (trouble.errcode.as_str(), trouble.error.as_str()) {
            ("", "") => String::from_utf8_lossy(&reply.body).into_owned(),
            (code, words) => format!("{code}: {words}"),
        };
        // The header is for homeservers of today, the field for those before version 1.10 of the specification.
        let asked = trouble.retry_after_ms.map(Duration::from_millis);
        let judged = match reply.retry_after.or(asked) {
            Some(after) if reply.status.as_u16() == 429 => Err(self.api.rate_limited(Some(after))),
            _ => self.api.judge(&reply, &reason),
        };
        match judged {
            Ok(()) => Ok(reply),
            Err(error) if trouble.errcode.is_empty() => Err(Failure::Plain(error)),
            Err(error) => Err(Failure::Coded(trouble.errcode, error)),
        }
    }

    /// The same with JSON.
    pub(crate) async fn ask(
        &self,
        method: Method,
        segments: &[&str],
        body: &Value,
        timeout: Duration,
    ) -> Result<ApiReply, Failure> {
        let url = self.url(segments, &[]);
        self.call(ApiCall::json(&url, body, timeout).method(method)).await
    }
}
