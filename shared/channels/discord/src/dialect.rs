//! Discord's markdown, which is nearly the markdown we have: marks are kept, and what only looks like one is escaped.
//! <https://support.discord.com/hc/en-us/articles/210298617>
//!
//! Mentions (`<@1>`) are left as they are: readers see names, and nobody is called, because every message is sent with
//! `allowed_mentions` that allow none.

use chela_channel_kit::markdown::{Dialect, Span, Style, render};

/// Most characters of a message, marks and escapes among them. Discord does not say what it counts; UTF-16 units are
/// never fewer than code points. <https://docs.discord.com/developers/resources/message#create-message-jsonform-params>
pub(crate) const LONGEST: usize = 2000;

/// Markdown in Discord's dialect; as it was written where escapes make that too long.
pub(crate) fn discord(markdown: &str) -> String {
    let written = render(markdown, &Discord);
    if written.encode_utf16().count() > LONGEST { markdown.to_owned() } else { written }
}

struct Discord;

impl Dialect for Discord {
    fn span(&self, span: &Span) -> String {
        match &span.link {
            // In angle brackets a link brings no preview along.
            Some(link) if leads_somewhere(link) && *link == span.text => format!("<{link}>"),
            Some(link) if leads_somewhere(link) => {
                let label = span.text.replace('\n', " ");
                // A label cannot hold brackets, escaped or not, on every client.
                let label = marked_line(&label.replace('[', "(").replace(']', ")"), span.style);
                format!("[{label}](<{link}>)")
            }
            Some(link) if *link != span.text => format!("{} ({})", marked(&span.text, span.style), escape(link)),
            _ => marked(&span.text, span.style),
        }
    }

    fn code(&self, language: &str, text: &str) -> String {
        let known = language.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_.#".contains(&b));
        let language = if known { language } else { "" };
        // A fence inside the text would end the block: an invisible character breaks it.
        format!("```{language}\n{}\n```", text.replace("```", "``\u{200b}`"))
    }

    /// Discord has three levels.
    fn heading(&self, level: u8, spans: &[Span]) -> String {
        if level <= 3 {
            let text: String = spans.iter().map(|span| self.span(span)).collect();
            return format!("{} {}", "#".repeat(level.max(1).into()), text.replace('\n', " "));
        }
        let bold = |span: &Span| Span { style: Style { bold: true, ..span.style }, ..span.clone() };
        spans.iter().map(|span| self.span(&bold(span))).collect()
    }

    fn bullet(&self) -> &'static str {
        "- "
    }
}

/// Other schemes are not made links, and a `>` would end the brackets.
fn leads_somewhere(link: &str) -> bool {
    let scheme = ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme));
    scheme && !link.contains(|c: char| c.is_whitespace() || c == '>' || c == '<')
}

/// Marks do not reach over a line break and must stand against the text.
fn marked(text: &str, style: Style) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| marked_line(line, style)).collect();
    lines.join("\n")
}

fn marked_line(line: &str, style: Style) -> String {
    let inner = line.trim();
    let Some((before, after)) = line.split_once(inner).filter(|_| !inner.is_empty()) else { return line.to_owned() };
    let mut text = if style.code { code_span(inner) } else { escape(inner) };
    for (wanted, mark) in [(style.strike, "~~"), (style.italic, "*"), (style.bold, "**")] {
        if wanted {
            text = format!("{mark}{text}{mark}");
        }
    }
    format!("{before}{text}{after}")
}

/// Two backticks may hold single ones.
fn code_span(text: &str) -> String {
    if !text.contains('`') {
        return format!("`{text}`");
    }
    if text.contains("``") {
        return escape(text);
    }
    format!("`` {text} ``")
}

/// Text without anything that Discord would take for a mark. Bare links stay as they are: a backslash would become part
/// of them.
fn escape(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).enumerate().map(|(nth, word)| escape_word(word, nth == 0)).collect()
}

fn escape_word(word: &str, first: bool) -> String {
    let link = ["https://", "http://"].iter().filter_map(|scheme| word.find(scheme)).min();
    let (word, link) = link.and_then(|at| word.split_at_checked(at)).unwrap_or((word, ""));
    let mut escaped = String::with_capacity(word.len() + link.len());
    let mut rest = word.chars().peekable();
    let mut before = None;
    while let Some(c) = rest.next() {
        let twice = before == Some(c) || rest.peek() == Some(&c);
        let is_mark = match c {
            '\\' | '*' | '_' | '`' | '[' => true,
            // Strikethrough and spoilers are two of them.
            '~' | '|' => twice,
            // Titles, small print, lists and quotes begin a line.
            '#' | '>' | '-' | '+' => first && before.is_none(),
            _ => false,
        };
        if is_mark {
            escaped.push('\\');
        }
        escaped.push(c);
        before = Some(c);
    }
    escaped.push_str(link);
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_mark_has_its_discord_form() {
        let cases = [
            ("**bold** *italic* _too_ ~~gone~~ `code`", "**bold** *italic* *too* ~~gone~~ `code`"),
            ("***both***", "***both***"),
            ("**a *b* c**", "**a** ***b*** **c**"),
            ("**two\nlines**", "**two**\n**lines**"),
            ("[label](https://e.com/?a=1&b=2)", "[label](<https://e.com/?a=1&b=2>)"),
            ("[a \\[b\\]](https://e.com)", "[a (b)](<https://e.com>)"),
            ("<https://e.com>", "<https://e.com>"),
            ("[x](javascript:alert) [here](notes.md)", "x (javascript:alert) here (notes.md)"),
            ("# Title\n\n#### Small\n\ntext", "# Title\n\n**Small**\n\ntext"),
            ("- a\n  - b", "- a\n  - b"),
            ("2. a\n3. b", "2. a\n3. b"),
            ("> quoted\n> more", "> quoted\n> more"),
            ("```rust\na < b\n```", "```rust\na < b\n```"),
            ("```{.x}\na\n```", "```\na\n```"),
            ("``a`b``", "`` a`b ``"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(discord(markdown), wanted, "{markdown}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_escaped() {
        let cases = [
            ("2 * 3 * 4 and snake_case_name", "2 \\* 3 \\* 4 and snake\\_case\\_name"),
            ("\\# no title\n\\> no quote\n\\- no list", "\\# no title\n\\> no quote\n\\- no list"),
            ("a | b || c || d ~ e", "a | b \\|\\| c \\|\\| d ~ e"),
            ("\\[a\\](b) C:\\dir", "\\[a](b) C:\\\\dir"),
            ("see (https://e.com/a_b_c*d) a_b", "see (https://e.com/a_b_c*d) a\\_b"),
            ("<@1> <#2> :smile: 1 < 2 & 3", "<@1> <#2> :smile: 1 < 2 & 3"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(discord(markdown), wanted, "{markdown}");
        }
    }

    #[test]
    fn no_text_ends_its_code_block() {
        assert_eq!(discord("````\n```\n````").matches("```").count(), 2);
    }

    #[test]
    fn a_text_that_escapes_make_too_long_is_sent_as_it_was_written() {
        let starry = "\\*".repeat(900);
        assert_eq!(discord(&starry), starry);
        let stars = "a * ".repeat(470);
        assert_eq!(discord(&stars), stars);
        assert!(discord(&"a * ".repeat(300)).contains("\\*"));
    }

    proptest! {
        #[test]
        fn any_part_fits(pieces in prop::collection::vec("[&<>a*_~` \n|1.\\-#\\[\\]()\\\\]{1,12}", 1..300)) {
            let markdown: String = pieces.concat().chars().take(crate::LIMITS.text).collect();
            prop_assert!(discord(&markdown).encode_utf16().count() <= LONGEST);
        }

        #[test]
        fn unescaping_gives_the_text_back(text in "[a-z*_~|#>+\\-\\[\\]\\\\ ]{0,40}") {
            let text = text.trim();
            let mut read = String::new();
            let escaped = escape(text);
            let mut rest = escaped.chars();
            while let Some(c) = rest.next() {
                read.push(if c == '\\' { rest.next().unwrap() } else { c });
            }
            prop_assert_eq!(read, text);
        }
    }
}
