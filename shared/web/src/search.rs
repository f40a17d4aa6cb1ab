//! `web_search`: asks a provider of searches.

mod question;
mod results;
mod table;

use std::fmt::Write;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::outside::quoted;
use chela_core::purse::{Declined, Purse, Tariff, paid};
use chela_core::secret::Secret;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_http::{HostPort, HttpClient, HttpError, Response};
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::json;

use crate::cache::Cache;
use crate::search::question::{Freshness, Question, request};
use crate::search::results::{Found, read};
pub use crate::search::table::{PROVIDERS, Provider, find};

/// Longest question; providers take about this much.
const QUERY_CHARS: usize = 400;

/// `tools.web.search`, opened.
#[derive(Clone)]
pub struct SearchSettings {
    /// Who is asked.
    pub provider: &'static Provider,
    /// Where it is.
    pub base_url: String,
    /// Its key.
    pub key: Option<Secret>,
    /// Results, unless the call says how many.
    pub max_results: u32,
    /// Longest wait.
    pub timeout: Duration,
    /// How long answers are kept.
    pub cache_ttl: Duration,
    /// What it takes for a thousand searches.
    pub tariff: Tariff,
}

/// Why a search brings nothing, in words for the model.
struct Failed(String);

impl From<String> for Failed {
    fn from(words: String) -> Self {
        Self(words)
    }
}

impl From<Declined> for Failed {
    fn from(declined: Declined) -> Self {
        Self(format!("No search: {declined}."))
    }
}

/// Asks a provider. It changes nothing, but may cost money each time.
pub struct WebSearch {
    http: HttpClient,
    settings: SearchSettings,
    cache: Cache,
}

#[derive(Deserialize)]
struct Arguments {
    query: String,
    #[serde(alias = "maxResults", alias = "max_results", default)]
    count: Option<u32>,
    #[serde(default)]
    freshness: Option<Freshness>,
}

impl WebSearch {
    /// The tool. `http` must be allowed to reach `base_url`, and is used for that place alone.
    pub fn new(http: &HttpClient, settings: SearchSettings) -> Result<Self, HttpError> {
        let http = http.only(HostPort::of_url(&settings.base_url)?);
        let cache = Cache::new(settings.cache_ttl);
        Ok(Self { http, settings, cache })
    }

    #[cfg(test)]
    pub(crate) fn settings(&self) -> &SearchSettings {
        &self.settings
    }
}

#[async_trait]
impl Tool for WebSearch {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "web_search".into(),
            description: "Search the web: titles, addresses and excerpts. web_fetch reads what was found.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "query": { "type": "string" },
                    "count": { "type": "integer", "minimum": 1 },
                    "freshness": { "type": "string", "enum": ["day", "week", "month", "year"] },
                },
                "required": ["query"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.searched(&call).await.map_or_else(|Failed(words)| ToolAnswer::error(words), ToolAnswer::ok)
    }
}

impl WebSearch {
    async fn searched(&self, call: &ToolCall<'_>) -> Result<String, Failed> {
        let Arguments { query, count, freshness } = crate::arguments(call.input)?;
        let query = query.trim();
        if query.is_empty() || query.chars().count() > QUERY_CHARS {
            return Err(format!("Say what is to be found, in at most {QUERY_CHARS} characters.").into());
        }
        let provider = self.settings.provider;
        let count = count.unwrap_or(self.settings.max_results).clamp(1, provider.most);
        let now = call.clock.now();
        let key = format!("{count} {freshness:?} {query}");
        let text = match self.cache.get(&key, now) {
            Some(text) => text,
            None => {
                let found = self.buy(&Question { query, count, freshness, now }, call.purse).await?;
                let text = listed(&found, count);
                self.cache.put(key, &text, now);
                text
            }
        };
        if text.is_empty() {
            return Ok(format!("{} finds nothing. Try other or fewer words.", provider.id));
        }
        Ok(quoted(&call.clock.unique(), &format!("results of {}", provider.id), &text))
    }

    /// One search, paid for; one that was not answered costs nothing.
    async fn buy(&self, question: &Question<'_>, purse: &dyn Purse) -> Result<Vec<Found>, Failed> {
        let call = async {
            let mut used = 0;
            (self.ask(question, &mut used).await.map_err(Failed), used)
        };
        paid(purse, &self.settings.tariff, 1, call).await
    }

    async fn ask(&self, question: &Question<'_>, used: &mut u64) -> Result<Vec<Found>, String> {
        let SearchSettings { provider, base_url, key, timeout, .. } = &self.settings;
        let request = request(provider, base_url, key.as_ref(), question, *timeout)?;
        // A redirect is not followed: the key is for this host.
        let answer = self.http.send(request).await;
        // A refusal is not billed; whether an answer that got lost is, nobody knows.
        let answered = answer.as_ref().map_or_else(|error| !error.not_sent(), |answer| answer.status.is_success());
        *used = answered.into();
        let answer = answer.map_err(|error| unreachable(provider, &error))?;
        if !answer.status.is_success() {
            return Err(refusal(provider, &answer));
        }
        read(provider.answer, &answer.body).ok_or_else(|| match provider.id {
            "duckduckgo" => {
                "DuckDuckGo takes us for a robot at the moment. Try later; a provider with a key does not do that."
                    .to_owned()
            }
            id => format!("{id} answers with something that is no list of results. See {}.", provider.docs),
        })
    }
}

fn listed(found: &[Found], count: u32) -> String {
    let mut text = String::new();
    for (at, Found { title, url, date, text: excerpt }) in found.iter().take(count as usize).enumerate() {
        let date = date.as_ref().map_or_else(String::new, |date| format!(" ({date})"));
        let number = at.saturating_add(1);
        let _ = write!(text, "{number}. {title}{date}\n   {url}\n"); // Writing to a text cannot fail.
        if !excerpt.is_empty() {
            let _ = writeln!(text, "   {excerpt}"); // The same.
        }
    }
    text
}

fn unreachable(provider: &Provider, error: &HttpError) -> String {
    match error {
        HttpError::Blocked { .. } | HttpError::BadUrl { .. } => {
            format!("{error}. tools.web.search.baseUrl says where {} is.", provider.id)
        }
        error => format!("{error}. Try later."),
    }
}

/// What a status means here, and what would help. The provider's own words may repeat the key.
fn refusal(provider: &Provider, answer: &Response) -> String {
    let (id, status) = (provider.id, answer.status.as_u16());
    let means = match status {
        403 if id == "searxng" => {
            "its settings.yml must have json among search.formats, and its limiter must let us in".to_owned()
        }
        // 422: Brave's for a token that is none.
        401 | 403 | 422 if provider.login != table::Login::Nobody => {
            let variable = provider.variables.first().copied().unwrap_or_default();
            format!("it does not take the key; tools.web.search.apiKey or {variable} must hold a valid one")
        }
        // 432 and 433: Tavily's for a plan and a budget that are used up.
        402 | 432 | 433 => "what was paid for is used up; the plan must be renewed".to_owned(),
        429 => {
            let after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            after.map_or_else(
                || "it was asked too often; try in a minute".to_owned(),
                |seconds| format!("it was asked too often; try again in {seconds} seconds"),
            )
        }
        300..=399 => "it has moved; tools.web.search.baseUrl must say where it is".to_owned(),
        500..=599 => "it has a problem; try later".to_owned(),
        _ => format!("it does not understand the question; see {}", provider.docs),
    };
    format!("{id} refuses the search with status {status}: {means}.")
}
