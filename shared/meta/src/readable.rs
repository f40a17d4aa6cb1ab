//! Text for apps that show no marks, Messenger and Instagram: marks go, links and code stay recognisable.

use chela_channel_kit::markdown::{Dialect, Span, render};

/// Markdown as plain text of at most `most` by `measure`; where the plain text is longer, which lists and tables can be,
/// the markdown as it was written.
pub fn readable(markdown: &str, most: usize, measure: fn(&str) -> usize) -> String {
    let text = render(markdown, &Readable);
    if measure(&text) <= most && !text.is_empty() { text } else { markdown.to_owned() }
}

/// UTF-16 units of a text.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

struct Readable;

impl Dialect for Readable {
    fn span(&self, span: &Span) -> String {
        let text = if span.style.code { format!("`{}`", span.text) } else { span.text.clone() };
        match &span.link {
            Some(link) if *link != span.text => format!("{text} ({link})"),
            _ => text,
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        // A fence within the text would seem to end it: an invisible character breaks it.
        format!("```\n{}\n```", text.replace("```", "``\u{200b}`"))
    }

    fn heading(&self, _level: u8, spans: &[Span]) -> String {
        spans.iter().map(|span| self.span(span)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_code_and_links_stay() {
        let cases = [
            ("**a** _b_ ~~c~~ `d*e*`", "a b c `d*e*`"),
            ("# T\n\n[x](https://e.com) <https://e.com>", "T\n\nx (https://e.com) https://e.com"),
            ("> q\n> r\n\n- a\n- b", "> q\n> r\n\n• a\n• b"),
            ("```rust\nlet a = 1;\n```", "```\nlet a = 1;\n```"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(readable(markdown, 2_000, units), wanted, "{markdown}");
        }
        assert_eq!(readable("````\n```\n````", 2_000, units).matches("```").count(), 2);
    }

    #[test]
    fn what_grows_too_long_is_sent_as_it_was_written() {
        let list = "1. x\n".repeat(20);
        assert_eq!(readable(&list, list.len(), units), list);
        assert_ne!(readable(&list, 1_000, units), list);
        assert_eq!(readable("éé", 3, str::len), "éé", "never nothing");
    }
}
