//! Opens the models an agent may ask. Without any configured model the offline echo answers, and says so.

use std::collections::HashMap;
use std::time::Duration;

use chela_agent::{ModelChoice, Profile};
use chela_config::{Config, MaxTokensField, Model, ModelCost, ModelInput, Provider, ProviderApi};
use chela_core::secret::{Secret, SecretRef, SecretSource, SecretStore};
use chela_core::spend::{NanoDollars, Price};
use chela_http::HttpClient;
use chela_models::{Api, AwsKeys, Input, ModelConfig, ModelRef, ProviderConfig, builtin, known};

use crate::install::resolve;

/// The model of a newcomer who has configured none.
const ECHO: &str = "echo/echo";

/// Limits of a model of which nothing is known, on the careful side.
const UNKNOWN_CONTEXT: u32 = 32_000;
const UNKNOWN_ANSWER: u32 = 4_096;

/// Providers that run on one's own machine and send no bill.
pub(crate) const FREE: [&str; 5] = ["echo", "llamacpp", "lmstudio", "ollama", "vllm"];

/// Opens each provider once.
pub(crate) struct Opener<'a> {
    config: &'a Config,
    secrets: &'a dyn SecretStore,
    http: &'a HttpClient,
    open: HashMap<String, Vec<Profile>>,
}

/// Base URLs of all providers that may be asked: these, and only these, may be private.
pub(crate) fn base_urls(config: &Config) -> Vec<String> {
    let named = config.agents.ids().into_iter().flat_map(|id| config.agents.models_of(&id)).chain(further(config));
    let providers = named.filter_map(|name| Some(name.split_once('/')?.0.to_owned()));
    providers
        .filter_map(|id| {
            let configured = config.models.providers.get(&id).and_then(|provider| provider.base_url.clone());
            configured.or_else(|| Some(builtin(&id)?.base_url.to_owned()))
        })
        .collect()
}

/// Models that a conversation may choose although its agent does not name them: those of other agents, and those that
/// are described at their providers.
fn further(config: &Config) -> Vec<String> {
    let of_agents = config.agents.ids().into_iter().flat_map(|id| config.agents.models_of(&id));
    let described = config.models.providers.iter().flat_map(|(id, provider)| {
        provider.models.iter().filter(|model| !model.id.is_empty()).map(move |model| format!("{id}/{}", model.id))
    });
    let mut names: Vec<String> = of_agents.chain(described).collect();
    names.sort();
    names.dedup();
    names
}

/// What a model costs; `None` if nobody says so.
fn price_of(provider: &str, entry: Option<&Model>) -> Option<Price> {
    match entry.and_then(|entry| entry.cost.as_ref()) {
        Some(cost) => Some(price(cost)),
        None => FREE.contains(&provider).then(Price::default),
    }
}

/// Dollars for a million tokens, as it is counted. Cached input without a price of its own costs what other input does:
/// that is the careful side.
fn price(cost: &ModelCost) -> Price {
    let of = |dollars: f64| -> NanoDollars { (dollars * 1_000_000.0).ceil() as NanoDollars };
    let cached = |dollars: f64| if dollars > 0.0 { of(dollars) } else { of(cost.input) };
    Price {
        input: of(cost.input),
        output: of(cost.output),
        cache_read: cached(cost.cache_read),
        cache_write: cached(cost.cache_write),
    }
}

impl<'a> Opener<'a> {
    pub(crate) fn new(config: &'a Config, secrets: &'a dyn SecretStore, http: &'a HttpClient) -> Self {
        Self { config, secrets, http, open: HashMap::new() }
    }

    /// The models of an agent, in order of preference; empty if none of the configured ones can be opened.
    pub(crate) async fn models_of(&mut self, agent: &str, problems: &mut Vec<String>) -> Vec<ModelChoice> {
        let mut choices = Vec::new();
        for name in self.config.agents.models_of(agent) {
            match name.parse::<ModelRef>() {
                Ok(reference) => choices.extend(self.choice(&name, &reference, problems).await),
                Err(error) => problems.push(format!("the model of agent \"{agent}\": {error}")),
            }
        }
        // The echo is for a newcomer who has configured nothing. A configured model that cannot be opened is a problem, and
        // never becomes an answer that only looks like one.
        if self.config.agents.models_of(agent).is_empty()
            && let Ok(reference) = ECHO.parse()
        {
            choices.extend(self.choice(ECHO, &reference, problems).await);
        }
        choices
    }

    /// Models that conversations of this agent may choose beside its own.
    pub(crate) async fn further_models_of(&mut self, agent: &str, problems: &mut Vec<String>) -> Vec<ModelChoice> {
        let own = self.config.agents.models_of(agent);
        let mut choices = Vec::new();
        for name in further(self.config).into_iter().filter(|name| !own.contains(name)) {
            if let Ok(reference) = name.parse::<ModelRef>() {
                choices.extend(self.choice(&name, &reference, problems).await);
            }
        }
        choices
    }

    async fn choice(&mut self, name: &str, reference: &ModelRef, problems: &mut Vec<String>) -> Option<ModelChoice> {
        let profiles = self.profiles(&reference.provider, problems).await;
        if profiles.is_empty() {
            return None;
        }
        let configured = self.config.models.providers.get(&reference.provider);
        let entry = configured.and_then(|provider| provider.models.iter().find(|model| model.id == reference.model));
        let provider = builtin(&reference.provider);
        let known = known(&reference.provider, &reference.model);
        let context_window = entry
            .and_then(|entry| entry.context_window)
            .or(known.map(|known| known.context_window))
            .or(provider.map(|provider| provider.context_window))
            .unwrap_or(UNKNOWN_CONTEXT);
        // A model's whole answer would rarely fit, and all of it is reserved: the careful limit of its provider counts.
        let most = known.map_or(u32::MAX, |known| known.max_tokens);
        let max_tokens = entry
            .and_then(|entry| entry.max_tokens)
            .or(configured.and_then(|provider| provider.max_tokens))
            .or(provider.map(|provider| provider.max_tokens.min(most)))
            .unwrap_or(UNKNOWN_ANSWER);
        let price = price_of(&reference.provider, entry).or(known.and_then(|known| known.price));
        let (name, id) = (name.to_owned(), reference.model.clone());
        let sees = crate::media::sees(entry, known);
        Some(ModelChoice { name, id, max_tokens, context_window, sees, price, profiles })
    }

    async fn profiles(&mut self, id: &str, problems: &mut Vec<String>) -> Vec<Profile> {
        if let Some(open) = self.open.get(id) {
            return open.clone();
        }
        let opened = self.open_provider(id, problems).await;
        self.open.insert(id.to_owned(), opened.clone());
        opened
    }

    /// The provider once for each of its credentials. One that cannot be read is a problem of its own; the others work.
    async fn open_provider(&self, id: &str, problems: &mut Vec<String>) -> Vec<Profile> {
        let configured = self.config.models.providers.get(id).cloned().unwrap_or_default();
        let headers = self.headers(id, &configured, problems).await;
        let keys = self.keys(id, &configured, problems).await;
        let region = match configured.region {
            Some(region) => Some(region),
            None => self.variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]).await.map(|name| name.expose().to_owned()),
        };
        let provider = ProviderConfig {
            id: id.to_owned(),
            api: configured.api.map(dialect),
            base_url: configured.base_url,
            headers,
            timeout: configured.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            models: configured.models.iter().map(|entry| (entry.id.clone(), model_config(entry))).collect(),
            aws: self.aws_keys().await,
            region,
        };
        let mut profiles = Vec::new();
        for (id, key) in keys {
            match chela_models::open(&provider, key, self.http.clone()) {
                Ok(model) => profiles.push(Profile { id, model }),
                Err(error) => problems.push(error.to_string()),
            }
        }
        profiles
    }

    /// The provider's credentials: those of `auth.profiles`, else its own.
    async fn keys(&self, id: &str, provider: &Provider, problems: &mut Vec<String>) -> Vec<(String, Option<Secret>)> {
        let several = self.config.auth.keys_of(id);
        let mut keys = Vec::new();
        for (profile, key) in &several {
            let at = format!("auth.profiles.\"{profile}\".apiKey");
            let key = resolve(key, self.secrets, &at, problems).await;
            keys.extend(key.map(|key| ((*profile).to_owned(), Some(key))));
        }
        if !several.is_empty() {
            return keys;
        }
        let own = format!("{id}:default");
        match &provider.api_key {
            Some(key) => {
                let key = resolve(key, self.secrets, &format!("models.providers.{id}.apiKey"), problems).await;
                keys.extend(key.map(|key| (own, Some(key))));
            }
            // The variables every SDK of the provider reads.
            None => {
                let usual = format!("{}_API_KEY", id.to_ascii_uppercase().replace('-', "_"));
                let known = builtin(id).map(|known| known.key_env.as_slice()).unwrap_or_default();
                let names: Vec<&str> = if known.is_empty() { vec![&usual] } else { known.to_vec() };
                keys.push((own, self.variable(&names).await));
            }
        }
        keys
    }

    /// The first of these variables that is set.
    async fn variable(&self, names: &[&str]) -> Option<Secret> {
        for name in names {
            let reference = SecretRef { source: SecretSource::Env, id: (*name).to_owned() };
            if let Ok(secret) = self.secrets.get(&reference).await {
                return Some(secret);
            }
        }
        None
    }

    /// The keys of the role a function runs as, or of whoever runs the gateway.
    async fn aws_keys(&self) -> Option<AwsKeys> {
        Some(AwsKeys {
            id: self.variable(&["AWS_ACCESS_KEY_ID"]).await?.expose().to_owned(),
            secret: self.variable(&["AWS_SECRET_ACCESS_KEY"]).await?,
            session: self.variable(&["AWS_SESSION_TOKEN"]).await,
        })
    }

    async fn headers(&self, id: &str, provider: &Provider, problems: &mut Vec<String>) -> Vec<(String, Secret)> {
        let mut headers = Vec::new();
        for (name, value) in &provider.headers {
            let key = format!("models.providers.{id}.headers.{name}");
            headers.extend(resolve(value, self.secrets, &key, problems).await.map(|value| (name.clone(), value)));
        }
        headers
    }
}

fn dialect(api: ProviderApi) -> Api {
    match api {
        ProviderApi::AnthropicMessages => Api::AnthropicMessages,
        ProviderApi::OpenaiCompletions => Api::OpenaiCompletions,
        ProviderApi::OpenaiResponses => Api::OpenaiResponses,
        ProviderApi::AzureOpenaiResponses => Api::AzureOpenaiResponses,
        ProviderApi::GoogleGenerativeAi => Api::GoogleGenerativeAi,
        ProviderApi::BedrockConverseStream => Api::BedrockConverseStream,
        ProviderApi::Ollama => Api::Ollama,
    }
}

fn model_config(entry: &Model) -> ModelConfig {
    let input = |input: &ModelInput| match input {
        ModelInput::Text => Input::Text,
        ModelInput::Image => Input::Image,
        ModelInput::Pdf => Input::Pdf,
    };
    ModelConfig {
        context_window: entry.context_window,
        reasoning: entry.reasoning,
        input: entry.input.as_ref().map(|inputs| inputs.iter().map(input).collect()),
        max_tokens_field: entry.compat.max_tokens_field.map(|field| match field {
            MaxTokensField::MaxTokens => chela_models::MaxTokensField::MaxTokens,
            MaxTokensField::MaxCompletionTokens => chela_models::MaxTokensField::MaxCompletionTokens,
        }),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chela_config::{MissingVariable, Surroundings, check};
    use chela_core::model::Usage;
    use chela_core::secret::SecretError;
    use chela_http::HttpOptions;

    use super::*;

    /// A store with one secret.
    struct OneSecret;

    #[async_trait]
    impl SecretStore for OneSecret {
        async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
            if reference.id == "THERE" {
                return Ok(Secret::new("hunter2-there"));
            }
            let (source_kind, id) = (reference.source, reference.id.clone());
            Err(SecretError::Missing { source_kind, id, fix: "set it".into() })
        }
    }

    async fn opened(config: &str) -> (Vec<ModelChoice>, Vec<ModelChoice>, Vec<String>) {
        let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Refuse, channels: &[] };
        let checked = check("chela.json5", config, &|_| None, &surroundings);
        let config = checked.config.unwrap_or_else(|| panic!("{}", checked.report.render()));
        let options = HttpOptions { allow_hosts: vec![], user_agent: "test".into(), extra_roots: None };
        let http = HttpClient::new(options).unwrap();
        let (mut problems, mut opener) = (Vec::new(), Opener::new(&config, &OneSecret, &http));
        let models = opener.models_of("main", &mut problems).await;
        let further = opener.further_models_of("main", &mut problems).await;
        (models, further, problems)
    }

    fn ids(choice: &ModelChoice) -> Vec<&str> {
        choice.profiles.iter().map(|profile| profile.id.as_str()).collect()
    }

    #[tokio::test]
    async fn a_credential_that_cannot_be_read_is_named_without_its_value_and_the_others_work() {
        let (models, _, problems) = opened(
            r#"{
                agents: { defaults: { model: "anthropic/claude" } },
                auth: {
                    profiles: {
                        "anthropic:a": { provider: "anthropic", apiKey: { source: "env", id: "GONE" } },
                        "anthropic:b": { provider: "anthropic", apiKey: { source: "env", id: "THERE" } },
                        "anthropic:c": { provider: "anthropic", apiKey: "hunter3-written" },
                    },
                    order: { anthropic: ["anthropic:c", "anthropic:a", "anthropic:b"] },
                },
            }"#,
        )
        .await;
        assert_eq!(ids(&models[0]), ["anthropic:c", "anthropic:b"]);
        assert!(problems[0].contains("auth.profiles.\"anthropic:a\".apiKey"), "{problems:?}");
        assert!(problems.len() == 1 && !problems[0].contains("hunter"), "{problems:?}");
    }

    #[tokio::test]
    async fn without_profiles_the_provider_has_one_and_others_may_be_chosen() {
        let (models, further, problems) = opened(
            r#"{
                agents: { entries: { main: { model: "ollama/qwen3" }, work: { model: "openai/gpt-5" } } },
                models: { providers: {
                    openai: { apiKey: "k" },
                    lab: { baseUrl: "https://lab.example.com/v1", models: [{ id: "big" }] },
                } },
            }"#,
        )
        .await;
        assert_eq!((ids(&models[0]), models[0].price), (vec!["ollama:default"], Some(Price::default())));
        let names: Vec<&str> = further.iter().map(|choice| choice.name.as_str()).collect();
        assert_eq!((names, problems), (vec!["lab/big", "openai/gpt-5"], vec![]));
        assert_eq!(further[0].price, None, "nobody said what it costs");
        assert!(further[1].price.is_some_and(|price| price.output > price.input), "the catalogue knows");
    }

    #[test]
    fn dollars_for_a_million_tokens_become_billionths_for_a_thousand() {
        let cost = ModelCost { input: 3.0, output: 15.0, cache_read: 0.3, cache_write: 0.0 };
        let expected = Price { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_000_000 };
        assert_eq!(price(&cost), expected);
        let million = Usage { input: 1_000_000, ..Usage::default() };
        assert_eq!(price(&cost).of(&million), 3_000_000_000);
        let free = Model { cost: Some(ModelCost::default()), ..Model::default() };
        assert_eq!(price_of("lab", Some(&free)), Some(Price::default()));
        assert_eq!(price_of("lab", Some(&Model::default())), None);
    }
}
