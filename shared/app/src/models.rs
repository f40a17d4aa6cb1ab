//! Opens the models an agent may ask. Without any configured model the offline echo answers, and says so.

use std::collections::HashMap;
use std::sync::Arc;

use chela_agent::ModelChoice;
use chela_config::{Config, Provider, ProviderApi};
use chela_core::model::Model;
use chela_core::secret::{SecretRef, SecretSource, SecretStore};
use chela_http::HttpClient;
use chela_models::{Api, ModelRef, ProviderConfig, builtin};

use crate::install::resolve;

/// The model of a newcomer who has configured none.
const ECHO: &str = "echo/echo";

/// Limits of a model of which nothing is known, on the careful side.
const UNKNOWN_CONTEXT: u32 = 32_000;
const UNKNOWN_ANSWER: u32 = 4_096;

/// Opens each provider once.
pub(crate) struct Opener<'a> {
    config: &'a Config,
    secrets: &'a dyn SecretStore,
    http: &'a HttpClient,
    open: HashMap<String, Option<Arc<dyn Model>>>,
}

/// Base URLs of all providers that agents name: these, and only these, may be private.
pub(crate) fn base_urls(config: &Config) -> Vec<String> {
    let named = config.agents.ids().into_iter().flat_map(|id| config.agents.models_of(&id));
    let providers = named.filter_map(|name| Some(name.split_once('/')?.0.to_owned()));
    providers
        .filter_map(|id| {
            let configured = config.models.providers.get(&id).and_then(|provider| provider.base_url.clone());
            configured.or_else(|| Some(builtin(&id)?.base_url.to_owned()))
        })
        .collect()
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

    async fn choice(&mut self, name: &str, reference: &ModelRef, problems: &mut Vec<String>) -> Option<ModelChoice> {
        let model = self.provider(&reference.provider, problems).await?;
        let configured = self.config.models.providers.get(&reference.provider);
        let entry = configured.and_then(|provider| provider.models.iter().find(|model| model.id == reference.model));
        let known = builtin(&reference.provider);
        let context_window = entry
            .and_then(|entry| entry.context_window)
            .or(known.map(|known| known.context_window))
            .unwrap_or(UNKNOWN_CONTEXT);
        let max_tokens = entry
            .and_then(|entry| entry.max_tokens)
            .or(configured.and_then(|provider| provider.max_tokens))
            .or(known.map(|known| known.max_tokens))
            .unwrap_or(UNKNOWN_ANSWER);
        let sees = crate::media::sees(entry);
        Some(ModelChoice {
            name: name.to_owned(),
            id: reference.model.clone(),
            max_tokens,
            context_window,
            sees,
            model,
        })
    }

    async fn provider(&mut self, id: &str, problems: &mut Vec<String>) -> Option<Arc<dyn Model>> {
        if let Some(open) = self.open.get(id) {
            return open.clone();
        }
        let opened = self.open_provider(id, problems).await;
        self.open.insert(id.to_owned(), opened.clone());
        opened
    }

    async fn open_provider(&self, id: &str, problems: &mut Vec<String>) -> Option<Arc<dyn Model>> {
        let configured = self.config.models.providers.get(id).cloned().unwrap_or_default();
        let key = match &configured.api_key {
            Some(key) => Some(resolve(key, self.secrets, &format!("models.providers.{id}.apiKey"), problems).await?),
            // The variable every SDK of the provider reads.
            None => {
                let name = format!("{}_API_KEY", id.to_ascii_uppercase().replace('-', "_"));
                self.secrets.get(&SecretRef { source: SecretSource::Env, id: name }).await.ok()
            }
        };
        let headers = self.headers(id, &configured, problems).await;
        let provider = ProviderConfig {
            id: id.to_owned(),
            api: configured.api.map(|api| match api {
                ProviderApi::AnthropicMessages => Api::AnthropicMessages,
                ProviderApi::OpenaiCompletions => Api::OpenaiCompletions,
            }),
            base_url: configured.base_url,
            headers,
            max_tokens_field: None,
        };
        chela_models::open(&provider, key, self.http.clone()).map_err(|error| problems.push(error.to_string())).ok()
    }

    async fn headers(
        &self,
        id: &str,
        provider: &Provider,
        problems: &mut Vec<String>,
    ) -> Vec<(String, chela_core::secret::Secret)> {
        let mut headers = Vec::new();
        for (name, value) in &provider.headers {
            let key = format!("models.providers.{id}.headers.{name}");
            headers.extend(resolve(value, self.secrets, &key, problems).await.map(|value| (name.clone(), value)));
        }
        headers
    }
}
