//! What is asked, in a provider's own form.

use chela_core::clock::Millis;
use chela_core::secret::Secret;
use chela_http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;

use crate::search::table::{Ask, Login, Provider, Since};

/// Largest answer that is read.
const MOST_BYTES: usize = 2 * 1024 * 1024;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// How old results may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Freshness {
    #[serde(alias = "pd")]
    Day,
    #[serde(alias = "pw")]
    Week,
    #[serde(alias = "pm")]
    Month,
    #[serde(alias = "py")]
    Year,
}

/// A question.
pub(crate) struct Question<'a> {
    pub(crate) query: &'a str,
    pub(crate) count: u32,
    pub(crate) freshness: Option<Freshness>,
    pub(crate) now: Millis,
}

/// The request; its host is the configured one or the provider's own, whatever the question says.
pub(crate) fn request(
    provider: &Provider,
    base_url: &str,
    key: Option<&Secret>,
    question: &Question<'_>,
    timeout: Duration,
) -> Result<Request, String> {
    let url = format!("{}{}", base_url.trim_end_matches('/'), provider.path);
    let mut url = Url::parse(&url).map_err(|_| "tools.web.search.baseUrl is no web address.".to_owned())?;
    let since = question.freshness.map(|freshness| since(provider, freshness, question.now));
    let request = match provider.ask {
        Ask::Get { query, count, always } => {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair(query, question.query).extend_pairs(always);
            pairs.extend_pairs(count.map(|name| (name, question.count.to_string())));
            pairs.extend_pairs(since);
            drop(pairs);
            Request::get(url, timeout, MOST_BYTES)
        }
        Ask::Post { query, count, always } => {
            let mut body: Map<String, Value> = serde_json::from_str(always).unwrap_or_default();
            body.insert(query.to_owned(), question.query.into());
            body.insert(count.to_owned(), question.count.into());
            body.extend(since.map(|(name, value)| (name.to_owned(), value.into())));
            let json = HeaderValue::from_static("application/json");
            Request::post(url, Value::from(body).to_string(), timeout, MOST_BYTES).header(CONTENT_TYPE, json)
        }
    };
    let request = request.header(ACCEPT, HeaderValue::from_static("application/json, text/html;q=0.9"));
    let (name, value) = match (provider.login, key) {
        (Login::Nobody, _) | (_, None) => return Ok(request),
        (Login::Bearer, Some(key)) => (AUTHORIZATION, format!("Bearer {}", key.expose())),
        (Login::Header(name), Some(key)) => (HeaderName::from_static(name), key.expose().to_owned()),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| format!("The key of {} holds a character no header can carry.", provider.id))?;
    value.set_sensitive(true);
    Ok(request.header(name, value))
}

fn since(provider: &Provider, freshness: Freshness, now: Millis) -> (&'static str, String) {
    let (at, days) = match freshness {
        Freshness::Day => (0, 1),
        Freshness::Week => (1, 7),
        Freshness::Month => (2, 30),
        Freshness::Year => (3, 365),
    };
    match provider.since {
        Since::Word(name, words) => (name, words.get(at).copied().unwrap_or_default().to_owned()),
        Since::Date(name) => {
            let then = i64::try_from(now.0.saturating_sub(DAY.saturating_mul(days))).unwrap_or_default();
            let then = jiff::Timestamp::from_millisecond(then).unwrap_or_default();
            (name, then.strftime("%Y-%m-%dT00:00:00.000Z").to_string())
        }
    }
}
