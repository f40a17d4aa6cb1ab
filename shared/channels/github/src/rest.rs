//! Calls of GitHub's REST API, and what its answers mean.
//! <https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api>

use std::sync::Arc;
use std::time::Duration;

use chela_channel_kit::{Api, ApiCall, ApiReply};
use chela_core::channel::SendError;
use chela_core::clock::{Clock, Millis};
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::credential::Credential;

const VERSION: HeaderName = HeaderName::from_static("x-github-api-version");

/// After a secondary limit that names no delay GitHub asks to wait at least a minute.
/// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api>
const SECONDARY: Duration = Duration::from_secs(60);

/// The way to GitHub, as one user or app.
pub(crate) struct Rest {
    pub(crate) api: Api,
    pub(crate) clock: Arc<dyn Clock>,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    pub(crate) credential: Credential,
}

/// When a caller gives up, over several requests.
#[derive(Clone, Copy)]
pub(crate) struct Until(Millis);

/// Why a call did not do what it should.
pub(crate) enum Failure {
    /// The token is not valid any more; nothing was done.
    Expired(SendError),
    /// Everything else.
    Final(SendError),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::Final(error)
    }
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Expired(error) | Failure::Final(error) => error,
        }
    }
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

/// Whether a word can be the name of a repository: it stands in URLs.
pub(crate) fn is_repo(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name != "." && name != ".." && name.bytes().all(fits)
}

impl Rest {
    /// This long from now.
    pub(crate) fn until(&self, timeout: Duration) -> Until {
        Until(self.clock.now().plus(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Makes a call of a repository, once more with another token if this one is not taken any longer.
    pub(crate) async fn call(
        &self,
        (owner, repo): (&str, &str),
        method: Method,
        path: &str,
        body: Option<&Value>,
        until: Until,
    ) -> Result<Value, SendError> {
        let path = format!("/repos/{owner}/{repo}{path}");
        for again in [false, true] {
            let authorization = self.authorization(owner, repo, until).await?;
            match self.ask(&authorization, method.clone(), &path, body, until).await {
                Err(Failure::Expired(_)) if !again && self.credential.forget(owner) => {}
                Ok(answer) => return Ok(answer),
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(self.api.refused("the token is not taken"))
    }

    /// One request and its answer.
    pub(crate) async fn ask(
        &self,
        authorization: &HeaderValue,
        method: Method,
        path: &str,
        body: Option<&Value>,
        until: Until,
    ) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.base_url);
        let left = Duration::from_millis(until.0.since(self.clock.now()));
        let call = match body {
            Some(body) => ApiCall::json(&url, body, left),
            None => ApiCall::get(&url, left),
        };
        let call = call
            .method(method)
            .header(ACCEPT, HeaderValue::from_static("application/vnd.github+json"))
            .header(VERSION, HeaderValue::from_static("2022-11-28"))
            .header(AUTHORIZATION, authorization.clone());
        let reply = self.api.call(call).await?;
        self.judge(&reply)?;
        if reply.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        reply.json().ok_or_else(|| self.api.unknown("the answer is not one of GitHub").into())
    }

    fn judge(&self, reply: &ApiReply) -> Result<(), Failure> {
        let Refusal { message } = reply.json().unwrap_or_default();
        match reply.status {
            StatusCode::UNAUTHORIZED => {
                let fix = "set channels.github.token or privateKey anew";
                Err(Failure::Expired(self.api.refused(&format!("status 401 {message}: {fix}"))))
            }
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => match self.wait(reply, &message) {
                Some(after) => Err(self.api.rate_limited(Some(after)).into()),
                None => Ok(self.api.judge(reply, &message)?),
            },
            StatusCode::NOT_FOUND => {
                let fix = "it is gone, or the token or the app's installation does not reach it";
                Err(self.api.refused(&format!("status 404 {message}: {fix}")).into())
            }
            _ => Ok(self.api.judge(reply, &message)?),
        }
    }

    /// How long GitHub asks to wait; `None` if it refuses for another reason, which is 403 as well.
    /// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>
    fn wait(&self, reply: &ApiReply, message: &str) -> Option<Duration> {
        let spent = reply.number("x-ratelimit-remaining") == Some(0);
        let reset = || {
            let at = reply.number("x-ratelimit-reset").filter(|_| spent)?;
            Some(Duration::from_secs(at.saturating_sub(self.clock.now().seconds()).max(1)))
        };
        let secondary = || {
            let words = message.to_ascii_lowercase();
            (words.contains("secondary rate limit") || words.contains("abuse detection")).then_some(SECONDARY)
        };
        let any = || (reply.status == StatusCode::TOO_MANY_REQUESTS || spent).then_some(SECONDARY);
        reply.retry_after.or_else(reset).or_else(secondary).or_else(any)
    }
}
