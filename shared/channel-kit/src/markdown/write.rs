//! Blocks to a platform's dialect. The walk is here, once; a dialect says only how it marks things.

use super::{Block, Span, Style, blocks};

/// How one platform marks text. Everything it returns is in its own dialect, already escaped.
pub trait Dialect {
    /// A span of one style: escapes its text, then marks style and link.
    fn span(&self, span: &Span) -> String;

    /// A code block. `text` is raw.
    fn code(&self, language: &str, text: &str) -> String;

    /// A quote. `inner` is already in the dialect. Markdown's own mark is understood, or readable, nearly everywhere.
    fn quote(&self, inner: &str) -> String {
        let lines: Vec<String> = inner.lines().map(|line| format!("> {line}")).collect();
        lines.join("\n")
    }

    /// A title. `spans` are the title's own, its level is 1 to 6. Chats have none, so that it is bold.
    fn heading(&self, _level: u8, spans: &[Span]) -> String {
        let bold = |span: &Span| Span { style: Style { bold: true, ..span.style }, ..span.clone() };
        spans.iter().map(|span| self.span(&bold(span))).collect()
    }

    /// How bullets look.
    fn bullet(&self) -> &'static str {
        "• "
    }
}

/// Writes markdown in a dialect.
pub fn render(markdown: &str, dialect: &dyn Dialect) -> String {
    write_blocks(&blocks(markdown), dialect, "\n\n", 0)
}

/// The same, or the markdown as it was written if that would be longer than so many UTF-16 units, as a list is that is
/// numbered longer than it was written.
pub fn render_within(markdown: &str, dialect: &dyn Dialect, longest: usize) -> String {
    let text = render(markdown, dialect);
    if text.encode_utf16().count() <= longest { text } else { markdown.to_owned() }
}

fn write_blocks(blocks: &[Block], dialect: &dyn Dialect, between: &str, depth: usize) -> String {
    let written: Vec<String> = blocks.iter().map(|block| write_block(block, dialect, depth)).collect();
    written.join(between)
}

fn write_block(block: &Block, dialect: &dyn Dialect, depth: usize) -> String {
    match block {
        Block::Paragraph(spans) => write_spans(spans, dialect),
        Block::Heading(level, spans) => dialect.heading(*level, spans),
        Block::Code { language, text } => dialect.code(language, text),
        Block::Quote(inner) => dialect.quote(&write_blocks(inner, dialect, "\n", depth)),
        Block::List { start, items } => write_list(*start, items, dialect, depth),
        Block::Rule => "───".to_owned(),
    }
}

fn write_spans(spans: &[Span], dialect: &dyn Dialect) -> String {
    spans.iter().map(|span| dialect.span(span)).collect()
}

/// One item a line. Only the mark is indented: spaces before the lines of a code block would become part of it.
fn write_list(start: Option<u64>, items: &[Vec<Block>], dialect: &dyn Dialect, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let lines: Vec<String> = (0_u64..)
        .zip(items)
        .map(|(at, item)| {
            let inner = write_blocks(item, dialect, "\n", depth + 1);
            match start {
                Some(first) => format!("{indent}{}. {inner}", first.saturating_add(at)),
                None => format!("{indent}{}{inner}", dialect.bullet()),
            }
        })
        .collect();
    lines.join("\n")
}

/// The dialect of platforms without one: marks go, text and links stay.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Dialect for Plain {
    fn span(&self, span: &Span) -> String {
        match &span.link {
            Some(link) if *link != span.text && link.strip_prefix("mailto:") != Some(&span.text) => {
                format!("{} ({link})", span.text)
            }
            _ => span.text.clone(),
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        text.to_owned()
    }

    fn heading(&self, _level: u8, spans: &[Span]) -> String {
        write_spans(spans, self)
    }
}

/// Plain text in which code stays between fences, so that it can be told from words.
#[derive(Clone, Copy, Debug)]
pub struct Fenced;

impl Dialect for Fenced {
    fn span(&self, span: &Span) -> String {
        Plain.span(span)
    }

    fn code(&self, _language: &str, text: &str) -> String {
        format!("```\n{text}\n```")
    }

    fn heading(&self, level: u8, spans: &[Span]) -> String {
        Plain.heading(level, spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Marks everything visibly, so that a test reads like the reply.
    struct Seen;

    impl Dialect for Seen {
        fn span(&self, span: &Span) -> String {
            let mut text = span.text.clone();
            for (on, mark) in
                [(span.style.code, "c"), (span.style.bold, "b"), (span.style.italic, "i"), (span.style.strike, "s")]
            {
                if on {
                    text = format!("<{mark}>{text}</{mark}>");
                }
            }
            match &span.link {
                Some(link) => format!("<a {link}>{text}</a>"),
                None => text,
            }
        }

        fn code(&self, language: &str, text: &str) -> String {
            format!("<pre {language}>{text}</pre>")
        }

        fn quote(&self, inner: &str) -> String {
            format!("<q>{inner}</q>")
        }

        fn heading(&self, level: u8, spans: &[Span]) -> String {
            format!("<h{level}>{}</h{level}>", write_spans(spans, self))
        }
    }

    fn seen(markdown: &str) -> String {
        render(markdown, &Seen)
    }

    #[test]
    fn spans_keep_their_styles_and_links() {
        assert_eq!(
            seen("a **b _c_** ~~d~~ `e<` [f **g**](https://h) \\*i\\*"),
            "a <b>b </b><i><b>c</b></i> <s>d</s> <c>e<</c> <a https://h>f </a><a https://h><b>g</b></a> *i*"
        );
    }

    #[test]
    fn blocks_keep_their_order_and_shape() {
        assert_eq!(
            seen("# T\nline\nnext\n\n> q\n> r\n\n---\n\n```rust x\nfn a() {}\n\n```"),
            "<h1>T</h1>\n\nline\nnext\n\n<q>q\nr</q>\n\n───\n\n<pre rust>fn a() {}\n</pre>"
        );
    }

    #[test]
    fn lists_are_numbered_nested_and_checked() {
        assert_eq!(seen("- a\n  - b\n\n    c\n- [x] d"), "• a\n  • b\nc\n• [x] d");
        assert_eq!(seen("3. a\n3. b\n   ```\n   x\n   ```"), "3. a\n4. b\n<pre >x</pre>");
    }

    #[test]
    fn a_table_becomes_aligned_text() {
        assert_eq!(seen("|a|b|\n|-|-|\n|long|`x`|\n|y||"), "<pre >a    | b\n-----|--\nlong | x\ny    |</pre>");
    }

    #[test]
    fn cells_beyond_the_last_column_are_not_lost() {
        assert_eq!(seen("|a|\n|-|\n|b|c|"), "<pre >|a|\n|-|\n|b|c|</pre>");
        assert_eq!(seen("|a|\n|-|\n|b|c"), "<pre >|a|\n|-|\n|b|c</pre>");
        assert_eq!(seen("> |a|\n> |-|\n> |b|"), "<q><pre >a\n-\nb</pre></q>");
    }

    #[test]
    fn what_has_no_form_stays_readable() {
        assert_eq!(seen("<b>x</b> & <!-- n -->"), "<b>x</b> & <!-- n -->");
        assert_eq!(seen("<div>\nblock\n</div>"), "<div>\nblock\n</div>");
        assert_eq!(seen("![alt](https://p) ![](https://q)"), "<a https://p>alt</a> <a https://q>https://q</a>");
        assert_eq!(seen("half **open `and"), "half **open `and");
        assert_eq!(seen("[1]: https://only.example\n"), "[1]: https://only.example");
        assert_eq!(seen(" \n"), "");
        assert_eq!(seen("```\nnever closed"), "<pre >never closed</pre>");
    }

    #[test]
    fn plain_text_keeps_where_links_lead() {
        assert_eq!(
            render("**a** [b](https://c) <https://d> <e@f.g>\n> e", &Plain),
            "a b (https://c) https://d e@f.g\n\n> e"
        );
    }

    #[test]
    fn ten_thousand_nested_quotes_and_lists_exhaust_no_stack() {
        let on_a_small_stack = |text: String| {
            let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || seen(&text));
            thread.unwrap().join().unwrap()
        };
        assert!(on_a_small_stack(format!("{}deep", ">".repeat(10_000))).contains("deep"));
        let lists: String = (0..500).map(|depth| format!("{}- {depth}\n", "  ".repeat(depth))).collect();
        assert!(on_a_small_stack(lists).contains("499"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_word_is_lost_whatever_the_markup(parts in prop::collection::vec((0_usize..14, "[a-z]{3,6}"), 1..30)) {
            let marks = ["**", "*", "`", "~~", "\n\n", "\n> ", "\n- ", "\n1. ", "\n# ", " | ", "\n```\n", "<", "[", "\n|a|b|\n|-|-|\n|"];
            let markdown: String = parts.iter().map(|(mark, word)| format!("{}w{word} ", marks[*mark])).collect();
            let shown = render(&markdown, &Plain);
            let mut rest = shown.as_str();
            for (_, word) in &parts {
                let after = rest.split_once(&format!("w{word}")).map(|(_, after)| after);
                prop_assert!(after.is_some(), "w{word} of {markdown:?} is not in {shown:?}");
                rest = after.unwrap();
            }
        }
    }
}
