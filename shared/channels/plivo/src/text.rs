//! Markdown as phones show it: without marks.

use chela_channel_kit::markdown::{Fenced, render_within};

/// Most characters of one message with anything in it that GSM 03.38 lacks, such as a dash or an emoji; without, there would
/// be room for 1600. <https://www.plivo.com/docs/messaging/api/message/send-a-message>
pub(crate) const LONGEST: usize = 737;

/// Markdown as plain text, or as it was written if that would be too long, as a list is that is numbered longer than it was
/// written.
pub(crate) fn text(markdown: &str) -> String {
    render_within(markdown, &Fenced, LONGEST)
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
