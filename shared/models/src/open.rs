//! Opening a provider: what the configuration says over what is known of the well-known ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chela_core::model::Model;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient};
use chela_sigv4::{AwsKeys, Signer};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::anthropic::Anthropic;
use crate::bedrock::Bedrock;
use crate::catalog::{Api, Builtin, builtin};
use crate::echo::Echo;
use crate::endpoint::Endpoint;
use crate::facts::{ModelConfig, Models};
use crate::failure::Witness;
use crate::gemini::Gemini;
use crate::ollama::Ollama;
use crate::openai_chat::{OpenAiChat, Quirks};
use crate::openai_responses::OpenAiResponses;

/// What the configuration says of a provider (`models.providers.<id>`), its secrets resolved. What is `None` comes from
/// [`builtin`], if it knows the id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The part before the slash in `provider/model`.
    pub id: String,
    /// `api`.
    pub api: Option<Api>,
    /// `baseUrl`: everything before `/chat/completions`, `/responses`, `/v1/messages`, `/models`, `/model` or `/api/chat`.
    /// A query at its end (`?api-version=…`) is sent with every request.
    pub base_url: Option<String>,
    /// `headers`: sent with every call, over our own of the same name.
    pub headers: Vec<(String, Secret)>,
    /// `timeoutSeconds`: the longest a call may take, if the caller would wait longer.
    pub timeout: Option<Duration>,
    /// `models`, by id.
    pub models: BTreeMap<String, ModelConfig>,
    /// Keys to sign requests with, for Amazon Bedrock without a key of its own.
    pub aws: Option<AwsKeys>,
    /// The region of AWS, where the base URL does not tell.
    pub region: Option<String>,
}

impl ProviderConfig {
    /// A provider of which only the id is configured.
    pub fn of(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// Why a provider cannot be opened. Every variant names the key to change, none shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nothing says where or how to ask.
    #[error("models.providers.{provider}.{key} is missing: where {provider} answers is not known here; set it")]
    Incomplete {
        /// The provider.
        provider: String,
        /// The missing key.
        key: &'static str,
    },
    /// The provider answers nothing without a key.
    #[error("models.providers.{provider}.apiKey is missing: {provider} answers nothing without one; set it")]
    MissingKey {
        /// The provider.
        provider: String,
    },
    /// Amazon Bedrock wants a key or signed requests.
    #[error(
        "models.providers.{provider}.apiKey is missing, and so are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; set \
         the key (AWS_BEARER_TOKEN_BEDROCK) or both of these"
    )]
    MissingAwsKeys {
        /// The provider.
        provider: String,
    },
    /// A value cannot be used.
    #[error("models.providers.{provider}.{key} cannot be used: {reason}")]
    Unusable {
        /// The provider.
        provider: String,
        /// The key with the value.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Opens a provider. Asks nobody anything: a wrong key shows with the first call.
pub fn open(config: &ProviderConfig, key: Option<Secret>, http: HttpClient) -> Result<Arc<dyn Model>, OpenError> {
    let known = builtin(&config.id);
    let incomplete = || OpenError::Incomplete { provider: config.id.clone(), key: "baseUrl" };
    let api = dialect(config, known).ok_or_else(incomplete)?;
    if api == Api::Echo {
        return Ok(Arc::new(Echo));
    }
    let base_url = base_url(config, known, api).ok_or_else(incomplete)?;
    let (base, query) = base_url.split_once('?').map_or((base_url.as_str(), None), |(base, query)| (base, Some(query)));
    let base = complete(base, api);
    let place = HostPort::of_url(&base).map_err(|error| unusable(config, "baseUrl", error.to_string()))?;
    // The key goes to the host of the configuration and nowhere else, whatever comes to stand in a path.
    let http = http.only(place);
    let headers = headers(config, api, known, key.as_ref())?;
    let own_key = config.headers.iter().any(|(name, _)| is_key_header(name));
    if key.is_none() && !own_key && config.base_url.is_none() && known.is_some_and(|known| known.needs_key) {
        return Err(OpenError::MissingKey { provider: config.id.clone() });
    }
    let signer = match &config.aws {
        Some(keys) if api == Api::BedrockConverseStream && key.is_none() && !own_key => {
            let region = region(&base).or(config.region.clone()).ok_or_else(|| {
                unusable(
                    config,
                    "baseUrl",
                    "it names no region; write https://bedrock-runtime.<region>.amazonaws.com".into(),
                )
            })?;
            Some(Signer::new(keys, region, "bedrock"))
        }
        None if api == Api::BedrockConverseStream && key.is_none() && !own_key => {
            return Err(OpenError::MissingAwsKeys { provider: config.id.clone() });
        }
        _ => None,
    };
    let witness = Witness { provider: config.id.clone(), key };
    let query = query.map(str::to_owned);
    let endpoint = Endpoint { base, query, headers, signer, timeout: config.timeout, http, witness };
    let provider = known.map_or(config.id.as_str(), |known| known.id).to_owned();
    let models = Models { provider, builtin: known, configured: config.models.clone() };
    Ok(match api {
        Api::AnthropicMessages => Arc::new(Anthropic::new(endpoint, models)),
        Api::OpenaiResponses | Api::AzureOpenaiResponses => Arc::new(OpenAiResponses::new(endpoint, models)),
        Api::GoogleGenerativeAi => Arc::new(Gemini::new(endpoint, models)),
        Api::BedrockConverseStream => Arc::new(Bedrock::new(endpoint, models)),
        Api::Ollama => Arc::new(Ollama::new(endpoint, models)),
        Api::OpenaiCompletions | Api::Echo => {
            let quirks = known.map(Quirks::of).unwrap_or_default();
            Arc::new(OpenAiChat::new(endpoint, models, quirks))
        }
    })
}

/// A base URL alone is enough: nearly everybody speaks OpenAI's chat completions. So does whoever stands at another base
/// URL under the name of OpenAI, and Ollama under `/v1`.
fn dialect(config: &ProviderConfig, known: Option<&Builtin>) -> Option<Api> {
    let elsewhere = config.base_url.as_deref().filter(|url| known.is_none_or(|known| *url != known.base_url));
    let usual = match (known.map(|known| known.api), elsewhere) {
        (Some(Api::OpenaiResponses) | None, Some(_)) => Some(Api::OpenaiCompletions),
        (Some(Api::Ollama), Some(url)) if url.trim_end_matches('/').ends_with("/v1") => Some(Api::OpenaiCompletions),
        (usual, _) => usual,
    };
    config.api.or(usual)
}

fn base_url(config: &ProviderConfig, known: Option<&Builtin>, api: Api) -> Option<String> {
    let known = known.map(|known| known.base_url).filter(|url| !url.is_empty());
    match (&config.base_url, &config.region) {
        (Some(url), _) => Some(url.clone()),
        (None, Some(region)) if api == Api::BedrockConverseStream => {
            Some(format!("https://bedrock-runtime.{region}.amazonaws.com"))
        }
        (None, _) => known.map(str::to_owned),
    }
}

/// The base URL with what people leave out of it.
fn complete(base: &str, api: Api) -> String {
    let base = base.trim_end_matches('/');
    match api {
        // OpenClaw's Anthropic client appends `/v1` itself; people write both.
        Api::AnthropicMessages if !base.ends_with("/v1") => format!("{base}/v1"),
        Api::AzureOpenaiResponses if base.ends_with(".azure.com") => format!("{base}/openai/v1"),
        Api::GoogleGenerativeAi if base.ends_with(".googleapis.com") => format!("{base}/v1beta"),
        _ => base.to_owned(),
    }
}

/// The region in the name of a host of Bedrock: `bedrock-runtime.eu-central-1.amazonaws.com`, also behind
/// `vpce-….` or as `bedrock-runtime-fips`.
fn region(base: &str) -> Option<String> {
    let (_, rest) = base.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    let mut labels = host.split('.').skip_while(|label| !label.starts_with("bedrock-runtime"));
    labels.next()?;
    labels.next().filter(|label| label.contains('-')).map(str::to_owned)
}

fn is_key_header(name: &str) -> bool {
    let known = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cf-aig-authorization"];
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn headers(
    config: &ProviderConfig,
    api: Api,
    known: Option<&Builtin>,
    key: Option<&Secret>,
) -> Result<HeaderMap, OpenError> {
    let value = |key: &str, text: &str| {
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| unusable(config, key, "it contains a character no header can carry".into()))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let bare = match (known.and_then(|known| known.key_header), api) {
            (Some(name), _) => Some(name),
            (None, Api::AnthropicMessages) => Some("x-api-key"),
            (None, Api::AzureOpenaiResponses) => Some("api-key"),
            (None, Api::GoogleGenerativeAi) => Some("x-goog-api-key"),
            _ => None,
        };
        match bare {
            Some(name) => headers.insert(HeaderName::from_static(name), value("apiKey", key.expose())?),
            None => headers.insert(AUTHORIZATION, value("apiKey", &format!("Bearer {}", key.expose()))?),
        };
    }
    if api == Api::AnthropicMessages {
        // https://docs.claude.com/en/api/versioning
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    for (name, text) in &config.headers {
        let key = format!("headers.{name}");
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unusable(config, &key, "its name is not one of a header".into()))?;
        headers.insert(name, value(&key, text.expose())?);
    }
    Ok(headers)
}

fn unusable(config: &ProviderConfig, key: &str, reason: String) -> OpenError {
    OpenError::Unusable { provider: config.id.clone(), key: key.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_carry_secrets_do_not_show_them() {
        let config =
            ProviderConfig { headers: vec![("x-tenant".into(), Secret::new("hunter3"))], ..ProviderConfig::of("p") };
        let azure = builtin("azure");
        for (api, known, name) in [
            (Api::AnthropicMessages, None, "x-api-key"),
            (Api::OpenaiCompletions, None, "authorization"),
            (Api::OpenaiCompletions, azure, "api-key"),
            (Api::GoogleGenerativeAi, None, "x-goog-api-key"),
        ] {
            let headers = headers(&config, api, known, Some(&Secret::new("hunter2"))).unwrap();
            assert!(headers.contains_key(name), "{api:?}");
            let shown = format!("{headers:?}");
            assert!(shown.contains("x-tenant") && !shown.contains("hunter"), "{shown}");
        }
    }

    #[test]
    fn each_provider_is_asked_in_its_own_dialect_unless_it_stands_elsewhere() {
        let at = |id: &str, url: &str| {
            dialect(&ProviderConfig { base_url: Some(url.into()), ..ProviderConfig::of(id) }, builtin(id))
        };
        let usual = |id: &str| dialect(&ProviderConfig::of(id), builtin(id));
        assert_eq!(usual("openai"), Some(Api::OpenaiResponses));
        assert_eq!(at("openai", "https://api.openai.com/v1"), Some(Api::OpenaiResponses));
        assert_eq!(at("openai", "https://gateway.example/v1"), Some(Api::OpenaiCompletions));
        assert_eq!((usual("ollama"), at("ollama", "http://box:11434/")), (Some(Api::Ollama), Some(Api::Ollama)));
        assert_eq!(at("ollama", "http://box:11434/v1/"), Some(Api::OpenaiCompletions));
        assert_eq!(at("anthropic", "https://gateway.example"), Some(Api::AnthropicMessages));
        assert_eq!((usual("acme"), at("acme", "https://acme.example")), (None, Some(Api::OpenaiCompletions)));
    }

    #[test]
    fn the_region_stands_in_the_name_of_the_host() {
        for (url, expected) in [
            ("https://bedrock-runtime.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("https://bedrock-runtime-fips.us-east-1.amazonaws.com", Some("us-east-1")),
            ("https://vpce-1-2.bedrock-runtime.us-west-2.vpce.amazonaws.com", Some("us-west-2")),
            ("http://127.0.0.1:1", None),
            ("https://bedrock-runtime.example", None),
        ] {
            assert_eq!(region(url).as_deref(), expected, "{url}");
        }
    }
}
