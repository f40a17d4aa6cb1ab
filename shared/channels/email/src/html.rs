//! Replies as HTML. What the model wrote as HTML is shown as text, pictures become links (a picture that is loaded tells
//! its server who reads, and what stands in its URL), and links lead only where a reader expects.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html::push_html};

/// Where links may lead.
const SCHEMES: &[&str] = &["https://", "http://", "mailto:", "tel:"];

/// A whole document.
pub(crate) fn document(markdown: &str) -> String {
    let mut html = String::from("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n");
    push_html(&mut html, safe(markdown));
    html.push_str("</body></html>\n");
    html
}

fn safe(markdown: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    // Which of the open links are shown: a picture in a link, or one that leads nowhere, is its text alone.
    let mut open: Vec<bool> = Vec::new();
    Parser::new_ext(markdown, options).filter_map(move |event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Link { link_type, dest_url, title, id } | Tag::Image { link_type, dest_url, title, id }) => {
            let lower = dest_url.to_ascii_lowercase();
            let shown = !open.contains(&true) && SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
            open.push(shown);
            shown.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link | TagEnd::Image) => open.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)),
        other => Some(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(markdown: &str) -> String {
        let document = document(markdown);
        let (_, body) = document.split_once("<body>\n").unwrap();
        body.strip_suffix("</body></html>\n").unwrap().to_owned()
    }

    #[test]
    fn markdown_is_marked_up() {
        let cases = [
            ("**a** _b_ ~~c~~ `d<e`", "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d&lt;e</code></p>\n"),
            ("```rust\n<&>\n```", "<pre><code class=\"language-rust\">&lt;&amp;&gt;\n</code></pre>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            ("[a](https://x/?b=\"1\"&c)", "<p><a href=\"https://x/?b=%221%22&amp;c\">a</a></p>\n"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(html(markdown), wanted, "{markdown}");
        }
        assert!(html("|a|b|\n|-|-|\n|1|2|").contains("<td>1</td>"));
    }

    #[test]
    fn nothing_runs_loads_or_leads_astray() {
        let cases = [
            ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
            ("a <img src=x onerror=y> b", "<p>a &lt;img src=x onerror=y&gt; b</p>\n"),
            ("![alt](https://x/t.png?secret)", "<p><a href=\"https://x/t.png?secret\">alt</a></p>\n"),
            ("[![alt](https://x/t.png)](https://y/)", "<p><a href=\"https://y/\">alt</a></p>\n"),
            ("[a](javascript:alert(1)) [b](JaVaScRiPt:x) [c](data:text/html,x)", "<p>a b c</p>\n"),
            ("[a](//x/y) [b](/z) <file:///etc/passwd>", "<p>a b file:///etc/passwd</p>\n"),
            ("[![alt](https://x/)](javascript:x)", "<p><a href=\"https://x/\">alt</a></p>\n"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(html(markdown), wanted, "{markdown}");
        }
    }
}
