//! Telegram's HTML: the one of its three dialects in which only `&`, `<` and `>` need an escape.
//! <https://core.telegram.org/bots/api#html-style>

use chela_channel_kit::markdown::{Dialect, Span, render};

/// Most UTF-16 units of visible text in one message.
pub(crate) const LONGEST: usize = 4096;

/// Most UTF-16 units of visible text under a file. <https://core.telegram.org/bots/api#senddocument>
pub(crate) const LONGEST_CAPTION: usize = 1024;

/// Markdown in Telegram's HTML; `None` if it shows more than `longest` units, as a list does that is numbered longer than
/// it was written.
pub(crate) fn html(markdown: &str, longest: usize) -> Option<String> {
    let html = render(markdown, &Html);
    (visible(&html).encode_utf16().count() <= longest).then_some(html)
}

struct Html;

impl Dialect for Html {
    fn span(&self, span: &Span) -> String {
        let text = escape(&span.text);
        // Code cannot be combined with any other mark.
        if span.style.code {
            return format!("<code>{text}</code>");
        }
        let mut marked = text;
        for (on, tag) in [(span.style.bold, "b"), (span.style.italic, "i"), (span.style.strike, "s")] {
            if on {
                marked = format!("<{tag}>{marked}</{tag}>");
            }
        }
        match &span.link {
            Some(link) if leads_somewhere(link) => format!("<a href=\"{}\">{marked}</a>", escape(link)),
            Some(link) if *link != span.text => format!("{marked} ({})", escape(link)),
            _ => marked,
        }
    }

    fn code(&self, language: &str, text: &str) -> String {
        let text = escape(text);
        if language.is_empty() {
            return format!("<pre>{text}</pre>");
        }
        format!("<pre><code class=\"language-{}\">{text}</code></pre>", escape(language))
    }

    /// Quotes cannot be nested.
    fn quote(&self, inner: &str) -> String {
        format!("<blockquote>{}</blockquote>", inner.replace("<blockquote>", "").replace("</blockquote>", ""))
    }
}

/// Telegram drops the links of other schemes and of paths without a host.
fn leads_somewhere(link: &str) -> bool {
    ["https://", "http://", "tg://", "mailto:"].iter().any(|scheme| link.starts_with(scheme))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// What a reader sees of our own HTML.
fn visible(html: &str) -> String {
    let texts = html.split('<').enumerate().map(|(nth, piece)| match piece.split_once('>') {
        Some((_, text)) if nth > 0 => text,
        _ => piece,
    });
    let text: String = texts.collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_the_tags_telegram_knows() {
        let cases = [
            ("**a _b_** ~~c~~ `d<e`", "<b>a </b><i><b>b</b></i> <s>c</s> <code>d&lt;e</code>"),
            ("# T & `x`\ntext", "<b>T &amp; </b><code>x</code>\n\ntext"),
            (
                "```rust\nlet a = \"<&>\";\n```",
                "<pre><code class=\"language-rust\">let a = &quot;&lt;&amp;&gt;&quot;;</code></pre>",
            ),
            ("```\nx\n```", "<pre>x</pre>"),
            ("> a\n>> b", "<blockquote>a\nb</blockquote>"),
            ("- a\n- b", "• a\n• b"),
            ("[a](https://x/?a=1&b=\"2\")", "<a href=\"https://x/?a=1&amp;b=&quot;2&quot;\">a</a>"),
            ("[a](/path) [b](javascript:alert(1))", "a (/path) b (javascript:alert(1))"),
            ("<b>x</b> 1 < 2", "&lt;b&gt;x&lt;/b&gt; 1 &lt; 2"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(html(markdown, LONGEST).as_deref(), Some(wanted), "{markdown}");
        }
    }

    #[test]
    fn marks_and_escapes_do_not_count_to_the_limit_but_text_does() {
        assert!(html(&"&".repeat(LONGEST), LONGEST).is_some());
        assert!(html(&format!("[{}](https://x)", "a".repeat(LONGEST)), LONGEST).is_some());
        assert!(html(&"a".repeat(LONGEST + 1), LONGEST).is_none());
        assert!(html(&"😀".repeat(LONGEST / 2 + 1), LONGEST).is_none());
    }
}
