//! Access tokens: what a platform gives for a secret or a token of ours, for an hour or so.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_core::channel::SendError;
use chela_core::clock::{Clock, Millis};
use chela_core::secret::Secret;
use http::HeaderValue;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::api::{Api, ApiCall};

/// A token is replaced so long before its end, so that none ends on its way.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// A token refused within this time of being given out is not refused for its age.
const YOUNG: u64 = 60 * 1000;

/// A token, and how long it lives from the moment it was given.
#[derive(Clone, Debug)]
pub struct AccessToken {
    value: Secret,
    bearer: HeaderValue,
    lives: Duration,
}

impl AccessToken {
    /// `None` if it cannot stand in a header.
    pub fn new(value: impl Into<String>, lives: Duration) -> Option<Self> {
        let value = value.into();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {value}")).ok()?;
        bearer.set_sensitive(true);
        Some(Self { value: Secret::new(value), bearer, lives }).filter(|token| !token.value.expose().is_empty())
    }

    /// The token.
    pub fn value(&self) -> &Secret {
        &self.value
    }

    /// The token as the value of `Authorization`; its `Debug` shows nothing.
    pub fn bearer(&self) -> HeaderValue {
        self.bearer.clone()
    }
}

/// The access token of one account, kept in memory and replaced before it ends.
pub struct AccessTokens {
    clock: Arc<dyn Clock>,
    held: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    token: AccessToken,
    since: Millis,
}

impl AccessTokens {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, held: tokio::sync::Mutex::default() }
    }

    /// The token, from memory or by `exchange`. Callers at the same time share one exchange.
    pub async fn get<F>(&self, exchange: impl FnOnce() -> F) -> Result<AccessToken, SendError>
    where
        F: Future<Output = Result<AccessToken, SendError>>,
    {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.lives_at(self.clock.now())) {
            return Ok(held.token.clone());
        }
        let token = exchange().await?;
        *held = Some(Held { token: token.clone(), since: self.clock.now() });
        Ok(token)
    }

    /// Forgets a token that the platform did not take. Whether another one may help: the token was not new.
    pub async fn refused(&self, token: &AccessToken) -> bool {
        let mut held = self.held.lock().await;
        match held.take() {
            Some(own) if own.token.value == token.value => self.clock.now().since(own.since) >= YOUNG,
            // Somebody else has replaced it meanwhile.
            other => {
                *held = other;
                true
            }
        }
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("AccessTokens")
    }
}

impl Held {
    /// Tokens that live less than ten minutes are used for half their life.
    fn lives_at(&self, now: Millis) -> bool {
        let early = EARLY.min(self.token.lives / 2);
        let usable = self.token.lives.saturating_sub(early).as_millis();
        u128::from(now.since(self.since)) < usable
    }
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-5.1>
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>
#[derive(Default, Deserialize)]
struct Denied {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Asks an OAuth 2.0 server for a token: client credentials, or a token of ours in exchange. Where it cannot be had for
/// now, nothing was sent to anybody.
pub async fn exchange(
    api: &Api,
    url: &str,
    form: &[(&str, &str)],
    timeout: Duration,
) -> Result<AccessToken, SendError> {
    let form = Serializer::new(String::new()).extend_pairs(form).finish();
    let call = ApiCall::post(url, "application/x-www-form-urlencoded", Bytes::from(form), timeout);
    let none = |why: &str| api.not_sent(&format!("no access token: {why}"));
    let reply = match api.call(call).await {
        Ok(reply) => reply,
        Err(SendError::Unknown { reason, .. }) => return Err(none(&reason)),
        Err(error) => return Err(error),
    };
    let status = reply.status.as_u16();
    match status {
        200..=299 => {
            let granted: Granted = reply.json().ok_or_else(|| none("the answer is not one of OAuth 2.0"))?;
            let token = AccessToken::new(granted.access_token, Duration::from_secs(granted.expires_in));
            token.ok_or_else(|| none("it cannot stand in a header"))
        }
        429 => Err(api.rate_limited(reply.retry_after)),
        500.. => Err(none(&format!("status {status}"))),
        _ => {
            let denied: Denied = reply.json().unwrap_or_default();
            let words = format!("no access token: status {status} {} {}", denied.error, denied.error_description);
            Err(api.refused(&words))
        }
    }
}
