//! Markdown as a person would read it aloud.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// The words of a text without marks, code and addresses, at most `most` characters, cut at the end of a sentence.
pub fn speakable(markdown: &str, most: usize) -> String {
    let mut out = String::new();
    let mut in_code: bool = false;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) | Event::Code(text) if !in_code => {
                let words = text.split(' ').filter(|word| !word.contains("://"));
                out.push_str(&words.collect::<Vec<_>>().join(" "));
            }
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item) => end_sentence(&mut out),
            _ => {}
        }
    }
    let whole = out.trim();
    if whole.chars().count() <= most {
        return whole.to_owned();
    }
    let cut: String = whole.chars().take(most).collect();
    let after_last = |ends: &[char]| {
        let last = cut.char_indices().rfind(|(_, c)| ends.contains(c));
        last.map(|(at, c)| at.saturating_add(c.len_utf8()))
    };
    let end = after_last(&['.', '!', '?', '\n', '。']).or_else(|| after_last(&[' ']));
    let cut = end.and_then(|end| cut.get(..end)).unwrap_or(&cut);
    cut.trim().to_owned()
}

/// A heading or an item of a list is followed by a pause.
fn end_sentence(out: &mut String) {
    let trimmed = out.trim_end().len();
    out.truncate(trimmed);
    if out.ends_with(|c: char| c.is_alphanumeric()) {
        out.push('.');
    }
    if !out.is_empty() {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_code_and_addresses_are_not_said() {
        let cases = [
            ("**Hello** _there_", "Hello there."),
            ("# News\n\n- one\n- [two](https://x.example/secret)\n", "News.\none.\ntwo."),
            ("Run `make`:\n\n```sh\nrm -rf /\n```\n\nDone!", "Run make:\nDone!"),
            ("See https://a.example/b?c for it.", "See for it."),
            ("```\nonly code\n```", ""),
            ("", ""),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(speakable(markdown, 1000), wanted, "{markdown:?}");
        }
    }

    #[test]
    fn a_long_text_ends_with_a_sentence() {
        assert_eq!(speakable("One two. Three four five six.", 15), "One two.");
        assert_eq!(speakable("One two three", 9), "One two");
        assert_eq!(speakable("ééééé", 3), "ééé");
        assert_eq!(speakable("日本。日本語", 4), "日本。");
    }
}
