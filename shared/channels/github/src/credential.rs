//! Who we are to GitHub: a user with a token, or an app with an installation in each owner's account, each with a token
//! that lives an hour.
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chela_channel_kit::{AccountSettings, ConfigProblem};
use chela_core::channel::SendError;
use chela_core::clock::Millis;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use crate::jwt::AppKey;
use crate::rest::{Rest, Until};
use crate::settings::{APP_ID, PRIVATE_KEY, REPOS, Settings, TOKEN};

/// A token is replaced this long before it ends.
const EARLY_MS: u64 = 5 * 60 * 1000;

/// What authorises us.
pub(crate) enum Credential {
    /// A personal access token.
    User(HeaderValue),
    /// A GitHub App.
    App(Box<App>),
}

/// An app, and the tokens of its installations by the owner's login in lower case.
pub(crate) struct App {
    id: String,
    key: AppKey,
    tokens: Mutex<HashMap<String, Token>>,
}

#[derive(Clone)]
struct Token {
    authorization: HeaderValue,
    replaced_at: Millis,
}

impl Credential {
    /// Reads what the account has: the app goes before the token.
    pub(crate) fn read(account: &AccountSettings, settings: &Settings) -> Result<Self, ConfigProblem> {
        if let Some(key) = account.optional_secret(&PRIVATE_KEY) {
            let missing = |key, doc: &str| {
                ConfigProblem::option(key, "it is missing beside privateKey", format!("set it: {doc}"))
            };
            let id = settings.app_id.clone().ok_or_else(|| missing(APP_ID.key, APP_ID.doc))?;
            // Anybody may install a public app, and in their own repositories everybody is OWNER.
            if account.options.get(REPOS.key).is_none_or(Value::is_null) {
                return Err(missing(REPOS.key, REPOS.doc));
            }
            return Ok(Self::App(Box::new(App { id, key: AppKey::read(key)?, tokens: Mutex::default() })));
        }
        let token = account.secret(&TOKEN)?;
        let header = bearer(token.expose().trim());
        header.map(Self::User).ok_or_else(|| {
            ConfigProblem::secret(TOKEN.key, "it is not one word", format!("copy it again: {}", TOKEN.doc))
        })
    }

    /// Forgets the token for an owner; whether there may be another.
    pub(crate) fn forget(&self, owner: &str) -> bool {
        match self {
            Self::User(_) => false,
            Self::App(app) => {
                app.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&owner.to_ascii_lowercase()).is_some()
            }
        }
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.contains(' '))?;
    header.set_sensitive(true);
    Some(header)
}

impl Rest {
    /// What authorises a call of this repository.
    pub(crate) async fn authorization(&self, owner: &str, repo: &str, until: Until) -> Result<HeaderValue, SendError> {
        let app = match &self.credential {
            Credential::User(authorization) => return Ok(authorization.clone()),
            Credential::App(app) => app,
        };
        let name = owner.to_ascii_lowercase();
        let kept = app.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(token) = kept.filter(|token| token.replaced_at > self.clock.now()) {
            return Ok(token.authorization);
        }
        let token = self.installed(app, owner, repo, until).await.map_err(|error| match error {
            // Whatever became of this request, nothing was said to anybody.
            SendError::Unknown { reason, .. } => self.api.not_sent(&reason),
            other => other,
        })?;
        let authorization = token.authorization.clone();
        app.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(name, token);
        Ok(authorization)
    }

    async fn installed(&self, app: &App, owner: &str, repo: &str, until: Until) -> Result<Token, SendError> {
        let jwt = self.own(app)?;
        let path = format!("/repos/{owner}/{repo}/installation");
        let installation = self.ask(&jwt, Method::GET, &path, None, until).await?;
        let id = installation.get("id").and_then(Value::as_u64);
        let id = id.ok_or_else(|| self.api.not_sent("the installation has no id"))?;
        let path = format!("/app/installations/{id}/access_tokens");
        let granted = self.ask(&jwt, Method::POST, &path, Some(&json!({})), until).await?;
        let word = |field| granted.get(field).and_then(Value::as_str);
        let ends = word("expires_at").and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let ends = ends.and_then(|at| u64::try_from(at.as_millisecond()).ok());
        let authorization = word("token").and_then(bearer);
        let (Some(authorization), Some(ends)) = (authorization, ends) else {
            return Err(self.api.not_sent("the answer has no token"));
        };
        Ok(Token { authorization, replaced_at: Millis(ends.saturating_sub(EARLY_MS)) })
    }

    /// What authorises calls of the app itself.
    pub(crate) fn own(&self, app: &App) -> Result<HeaderValue, SendError> {
        let jwt = app.key.token(&app.id, self.clock.now());
        bearer(jwt.expose()).ok_or_else(|| self.api.not_sent("the app's token cannot be signed"))
    }
}
