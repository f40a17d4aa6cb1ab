//! Markdown that loads nothing by itself, for whoever is handed markdown and shows it in a way we do not know. A picture is
//! fetched by every reader's program, with whatever a page talked the model into writing in its address.

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::edited::{Edit, edited};

/// Mending can uncover what HTML had hidden, so it is done until nothing is left; each time leaves less.
const MOST_PASSES: usize = 8;

/// The same text, in which pictures are shown as they were written, and HTML with another sign at the beginning of its tags.
/// Code stays as it is. Never longer than it was, in UTF-16 units.
pub fn unloaded(markdown: &str) -> String {
    let mut text = markdown.to_owned();
    for _ in 0..MOST_PASSES {
        let edits = edits(&text);
        if edits.is_empty() {
            return text;
        }
        text = edited(&text, edits);
    }
    // Never seen. Without these signs there is neither.
    text.replace(['!', '<'], "")
}

fn edits(text: &str) -> Vec<Edit> {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut edits = Vec::new();
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        let written = text.get(range.clone()).unwrap_or_default();
        match event {
            Event::Start(Tag::Image { .. }) if written.starts_with("![") => {
                edits.push((range.start..range.start.saturating_add(2), "\\["));
            }
            Event::Html(_) | Event::InlineHtml(_) => {
                for (offset, sign) in written.match_indices('<') {
                    let at = range.start.saturating_add(offset);
                    edits.push((at..at.saturating_add(sign.len()), "‹"));
                }
            }
            _ => {}
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pictures_and_html_are_shown_as_they_were_written_and_nothing_else_changes() {
        for (markdown, wanted) in [
            ("a ![b](https://e/?q=1) c", "a \\[b](https://e/?q=1) c"),
            ("![](https://e) and [link](https://e)", "\\[](https://e) and [link](https://e)"),
            ("Wow\\![a](https://e)", "Wow\\![a](https://e)"),
            ("![![a](b)](c)", "\\[\\[a](b)](c)"),
            ("![a][1]\n\n[1]: https://e", "\\[a][1]\n\n[1]: https://e"),
            ("x <img src=\"https://e\"> y", "x ‹img src=\"https://e\"> y"),
            ("<div>\n![a](b)\n</div>", "‹div>\n\\[a](b)\n‹/div>"),
            ("`![a](b)` and\n\n```\n<img>![a](b)\n```", "`![a](b)` and\n\n```\n<img>![a](b)\n```"),
            ("1 < 2 <https://e> **b**", "1 < 2 <https://e> **b**"),
        ] {
            assert_eq!(unloaded(markdown), wanted, "{markdown}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_loads(markdown in "[a<>/!`\\[\\]()\\\\ \n-]{0,60}") {
            prop_assert!(edits(&unloaded(&markdown)).is_empty());
        }
    }
}
