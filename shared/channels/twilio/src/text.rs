//! Markdown as phones show it: WhatsApp has marks of its own, SMS has none.

use chela_channel_kit::markdown::{Dialect, Fenced, Plain, Span, render_within};

/// Most characters of one message: <https://www.twilio.com/docs/api/errors/21617>.
pub(crate) const LONGEST: usize = 1_600;

/// Markdown for an address, or as it was written if that would be too long, as a list is that is numbered longer than it
/// was written.
pub(crate) fn text(markdown: &str, whatsapp: bool) -> String {
    let dialect: &dyn Dialect = if whatsapp { &WhatsApp } else { &Fenced };
    render_within(markdown, dialect, LONGEST)
}

/// `*bold*`, `_italic_`, `~struck~`, code between backquotes, quotes after `> `; no escapes and no links with words.
/// <https://faq.whatsapp.com/539178204879377>
struct WhatsApp;

impl Dialect for WhatsApp {
    fn span(&self, span: &Span) -> String {
        let mut text = span.text.clone();
        // Code cannot be combined with any other mark.
        let marks = if span.style.code {
            [(true, "`"), (false, ""), (false, "")]
        } else {
            [(span.style.bold, "*"), (span.style.italic, "_"), (span.style.strike, "~")]
        };
        for (_, mark) in marks.iter().filter(|(on, _)| *on) {
            text = marked(&text, mark);
        }
        match &span.link {
            Some(link) if *link != span.text => format!("{text} ({link})"),
            _ => text,
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        fenced(text)
    }

    fn quote(&self, inner: &str) -> String {
        Plain.quote(inner)
    }
}

fn fenced(text: &str) -> String {
    format!("```\n{text}\n```")
}

/// A mark holds within a line only, and not beside a space.
fn marked(text: &str, mark: &str) -> String {
    let line = |line: &str| {
        let core = line.trim();
        if core.is_empty() { line.to_owned() } else { line.replacen(core, &format!("{mark}{core}{mark}"), 1) }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str =
        "# T\na **b ** _c_ ~~d~~ `e*` [f](https://g) <https://h>\n\n> q\n\n- x\n\n```rust\nfn a() {}\n```";

    #[test]
    fn whatsapp_has_marks_of_its_own() {
        assert_eq!(
            text(REPLY, true),
            "*T*\n\na **b ** _c_ ~d~ `e*` f (https://g) https://h\n\n> q\n\n• x\n\n```\nfn a() {}\n```"
        );
        assert_eq!(text("**b\nc** ***d***", true), "*b*\n*c* _*d*_");
        assert_eq!(text("**a [b](https://c)**", true), "*a* *b* (https://c)");
    }

    #[test]
    fn sms_has_none() {
        assert_eq!(
            text(REPLY, false),
            "T\n\na **b ** c d e* f (https://g) https://h\n\n> q\n\n• x\n\n```\nfn a() {}\n```"
        );
    }

    #[test]
    fn what_would_be_too_long_is_sent_as_it_was_written() {
        let list = "1. x\n".repeat(300);
        for whatsapp in [false, true] {
            assert_eq!(text(&list, whatsapp), list);
            assert_ne!(text("1. x\n1. y", whatsapp), "1. x\n1. y");
        }
    }
}
