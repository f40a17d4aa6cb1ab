//! A page as markdown: its main part, without what stands around it.

use std::panic::catch_unwind;
use std::time::Duration;

use dom_query::Document;
use dom_smoothie::{Config, Readability, TextMode};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use url::Url;

use crate::fetch::unseen;

/// Pages nest, and what reads them calls itself.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Longest time for one page.
const TIME: Duration = Duration::from_secs(8);

/// Most elements among which the main part is looked for; of larger pages everything is shown.
const MOST_ELEMENTS: usize = 30_000;

/// A main part of fewer characters, on a page that has more, was not the main part.
const LEAST_CHARS: usize = 200;

/// Most elements that may be open at once.
const MOST_OPEN: usize = 2_000;

/// Elements that are often never closed:
/// <https://html.spec.whatwg.org/multipage/syntax.html#optional-tags>
const UNCLOSED: [&str; 28] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    "html", "head", "body", "p", "li", "dt", "dd", "option", "tr", "td", "th", "thead", "tbody", "path",
];

/// What the text is to look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    #[default]
    Markdown,
    Text,
}

/// What a page says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    /// Whether there was more of it than was read.
    pub(crate) cut: bool,
}

/// Reads HTML, on a thread of its own.
pub(crate) async fn read(html: String, url: String, form: Form, readability: bool) -> Result<Page, String> {
    if depth(&html) > MOST_OPEN {
        return Err("The page cannot be read: its elements nest too deep.".to_owned());
    }
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("page".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        let page = catch_unwind(|| understood(html, url, form, readability));
        let _ = done.send(page); // Nobody may wait any more.
    });
    thread.map_err(|error| format!("There is no room to read the page: {error}."))?;
    match tokio::time::timeout(TIME, result).await {
        Ok(Ok(Ok(page))) => Ok(page),
        Ok(_) => Err("The page cannot be read: it is damaged.".to_owned()),
        Err(_) => Err("Reading the page takes too long.".to_owned()),
    }
}

/// How many elements are open at once, about: every parser looks through all of them at each further one.
fn depth(html: &str) -> usize {
    let (mut open, mut most) = (0usize, 0usize);
    for tag in html.split('<').skip(1) {
        let (closes, name) = tag.strip_prefix('/').map_or((false, tag), |name| (true, name));
        let name: String =
            name.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        if name.is_empty() || UNCLOSED.contains(&name.as_str()) {
            continue;
        }
        open = if closes { open.saturating_sub(1) } else { open.saturating_add(1) };
        most = most.max(open);
    }
    most
}

fn understood(html: String, url: String, form: Form, readability: bool) -> Page {
    let document = Document::from(html);
    let title = document.select_single("title").text();
    let title = Some(title.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|title| !title.is_empty());
    unseen::remove(&document);
    resolve_links(&document, &url);
    let main = if readability { main_part(&document, form) } else { None };
    let text = main.unwrap_or_else(|| everything(&document, form));
    Page { url, title, text: tidy(&text), cut: false }
}

/// The article, the entry, the answer: what the page is about.
fn main_part(document: &Document, form: Form) -> Option<String> {
    let config = Config {
        max_elements_to_parse: MOST_ELEMENTS,
        disable_json_ld: true,
        // Classes say in which language code is written.
        keep_classes: true,
        text_mode: match form {
            Form::Markdown => TextMode::Markdown,
            Form::Text => TextMode::Formatted,
        },
        ..Config::default()
    };
    let all = document.body().map_or(0, |body| body.text().trim().chars().count());
    let article = Readability::with_document(document.clone(), None, Some(config)).ok()?.parse().ok()?;
    let chars = article.text_content.trim().chars().count();
    (chars >= LEAST_CHARS || chars.saturating_mul(2) >= all).then(|| article.text_content.to_string())
}

/// All of the page but what leads elsewhere.
fn everything(document: &Document, form: Form) -> String {
    document.select("nav, aside, [role=\"navigation\"], body > header, body > footer").remove();
    match (document.body(), form) {
        (Some(body), Form::Markdown) => body.md(None).to_string(),
        (Some(body), Form::Text) => body.formatted_text().to_string(),
        (None, _) => String::new(),
    }
}

/// Links are only of use where they lead when followed from elsewhere.
fn resolve_links(document: &Document, url: &str) {
    let Ok(base) = Url::parse(url) else { return };
    let own = document.select_single("base[href]").attr("href").and_then(|href| base.join(&href).ok());
    let base = own.unwrap_or(base);
    for (selector, name) in [("a[href]", "href"), ("img[src]", "src")] {
        for node in document.select(selector).iter() {
            let to = node.attr(name).and_then(|to| base.join(&to).ok());
            match to.filter(|to| matches!(to.scheme(), "http" | "https" | "mailto")) {
                Some(to) => node.set_attr(name, to.as_str()),
                None => node.remove_attr(name),
            }
        }
    }
}

/// Never two empty lines in a row.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            out.push_str(line);
            out.push('\n');
        }
        empty = line.is_empty();
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: [&str; 14] = [
        "<TAG>",
        "</TAG>",
        "<TAG TEXT>",
        "<TAG class=\"TEXT\" style=\"TEXT\">",
        "TEXT",
        "<!--TEXT",
        "-->",
        "<![CDATA[TEXT]]>",
        "<TAG href='TEXT' src='TEXT' alt='TEXT'>",
        "<p>A long sentence, with commas, that looks like an article. TEXT</p>",
        "&#xTEXT;",
        "<!doctype TEXT>",
        "<TAG id=main>",
        "<TAG/>",
    ];

    const TAGS: [&str; 40] = [
        "p",
        "div",
        "article",
        "table",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "a",
        "img",
        "pre",
        "code",
        "blockquote",
        "h1",
        "h6",
        "br",
        "hr",
        "title",
        "head",
        "body",
        "html",
        "base",
        "template",
        "svg",
        "math",
        "select",
        "option",
        "script",
        "noscript",
        "frameset",
        "font",
        "b",
        "main",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Where a panic ends the process, as in a release, a page that its reader fails over would end the house.
        #[test]
        fn no_soup_of_tags_ends_its_reader(
            pieces in prop::collection::vec((0..PIECES.len(), 0..TAGS.len(), "[a-zé\u{1F980}\u{202e}&;<>\"'/=# \n-]{0,12}"), 0..120),
            form in prop::sample::select(vec![Form::Markdown, Form::Text]),
            readability in any::<bool>(),
        ) {
            let html: String =
                pieces.iter().map(|(piece, tag, text)| PIECES[*piece].replace("TAG", TAGS[*tag]).replace("TEXT", text)).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let page = runtime.block_on(read(html.clone(), "https://a.example/b/c?d#e".to_owned(), form, readability));
            prop_assert!(page.is_ok(), "{:?}: {}", page, html);
        }
    }
}
