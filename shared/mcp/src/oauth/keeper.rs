//! Holds the token of one server, and renews it.

use std::sync::Arc;

use chela_core::blob::{BlobStore, Precondition};
use chela_core::clock::Clock;
use chela_core::secret::{Secret, SecretStore};
use chela_http::HttpClient;
use tokio::sync::Mutex;

use super::grant::{Grant, Tokens};
use super::login::tokens_of;
use super::{Ways, reason};
use crate::error::McpError;
use crate::server::Ground;
use crate::settings::Hidden;

/// Who has the token.
pub(crate) struct Keeper {
    server: String,
    url: String,
    place: Hidden,
    http: HttpClient,
    files: Arc<dyn BlobStore>,
    secrets: Arc<dyn SecretStore>,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    grant: Grant,
    tokens: Tokens,
    etag: Option<String>,
}

impl Keeper {
    pub(crate) fn new(server: &str, url: &str, place: Hidden, http: HttpClient, ground: &Ground) -> Self {
        let Ground { files, secrets, clock, .. } = ground.clone();
        let (server, url) = (server.to_owned(), url.to_owned());
        Self { server, url, place, http, files, secrets, clock, held: Mutex::new(None) }
    }

    /// A token that is good for a minute at least, if anybody can tell.
    pub(crate) async fn token(&self) -> Result<Secret, McpError> {
        let mut held = self.held.lock().await;
        let mut now = match held.clone() {
            Some(held) => held,
            None => self.read().await?,
        };
        if now.tokens.ends_soon(self.clock.now()) {
            now = self.renew(now).await?;
        }
        let token = Secret::new(now.tokens.access.clone());
        *held = Some(now);
        Ok(token)
    }

    /// A token in place of one that the server did not take.
    pub(crate) async fn renewed(&self, stale: &Secret) -> Result<Secret, McpError> {
        let mut held = self.held.lock().await;
        let mut now = match held.clone() {
            // Another call renewed it meanwhile.
            Some(held) if held.tokens.access != stale.expose() => held,
            // Another process may have, and a new login may be there.
            _ => self.read().await?,
        };
        if now.tokens.access == stale.expose() {
            now = self.renew(now).await?;
        }
        let token = Secret::new(now.tokens.access.clone());
        *held = Some(now);
        Ok(token)
    }

    fn login(&self) -> McpError {
        McpError::Login { server: self.server.clone(), scope: None }
    }

    fn key(&self) -> String {
        format!("mcp/{}/tokens", self.server)
    }

    async fn read(&self) -> Result<Held, McpError> {
        let grant = self.place.read(self.secrets.as_ref()).await.map_err(|_| self.login())?;
        let grant = Grant::read(&grant).ok_or_else(|| self.login())?;
        if grant.server != self.url {
            let text = format!("the login is for {}: run `chela mcp login {}` again", grant.server, self.server);
            return Err(McpError::Setup(text));
        }
        let kept = self.files.get(&self.key()).await.map_err(|error| McpError::Unreachable(error.to_string()))?;
        let renewed = kept.as_ref().and_then(|blob| grant.opened(&blob.bytes));
        let tokens = renewed.unwrap_or_else(|| grant.tokens.clone());
        Ok(Held { grant, tokens, etag: kept.map(|blob| blob.etag) })
    }

    async fn renew(&self, held: Held) -> Result<Held, McpError> {
        let Held { grant, tokens, etag } = held;
        let refresh = tokens.refresh.clone().ok_or_else(|| self.login())?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
            ("resource", grant.resource.as_str()),
        ];
        let ways = Ways::new(&self.url, self.http.clone())?;
        let (answer, asked_at) = (grant.post(&ways, &form).await?, self.clock.now());
        if !answer.status.is_success() {
            // Whoever renewed it first may have used it up.
            let other = self.read().await?;
            if other.tokens.access != tokens.access {
                return Ok(other);
            }
            tracing::warn!(server = self.server, reason = reason(&answer), "a token is not renewed");
            return Err(self.login());
        }
        let mut fresh = tokens_of(&answer, asked_at)?;
        fresh.refresh = fresh.refresh.or(Some(refresh));
        let precondition = etag.clone().map_or(Precondition::Absent, Precondition::Matches);
        let sealed = grant.sealed(&fresh, &self.clock.unique());
        let kept = match sealed {
            Some(sealed) => self.files.put(&self.key(), sealed.into(), precondition).await.map(Some),
            None => Ok(etag),
        };
        // Ours works for as long as this process lives; what somebody else kept works for the others.
        let etag = kept.inspect_err(|error| tracing::warn!(%error, "a renewed token is not kept")).unwrap_or_default();
        Ok(Held { grant, tokens: fresh, etag })
    }
}
