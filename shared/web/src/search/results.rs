//! What was found, from a provider's own form.

use dom_query::Document;
use serde_json::Value;
use url::Url;

use crate::search::table::Answer;

/// Most characters of a title, an address and a text.
const TITLE_CHARS: usize = 200;
const URL_CHARS: usize = 500;
const TEXT_CHARS: usize = 600;

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) title: String,
    pub(crate) url: String,
    pub(crate) date: Option<String>,
    pub(crate) text: String,
}

/// The results of an answer; what is no result is left out. `None` if it is no answer of this form.
pub(crate) fn read(form: Answer, body: &[u8]) -> Option<Vec<Found>> {
    match form {
        Answer::Json { list, url, text, date } => {
            let json: Value = serde_json::from_slice(body).ok().filter(Value::is_object)?;
            let Some(list) = json.pointer(list).and_then(Value::as_array) else { return Some(Vec::new()) };
            Some(list.iter().filter_map(|item| of_json(item, url, text, date)).collect())
        }
        Answer::DuckDuckGo => of_page(&String::from_utf8_lossy(body)),
    }
}

fn of_json(item: &Value, url: &str, text: &[&str], date: &[&str]) -> Option<Found> {
    let first = |keys: &[&str]| keys.iter().map(|key| words(item.get(key))).find(|said| !said.is_empty());
    let url = web_address(item.get(url)?.as_str()?)?;
    Some(Found {
        title: first(&["title"]).map_or_else(|| url.clone(), |title| plain(&title, TITLE_CHARS)),
        url,
        // Of an instant, the day; words as they are.
        date: first(date).map(|date| date.split('T').next().unwrap_or_default().chars().take(20).collect()),
        text: plain(&first(text).unwrap_or_default(), TEXT_CHARS),
    })
}

/// A text, or several.
fn words(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" … "),
        _ => String::new(),
    }
}

/// The page for browsers without scripts. `None` where it shows a riddle instead of results.
fn of_page(html: &str) -> Option<Vec<Found>> {
    let page = Document::from(html);
    if page.select("#challenge-form, .anomaly-modal__modal").exists() {
        return None;
    }
    let mut found = Vec::new();
    for node in page.select(".result").iter() {
        let link = node.select_single(".result__a");
        if node.has_class("result--ad") {
            continue;
        }
        let Some(url) = link.attr("href").and_then(|href| unwrapped(&href)) else { continue };
        let (title, text) = (link.text(), node.select_single(".result__snippet").text());
        found.push(Found { title: plain(&title, TITLE_CHARS), url, date: None, text: plain(&text, TEXT_CHARS) });
    }
    Some(found)
}

/// Links lead over `//duckduckgo.com/l/?uddg=<where they really lead>`.
fn unwrapped(href: &str) -> Option<String> {
    let url = Url::parse("https://html.duckduckgo.com").ok()?.join(href).ok()?;
    if !url.host_str().is_some_and(|host| host == "duckduckgo.com" || host.ends_with(".duckduckgo.com")) {
        return web_address(url.as_str());
    }
    let to = url.query_pairs().find(|(name, _)| name == "uddg").map(|(_, to)| to.into_owned())?;
    web_address(&to)
}

fn web_address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?.to_string();
    (url.chars().count() <= URL_CHARS).then_some(url)
}

/// One line without marks: providers send what was found in bold.
fn plain(text: &str, most: usize) -> String {
    let text = if text.contains(['<', '&']) { Document::from(text).text().to_string() } else { text.to_owned() };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most { text } else { text.chars().take(most).chain(['…']).collect() }
}
