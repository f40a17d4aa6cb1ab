//! LINE shows plain text. Links stay beside their words, and code stays between fences so that it can be told from words.

use chela_channel_kit::markdown::{Fenced, render_within};

/// Most UTF-16 units of one text: <https://developers.line.biz/en/docs/messaging-api/text-character-count/>.
pub(crate) const LONGEST: usize = 5_000;

/// Markdown as plain text, or as it was written if that would be too long, as a list is that is numbered longer than it
/// was written.
pub(crate) fn text(markdown: &str) -> String {
    render_within(markdown, &Fenced, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_code_links_and_quotes_stay() {
        assert_eq!(
            text("# T\n**a** `b` [c](https://d)\n\n> q\n\n- x\n\n```rust\nfn a() {}\n```"),
            "T\n\na b c (https://d)\n\n> q\n\n• x\n\n```\nfn a() {}\n```"
        );
    }

    #[test]
    fn what_would_be_too_long_is_sent_as_it_was_written() {
        let list = "1. x\n".repeat(950);
        assert_eq!(text(&list), list);
        assert_ne!(text("1. x\n1. y"), "1. x\n1. y");
    }
}
