//! The HTML that Matrix clients show. <https://spec.matrix.org/v1.16/client-server-api/#mroommessage-msgtypes>

use chela_channel_kit::markdown::{Block, Span, blocks};

/// Markdown as HTML; `None` where a plain text says the same.
pub(crate) fn html(markdown: &str) -> Option<String> {
    let blocks = blocks(markdown);
    let html = match blocks.as_slice() {
        [Block::Paragraph(spans)] => write_spans(spans),
        blocks => write_blocks(blocks),
    };
    (html != escape(markdown.trim())).then_some(html)
}

fn write_blocks(blocks: &[Block]) -> String {
    blocks.iter().map(write_block).collect()
}

fn write_block(block: &Block) -> String {
    match block {
        Block::Paragraph(spans) => format!("<p>{}</p>", write_spans(spans)),
        Block::Heading(level, spans) => {
            let level = (*level).clamp(1, 6);
            format!("<h{level}>{}</h{level}>", write_spans(spans))
        }
        Block::Code { language, text } if language.is_empty() => format!("<pre><code>{}</code></pre>", escape(text)),
        Block::Code { language, text } => {
            format!("<pre><code class=\"language-{}\">{}</code></pre>", escape(language), escape(text))
        }
        Block::Quote(inner) => format!("<blockquote>{}</blockquote>", write_blocks(inner)),
        Block::List { start, items } => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>", write_item(item))).collect();
            match start {
                None => format!("<ul>{items}</ul>"),
                Some(1) => format!("<ol>{items}</ol>"),
                Some(first) => format!("<ol start=\"{first}\">{items}</ol>"),
            }
        }
        Block::Rule => "<hr>".to_owned(),
    }
}

/// An item begins on the line of its mark.
fn write_item(item: &[Block]) -> String {
    match item {
        [Block::Paragraph(spans), rest @ ..] => format!("{}{}", write_spans(spans), write_blocks(rest)),
        blocks => write_blocks(blocks),
    }
}

fn write_spans(spans: &[Span]) -> String {
    spans.iter().map(write_span).collect()
}

fn write_span(span: &Span) -> String {
    let mut marked = escape(&span.text).replace('\n', "<br>");
    for (on, tag) in
        [(span.style.code, "code"), (span.style.bold, "strong"), (span.style.italic, "em"), (span.style.strike, "del")]
    {
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

/// Clients drop links of other schemes.
fn leads_somewhere(link: &str) -> bool {
    ["https://", "http://", "ftp://", "mailto:", "magnet:"].iter().any(|scheme| link.starts_with(scheme))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_the_tags_of_the_specification() {
        for (markdown, wanted) in [
            (
                "**a _b_** ~~c~~ `d<e`",
                "<strong>a </strong><em><strong>b</strong></em> <del>c</del> <code>d&lt;e</code>",
            ),
            ("one\ntwo", "one<br>two"),
            ("one\n\ntwo", "<p>one</p><p>two</p>"),
            ("# T & `x`\ntext", "<h1>T &amp; <code>x</code></h1><p>text</p>"),
            ("```rust\na \"<&>\"\n```", "<pre><code class=\"language-rust\">a &quot;&lt;&amp;&gt;&quot;</code></pre>"),
            ("> a\n>> b", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>"),
            ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
            ("3. a\n4. b", "<ol start=\"3\"><li>a</li><li>b</li></ol>"),
            ("1. a", "<ol><li>a</li></ol>"),
            ("[a](https://x/?a=1&b=\"2\")", "<a href=\"https://x/?a=1&amp;b=&quot;2&quot;\">a</a>"),
            ("[a](/path) [b](javascript:alert(1))", "a (/path) b (javascript:alert(1))"),
            ("<b>x</b> **y**", "&lt;b&gt;x&lt;/b&gt; <strong>y</strong>"),
            ("a\n\n---", "<p>a</p><hr>"),
        ] {
            assert_eq!(html(markdown).as_deref(), Some(wanted), "{markdown}");
        }
    }

    #[test]
    fn a_plain_text_needs_no_html() {
        for plain in ["hello", "1 < 2 & \"x\"", "", "@room"] {
            assert_eq!(html(plain), None, "{plain}");
        }
    }
}
