//! The mark-up of Google Chat's text. It has no escape: a sign that stands alone stays what it is.
//! <https://developers.google.com/workspace/chat/format-messages#format-texts>

use chela_channel_kit::markdown::{Dialect, Span, Style, render};

/// Schemes a link may have: a target in angle brackets that is no address could be a mention of everybody.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// How a mention begins. `<users/all>` calls everybody.
const MENTION: &str = "<users/";

/// Writes markdown for Google Chat.
pub(crate) fn markup(markdown: &str) -> String {
    // At last and over everything, so that no mention can come together from two pieces.
    render(markdown, &Markup).replace(MENTION, "<\u{200b}users/")
}

struct Markup;

impl Dialect for Markup {
    fn span(&self, span: &Span) -> String {
        let text = || marked(&span.text, span.style);
        let Some(url) = &span.link else { return text() };
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return if *url == span.text { text() } else { format!("{} ({url})", text()) };
        }
        let target =
            url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace(char::is_whitespace, "%20");
        if *url == span.text {
            return target;
        }
        // A label ends at the first `>` or line break.
        let label = span.text.replace('\n', " ").replace('>', "›");
        wrapped(&format!("<{target}|{label}>"), Style { code: false, ..span.style })
    }

    fn code(&self, _language: &str, text: &str) -> String {
        // A fence inside the text would end the block: an invisible character breaks it.
        format!("```\n{}\n```", text.replace("```", "``\u{200b}`"))
    }
}

/// Marks do not reach over a line break and must stand against the text.
fn marked(text: &str, style: Style) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| marked_line(line, style)).collect();
    lines.join("\n")
}

fn marked_line(line: &str, style: Style) -> String {
    let inner = line.trim();
    let Some((before, after)) = line.split_once(inner).filter(|_| !inner.is_empty()) else { return line.to_owned() };
    format!("{before}{}{after}", wrapped(inner, style))
}

/// Code is the innermost: no mark works inside it.
fn wrapped(text: &str, style: Style) -> String {
    let marks = [(style.code && !text.contains('`'), '`'), (style.strike, '~'), (style.italic, '_'), (style.bold, '*')];
    let wrap = |text: String, (wanted, mark)| if wanted { format!("{mark}{text}{mark}") } else { text };
    marks.into_iter().fold(text.to_owned(), wrap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_mark_has_its_form() {
        let cases = [
            ("**bold** *italic* ~~gone~~ `code`", "*bold* _italic_ ~gone~ `code`"),
            ("***both***", "*_both_*"),
            ("**two\nlines**", "*two*\n*lines*"),
            ("[label](https://e.com/?a=1&b=2)", "<https://e.com/?a=1&b=2|label>"),
            ("**[label](https://e.com)**", "*<https://e.com|label>*"),
            ("[a>b|c](https://e.com/a|b)", "<https://e.com/a%7Cb|a›b|c>"),
            ("<https://e.com>", "https://e.com"),
            ("[here](notes.md)", "here (notes.md)"),
            ("# Title\n\ntext", "*Title*\n\ntext"),
            ("- a\n- b", "• a\n• b"),
            ("> quoted\n> more", "> quoted\n> more"),
            ("```rust\na < b\n```", "```\na < b\n```"),
            ("````\n```\n````", "```\n``\u{200b}`\n```"),
            ("a & b < c > d", "a & b < c > d"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(markup(markdown), expected, "{markdown}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_mentioned(markdown in "[<>/|`*\\[\\]() \n]{0,8}(<users/all>|[all](users/all)|[all](<users/all>)|<*users/all>|`<users/all>`){1,3}[<>a\n]{0,5}") {
            prop_assert!(!markup(&markdown).contains(MENTION));
        }
    }
}
