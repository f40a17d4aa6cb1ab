//! What agents see of the web: `tools.web` and `tools.browser`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::path::Path;
use crate::safety::is_http_url;
use crate::secrets::SecretInput;
use crate::settings::Config;
use crate::shape::Misfit;

/// `tools.web`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebTools {
    /// `web_search`.
    pub search: WebSearch,
    /// `web_fetch`.
    pub fetch: WebFetch,
}

/// `tools.web.search`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebSearch {
    /// Whether agents can search the web.
    pub enabled: bool,
    /// Who is asked. If left out, the first provider whose variable holds a key.
    pub provider: Option<SearchProvider>,
    /// Its key, if not in its usual variable.
    pub api_key: Option<SecretInput>,
    /// Where it is, if not at its usual place. Needed for `searxng`.
    pub base_url: Option<String>,
    /// Results of a search, unless the agent asks for another number.
    #[schemars(range(min = 1, max = 20))]
    pub max_results: u32,
    /// Longest wait for an answer.
    #[schemars(range(min = 1, max = 25))]
    pub timeout_seconds: u32,
    /// How long an answer is kept, so that the same question is not paid twice; 0 for not at all.
    pub cache_ttl_minutes: u32,
}

impl Default for WebSearch {
    fn default() -> Self {
        Self {
            enabled: true,
            provider: None,
            api_key: None,
            base_url: None,
            max_results: 5,
            timeout_seconds: 20,
            cache_ttl_minutes: 15,
        }
    }
}

/// A provider of searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchProvider {
    /// Brave Search.
    Brave,
    /// DuckDuckGo's page for browsers without scripts; no key.
    DuckDuckGo,
    /// Exa.
    Exa,
    /// Perplexity's Search API.
    Perplexity,
    /// Your own SearXNG; no key.
    SearXng,
    /// Serper, which has Google's results.
    Serper,
    /// Tavily.
    Tavily,
}

impl SearchProvider {
    /// Its name in the configuration.
    pub fn id(self) -> &'static str {
        match self {
            Self::Brave => "brave",
            Self::DuckDuckGo => "duckduckgo",
            Self::Exa => "exa",
            Self::Perplexity => "perplexity",
            Self::SearXng => "searxng",
            Self::Serper => "serper",
            Self::Tavily => "tavily",
        }
    }
}

/// `tools.web.fetch`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebFetch {
    /// Whether agents can read pages.
    pub enabled: bool,
    /// Characters of an answer, unless the agent asks for another number.
    #[schemars(range(min = 100, max = 100_000))]
    pub max_chars: u32,
    /// Most characters that it can ask for.
    #[schemars(range(min = 100, max = 100_000))]
    pub max_chars_cap: u32,
    /// Most bytes of a page that are read.
    #[schemars(range(min = 1_000, max = 10_000_000))]
    pub max_response_bytes: u32,
    /// Most redirects that are followed.
    #[schemars(range(min = 0, max = 10))]
    pub max_redirects: u32,
    /// Longest time for one page.
    #[schemars(range(min = 1, max = 25))]
    pub timeout_seconds: u32,
    /// How long a page is kept; 0 for not at all.
    pub cache_ttl_minutes: u32,
    /// What Chela calls itself to websites, instead of `Chela/<version>`.
    pub user_agent: Option<String>,
    /// Whether what stands around the main part of a page is left out.
    pub readability: bool,
    /// Servers of one's own that may be read although they are private or speak plain http, such as
    /// `http://wiki.lan:8080`: this host and port, any path. Whoever may use `web_fetch` can have them read.
    pub private_urls: Vec<String>,
}

impl Default for WebFetch {
    fn default() -> Self {
        Self {
            enabled: true,
            max_chars: 20_000,
            max_chars_cap: 20_000,
            max_response_bytes: 750_000,
            max_redirects: 3,
            timeout_seconds: 20,
            cache_ttl_minutes: 15,
            user_agent: None,
            readability: true,
            private_urls: Vec::new(),
        }
    }
}

/// `tools.browser`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BrowserTool {
    /// Whether the owner's agents can use a browser: Chromium where Chela runs on a machine that has it, or one elsewhere.
    pub enabled: bool,
    /// A browser elsewhere, by the address of its DevTools: `wss://` or `https://`; for one on a private network also `ws://` and
    /// `http://`. It holds the token, so keep it whole in a variable, `"${BROWSER_URL}"`, or a secret reference. What its pages
    /// can reach: docs/web.md.
    pub cdp_url: Option<SecretInput>,
    /// Chromium or Chrome, if it is not on the `PATH`.
    pub executable_path: Option<String>,
    /// Whether it runs without a window.
    pub headless: bool,
    /// Whether Chromium's own sandbox is off. Only for containers that cannot have it: without it a page that breaks
    /// Chromium can do what the user can who runs it, which is `nobody` where Chela is run by root.
    pub no_sandbox: bool,
    /// Servers of one's own that pages may reach although they are private or speak plain http, such as
    /// `http://wiki.lan:8080`: this host and port, any path, for every page that is opened.
    pub private_urls: Vec<String>,
}

impl Default for BrowserTool {
    fn default() -> Self {
        Self {
            enabled: true,
            cdp_url: None,
            executable_path: None,
            headless: true,
            no_sandbox: false,
            private_urls: Vec::new(),
        }
    }
}

/// What contradicts itself among all this.
pub(crate) fn inspect(config: &Config) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut refuse = |keys: &[&str], warning: bool, message: &str, fix: &str| {
        let (message, fix) = (message.to_owned(), fix.to_owned());
        misfits.push(Misfit { path: Path::of(keys), at_key: false, warning, message, fix });
    };
    let search = &config.tools.web.search;
    const BASE_URL: &[&str] = &["tools", "web", "search", "baseUrl"];
    if search.base_url.as_deref().is_some_and(|url| !is_http_url(url)) {
        refuse(BASE_URL, false, "is not a web address", "write it as https://search.example.com");
    }
    if search.provider == Some(SearchProvider::SearXng) && search.base_url.is_none() {
        refuse(BASE_URL, false, "SearXNG is a server of your own, and nothing says where it is", "add baseUrl");
    }
    let whose = search.provider.is_none() && (search.api_key.is_some() || search.base_url.is_some());
    if whose {
        let fix = "add provider: \"brave\", or another one";
        refuse(&["tools", "web", "search", "provider"], false, "nothing says whose key or address this is", fix);
    }
    let fetch = &config.tools.web.fetch;
    if fetch.max_chars > fetch.max_chars_cap {
        refuse(
            &["tools", "web", "fetch", "maxChars"],
            false,
            "is more than maxCharsCap",
            "raise maxCharsCap, or lower this",
        );
    }
    let browser = &config.tools.browser;
    let of_fetch: &[&str] = &["tools", "web", "fetch", "privateUrls"];
    let of_browser: &[&str] = &["tools", "browser", "privateUrls"];
    for (keys, urls) in [(of_fetch, &fetch.private_urls), (of_browser, &browser.private_urls)] {
        if urls.iter().any(|url| !is_http_url(url)) {
            refuse(keys, false, "holds something that is no web address", "write each as http://wiki.lan:8080");
        }
    }
    if let Some(SecretInput::Value(url)) = &browser.cdp_url
        && !["wss://", "https://", "ws://", "http://"].iter().any(|scheme| url.expose().trim().starts_with(scheme))
    {
        let keys = &["tools", "browser", "cdpUrl"];
        refuse(keys, false, "is not the address of a browser", "write it as wss://browser.example.com?token=${NAME}");
    }
    if browser.no_sandbox {
        let message = "Chromium runs without its sandbox, so that a page that breaks it can do what its user can";
        let keys = &["tools", "browser", "noSandbox"];
        refuse(keys, true, message, "leave it out, unless a container forbids the sandbox and is itself the wall");
    }
    misfits
}

#[cfg(test)]
mod tests {
    use crate::{MissingVariable, Surroundings, check};

    #[test]
    fn a_browser_without_its_sandbox_is_warned_about_and_openclaws_is_passed_over() {
        let found = |text: &str| {
            let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
            let checked = check("chela.json5", text, &|_| None, &surroundings);
            let paths = |findings: &[crate::Finding]| findings.iter().map(|it| it.path.clone()).collect::<Vec<_>>();
            let off = checked.config.as_ref().is_some_and(|config| config.tools.browser.no_sandbox);
            (paths(&checked.report.errors), paths(&checked.report.warnings), off)
        };
        let at = |path: &str| vec![path.to_owned()];
        let none = Vec::<String>::new;
        assert_eq!(found("{ tools: { browser: { headless: false } } }"), (none(), none(), false));
        let open = found("{ tools: { browser: { noSandbox: true } } }");
        assert_eq!(open, (none(), at("tools.browser.noSandbox"), true));
        let wrong = found("{ tools: { browser: { privateUrls: ['wiki.lan'] } } }");
        assert_eq!(wrong, (at("tools.browser.privateUrls"), none(), false));
        let elsewhere = |url: &str| found(&format!("{{ tools: {{ browser: {{ cdpUrl: '{url}' }} }} }}"));
        assert_eq!(elsewhere("wss://browser.example.com?token=x"), (none(), none(), false));
        assert_eq!(elsewhere("browser.example.com"), (at("tools.browser.cdpUrl"), none(), false));
        let copied = found("{ browser: { enabled: true, noSandbox: true, profiles: {} } }");
        assert_eq!(copied, (none(), at("browser"), false), "not by a copied configuration");
    }
}
