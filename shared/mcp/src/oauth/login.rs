//! A person signs in, once.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chela_core::clock::{Clock, Millis};
use chela_core::secret::Secret;
use chela_http::{Request, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize, parse};

use super::discovery::{Discovery, discover};
use super::grant::{Grant, Tokens};
use super::{Challenge, MOST_BYTES, TIMEOUT, Ways, reason};
use crate::error::McpError;
use crate::protocol::{MODERN, implementation, request};

/// What the owner says about a login.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The name of a client that was introduced already; we introduce ourselves without one.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// What the token is to be good for; what the server asks for without it.
    pub scope: Option<String>,
    /// Where the browser is sent back to: a door of this machine.
    pub redirect: String,
}

/// A login on its way.
pub struct Login {
    ways: Ways,
    found: Discovery,
    grant: Grant,
    redirect: String,
    verifier: String,
    state: String,
    address: String,
}

impl Login {
    /// Finds out who lets people in and introduces us. Nobody has agreed to anything yet.
    pub async fn begin(server: &str, wanted: Wanted, clock: &dyn Clock) -> Result<Self, McpError> {
        let ways = Ways::new(server, crate::server::client(server)?)?;
        let challenge = knock(&ways).await?;
        let found = discover(&ways, &challenge).await?;
        let scope = wanted.scope.clone().or(challenge.scope).or_else(|| found.scopes.clone());
        let (client_id, client_secret, basic) = match wanted.client_id.clone() {
            Some(id) => {
                let posts = found.methods.iter().any(|method| method == "client_secret_post");
                (id, wanted.client_secret.map(|secret| secret.expose().to_owned()), !posts)
            }
            None => introduce(&ways, &found, &wanted, scope.as_deref()).await?,
        };
        // Each name of the clock has 128 random bits.
        let secret = || format!("{}{}", clock.unique(), clock.unique());
        let (verifier, state) = (secret(), secret());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut address =
            Url::parse(&found.authorize).map_err(|_| McpError::Broken("an endpoint is no URL".to_owned()))?;
        let local = address.origin() == ways.server.origin();
        if address.scheme() != "https" && !(local && address.scheme() == "http") {
            return Err(McpError::Broken("a person is not sent to sign in over plain http".to_owned()));
        }
        let mut query = address.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &client_id)
            .append_pair("redirect_uri", &wanted.redirect)
            .append_pair("state", &state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &found.resource);
        if let Some(scope) = &scope {
            query.append_pair("scope", scope);
        }
        drop(query);
        let grant = Grant {
            server: server.to_owned(),
            resource: found.resource.clone(),
            issuer: found.issuer.clone(),
            token_endpoint: found.token.clone(),
            client_id,
            client_secret,
            basic,
            seal: secret(),
            tokens: Tokens { access: String::new(), refresh: None, expires_at: None },
        };
        Ok(Self { ways, found, grant, redirect: wanted.redirect, verifier, state, address: address.to_string() })
    }

    /// Where the person signs in.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Who lets people in.
    pub fn issuer(&self) -> &str {
        &self.found.issuer
    }

    /// Takes what the browser brought back, the query without its `?`. Only the answer to this question is taken, and only
    /// from whoever was asked.
    pub async fn finish(mut self, query: &str, clock: &dyn Clock) -> Result<Grant, McpError> {
        let all: Vec<(String, String)> = parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| {
            let mut found = all.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            found.next().filter(|_| found.next().is_none())
        };
        let state = value("state").unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return Err(McpError::Broken("the browser brought the answer to another question".to_owned()));
        }
        match value("iss") {
            Some(issuer) if issuer == self.found.issuer => {}
            None if !self.found.names_itself => {}
            _ => return Err(McpError::Broken("the answer is from somebody else than was asked".to_owned())),
        }
        if let Some(error) = value("error") {
            let words = value("error_description").unwrap_or_default();
            return Err(McpError::Setup(crate::outside::line(&format!("nobody was let in: {error} {words}"), 300)));
        }
        let code = value("code").ok_or_else(|| McpError::Broken("the browser brought no code".to_owned()))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect.as_str()),
            ("code_verifier", self.verifier.as_str()),
            ("resource", self.grant.resource.as_str()),
        ];
        let (answer, asked_at) = (self.grant.post(&self.ways, &form).await?, clock.now());
        if !answer.status.is_success() {
            return Err(McpError::Setup(format!("there is no token: {}", reason(&answer))));
        }
        self.grant.tokens = tokens_of(&answer, asked_at)?;
        Ok(self.grant)
    }
}

impl Grant {
    /// Asks whoever lets people in for tokens.
    pub(super) async fn post(&self, ways: &Ways, form: &[(&str, &str)]) -> Result<Response, McpError> {
        let mut form = form.to_vec();
        let mut headers = HeaderMap::new();
        match (&self.client_secret, self.basic) {
            (Some(secret), true) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = STANDARD.encode(format!("{}:{}", encoded(&self.client_id), encoded(secret)));
                let value = HeaderValue::from_str(&format!("Basic {pair}"));
                headers.insert(
                    AUTHORIZATION,
                    value.map_err(|_| McpError::Setup("a client's secret is no text".to_owned()))?,
                );
            }
            (Some(secret), false) => {
                form.extend([("client_id", self.client_id.as_str()), ("client_secret", secret.as_str())]);
            }
            (None, _) => form.push(("client_id", self.client_id.as_str())),
        }
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        ways.post(&self.token_endpoint, "application/x-www-form-urlencoded", body, headers).await
    }
}

/// The tokens of an answer.
pub(super) fn tokens_of(answer: &Response, asked_at: Millis) -> Result<Tokens, McpError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    let access = text("access_token").filter(|_| bearer);
    let access = access.ok_or_else(|| McpError::Broken("the answer holds no bearer token".to_owned()))?;
    let seconds = body.get("expires_in").and_then(Value::as_u64);
    let expires_at = seconds.map(|seconds| asked_at.plus(seconds.saturating_mul(1000)).0);
    Ok(Tokens { access, refresh: text("refresh_token"), expires_at })
}

/// Asks without a token, to be told who gives one.
async fn knock(ways: &Ways) -> Result<Challenge, McpError> {
    let body = request(1, "server/discover", serde_json::Map::new(), true).to_string();
    let knock = Request::post(ways.server.clone(), body, TIMEOUT, MOST_BYTES)
        .header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(http::header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"))
        .header(http::HeaderName::from_static(crate::protocol::VERSION_HEADER), HeaderValue::from_static(MODERN))
        .header(
            http::HeaderName::from_static(crate::protocol::METHOD_HEADER),
            HeaderValue::from_static("server/discover"),
        );
    let answer = ways.http.stream(knock, TIMEOUT).await.map_err(super::unreachable)?;
    Ok(Challenge::of(answer.headers()))
}

/// Registers us (RFC 7591): a program on somebody's machine, which keeps no secret of its own.
async fn introduce(
    ways: &Ways,
    found: &Discovery,
    wanted: &Wanted,
    scope: Option<&str>,
) -> Result<(String, Option<String>, bool), McpError> {
    let Some(register) = &found.register else {
        let text = "whoever lets people in takes no introductions: set oauth.clientId to a client that it knows";
        return Err(McpError::Setup(text.to_owned()));
    };
    let mut body = json!({
        "client_name": "Chela",
        "software_id": implementation().get("name"),
        "application_type": "native",
        "redirect_uris": [wanted.redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    if let (Some(scope), Some(fields)) = (scope, body.as_object_mut()) {
        fields.insert("scope".to_owned(), scope.into());
    }
    let answer = ways.post(register, "application/json", body.to_string(), HeaderMap::new()).await?;
    if !answer.status.is_success() {
        return Err(McpError::Setup(format!("whoever lets people in does not want to know us: {}", reason(&answer))));
    }
    let known: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |key: &str| known.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = text("client_id").ok_or_else(|| McpError::Broken("we were given no name".to_owned()))?;
    let basic = text("token_endpoint_auth_method").as_deref() == Some("client_secret_basic");
    Ok((id, text("client_secret"), basic))
}
