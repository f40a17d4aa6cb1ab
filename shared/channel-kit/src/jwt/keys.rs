//! The public keys of a platform: fetched, kept for a day, and fetched again when it signs with a new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_core::channel::{RawRequest, Rejected, SendError};
use chela_core::clock::Millis;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::token::Token;
use crate::account::{AccountSettings, ConfigProblem, OptionSpec};
use crate::api::{Api, ApiCall};

/// The option by which an owner gives the keys, for accounts that cannot or shall not fetch them.
pub const PUBLIC_KEYS: OptionSpec = OptionSpec {
    key: "publicKeys",
    doc: "A JSON Web Key Set to be used instead of the platform's published keys, which are then never fetched.",
};

/// How old fetched keys may be before they are fetched again, in milliseconds.
const REFRESH_AFTER: u64 = 24 * 60 * 60 * 1000;

/// How old they may be at all: a platform that cannot be asked for a day does not silence the account at once.
const DROP_AFTER: u64 = 2 * REFRESH_AFTER;

/// Least time between two fetches for the sake of a key that nobody has published yet, in milliseconds. Anybody can
/// invent names of keys.
const REFETCH_AFTER: u64 = 5 * 60 * 1000;

/// The same after a fetch that failed.
const RETRY_AFTER: u64 = 10 * 1000;

/// A webhook waits for this, and its platform for the webhook.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Where a platform publishes its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A document with a `jwks_uri` on the same host.
    /// <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>
    Metadata(String),
    /// The key set itself. <https://www.rfc-editor.org/rfc/rfc7517#section-5>
    Jwks(String),
}

/// A public key as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// Which channels of the Bot Framework the key may sign for; empty at all other platforms.
    pub endorsements: Vec<String>,
}

impl PublishedKey {
    /// Whether the key signed these bytes.
    pub(super) fn check(&self, signed: &[u8], signature: &[u8]) -> Result<(), Rejected> {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        let checked = key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature);
        checked.map_err(|_| Rejected::Unproven("the token's signature does not match"))
    }
}

/// The keys of one platform, as one account has them.
pub struct PublishedKeys {
    api: Api,
    /// `None` where the owner gave the keys.
    source: Option<KeySource>,
    known: Mutex<Known>,
    /// Whoever holds it fetches; the others wait and look again.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<PublishedKey>>,
    fetched_at: Option<Millis>,
    asked_at: Option<Millis>,
    failed: bool,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// The key is here, or it is too early to ask for it again.
    Nothing,
    /// The keys.
    Fetch,
    /// The keys, and asking has failed a moment ago.
    Patience,
}

impl PublishedKeys {
    /// The keys of an account: those of its option [`PUBLIC_KEYS`], or those that `source` publishes.
    pub fn new(settings: &AccountSettings, api: Api, source: KeySource) -> Result<Self, ConfigProblem> {
        let given = settings.options.get(PUBLIC_KEYS.key).filter(|value| !value.is_null());
        let source = if given.is_some() { None } else { Some(source) };
        let keys = given.map(key_set).transpose()?.unwrap_or_default();
        let known = Mutex::new(Known { keys, ..Known::default() });
        Ok(Self { api, source, known, fetching: tokio::sync::Mutex::default() })
    }

    /// Fetches the keys if this request was signed with one that is not here, or if they are a day old. Of the request
    /// only the key's name is read, and an invented one leads to one fetch in five minutes. Callers at the same time
    /// share one fetch.
    pub async fn fetch(&self, request: &RawRequest) -> Result<(), SendError> {
        let Some(source) = &self.source else { return Ok(()) };
        // What is no token is refused by `verify`, without keys.
        let Ok(token) = Token::of(request) else { return Ok(()) };
        let now = request.received_at;
        if self.known().need(&token.kid, now) == Need::Nothing {
            return Ok(());
        }
        let _one_at_a_time = self.fetching.lock().await;
        let failing = || Err(self.api.not_sent("the platform's public keys cannot be fetched"));
        match self.known().need(&token.kid, now) {
            Need::Nothing => return Ok(()),
            Need::Patience => return failing(),
            Need::Fetch => {}
        }
        let fetched = self.load(source).await;
        let mut known = self.known();
        known.asked_at = Some(now);
        known.failed = fetched.is_err();
        match fetched {
            Ok(keys) => {
                known.keys = keys;
                known.fetched_at = Some(now);
                Ok(())
            }
            // Yesterday's keys will do meanwhile.
            Err(_) if known.usable(now) && known.keys.contains_key(&token.kid) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A key by its name.
    pub(super) fn get(&self, kid: &str, now: Millis) -> Option<Arc<PublishedKey>> {
        let known = self.known();
        if self.source.is_some() && !known.usable(now) {
            return None;
        }
        known.keys.get(kid).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, source: &KeySource) -> Result<HashMap<String, Arc<PublishedKey>>, SendError> {
        let url = match source {
            KeySource::Jwks(url) => url.clone(),
            KeySource::Metadata(url) => {
                let metadata: Metadata = self.get_json(url).await?;
                if !same_origin(url, &metadata.jwks_uri) {
                    return Err(self.api.not_sent("the platform's metadata lead to another host for its keys"));
                }
                metadata.jwks_uri
            }
        };
        let set: Value = self.get_json(&url).await?;
        key_set(&set).map_err(|_| self.api.not_sent("the platform publishes no keys that can be used"))
    }

    /// Whatever goes wrong, nothing was done, and another attempt may do it.
    async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T, SendError> {
        let failed = |why: &str| self.api.not_sent(&format!("the platform's public keys cannot be fetched: {why}"));
        let reply = self.api.call(ApiCall::get(url, TIMEOUT)).await.map_err(|error| failed(&error.to_string()))?;
        if !reply.status.is_success() {
            return Err(failed(&format!("status {}", reply.status.as_u16())));
        }
        reply.json().ok_or_else(|| failed("the answer is not what the platform documents"))
    }
}

impl std::fmt::Debug for PublishedKeys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PublishedKeys({})", self.known().keys.len())
    }
}

impl Known {
    fn usable(&self, now: Millis) -> bool {
        self.fetched_at.is_some_and(|at| now.since(at) < DROP_AFTER)
    }

    fn need(&self, kid: &str, now: Millis) -> Need {
        let here = self.usable(now) && self.keys.contains_key(kid);
        let fresh = self.fetched_at.is_some_and(|at| now.since(at) < REFRESH_AFTER);
        let pause = if self.failed { RETRY_AFTER } else { REFETCH_AFTER };
        let lately = self.asked_at.is_some_and(|at| now.since(at) < pause);
        match (here, lately) {
            (true, _) if fresh || lately => Need::Nothing,
            (false, true) if self.failed => Need::Patience,
            (false, true) => Need::Nothing,
            _ => Need::Fetch,
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    #[serde(default)]
    endorsements: Vec<String>,
}

/// The RSA keys for signatures in a key set; keys of other kinds are left out.
fn key_set(set: &Value) -> Result<HashMap<String, Arc<PublishedKey>>, ConfigProblem> {
    let unfit =
        |what: &str| ConfigProblem::option(PUBLIC_KEYS.key, what, "write it as { keys: [{ kty: \"RSA\", … }] }");
    let set = KeySet::deserialize(set).map_err(|_| unfit("it is no JSON Web Key Set"))?;
    let keys: HashMap<_, _> = set.keys.iter().filter_map(public_key).collect();
    if keys.is_empty() { Err(unfit("it has no RSA key with a kid for signatures")) } else { Ok(keys) }
}

fn public_key(value: &Value) -> Option<(String, Arc<PublishedKey>)> {
    let jwk = Jwk::deserialize(value).ok()?;
    let for_us = jwk.kty == "RSA"
        && jwk.purpose.is_none_or(|purpose| purpose == "sig")
        && jwk.alg.is_none_or(|alg| alg == "RS256");
    if !for_us || jwk.kid.is_empty() {
        return None;
    }
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        // ring wants numbers without leading zeros.
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeros..).filter(|bytes| !bytes.is_empty()).map(<[u8]>::to_vec)
    };
    let key = PublishedKey { modulus: number(&jwk.n)?, exponent: number(&jwk.e)?, endorsements: jwk.endorsements };
    Some((jwk.kid, Arc::new(key)))
}

fn same_origin(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Ok(one), Ok(other)) if one.origin() == other.origin())
}
