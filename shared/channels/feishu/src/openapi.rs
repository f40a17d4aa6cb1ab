//! The way to Feishu's API: an access token that is kept as long as it lives, and what answers mean.
//! <https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code>

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_channel_kit::{Api, ApiCall, ApiReply};
use chela_core::channel::SendError;
use chela_core::clock::{Clock, Millis};
use chela_core::secret::Secret;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

/// A token is replaced this long before it ends, as Feishu's SDKs do.
const EARLY_MS: u64 = 10 * 60 * 1000;

/// The header that says how many seconds are left of a rate limit's window.
const RESET: &str = "x-ogw-ratelimit-reset";

/// The way of one app.
pub(crate) struct OpenApi {
    pub(crate) api: Api,
    pub(crate) clock: Arc<dyn Clock>,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    pub(crate) app_id: String,
    pub(crate) app_secret: Secret,
    pub(crate) token: Mutex<Option<Token>>,
    /// What was sent of late, and where to: a message that grows is changed often.
    pub(crate) sent: Mutex<VecDeque<(String, String)>>,
}

/// A tenant access token.
#[derive(Clone)]
pub(crate) struct Token {
    authorization: HeaderValue,
    replaced_at: Millis,
}

/// When a caller gives up, over several requests.
#[derive(Clone, Copy)]
pub(crate) struct Until(Millis);

/// The shape of every answer.
#[derive(Deserialize)]
struct Outcome {
    code: i64,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Granted {
    tenant_access_token: String,
    expire: u64,
}

/// Why a call did not do what it should.
pub(crate) enum Failure {
    /// The token is not valid any more; nothing was done.
    Expired(SendError),
    /// The message that was to be answered is gone; nothing was done.
    Withdrawn(SendError),
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
            Failure::Expired(error) | Failure::Withdrawn(error) | Failure::Final(error) => error,
        }
    }
}

impl OpenApi {
    /// This long from now.
    pub(crate) fn until(&self, timeout: Duration) -> Until {
        Until(self.clock.now().plus(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)))
    }

    fn left(&self, until: Until) -> Duration {
        Duration::from_millis(until.0.since(self.clock.now()))
    }

    /// The authorization, asked for if there is none that still lives.
    pub(crate) async fn authorization(&self, until: Until) -> Result<HeaderValue, SendError> {
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = kept.filter(|token| token.replaced_at > self.clock.now()) {
            return Ok(token.authorization);
        }
        let url = format!("{}/open-apis/auth/v3/tenant_access_token/internal", self.base_url);
        let body = json!({ "app_id": self.app_id, "app_secret": self.app_secret.expose() });
        let granted = async {
            let reply = self.api.call(ApiCall::json(&url, &body, self.left(until))).await?;
            self.judge("the access token", &reply)?;
            reply.json::<Granted>().ok_or_else(|| self.api.not_sent("the answer has no access token"))
        };
        let granted = granted.await.map_err(|error| match error {
            // Whatever became of this request, nothing was said to anybody.
            SendError::Unknown { reason, .. } => self.api.not_sent(&reason),
            other => other,
        })?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", granted.tenant_access_token))
            .map_err(|_| self.api.not_sent("the access token cannot stand in a header"))?;
        authorization.set_sensitive(true);
        let lives = granted.expire.saturating_mul(1000);
        // One that lives shortly is still good for the call that wanted it.
        let replaced_at = self.clock.now().plus(lives.saturating_sub(EARLY_MS));
        let token = Token { authorization: authorization.clone(), replaced_at };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(authorization)
    }

    /// Makes a call with the token and gives the answer's `data`; once more with another token if Feishu no longer takes
    /// this one.
    pub(crate) async fn call<'u>(
        &self,
        what: &str,
        until: Until,
        make: impl Fn(Duration) -> ApiCall<'u>,
    ) -> Result<Value, Failure> {
        match self.try_call(what, until, &make).await {
            Err(Failure::Expired(_)) => {
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.try_call(what, until, &make).await
            }
            other => other,
        }
    }

    async fn try_call<'u>(
        &self,
        what: &str,
        until: Until,
        make: &impl Fn(Duration) -> ApiCall<'u>,
    ) -> Result<Value, Failure> {
        let reply = self.answer(until, make).await?;
        self.judge(what, &reply)?;
        Ok(reply.json::<Outcome>().map(|outcome| outcome.data).unwrap_or_default())
    }

    /// The answer to a call with the token, whatever it is.
    pub(crate) async fn answer<'u>(
        &self,
        until: Until,
        make: &impl Fn(Duration) -> ApiCall<'u>,
    ) -> Result<ApiReply, SendError> {
        let authorization = self.authorization(until).await?;
        self.api.call(make(self.left(until)).header(AUTHORIZATION, authorization)).await
    }

    /// Feishu says in `code` what became of a call; the status is often 400 whatever it was.
    pub(crate) fn judge(&self, what: &str, reply: &ApiReply) -> Result<(), Failure> {
        let Some(Outcome { code, msg, .. }) = reply.json::<Outcome>() else {
            if reply.status.as_u16() == 429 {
                return Err(self.slow_down(reply).into());
            }
            self.api.judge(reply, what)?;
            return Err(self.api.unknown(&format!("{what}: the answer is not one of Feishu")).into());
        };
        let words = format!("{what}: {code} {msg}");
        match code {
            0 if reply.status.is_success() => Ok(()),
            // The app's calls; messages of one chat, of the app, of the tenant; the same message on its way already.
            99_991_400 | 230_020 | 11_232 | 11_233 | 11_247 | 230_049 => Err(self.slow_down(reply).into()),
            99_991_663 | 99_991_664 | 99_991_661 | 99_991_671 => Err(Failure::Expired(self.api.refused(&words))),
            230_011 | 230_110 | 231_003 => Err(Failure::Withdrawn(self.api.refused(&words))),
            _ if reply.status.as_u16() == 429 => Err(self.slow_down(reply).into()),
            _ if reply.status.is_server_error() => Err(self.api.unknown(&words).into()),
            _ => Err(self.api.refused(&format!("{words}{}", fix(code))).into()),
        }
    }

    fn slow_down(&self, reply: &ApiReply) -> SendError {
        self.api.rate_limited(reply.retry_after.or_else(|| reply.number(RESET).map(Duration::from_secs)))
    }
}

/// What the owner can do. <https://open.feishu.cn/document/server-docs/im-v1/message/create>
fn fix(code: i64) -> &'static str {
    match code {
        10_003 => ": correct channels.feishu.appId",
        10_014 => ": set channels.feishu.appSecret to the App Secret of this app",
        230_002 => ": add the bot to the group",
        230_006 => ": add the bot feature to the app and publish a version",
        230_013 => ": widen the app's availability to this person and publish a version",
        230_025 => ": the text is longer than Feishu takes",
        99_991_672 => ": add the permission that it names and publish a version",
        _ => "",
    }
}
