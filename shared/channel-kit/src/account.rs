//! What a channel is told about one account, and what it tells the registry about itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chela_core::channel::{Channel, Limits};
use chela_core::clock::Clock;
use chela_core::secret::Secret;
use chela_http::HttpClient;
use serde_json::{Map, Value};
use url::Url;

use crate::proof::UnfitKey;

/// The option that points a channel at another server than the platform's own: a self-hosted one, or a test.
pub const API_BASE_URL: OptionSpec =
    OptionSpec { key: "apiBaseUrl", doc: "Base URL of the platform's API; the platform's own if left out." };

/// A channel as the registry, the configuration check, `doctor` and the documentation know it.
#[derive(Clone, Copy)]
pub struct ChannelDescriptor {
    /// The channel's name, in configuration and in every URL.
    pub id: &'static str,
    /// The platform's name as it writes it.
    pub title: &'static str,
    /// Secrets of one account.
    pub secrets: &'static [SecretSpec],
    /// Other keys of one account that this channel reads.
    pub options: &'static [OptionSpec],
    /// Which options hold a URL, or a list of URLs, that this account speaks to: the ones the HTTP client must let
    /// through even where they are private.
    pub urls: &'static [&'static str],
    /// What the platform takes.
    pub limits: Limits,
    /// What the channel can do.
    pub features: Features,
    /// Makes the channel of one account. Called by [`ChannelDescriptor::open`], which checks the secrets first.
    pub make: fn(&AccountSettings) -> Result<Arc<dyn Channel>, ConfigProblem>,
}

impl ChannelDescriptor {
    /// Opens one account: no network, no clock; a missing secret is an error here, never later.
    pub fn open(&self, settings: &AccountSettings) -> Result<Arc<dyn Channel>, ChannelConfigError> {
        let blame = |problem| ChannelConfigError { channel: self.id, account: settings.account.clone(), problem };
        for spec in self.secrets.iter().filter(|spec| spec.required) {
            settings.secret(spec).map_err(blame)?;
        }
        (self.make)(settings).map_err(blame)
    }

    /// The URLs an account's options name, as they are written there.
    pub fn configured_urls<'o>(&self, options: &'o Map<String, Value>) -> Vec<&'o str> {
        self.urls
            .iter()
            .filter_map(|key| options.get(*key))
            .flat_map(|value| match value {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect::<Vec<_>>(),
            })
            .collect()
    }
}

impl fmt::Debug for ChannelDescriptor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ChannelDescriptor({})", self.id)
    }
}

/// A secret of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretSpec {
    /// The key in the account's configuration, as OpenClaw names it.
    pub key: &'static str,
    /// The environment variable it is read from where the configuration has no such key.
    pub env: &'static str,
    /// What it is and where the owner finds it: one sentence.
    pub doc: &'static str,
    /// Whether the account cannot be opened without it.
    pub required: bool,
}

/// A key of an account that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// The key in the account's configuration.
    pub key: &'static str,
    /// What it means: one sentence.
    pub doc: &'static str,
}

/// What a channel can do beyond sending text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// It has rooms with several people.
    pub groups: bool,
    /// It has conversations inside a room.
    pub threads: bool,
    /// Files come in.
    pub media: bool,
    /// Buttons come in.
    pub buttons: bool,
}

/// What a channel's constructor gets.
#[derive(Clone)]
pub struct AccountSettings {
    /// The account's name in configuration.
    pub account: String,
    /// The account's own keys, without the secrets; keys the channel does not know are ignored.
    pub options: Map<String, Value>,
    /// The secrets by [`SecretSpec::key`], resolved. A secret that is not configured is absent.
    pub secrets: BTreeMap<String, Secret>,
    /// The one way out.
    pub http: HttpClient,
    /// The time: signatures of what we send carry it.
    pub clock: Arc<dyn Clock>,
}

impl AccountSettings {
    /// A secret that must be there. Blank is as good as absent.
    pub fn secret(&self, spec: &SecretSpec) -> Result<&Secret, ConfigProblem> {
        self.optional_secret(spec).ok_or(ConfigProblem::SecretMissing { key: spec.key, env: spec.env })
    }

    /// A secret that may be left out.
    pub fn optional_secret(&self, spec: &SecretSpec) -> Option<&Secret> {
        self.secrets.get(spec.key).filter(|secret| !secret.expose().trim().is_empty())
    }

    /// A text option.
    pub fn text(&self, key: &'static str) -> Result<Option<&str>, ConfigProblem> {
        match self.options.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ConfigProblem::option(key, "it must be a text", "write it in quotes")),
        }
    }

    /// An option that is a list of texts; absent is empty.
    pub fn texts(&self, key: &'static str) -> Result<Vec<String>, ConfigProblem> {
        let unfit = || ConfigProblem::option(key, "it must be a list of texts", "write it as [\"…\", \"…\"]");
        match self.options.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(unfit)).collect()
            }
            Some(_) => Err(unfit()),
        }
    }

    /// The base URL of the platform's API: `apiBaseUrl` or `default`, without a trailing slash.
    pub fn base_url(&self, default: &str) -> Result<String, ConfigProblem> {
        let text = self.text(API_BASE_URL.key)?.unwrap_or(default);
        let unfit =
            |what: &str| ConfigProblem::option(API_BASE_URL.key, what, "write it as https://host[:port][/path]");
        let url = Url::parse(text).map_err(|_| unfit("it is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(unfit("its scheme is not https"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(unfit("it carries more than a host and a path"));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

impl fmt::Debug for AccountSettings {
    /// Only the name: `options` may hold what its author should have kept secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AccountSettings({})", self.account)
    }
}

/// Why an account cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channels.{channel} (account \"{account}\"): {problem}")]
pub struct ChannelConfigError {
    /// The channel.
    pub channel: &'static str,
    /// The account.
    pub account: String,
    /// What is wrong.
    pub problem: ConfigProblem,
}

/// What is wrong with an account's settings. Never carries a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A secret is absent or blank.
    #[error("the secret \"{key}\" is missing; set \"{key}\" or the environment variable {env}")]
    SecretMissing {
        /// Its key.
        key: &'static str,
        /// Its variable.
        env: &'static str,
    },
    /// A secret is there and cannot be what it should be.
    #[error("the secret \"{key}\" cannot be used: {what}; {fix}")]
    SecretUnfit {
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        what: String,
        /// What to do.
        fix: String,
    },
    /// An option has a value the channel cannot use.
    #[error("\"{key}\" cannot be used: {what}; {fix}")]
    OptionUnfit {
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        what: String,
        /// What to do.
        fix: String,
    },
}

impl ConfigProblem {
    /// An option the channel cannot use.
    pub fn option(key: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::OptionUnfit { key, what: what.into(), fix: fix.into() }
    }

    /// A secret that cannot be what it should be.
    pub fn secret(key: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::SecretUnfit { key, what: what.into(), fix: fix.into() }
    }

    /// A secret that cannot be a key of a proof.
    pub fn key(spec: &SecretSpec, unfit: UnfitKey) -> Self {
        Self::secret(spec.key, unfit.to_string(), format!("copy it again: {}", spec.doc))
    }
}
