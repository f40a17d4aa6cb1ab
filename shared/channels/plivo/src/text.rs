//! Markdown as phones show it: without marks.

use chela_channel_kit::markdown::{Dialect, Plain, Span, render};

/// Most characters of one message with anything in it that GSM 03.38 lacks, such as a dash or an emoji; without, there would
/// be room for 1600. <https://www.plivo.com/docs/messaging/api/message/send-a-message>
pub(crate) const LONGEST: usize = 737;

/// Markdown as plain text, or as it was written if that would be too long, as a list is that is numbered longer than it was
/// written.
pub(crate) fn text(markdown: &str) -> String {
    let text = render(markdown, &Sms);
    if text.encode_utf16().count() <= LONGEST { text } else { markdown.to_owned() }
}

/// Plain text. Code stays between fences so that it can be told from words.
struct Sms;

impl Dialect for Sms {
    fn span(&self, span: &Span) -> String {
        Plain.span(span)
    }

    fn code(&self, _language: &str, text: &str) -> String {
        format!("```\n{text}\n```")
    }

    fn quote(&self, inner: &str) -> String {
        Plain.quote(inner)
    }

    fn heading(&self, level: u8, spans: &[Span]) -> String {
        Plain.heading(level, spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_marks() {
        let reply = "# T\na **b ** _c_ `e*` [f](https://g)\n\n> q\n\n- x\n\n```rust\nfn a() {}\n```";
        assert_eq!(text(reply), "T\n\na **b ** c e* f (https://g)\n\n> q\n\n• x\n\n```\nfn a() {}\n```");
    }

    #[test]
    fn what_would_be_too_long_is_sent_as_it_was_written() {
        let list = "1. x\n".repeat(140);
        assert_eq!(text(&list), list);
        assert_ne!(text("1. x\n1. y"), "1. x\n1. y");
    }
}
