//! WhatsApp's dialect. It has marks and no escapes, so that a mark that is only a character is kept from working by an
//! invisible one behind it. <https://faq.whatsapp.com/539178204879377>

use chela_channel_kit::markdown::{Dialect, Span, Style, render};

/// Most UTF-16 units of a text.
pub(crate) const LONGEST: usize = 4_096;

/// What makes a mark a character: it takes no room.
const INVISIBLE: char = '\u{200b}';

/// Markdown with WhatsApp's marks; as it was written where that would be longer than `most`, as a list can be that is
/// numbered longer than it was written.
pub(crate) fn written(markdown: &str, most: usize) -> String {
    let text = render(markdown, &Marks);
    if !text.is_empty() && units(&text) <= most { text } else { markdown.to_owned() }
}

/// UTF-16 units of a text.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

struct Marks;

impl Dialect for Marks {
    fn span(&self, span: &Span) -> String {
        let text = marked(&span.text, span.style);
        match &span.link {
            // Apps make links of addresses by themselves, and of nothing else.
            Some(link) if *link == span.text => link.clone(),
            Some(link) => format!("{text} ({link})"),
            None => text,
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        // A fence within the text would end it.
        format!("```\n{}\n```", text.replace("```", "``\u{200b}`"))
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
    // Within code no other mark works, and nothing else must stand there.
    if style.code && !inner.contains('`') {
        return format!("{before}`{inner}`{after}");
    }
    let marks = [(style.strike, '~'), (style.italic, '_'), (style.bold, '*')];
    let wrap = |text: String, (wanted, mark)| if wanted { format!("{mark}{text}{mark}") } else { text };
    format!("{before}{}{after}", marks.into_iter().fold(unmarked(inner), wrap))
}

/// Text whose marks are characters. A mark works only where no letter stands before it and no space behind it.
fn unmarked(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        written.push(c);
        let opens = matches!(c, '*' | '_' | '~' | '`')
            && !before.is_some_and(char::is_alphanumeric)
            && rest.peek().is_some_and(|next| !next.is_whitespace());
        if opens {
            written.push(INVISIBLE);
        }
        before = Some(c);
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_mark_has_its_form() {
        let cases = [
            ("**bold** *italic* ~~gone~~ `co*de*`", "*bold* _italic_ ~gone~ `co*de*`"),
            ("***both***", "*_both_*"),
            ("**two\nlines**", "*two*\n*lines*"),
            (
                "[label](https://e.com/?a=1&b_c=2) <https://e.com/a_b_c>",
                "label (https://e.com/?a=1&b_c=2) https://e.com/a_b_c",
            ),
            ("# Title\n\ntext", "*Title*\n\ntext"),
            ("- a\n- b\n\n2. c\n3. d", "- a\n- b\n\n2. c\n3. d"),
            ("> quoted\n> more", "> quoted\n> more"),
            ("```rust\nlet a = b * c;\n```", "```\nlet a = b * c;\n```"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(written(markdown, LONGEST), expected, "{markdown}");
        }
    }

    #[test]
    fn marks_that_are_characters_do_not_work() {
        let cases = [
            ("\\*not bold\\* snake_case_name 2 * 3 * 4", "*\u{200b}not bold* snake_case_name 2 * 3 * 4"),
            ("\\_\\_init\\_\\_", "_\u{200b}_\u{200b}init__"),
            ("``a`b``", "a`b"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(written(markdown, LONGEST), expected, "{markdown}");
        }
        assert_eq!(written("````\n```\n````", LONGEST).matches("```").count(), 2);
    }

    #[test]
    fn what_grows_too_long_is_sent_as_it_was_written() {
        let list = "1. x\n".repeat(800);
        assert_eq!(written(&list, units(&list)), list);
        assert_ne!(written(&list, LONGEST * 2), list);
    }

    proptest! {
        #[test]
        fn plain_text_opens_no_mark(text in "[a-z*_~` .]{0,40}") {
            let written = unmarked(&text);
            prop_assert_eq!(written.replace(INVISIBLE, ""), text);
            let chars: Vec<char> = written.chars().collect();
            for trio in chars.windows(3) {
                let opens = !trio[0].is_alphanumeric() && "*_~`".contains(trio[1]) && !trio[2].is_whitespace();
                prop_assert!(!opens || trio[2] == INVISIBLE || trio[1] == INVISIBLE, "{:?}", written);
            }
        }
    }
}
