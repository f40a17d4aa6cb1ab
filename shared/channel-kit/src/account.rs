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
    /// What the platform takes at most places.
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
    /// Files go out.
    pub uploads: bool,
    /// Buttons go out, and what is pressed comes in.
    pub buttons: bool,
    /// We can put emoji under messages.
    pub reactions: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use chela_core::clock::Millis;
    use chela_http::HttpOptions;
    use serde_json::json;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Millis {
            Millis(0)
        }

        fn unique(&self) -> String {
            "u".to_owned()
        }
    }

    const TOKEN: SecretSpec = SecretSpec { key: "botToken", env: "X_TOKEN", doc: "from the console.", required: true };

    const CHANNEL: ChannelDescriptor = ChannelDescriptor {
        id: "x",
        title: "X",
        secrets: &[TOKEN],
        options: &[API_BASE_URL],
        urls: &["apiBaseUrl", "hooks"],
        limits: Limits { text: 1, edit_every: None, typing_for: None, choices: 0 },
        features: Features {
            groups: false,
            threads: false,
            media: false,
            uploads: false,
            buttons: false,
            reactions: false,
        },
        make: |settings| {
            let keys =
                crate::ProofKeys::base64(settings.secret(&TOKEN)?, "").map_err(|e| ConfigProblem::key(&TOKEN, e))?;
            Err(ConfigProblem::option("made", keys.shortest().to_string(), "-"))
        },
    };

    #[test]
    fn a_required_secret_is_required_even_of_a_channel_that_never_reads_it() {
        let forgetful = ChannelDescriptor { make: |_| Err(ConfigProblem::option("made", "-", "-")), ..CHANNEL };
        let problem = |token| forgetful.open(&settings(token, json!({}))).map(|_| ()).unwrap_err().problem;
        assert_eq!(problem(None), ConfigProblem::SecretMissing { key: "botToken", env: "X_TOKEN" });
        assert_eq!(problem(Some("aaaa")), ConfigProblem::option("made", "-", "-"));
    }

    fn settings(token: Option<&str>, options: Value) -> AccountSettings {
        let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None });
        AccountSettings {
            account: "main".to_owned(),
            options: options.as_object().unwrap().clone(),
            secrets: token.map(|token| ("botToken".to_owned(), Secret::new(token))).into_iter().collect(),
            http: http.unwrap(),
            clock: Arc::new(Still),
        }
    }

    fn refusal(token: Option<&str>) -> String {
        CHANNEL.open(&settings(token, json!({}))).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_or_blank_secret_is_refused_by_name_before_anything_is_made() {
        for token in [None, Some(""), Some(" \n")] {
            assert_eq!(
                refusal(token),
                "channels.x (account \"main\"): the secret \"botToken\" is missing; set \"botToken\" or the environment variable X_TOKEN"
            );
        }
        assert!(refusal(Some("aaaa")).contains("\"made\" cannot be used: 3"));
    }

    #[test]
    fn an_unfit_secret_is_refused_without_being_shown() {
        assert_eq!(
            refusal(Some("hunter2!")),
            "channels.x (account \"main\"): the secret \"botToken\" cannot be used: it is not Base64; copy it again: from the console."
        );
    }

    #[test]
    fn options_are_read_by_type_and_refused_with_the_fix() {
        let settings = settings(None, json!({"a": "t", "n": 1, "l": ["x", "y"], "m": ["x", 1], "null": null}));
        assert_eq!(settings.text("a"), Ok(Some("t")));
        assert_eq!((settings.text("null"), settings.text("none")), (Ok(None), Ok(None)));
        assert_eq!(settings.texts("l"), Ok(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(settings.texts("none"), Ok(vec![]));
        assert_eq!(
            settings.text("n").unwrap_err().to_string(),
            "\"n\" cannot be used: it must be a text; write it in quotes"
        );
        assert!(settings.texts("a").is_err() && settings.texts("m").is_err());
    }

    #[test]
    fn a_base_url_is_a_place_and_nothing_more() {
        let base = |value: Value| settings(None, json!({ "apiBaseUrl": value })).base_url("https://api.x.org");
        assert_eq!(base(Value::Null).unwrap(), "https://api.x.org");
        assert_eq!(base(json!("http://127.0.0.1:81/tg/")).unwrap(), "http://127.0.0.1:81/tg");
        for bad in ["api.x.org", "ftp://x", "https://u:p@x", "https://x/?k=1", "https://x/#f"] {
            assert!(base(json!(bad)).unwrap_err().to_string().contains("apiBaseUrl"), "{bad}");
        }
    }

    #[test]
    fn configured_urls_are_found_as_text_and_in_lists() {
        let options = json!({"apiBaseUrl": "http://a", "hooks": ["http://b", 1, "http://c"], "other": "http://d"});
        assert_eq!(CHANNEL.configured_urls(options.as_object().unwrap()), ["http://a", "http://b", "http://c"]);
    }

    #[test]
    fn debug_shows_no_value() {
        let settings = settings(Some("hunter2"), json!({"botToken": "hunter2"}));
        assert_eq!(format!("{settings:?} {CHANNEL:?}"), "AccountSettings(main) ChannelDescriptor(x)");
    }
}
