//! The markdown of Teams: a part of CommonMark, written so that nothing but our own marks is a mark.
//! <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages>

use chela_channel_kit::markdown::{Dialect, Span, Style, render};

/// Schemes a link may have; others are written out.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// Writes markdown for Teams.
pub(crate) fn teams_markdown(markdown: &str) -> String {
    render(markdown, &TeamsMarkdown)
}

struct TeamsMarkdown;

impl Dialect for TeamsMarkdown {
    fn span(&self, span: &Span) -> String {
        let text = || marked(&span.text, span.style);
        let Some(url) = &span.link else { return text() };
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return if *url == span.text { text() } else { format!("{} ({})", text(), escape(url)) };
        }
        let target: String = url.chars().filter(|c| !c.is_control()).flat_map(encoded).collect();
        let label = span.text.replace('\n', " ");
        wrapped(&format!("[{}]({target})", escape(&label)), Style { code: false, ..span.style })
    }

    fn code(&self, language: &str, text: &str) -> String {
        let fence = "`".repeat(longest_run(text).max(2) + 1);
        let language: String = language.chars().filter(|c| c.is_ascii_alphanumeric() || "+-#_".contains(*c)).collect();
        format!("{fence}{language}\n{text}\n{fence}")
    }

    fn bullet(&self) -> &'static str {
        "- "
    }
}

/// Marks do not reach over a line break and must stand against the text. Two spaces make Teams keep the break.
fn marked(text: &str, style: Style) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| marked_line(line, style)).collect();
    lines.join("  \n")
}

fn marked_line(line: &str, style: Style) -> String {
    let inner = line.trim();
    let Some((before, after)) = line.split_once(inner).filter(|_| !inner.is_empty()) else { return line.to_owned() };
    let marked = if style.code { code_span(inner) } else { escape(inner) };
    format!("{before}{}{after}", wrapped(&marked, style))
}

fn code_span(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn wrapped(text: &str, style: Style) -> String {
    let marks = [(style.strike, "~~"), (style.italic, "*"), (style.bold, "**")];
    let wrap = |text: String, (wanted, mark)| if wanted { format!("{mark}{text}{mark}") } else { text };
    marks.into_iter().fold(text.to_owned(), wrap)
}

/// How many backticks stand in a row at most.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// In the target of a link these would end it.
fn encoded(c: char) -> Vec<char> {
    match c {
        ' ' => "%20".chars().collect(),
        '(' => "%28".chars().collect(),
        ')' => "%29".chars().collect(),
        '<' => "%3C".chars().collect(),
        '>' => "%3E".chars().collect(),
        '\\' => "%5C".chars().collect(),
        other => vec![other],
    }
}

/// Signs that are marks anywhere get a backslash, and so do those at the beginning that would make a list, a quote or a
/// title. Teams reads HTML within markdown, `<at>` among it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    let first = text.chars().find(|c| !c.is_ascii_digit());
    let numbered = text.starts_with(|c: char| c.is_ascii_digit()) && matches!(first, Some('.' | ')'));
    let mut at_number = numbered;
    for (at, c) in text.char_indices() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' => escaped.extend(['\\', c]),
            '#' | '-' | '+' | '=' if at == 0 => escaped.extend(['\\', c]),
            '.' | ')' if at_number => {
                at_number = false;
                escaped.extend(['\\', c]);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;

    #[test]
    fn each_mark_has_its_form() {
        let cases = [
            ("**bold** *italic* ~~gone~~ `code`", "**bold** *italic* ~~gone~~ `code`"),
            ("***both***", "***both***"),
            ("**two\nlines**", "**two**  \n**lines**"),
            ("[label](https://e.com/?a=1&b=(2))", "[label](https://e.com/?a=1&b=%282%29)"),
            ("**[label](https://e.com)**", "**[label](https://e.com)**"),
            ("<https://e.com>", "[https://e.com](https://e.com)"),
            ("[here](notes.md) [x](javascript:y)", "here (notes.md) x (javascript:y)"),
            ("# Title\n\ntext", "**Title**\n\ntext"),
            ("- a\n- b", "- a\n- b"),
            ("2. a\n3. b", "2. a\n3. b"),
            ("> quoted\n> more", "> quoted  \n> more"),
            ("```rust\na < b && c\n```", "```rust\na < b && c\n```"),
            ("````\n```\n````", "````\n```\n````"),
            ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
            ("``a`b``", "``a`b``"),
            ("\\*not\\* a_b 1\\. x", "\\*not\\* a\\_b 1. x"),
            ("\\# no\n\\- no\n2024\\. no", "\\# no  \n\\- no  \n2024\\. no"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(teams_markdown(markdown), expected, "{markdown}");
        }
    }

    /// What a reader of CommonMark sees, and the tags among it.
    fn seen(markdown: &str) -> (String, Vec<String>) {
        let (mut text, mut tags) = (String::new(), Vec::new());
        for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Text(words) | Event::Code(words) => text.push_str(&words),
                Event::Html(tag) | Event::InlineHtml(tag) => tags.push(tag.to_string()),
                Event::Start(Tag::Image { dest_url, .. }) => tags.push(dest_url.to_string()),
                _ => {}
            }
        }
        (text, tags)
    }

    proptest! {
        #[test]
        fn plain_words_stay_plain_words(text in "[a-z0-9*_~`<>&#|\\[\\]()!+.-]{1,40}") {
            let style = Style::default();
            let (shown, tags) = seen(&marked(&text, style));
            prop_assert_eq!(shown, text);
            prop_assert!(tags.is_empty());
        }

        #[test]
        fn nobody_is_mentioned_and_no_tag_is_written(text in "[a-z@/ <>&;!()\\[\\]]{0,60}") {
            let (_, tags) = seen(&teams_markdown(&text));
            prop_assert!(tags.is_empty(), "{:?}", tags);
        }
    }
}
