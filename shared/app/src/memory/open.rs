//! Opens the memory that the configuration describes. An embeddings provider that cannot be opened is a problem, and
//! notes are found by their words meanwhile.

use std::sync::Arc;

use chela_config::{Config, MemorySearch};
use chela_core::purse::Service;
use chela_core::secret::{Secret, SecretRef, SecretSource, SecretStore};
use chela_http::HttpClient;
use chela_memory::{Dialect, Embedder, EmbedderSettings, Hybrid, Memory, Provider, Settings, provider};

use crate::install::resolve;
use crate::usage::tariff;

/// The memory of all agents.
pub(crate) async fn open(
    config: &Config,
    secrets: &dyn SecretStore,
    http: &HttpClient,
    problems: &mut Vec<String>,
) -> Arc<Memory> {
    let embedder = match wanted(config) {
        Some(wanted) => embedder(&wanted, config, secrets, http, problems).await,
        None => None,
    };
    Arc::new(Memory::new(settings(&config.memory.search), embedder))
}

/// Where embeddings are made: this, too, may be private.
pub(crate) fn base_url(config: &Config) -> Option<String> {
    wanted(config).and_then(|wanted| wanted.base_url)
}

/// The provider that is named, and where it is.
struct Wanted<'a> {
    id: &'a str,
    known: Option<&'static Provider>,
    /// Its name in `models.providers`.
    models_id: &'a str,
    base_url: Option<String>,
    /// Whether that is where `models.providers` or the catalog has it: only there goes its key.
    usual: bool,
}

fn wanted(config: &Config) -> Option<Wanted<'_>> {
    let search = &config.memory.search;
    let id = search.provider.as_deref().map(str::trim).filter(|id| !id.is_empty() && *id != "none")?;
    if !search.enabled {
        return None;
    }
    let known = provider(id);
    let models_id = known.map_or(id, |known| known.models_id);
    let configured = config.models.providers.get(models_id).and_then(|provider| provider.base_url.clone());
    let own = known.map(|known| known.base_url).filter(|url| !url.is_empty()).map(str::to_owned);
    let usual = configured.or(own);
    let base_url = search.remote.base_url.clone().or_else(|| usual.clone());
    let same = |url: &Option<String>| url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    let usual = same(&base_url) == same(&usual);
    Some(Wanted { id, known, models_id, base_url, usual })
}

async fn embedder(
    wanted: &Wanted<'_>,
    config: &Config,
    secrets: &dyn SecretStore,
    http: &HttpClient,
    problems: &mut Vec<String>,
) -> Option<Embedder> {
    let search = &config.memory.search;
    let Wanted { id, known, .. } = wanted;
    let Some(base_url) = wanted.base_url.clone() else {
        problems.push(format!("memory.search.provider: where is \"{id}\"? Set memory.search.remote.baseUrl"));
        return None;
    };
    let model = search.model.clone().or_else(|| known.map(|known| known.model.to_owned()));
    let Some(model) = model.filter(|model| !model.is_empty()) else {
        problems.push(format!("memory.search.model: name the model of embeddings that \"{id}\" is asked for"));
        return None;
    };
    let key = key(wanted, config, secrets, problems).await?;
    let mut headers = Vec::new();
    for (name, value) in &search.remote.headers {
        let at = format!("memory.search.remote.headers.{name}");
        headers.extend(resolve(value, secrets, &at, problems).await.map(|value| (name.clone(), value)));
    }
    let types = known.and_then(|known| known.input_types);
    let settings = EmbedderSettings {
        tariff: tariff(config, Service::Embeddings, wanted.models_id, &model, wanted.usual),
        provider: (*id).to_owned(),
        base_url,
        dialect: known.map_or(Dialect::OpenAi, |known| known.dialect),
        model,
        key,
        headers,
        dimensions: search.output_dimensionality,
        query_type: search.query_input_type.clone().or_else(|| types.map(|types| types.0.to_owned())),
        passage_type: search.document_input_type.clone().or_else(|| types.map(|types| types.1.to_owned())),
    };
    Embedder::new(settings, http.clone()).map_err(|error| problems.push(error)).ok()
}

/// The key, `Some(None)` for a provider that needs none. A provider's usual key never goes to another address.
async fn key(
    wanted: &Wanted<'_>,
    config: &Config,
    secrets: &dyn SecretStore,
    problems: &mut Vec<String>,
) -> Option<Option<Secret>> {
    if let Some(key) = &config.memory.search.remote.api_key {
        return resolve(key, secrets, "memory.search.remote.apiKey", problems).await.map(Some);
    }
    if !wanted.usual {
        return Some(None);
    }
    let configured = config.models.providers.get(wanted.models_id).and_then(|provider| provider.api_key.as_ref());
    if let Some(key) = configured {
        let at = format!("models.providers.{}.apiKey", wanted.models_id);
        return resolve(key, secrets, &at, problems).await.map(Some);
    }
    let Some(variable) = wanted.known.map(|known| known.key).filter(|name| !name.is_empty()) else { return Some(None) };
    let reference = SecretRef { source: SecretSource::Env, id: variable.to_owned() };
    match secrets.get(&reference).await {
        Ok(key) => Some(Some(key)),
        Err(_) => {
            let (id, models_id) = (wanted.id, wanted.models_id);
            problems.push(format!("memory.search.provider: \"{id}\" needs a key: models.providers.{models_id}.apiKey"));
            None
        }
    }
}

fn settings(search: &MemorySearch) -> Settings {
    let (query, hybrid) = (&search.query, &search.query.hybrid);
    Settings {
        enabled: search.enabled,
        max_results: query.max_results as usize,
        min_score: query.min_score,
        hybrid: hybrid.enabled.then_some(Hybrid {
            vector: hybrid.vector_weight,
            text: hybrid.text_weight,
            candidates: hybrid.candidate_multiplier as usize,
        }),
        mmr: hybrid.mmr.enabled.then_some(hybrid.mmr.lambda),
        half_life_days: hybrid.temporal_decay.enabled.then_some(hybrid.temporal_decay.half_life_days),
        tokens: search.chunking.tokens as usize,
        overlap: search.chunking.overlap as usize,
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chela_core::secret::SecretError;
    use chela_http::HttpOptions;

    use super::*;

    struct Keys;

    #[async_trait]
    impl SecretStore for Keys {
        async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
            match reference.id.as_str() {
                "OPENAI_API_KEY" => Ok(Secret::new("sk-usual")),
                id => Err(SecretError::Missing { source_kind: reference.source, id: id.into(), fix: String::new() }),
            }
        }
    }

    fn config(search: serde_json::Value) -> Config {
        serde_json::from_value(serde_json::json!({ "memory": { "search": search } })).unwrap()
    }

    async fn problems(search: serde_json::Value) -> Vec<String> {
        let options = HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None };
        let mut problems = Vec::new();
        open(&config(search), &Keys, &HttpClient::new(options).unwrap(), &mut problems).await;
        problems
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        for (search, missing) in [
            (serde_json::json!({"provider": "openai-compatible"}), "remote.baseUrl"),
            (
                serde_json::json!({"provider": "openai-compatible", "remote": {"baseUrl": "http://x/v1"}}),
                "search.model",
            ),
            (serde_json::json!({"provider": "voyage"}), "models.providers.voyage.apiKey"),
        ] {
            let problems = problems(search).await;
            assert!(problems.len() == 1 && problems[0].contains(missing), "{problems:?}");
        }
        for fine in
            [serde_json::json!({}), serde_json::json!({"provider": "none"}), serde_json::json!({"provider": "openai"})]
        {
            assert_eq!(problems(fine).await, Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn a_usual_key_never_goes_to_another_address() {
        let key_of = async |search| {
            let config = config(search);
            let wanted = wanted(&config).unwrap();
            key(&wanted, &config, &Keys, &mut Vec::new()).await.unwrap()
        };
        let at = |url: &str| serde_json::json!({"provider": "openai", "remote": {"baseUrl": url}});
        assert_eq!(key_of(serde_json::json!({"provider": "openai"})).await, Some(Secret::new("sk-usual")));
        assert_eq!(key_of(at("https://api.openai.com/v1/")).await, Some(Secret::new("sk-usual")));
        assert_eq!(key_of(at("https://elsewhere.example/v1")).await, None);
    }

    #[test]
    fn the_defaults_of_configuration_and_memory_are_the_same() {
        assert_eq!(settings(&MemorySearch::default()), Settings::default());
    }
}
