//! The markdown of cards. It is CommonMark, in which `<at id=all></at>` calls everybody: what the reply wrote as text must
//! stay text. Characters are escaped as numeric entities.
//! <https://open.feishu.cn/document/feishu-cards/card-json-v2-components/content-components/rich-text>

use chela_channel_kit::markdown::{Dialect, Span, Style, render};

/// Schemes a link may have.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// An invisible character that breaks what it stands in.
const BREAK: char = '\u{200b}';

/// Writes markdown for a card.
pub(crate) fn markdown(text: &str) -> String {
    render(text, &Card)
}

struct Card;

impl Dialect for Card {
    fn span(&self, span: &Span) -> String {
        let Some(url) = &span.link else { return marked(&span.text, span.style) };
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            let text = marked(&span.text, span.style);
            return if *url == span.text { text } else { format!("{text} ({})", escape(url)) };
        }
        let label = escape(&span.text.replace('\n', " "));
        let link = format!("[{label}]({})", target(url));
        wrapped(&link, Style { code: false, ..span.style })
    }

    fn code(&self, language: &str, text: &str) -> String {
        let language: String = language.chars().filter(|c| c.is_ascii_alphanumeric() || "+-#".contains(*c)).collect();
        let text = untagged(text).replace("```", &format!("``{BREAK}`"));
        format!("```{language}\n{text}\n```")
    }

    fn bullet(&self) -> &'static str {
        "- "
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
    let code = style.code && !inner.contains('`');
    let written = if code { format!("`{}`", untagged(inner)) } else { escape(inner) };
    format!("{before}{}{after}", wrapped(&written, style))
}

fn wrapped(text: &str, style: Style) -> String {
    let marks = [(style.strike, "~~"), (style.italic, "*"), (style.bold, "**")];
    marks
        .into_iter()
        .fold(text.to_owned(), |text, (wanted, mark)| if wanted { format!("{mark}{text}{mark}") } else { text })
}

/// Text that begins no mark, no tag and no block.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = '\n';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or('\n');
        let live = match c {
            '<' | '>' | '*' | '`' => true,
            // Inside of a word it emphasises nothing, and file_names are common.
            '_' => !(before.is_alphanumeric() && next.is_alphanumeric()),
            '~' => before == '~' || next == '~',
            ']' => next == '(',
            '&' => next == '#' || next.is_ascii_alphabetic(),
            '#' | '-' | '+' => before == '\n' && (next == ' ' || next == c),
            _ => false,
        };
        if live {
            escaped.push_str(&format!("&#{};", u32::from(c)))
        } else {
            escaped.push(c)
        }
        before = c;
    }
    escaped
}

/// Code, in which entities would be shown: only the tag that calls people is broken.
fn untagged(code: &str) -> String {
    let mut untagged = String::with_capacity(code.len());
    for (at, piece) in code.split('<').enumerate() {
        if at > 0 {
            untagged.push('<');
            let tag = piece.strip_prefix('/').unwrap_or(piece);
            let calls = |name: &str| tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            if calls("at") || calls("person") {
                untagged.push(BREAK);
            }
        }
        untagged.push_str(piece);
    }
    untagged
}

/// A URL that cannot leave its parentheses.
fn target(url: &str) -> String {
    let mut target = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '(' => target.push_str("%28"),
            ')' => target.push_str("%29"),
            '<' => target.push_str("%3C"),
            '>' => target.push_str("%3E"),
            '\\' => target.push_str("%5C"),
            c if c.is_whitespace() || c.is_control() => target.push_str("%20"),
            c => target.push(c),
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_mark_has_its_form() {
        let cases = [
            ("**bold** *italic* ~~gone~~ `a<b`", "**bold** *italic* ~~gone~~ `a<b`"),
            ("***both***", "***both***"),
            ("**two\nlines**", "**two**\n**lines**"),
            ("[label](https://e.com/?a=1&b=(2))", "[label](https://e.com/?a=1&b=%282%29)"),
            ("[x](javascript:alert)", "x (javascript:alert)"),
            ("# Title\n\ntext", "**Title**\n\ntext"),
            ("- a\n- b", "- a\n- b"),
            ("> quoted\n> more", "> quoted\n> more"),
            ("```rust\na < b && c\n```", "```rust\na < b && c\n```"),
            ("snake_case, a < b, AT&T, &lt;", "snake_case, a &#60; b, AT&#38;T, &#60;"),
            ("\\*not bold\\* \\_nor\\_ \\# this", "&#42;not bold&#42; &#95;nor&#95; # this"),
            ("\\# no title\n\\- no item", "&#35; no title\n&#45; no item"),
            ("\\[a](https://e.com)", "[a&#93;(https://e.com)"),
        ];
        for (text, expected) in cases {
            assert_eq!(markdown(text), expected, "{text}");
        }
    }

    #[test]
    fn no_reply_calls_everybody() {
        for text in
            ["<at id=all></at>", "`<at id=all></at>`", "```\n<AT user_id=\"all\">\n```", "[<at id=all>](https://e.com)"]
        {
            let written = markdown(text).to_lowercase();
            assert!(!written.contains("<at"), "{text} became {written}");
        }
    }

    #[test]
    fn no_text_ends_its_code_block() {
        assert_eq!(markdown("````\n```\n````").matches("```").count(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn tags_are_written_in_code_only_and_call_nobody(text in "[atp<>/`*_~\\[\\]() \n]{0,60}") {
            prop_assert!(!markdown(&text).contains("<at"));
        }
    }
}
