//! Slack's dialect, mrkdwn. Only `&`, `<` and `>` are escaped: there is no escape for its other marks.
//! <https://docs.slack.dev/messaging/formatting-message-text>

use chela_channel_kit::markdown::{Dialect, Span, Style, render};

/// Schemes a link may have. `<!channel>` and `<@U1>` have the form of links: a target that is not plainly an address
/// would let a reply call everybody.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// Writes markdown as mrkdwn.
pub(crate) fn mrkdwn(markdown: &str) -> String {
    render(markdown, &Mrkdwn)
}

struct Mrkdwn;

impl Dialect for Mrkdwn {
    fn span(&self, span: &Span) -> String {
        let text = || marked(&span.text, span.style);
        let Some(url) = &span.link else { return text() };
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return if *url == span.text { text() } else { format!("{} ({})", text(), escape(url)) };
        }
        let target = escape(url).replace('|', "%7C").replace(char::is_whitespace, "%20");
        if *url == span.text {
            return format!("<{target}>");
        }
        // A label ends at the first line break; marks go around the link, not into it.
        let label = escape(&span.text.replace('\n', " "));
        wrapped(&format!("<{target}|{label}>"), Style { code: false, ..span.style })
    }

    fn code(&self, _language: &str, text: &str) -> String {
        // A fence inside the text would end the block: an invisible character breaks it.
        format!("```\n{}\n```", escape(text).replace("```", "``\u{200b}`"))
    }
}

/// Marks do not reach over a line break and must stand against the text.
fn marked(text: &str, style: Style) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| marked_line(line, style)).collect();
    lines.join("\n")
}

fn marked_line(line: &str, style: Style) -> String {
    let inner = line.trim();
    let Some((before, after)) = line.split_once(inner).filter(|_| !inner.is_empty()) else { return escape(line) };
    format!("{before}{}{after}", wrapped(&escape(inner), style))
}

/// `text`, already escaped, in its marks. Code is the innermost: no mark works inside it.
fn wrapped(text: &str, style: Style) -> String {
    let marks = [(style.code && !text.contains('`'), '`'), (style.strike, '~'), (style.italic, '_'), (style.bold, '*')];
    let wrap = |text: String, (wanted, mark)| if wanted { format!("{mark}{text}{mark}") } else { text };
    marks.into_iter().fold(text.to_owned(), wrap)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_mark_has_its_slack_form() {
        let cases = [
            ("**bold** *italic* ~~gone~~ `code`", "*bold* _italic_ ~gone~ `code`"),
            ("***both***", "*_both_*"),
            ("**a *b* c**", "*a* *_b_* *c*"),
            ("**two\nlines**", "*two*\n*lines*"),
            ("[label](https://e.com/?a=1&b=2)", "<https://e.com/?a=1&amp;b=2|label>"),
            ("**[label](https://e.com)**", "*<https://e.com|label>*"),
            ("<https://e.com>", "<https://e.com>"),
            ("<a@e.com> [here](notes.md)", "<mailto:a@e.com|a@e.com> here (notes.md)"),
            ("# Title\n\ntext", "*Title*\n\ntext"),
            ("- a\n- b", "• a\n• b"),
            ("2. a\n3. b", "2. a\n3. b"),
            ("> quoted\n> more", "> quoted\n> more"),
            ("```rust\na < b\n```", "```\na &lt; b\n```"),
            ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
            ("``a`b``", "a`b"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(mrkdwn(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn a_table_is_a_code_block() {
        let table = mrkdwn("| a | b |\n|---|---|\n| 1 | 2 |");
        assert!(table.starts_with("```\n") && table.ends_with("\n```"), "{table}");
        assert!(table.contains('1') && table.contains('2'), "{table}");
    }

    #[test]
    fn no_reply_calls_everybody() {
        let calls = ["<!channel>", "<!here|here>", "[all](!channel)", "[you](@U1)", "<@U1>", "[x](<!subteam^S1>)"];
        for markdown in calls {
            let written = mrkdwn(markdown);
            assert!(!written.contains("<!") && !written.contains("<@"), "{markdown} became {written}");
        }
    }

    #[test]
    fn no_text_ends_its_link_or_its_code_block() {
        assert_eq!(mrkdwn("[a|b>c](https://e.com/a|b)"), "<https://e.com/a%7Cb|a|b&gt;c>");
        assert_eq!(mrkdwn("````\n```\n````").matches("```").count(), 2);
    }

    proptest! {
        #[test]
        fn control_sequences_are_links_only(markdown in "[a-z!@#<>|()\\[\\]*_~`:/ \n\\-]{0,80}") {
            let written = mrkdwn(&markdown);
            for sequence in written.split('<').skip(1) {
                prop_assert!(SCHEMES.iter().any(|scheme| sequence.starts_with(scheme)), "{}", written);
            }
        }
    }
}
