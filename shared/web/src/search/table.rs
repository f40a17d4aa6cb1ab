//! The providers of searches, as data: how each is asked, how each answers. Another one is a row here, a saved answer in
//! `answers/`, a price in `shared/models/src/catalog/services.json`, and a line in docs/web.md.

/// A provider.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// Its name in the configuration.
    pub id: &'static str,
    /// Where it is; `None` for a server of one's own.
    pub base_url: Option<&'static str>,
    /// The path of a search.
    pub(crate) path: &'static str,
    /// The variables its key is read from, if none is configured; empty if it needs none.
    pub variables: &'static [&'static str],
    pub(crate) login: Login,
    pub(crate) ask: Ask,
    pub(crate) answer: Answer,
    /// Most results of one search.
    pub(crate) most: u32,
    /// What the days of a search are called: a day, a week, a month, a year.
    pub(crate) since: Since,
    /// Its documentation.
    pub docs: &'static str,
}

/// How a key is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Nobody,
    Bearer,
    Header(&'static str),
}

/// How a question is put. Names of parameters; the rest is always the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// In the URL.
    Get { query: &'static str, count: Option<&'static str>, always: &'static [(&'static str, &'static str)] },
    /// As a JSON object; `always` is one too.
    Post { query: &'static str, count: &'static str, always: &'static str },
}

/// Where the results are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// In JSON: a pointer to the list, and keys in each of its items. The first that is there counts; lists of texts are
    /// joined.
    Json { list: &'static str, url: &'static str, text: &'static [&'static str], date: &'static [&'static str] },
    /// On DuckDuckGo's page.
    DuckDuckGo,
}

/// How results of the last time are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    /// A parameter, and its values for day, week, month and year.
    Word(&'static str, [&'static str; 4]),
    /// A parameter with the day itself.
    Date(&'static str),
}

const WORDS: [&str; 4] = ["day", "week", "month", "year"];

/// All of them, in the order in which their keys are looked for where no provider is named.
pub const PROVIDERS: [Provider; 7] = [
    Provider {
        id: "brave",
        base_url: Some("https://api.search.brave.com"),
        path: "/res/v1/web/search",
        variables: &["BRAVE_API_KEY"],
        login: Login::Header("x-subscription-token"),
        ask: Ask::Get { query: "q", count: Some("count"), always: &[("result_filter", "web")] },
        answer: Answer::Json { list: "/web/results", url: "url", text: &["description"], date: &["page_age"] },
        most: 20,
        since: Since::Word("freshness", ["pd", "pw", "pm", "py"]),
        docs: "https://api-dashboard.search.brave.com/app/documentation/web-search/get-started",
    },
    Provider {
        id: "tavily",
        base_url: Some("https://api.tavily.com"),
        path: "/search",
        variables: &["TAVILY_API_KEY"],
        login: Login::Bearer,
        ask: Ask::Post { query: "query", count: "max_results", always: r#"{"search_depth": "basic"}"# },
        answer: Answer::Json { list: "/results", url: "url", text: &["content"], date: &["published_date"] },
        most: 20,
        since: Since::Word("time_range", WORDS),
        docs: "https://docs.tavily.com/documentation/api-reference/endpoint/search",
    },
    Provider {
        id: "exa",
        base_url: Some("https://api.exa.ai"),
        path: "/search",
        variables: &["EXA_API_KEY"],
        login: Login::Header("x-api-key"),
        ask: Ask::Post { query: "query", count: "numResults", always: r#"{"contents": {"highlights": true}}"# },
        answer: Answer::Json {
            list: "/results",
            url: "url",
            text: &["highlights", "summary", "text"],
            date: &["publishedDate"],
        },
        // Each is paid for.
        most: 10,
        since: Since::Date("startPublishedDate"),
        docs: "https://exa.ai/docs/reference/search",
    },
    Provider {
        id: "perplexity",
        base_url: Some("https://api.perplexity.ai"),
        path: "/search",
        variables: &["PERPLEXITY_API_KEY"],
        login: Login::Bearer,
        ask: Ask::Post { query: "query", count: "max_results", always: r#"{"max_tokens_per_page": 512}"# },
        answer: Answer::Json { list: "/results", url: "url", text: &["snippet"], date: &["date", "last_updated"] },
        most: 20,
        since: Since::Word("search_recency_filter", WORDS),
        docs: "https://docs.perplexity.ai/api-reference/search-post",
    },
    Provider {
        id: "serper",
        base_url: Some("https://google.serper.dev"),
        path: "/search",
        variables: &["SERPER_API_KEY"],
        login: Login::Header("x-api-key"),
        ask: Ask::Post { query: "q", count: "num", always: "{}" },
        answer: Answer::Json { list: "/organic", url: "link", text: &["snippet"], date: &["date"] },
        most: 10,
        since: Since::Word("tbs", ["qdr:d", "qdr:w", "qdr:m", "qdr:y"]),
        docs: "https://serper.dev/playground",
    },
    Provider {
        id: "searxng",
        base_url: None,
        path: "/search",
        variables: &[],
        login: Login::Nobody,
        ask: Ask::Get { query: "q", count: None, always: &[("format", "json")] },
        answer: Answer::Json { list: "/results", url: "url", text: &["content"], date: &["publishedDate"] },
        most: 20,
        since: Since::Word("time_range", WORDS),
        docs: "https://docs.searxng.org/dev/search_api.html",
    },
    Provider {
        id: "duckduckgo",
        base_url: Some("https://html.duckduckgo.com"),
        path: "/html/",
        variables: &[],
        login: Login::Nobody,
        ask: Ask::Get { query: "q", count: None, always: &[] },
        answer: Answer::DuckDuckGo,
        most: 20,
        since: Since::Word("df", ["d", "w", "m", "y"]),
        docs: "https://duckduckgo.com/duckduckgo-help-pages/features/non-javascript",
    },
];

/// The provider of this name.
pub fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.id == id)
}
