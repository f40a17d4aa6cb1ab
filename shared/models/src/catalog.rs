//! Providers: what the configuration says over what is known of the well-known ones.

use std::str::FromStr;
use std::sync::Arc;

use chela_core::model::Model;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::anthropic::Anthropic;
use crate::echo::Echo;
use crate::endpoint::Endpoint;
use crate::failure::Witness;
use crate::openai_chat::{OpenAiChat, Quirks};

/// A wire dialect, under OpenClaw's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Anthropic's Messages.
    AnthropicMessages,
    /// OpenAI's chat completions, which most others speak too.
    OpenaiCompletions,
    /// The offline model: no network, no key, no thought.
    Echo,
}

/// What the configuration says of a provider (`models.providers.<id>`), its secrets resolved. What is `None` comes from
/// [`builtin`], if it knows the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The part before the slash in `provider/model`.
    pub id: String,
    /// `api`.
    pub api: Option<Api>,
    /// `baseUrl`: everything before `/chat/completions` or `/v1/messages`.
    pub base_url: Option<String>,
    /// `headers`: sent with every call, over our own of the same name.
    pub headers: Vec<(String, Secret)>,
    /// `maxTokensField`: the name under which the most tokens of an answer are asked for.
    pub max_tokens_field: Option<MaxTokensField>,
}

impl ProviderConfig {
    /// A provider of which only the id is configured.
    pub fn of(id: impl Into<String>) -> Self {
        Self { id: id.into(), api: None, base_url: None, headers: Vec::new(), max_tokens_field: None }
    }
}

/// OpenAI's newer models refuse the old name, most others do not know the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// What is known of a well-known provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Its id.
    pub id: &'static str,
    /// Its dialect.
    pub api: Api,
    /// Its base URL; private for servers on one's own machine, so it must be among the allowed hosts of the HTTP client.
    pub base_url: &'static str,
    /// Whether it answers nothing without a key.
    pub needs_key: bool,
    /// Tokens its models read at once, on the careful side.
    pub context_window: u32,
    /// Most tokens of an answer, on the careful side.
    pub max_tokens: u32,
    /// As in [`ProviderConfig::max_tokens_field`].
    pub max_tokens_field: MaxTokensField,
}

use Api::{AnthropicMessages, Echo as EchoApi, OpenaiCompletions};
use MaxTokensField::{MaxCompletionTokens, MaxTokens};

const fn known(
    id: &'static str,
    api: Api,
    base_url: &'static str,
    needs_key: bool,
    (context_window, max_tokens): (u32, u32),
    max_tokens_field: MaxTokensField,
) -> Builtin {
    Builtin { id, api, base_url, needs_key, context_window, max_tokens, max_tokens_field }
}

/// The well-known providers. Limits are those that every current model of the provider keeps; larger ones are
/// configured by model (`models.providers.<id>.models`).
pub const BUILTIN: [Builtin; 9] = [
    known("anthropic", AnthropicMessages, "https://api.anthropic.com", true, (200_000, 8_192), MaxTokens),
    known("openai", OpenaiCompletions, "https://api.openai.com/v1", true, (128_000, 8_192), MaxCompletionTokens),
    known("openrouter", OpenaiCompletions, "https://openrouter.ai/api/v1", true, (128_000, 8_192), MaxTokens),
    // Ollama cuts what does not fit its own window without a word, so this stays below its default.
    known("ollama", OpenaiCompletions, "http://127.0.0.1:11434/v1", false, (8_192, 2_048), MaxTokens),
    known("litellm", OpenaiCompletions, "http://127.0.0.1:4000/v1", false, (128_000, 8_192), MaxTokens),
    known("groq", OpenaiCompletions, "https://api.groq.com/openai/v1", true, (128_000, 8_192), MaxTokens),
    known("deepseek", OpenaiCompletions, "https://api.deepseek.com/v1", true, (128_000, 8_192), MaxTokens),
    known("mistral", OpenaiCompletions, "https://api.mistral.ai/v1", true, (128_000, 8_192), MaxTokens),
    known("echo", EchoApi, "", false, (1_000_000, 8_192), MaxTokens),
];

/// What is known of the provider `id`.
pub fn builtin(id: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|known| known.id == id)
}

/// Why a provider cannot be opened. Every variant names the key to change, none shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nothing says where or how to ask.
    #[error("models.providers.{provider}.{key} is missing: {provider} is no provider known here; set it")]
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
    let incomplete = |key| OpenError::Incomplete { provider: config.id.clone(), key };
    let base_url = config.base_url.as_deref().or(known.map(|known| known.base_url));
    // A base URL alone is enough: nearly everybody speaks OpenAI's dialect.
    let api = config.api.or(known.map(|known| known.api)).or(base_url.map(|_| Api::OpenaiCompletions));
    let api = api.ok_or(incomplete("baseUrl"))?;
    if api == Api::Echo {
        return Ok(Arc::new(Echo));
    }
    let base_url = base_url.ok_or(incomplete("baseUrl"))?;
    let headers = headers(config, api, key.as_ref())?;
    let own_key = config.headers.iter().any(|(name, _)| is_key_header(name));
    if key.is_none() && !own_key && config.base_url.is_none() && known.is_some_and(|known| known.needs_key) {
        return Err(OpenError::MissingKey { provider: config.id.clone() });
    }
    let url = endpoint_url(base_url, api);
    HostPort::of_url(&url).map_err(|error| unusable(config, "baseUrl", error.to_string()))?;
    let endpoint = Endpoint { url, headers, http, witness: Witness { provider: config.id.clone(), key } };
    Ok(match api {
        Api::AnthropicMessages => Arc::new(Anthropic::new(endpoint)),
        Api::OpenaiCompletions | Api::Echo => {
            let field = config.max_tokens_field.or(known.map(|known| known.max_tokens_field));
            Arc::new(OpenAiChat::new(endpoint, quirks(&config.id, field)))
        }
    })
}

fn quirks(id: &str, max_tokens_field: Option<MaxTokensField>) -> Quirks {
    Quirks {
        max_tokens_field: max_tokens_field.unwrap_or(MaxTokens),
        returns_reasoning: id == "deepseek",
        short_tool_ids: id == "mistral",
    }
}

fn endpoint_url(base_url: &str, api: Api) -> String {
    let base = base_url.trim_end_matches('/');
    match api {
        // OpenClaw's Anthropic client appends `/v1` itself; people write both.
        Api::AnthropicMessages if base.ends_with("/v1") => format!("{base}/messages"),
        Api::AnthropicMessages => format!("{base}/v1/messages"),
        Api::OpenaiCompletions | Api::Echo => format!("{base}/chat/completions"),
    }
}

fn is_key_header(name: &str) -> bool {
    ["authorization", "x-api-key", "api-key"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn headers(config: &ProviderConfig, api: Api, key: Option<&Secret>) -> Result<HeaderMap, OpenError> {
    let value = |key: &str, text: &str| {
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| unusable(config, key, "it contains a character no header can carry".into()))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    match (api, key) {
        (Api::AnthropicMessages, Some(key)) => {
            headers.insert("x-api-key", value("apiKey", key.expose())?);
        }
        (Api::OpenaiCompletions | Api::Echo, Some(key)) => {
            headers.insert(AUTHORIZATION, value("apiKey", &format!("Bearer {}", key.expose()))?);
        }
        (_, None) => {}
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

/// `provider/model`. The provider's name of the model may contain slashes itself: `openrouter/meta/llama`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRef {
    /// The provider's id.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
}

/// The text is not `provider/model`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no model: write provider/model, such as anthropic/claude-sonnet-4-5")]
pub struct BadModelRef(String);

impl FromStr for ModelRef {
    type Err = BadModelRef;

    fn from_str(text: &str) -> Result<Self, BadModelRef> {
        match text.trim().split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                Ok(Self { provider: provider.to_owned(), model: model.to_owned() })
            }
            _ => Err(BadModelRef(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_carry_secrets_do_not_show_them() {
        let config =
            ProviderConfig { headers: vec![("x-tenant".into(), Secret::new("hunter3"))], ..ProviderConfig::of("p") };
        for api in [Api::AnthropicMessages, Api::OpenaiCompletions] {
            let shown = format!("{:?}", headers(&config, api, Some(&Secret::new("hunter2"))).unwrap());
            assert!(shown.contains("x-tenant") && !shown.contains("hunter"), "{shown}");
        }
    }
}
