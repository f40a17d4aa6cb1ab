//! Opens what agents see of the web.

use std::sync::Arc;
use std::time::Duration;

use chela_browser::{Browser, Endpoint};
use chela_config::{Config, WebFetch as FetchSection, WebSearch as SearchSection};
use chela_core::purse::Service;
use chela_core::secret::{Secret, SecretRef, SecretSource, SecretStore};
use chela_core::tool::Tool;
use chela_http::{HostPort, HttpClient};
use chela_web::{FetchSettings, PROVIDERS, Provider, SearchSettings, WebFetch, WebSearch, find_provider};

use crate::install::resolve;
use crate::live::{Built, Commands};
use crate::usage::tariff;

/// Places that the owner has configured: they may be private.
pub(crate) fn base_urls(config: &Config) -> Vec<String> {
    config.tools.web.search.base_url.clone().into_iter().collect()
}

/// Opens the tools. What cannot be opened is left out, with the reason among the problems.
pub(crate) async fn open(
    config: &Config,
    secrets: &dyn SecretStore,
    http: &HttpClient,
    problems: &mut Vec<String>,
) -> Vec<Arc<dyn Tool>> {
    let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
    if let Some(settings) = search(config, secrets, problems).await {
        match WebSearch::new(http, settings) {
            Ok(tool) => tools.push(Arc::new(tool)),
            Err(error) => problems.push(format!("tools.web.search.baseUrl: {error}")),
        }
    }
    if config.tools.web.fetch.enabled {
        tools.push(Arc::new(WebFetch::new(http, fetch(&config.tools.web.fetch))));
    }
    tools
}

/// The browser, if the configuration wants it: the one elsewhere that it names, or one of this place, where it can start one.
pub(crate) async fn browser(
    config: &Config,
    secrets: &dyn SecretStore,
    commands: &Commands,
    http: &HttpClient,
    problems: &mut Vec<String>,
) -> Option<Arc<dyn Tool>> {
    let section = &config.tools.browser;
    if let Some(url) = section.cdp_url.as_ref().filter(|_| section.enabled) {
        let url = resolve(url, secrets, "tools.browser.cdpUrl", problems).await?;
        let private = section.private_urls.iter().filter_map(|url| HostPort::of_url(url).ok()).collect();
        return match Endpoint::read(&url) {
            Ok(endpoint) => Some(Arc::new(Browser::remote(endpoint, http, private))),
            Err(why) => {
                problems.push(format!("tools.browser.cdpUrl: {why}"));
                None
            }
        };
    }
    let open = commands.browser.as_ref().filter(|_| section.enabled)?;
    open(section, http).unwrap_or_else(|why| {
        problems.push(format!("tools.browser: {why}"));
        None
    })
}

/// What agents could see of the web and do not, each with what would help.
pub fn missing(built: &Built) -> Vec<&'static str> {
    let offered = |name: &str| {
        let mut tools = built.installation.agents.values().flat_map(|settings| &settings.tools);
        tools.any(|tool| tool.spec().name == name)
    };
    let section = &built.config.tools.web.search;
    let allowed = |name: &str| {
        let installation = &built.installation;
        installation.agents.keys().any(|agent| installation.tools.ever(agent, name))
    };
    let mut missing = Vec::new();
    if section.enabled && section.provider.is_none() && allowed("web_search") && !offered("web_search") {
        missing.push("no web_search: set tools.web.search.provider, or a key such as BRAVE_API_KEY; see docs/web.md");
    }
    missing
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes).saturating_mul(60))
}

fn fetch(section: &FetchSection) -> FetchSettings {
    FetchSettings {
        max_chars: section.max_chars as usize,
        max_chars_cap: section.max_chars_cap as usize,
        max_bytes: section.max_response_bytes as usize,
        max_redirects: u8::try_from(section.max_redirects).unwrap_or(u8::MAX),
        timeout: Duration::from_secs(section.timeout_seconds.into()),
        cache_ttl: minutes(section.cache_ttl_minutes),
        user_agent: section.user_agent.clone(),
        readability: section.readability,
        private: section.private_urls.iter().filter_map(|url| HostPort::of_url(url).ok()).collect(),
    }
}

/// Who is asked: whoever is named, else the first whose variable holds a key.
async fn search(config: &Config, secrets: &dyn SecretStore, problems: &mut Vec<String>) -> Option<SearchSettings> {
    let section = &config.tools.web.search;
    if !section.enabled {
        return None;
    }
    let (provider, key) = match section.provider.map(|named| find_provider(named.id())) {
        Some(named) => (named?, key(named?, section, secrets, problems).await?),
        None => usual(secrets).await?,
    };
    let base_url = section.base_url.clone().or(provider.base_url.map(str::to_owned))?;
    // A known price is that of the usual address, and a server of one's own sends no bill.
    let usual = section.base_url.is_none() || provider.base_url.is_none();
    let tariff = tariff(config, Service::Searches, provider.id, "search", usual);
    Some(SearchSettings {
        provider,
        base_url,
        key,
        max_results: section.max_results,
        timeout: Duration::from_secs(section.timeout_seconds.into()),
        cache_ttl: minutes(section.cache_ttl_minutes),
        tariff,
    })
}

/// The key of a provider, `None` inside if it needs none; without one it would answer nothing.
async fn key(
    provider: &Provider,
    section: &SearchSection,
    secrets: &dyn SecretStore,
    problems: &mut Vec<String>,
) -> Option<Option<Secret>> {
    if provider.variables.is_empty() {
        return Some(None);
    }
    if let Some(input) = &section.api_key {
        return resolve(input, secrets, "tools.web.search.apiKey", problems).await.map(Some);
    }
    // A key of the provider's own address must not go to another.
    if section.base_url.is_some() {
        return Some(None);
    }
    let found = of_variable(provider, secrets).await;
    if found.is_none() {
        problems.push(format!("tools.web.search.apiKey is missing: {} answers nothing without one", provider.id));
    }
    found.map(Some)
}

async fn usual(secrets: &dyn SecretStore) -> Option<(&'static Provider, Option<Secret>)> {
    for provider in &PROVIDERS {
        if let Some(found) = of_variable(provider, secrets).await {
            return Some((provider, Some(found)));
        }
    }
    None
}

async fn of_variable(provider: &Provider, secrets: &dyn SecretStore) -> Option<Secret> {
    for name in provider.variables {
        let reference = SecretRef { source: SecretSource::Env, id: (*name).to_owned() };
        if let Ok(secret) = secrets.get(&reference).await {
            return Some(secret);
        }
    }
    None
}

#[cfg(test)]
mod tests;
