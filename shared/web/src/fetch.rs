//! `web_fetch`: a page as text.

mod body;
mod download;
mod page;
mod unseen;

use std::time::Duration;

use async_trait::async_trait;
use chela_core::media::Documents;
use chela_core::model::ToolSpec;
use chela_core::outside::quoted;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_http::{HostPort, HttpClient};
use chela_media::Pdfs;
use serde::Deserialize;
use serde_json::json;

use crate::cache::Cache;
use crate::fetch::body::Kind;
use crate::fetch::download::{Download, Limits};
use crate::fetch::page::{Form, Page};

/// `tools.web.fetch`.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// Characters of an answer, unless the call says how many.
    pub max_chars: usize,
    /// Most characters a call may ask for.
    pub max_chars_cap: usize,
    /// Most bytes of a page that are read, packed and unpacked.
    pub max_bytes: usize,
    /// Most redirects that are followed.
    pub max_redirects: u8,
    /// Longest time for one page.
    pub timeout: Duration,
    /// How long pages are kept.
    pub cache_ttl: Duration,
    /// What we call ourselves instead of `Chela/<version>`.
    pub user_agent: Option<String>,
    /// Whether what stands around a page's main part is left out.
    pub readability: bool,
    /// Private places that may be read all the same.
    pub private: Vec<HostPort>,
}

/// Reads pages. It changes nothing.
pub struct WebFetch {
    http: HttpClient,
    settings: FetchSettings,
    cache: Cache,
}

#[derive(Deserialize)]
struct Arguments {
    url: String,
    #[serde(rename = "extractMode", alias = "extract_mode", default)]
    form: Form,
    #[serde(rename = "maxChars", alias = "max_chars", default)]
    max_chars: Option<usize>,
}

impl WebFetch {
    /// The tool. It reaches public addresses and `settings.private` only, whatever `http` may reach: a model or a page
    /// chose the URL.
    pub fn new(http: &HttpClient, settings: FetchSettings) -> Self {
        let cache = Cache::new(settings.cache_ttl);
        Self { http: http.allowing(settings.private.clone()), settings, cache }
    }
}

#[async_trait]
impl Tool for WebFetch {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "web_fetch".into(),
            description: "Read a web page, PDF or text file by its URL, as markdown without scripts and navigation."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "url": { "type": "string", "description": "https://…" },
                    "extractMode": { "type": "string", "enum": ["markdown", "text"] },
                    "maxChars": { "type": "integer", "minimum": 100 },
                },
                "required": ["url"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.fetched(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl WebFetch {
    async fn fetched(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let Arguments { url, form, max_chars } = crate::arguments(call.input)?;
        let most = max_chars.unwrap_or(self.settings.max_chars).clamp(100, self.settings.max_chars_cap.max(100));
        let key = format!("{form:?} {url}");
        let now = call.clock.now();
        let page = match self.cache.get(&key, now).and_then(|kept| serde_json::from_str(&kept).ok()) {
            Some(page) => page,
            None => {
                let page = self.read(&url, form).await?;
                if let Ok(text) = serde_json::to_string(&page) {
                    self.cache.put(key, &text, now);
                }
                page
            }
        };
        Ok(self.shown(&page, most, &call.clock.unique()))
    }

    async fn read(&self, url: &str, form: Form) -> Result<Page, String> {
        let limits = Limits {
            bytes: self.settings.max_bytes,
            redirects: self.settings.max_redirects,
            timeout: self.settings.timeout,
            user_agent: self.settings.user_agent.as_deref(),
        };
        let Download { url, kind, body, cut } = download::get(&self.http, url, &limits).await?;
        let page = match kind {
            Kind::Html => page::read(body.text(), url, form, self.settings.readability).await?,
            Kind::Pdf => {
                let most = self.settings.max_chars_cap;
                let text = Pdfs.text(body.bytes, most).await.map_err(|error| format!("{error}."))?;
                Page { url, title: None, text, cut: false }
            }
            Kind::Text => Page { url, title: None, text: body.text(), cut: false },
        };
        Ok(Page { cut, ..page })
    }

    fn shown(&self, page: &Page, most: usize, nonce: &str) -> String {
        let title = page.title.as_deref().map_or_else(String::new, |title| format!("Title: {title}\n\n"));
        let all = page.text.chars().count();
        let text: String = page.text.chars().take(most).collect();
        let said = if text.trim().is_empty() { "(no text)" } else { text.as_str() };
        let mut answer = quoted(nonce, &format!("the page {}", page.url), &format!("{title}{said}"));
        if all > most {
            let cap = self.settings.max_chars_cap;
            answer.push_str(&format!("\n[The first {most} of {all} characters. maxChars up to {cap} shows more.]"));
        }
        if page.cut {
            answer.push_str(&format!(
                "\n[The page is longer than {} bytes; the rest was not read.]",
                self.settings.max_bytes
            ));
        }
        answer
    }
}
