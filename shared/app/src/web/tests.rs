use std::collections::BTreeMap;

use async_trait::async_trait;
use chela_config::{MissingVariable, SearchProvider, Surroundings, check};
use chela_core::secret::SecretError;
use chela_http::HttpOptions;

use super::*;

/// Variables by name.
struct Variables(BTreeMap<&'static str, &'static str>);

#[async_trait]
impl SecretStore for Variables {
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let found = self.0.get(reference.id.as_str()).map(|value| Secret::new(*value));
        found.ok_or_else(|| SecretError::Missing {
            source_kind: reference.source,
            id: reference.id.clone(),
            fix: "set it".into(),
        })
    }
}

fn config(text: &str) -> Config {
    let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
    let checked = check("chela.json5", text, &|_| None, &surroundings);
    checked.config.unwrap_or_else(|| panic!("{}", checked.report.render()))
}

async fn searching(text: &str, variables: &[(&'static str, &'static str)]) -> (Option<SearchSettings>, Vec<String>) {
    let mut problems = Vec::new();
    let secrets = Variables(variables.iter().copied().collect());
    let settings = search(&config(text), &secrets, &mut problems).await;
    (settings, problems)
}

#[tokio::test]
async fn pages_are_read_by_everybody_and_searches_where_there_is_a_key() {
    let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None }).unwrap();
    let names = async |text: &str, variables: &[(&'static str, &'static str)]| {
        let secrets = Variables(variables.iter().copied().collect());
        let mut problems = Vec::new();
        let tools = open(&config(text), &secrets, &http, &mut problems).await;
        assert_eq!(problems, Vec::<String>::new());
        tools.iter().map(|tool| tool.spec().name).collect::<Vec<_>>()
    };
    assert_eq!(names("{}", &[]).await, ["web_fetch"]);
    assert_eq!(names("{}", &[("EXA_API_KEY", "k")]).await, ["web_search", "web_fetch"]);
    let off = "{ tools: { web: { search: { enabled: false }, fetch: { enabled: false } } } }";
    assert!(names(off, &[("EXA_API_KEY", "k")]).await.is_empty());
}

#[tokio::test]
async fn who_is_named_is_asked_else_whose_key_is_there() {
    let keys = [("TAVILY_API_KEY", "t"), ("SERPER_API_KEY", "s")];
    let (found, _) = searching("{}", &keys).await;
    let found = found.unwrap();
    assert_eq!((found.provider.id, found.key.unwrap().expose()), ("tavily", "t"));
    assert_eq!((found.tariff.name.as_str(), found.tariff.price), ("tavily/search", Some(8_000_000_000)));
    let (found, _) = searching("{ tools: { web: { search: { provider: 'serper' } } } }", &keys).await;
    let found = found.unwrap();
    assert_eq!((found.provider.id, found.base_url.as_str()), ("serper", "https://google.serper.dev"));
    let (none, problems) = searching("{ tools: { web: { search: { provider: 'brave' } } } }", &keys).await;
    assert!(none.is_none() && problems[0].contains("tools.web.search.apiKey is missing: brave"), "{problems:?}");
    let own = "{ tools: { web: { search: { provider: 'searxng', baseUrl: 'http://127.0.0.1:8888' } } } }";
    let (found, problems) = searching(own, &keys).await;
    assert!(found.is_some_and(|found| found.key.is_none() && found.tariff.price == Some(0)) && problems.is_empty());
    assert_eq!(base_urls(&config(own)), ["http://127.0.0.1:8888"]);
}

/// A tool that is only there.
struct Present;

#[async_trait]
impl Tool for Present {
    fn spec(&self) -> chela_core::model::ToolSpec {
        chela_core::model::ToolSpec { name: "browser".into(), description: String::new(), input_schema: true.into() }
    }

    fn effect(&self) -> chela_core::tool::Effect {
        chela_core::tool::Effect::Unkeyed
    }

    async fn run(&self, _: chela_core::tool::ToolCall<'_>) -> chela_core::tool::ToolAnswer {
        chela_core::tool::ToolAnswer::ok("")
    }
}

#[tokio::test]
async fn a_browser_is_there_where_one_can_be_started_or_is_named_and_is_wished() {
    let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None }).unwrap();
    let asked = async |text: &str, commands: &Commands| {
        let (mut problems, url) = (Vec::new(), "wss://browser.example.com?token=s3cret");
        let secrets = Variables(BTreeMap::from([("URL", url), ("ODD", "ws://user:s3cret@browser.example.com")]));
        let tool = browser(&config(text), &secrets, commands, &http, &mut problems).await;
        (tool.is_some(), problems)
    };
    let here = Commands {
        browser: Some(Arc::new(|section: &chela_config::BrowserTool, _: &HttpClient| match &section.executable_path {
            Some(path) => Err(format!("nothing at {path}")),
            None => Ok(Some(Arc::new(Present) as Arc<dyn Tool>)),
        })),
        ..Commands::default()
    };
    assert_eq!(asked("{}", &here).await, (true, vec![]));
    assert_eq!(asked("{ tools: { browser: { enabled: false } } }", &here).await, (false, vec![]));
    assert_eq!(asked("{}", &Commands::default()).await, (false, vec![]), "as in a function");
    let wrong = asked("{ tools: { browser: { executablePath: '/x' } } }", &here).await;
    assert_eq!(wrong, (false, vec!["tools.browser: nothing at /x".to_owned()]));
    let elsewhere = async |url: &str| {
        asked(&format!("{{ tools: {{ browser: {{ cdpUrl: {url}, executablePath: '/x' }} }} }}"), &here).await
    };
    assert_eq!(elsewhere("'wss://browser.example.com?token=s3cret'").await, (true, vec![]), "and none is started here");
    assert_eq!(elsewhere("{ source: 'env', id: 'URL' }").await, (true, vec![]));
    let function = asked("{ tools: { browser: { cdpUrl: 'http://10.0.0.7:9222' } } }", &Commands::default()).await;
    assert_eq!(function, (true, vec![]), "a function can use one elsewhere");
    for url in ["{ source: 'env', id: 'NONE' }", "{ source: 'env', id: 'ODD' }"] {
        let (there, problems) = elsewhere(url).await;
        let told =
            problems.first().is_some_and(|told| told.starts_with("tools.browser.cdpUrl") && !told.contains("s3cret"));
        assert!(!there && told && problems.len() == 1, "{problems:?}");
    }
    let off = "{ tools: { browser: { enabled: false, cdpUrl: 'wss://browser.example.com' } } }";
    assert_eq!(asked(off, &here).await, (false, vec![]));
}

/// A key belongs to an address. Of a provider that is asked somewhere else, it stays at home.
#[tokio::test]
async fn a_key_of_a_variable_goes_to_no_configured_address() {
    let text = "{ tools: { web: { search: { provider: 'brave', baseUrl: 'https://else.example' } } } }";
    let (found, _) = searching(text, &[("BRAVE_API_KEY", "k")]).await;
    let found = found.unwrap();
    assert!(found.key.is_none() && found.base_url == "https://else.example");
    assert_eq!(found.tariff.price, None, "nobody knows what somebody else takes");
}

#[test]
fn every_provider_of_the_configuration_is_known() {
    use SearchProvider::{Brave, DuckDuckGo, Exa, Perplexity, SearXng, Serper, Tavily};
    let named = [Brave, DuckDuckGo, Exa, Perplexity, SearXng, Serper, Tavily];
    assert!(named.iter().all(|provider| find_provider(provider.id()).is_some()));
    assert_eq!(named.len(), PROVIDERS.len());
    let priced =
        |provider: &&Provider| chela_models::price_of_service(Service::Searches, provider.id, "search").is_some();
    assert_eq!(PROVIDERS.iter().filter(priced).count(), PROVIDERS.len(), "what each takes stands among the prices");
}
