//! What the model wrote, as a comment: GitHub's markdown is markdown, so it stays as it is but for what acts on others.
//! `@name` would notify somebody, `#1` would leave a mark on another issue, a picture would be fetched by every reader's
//! browser (with whatever its URL gives away), and HTML could hide text.
//! <https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax>

use std::ops::Range;

use chela_channel_kit::markdown::{Edit, edited};
use pulldown_cmark::{Event, LinkType, Parser, Tag, TagEnd};

use crate::mention::options;

/// Stands between a sign and the name it would act on; nobody sees it.
const BREAK: &str = "\u{200b}";

/// Mending can uncover what HTML had hidden, so it is done until nothing is left; each time leaves less.
const MOST_PASSES: usize = 8;

/// The comment.
pub(crate) fn comment(markdown: &str) -> String {
    let mut text = markdown.to_owned();
    for _ in 0..MOST_PASSES {
        let edits = edits(&text);
        if edits.is_empty() {
            return text;
        }
        text = edited(&text, edits);
    }
    // Never seen; in a code block nothing acts.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

fn edits(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut code = 0_usize;
    let mut automatic = 0_usize;
    let mut links = Vec::new();
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => code += 1,
            Event::End(TagEnd::CodeBlock) => code = code.saturating_sub(1),
            Event::Start(Tag::Link { link_type, .. }) => {
                let is_automatic = matches!(link_type, LinkType::Autolink | LinkType::Email);
                links.push(is_automatic);
                automatic += usize::from(is_automatic);
            }
            Event::End(TagEnd::Link) => automatic -= usize::from(links.pop().unwrap_or(false)).min(automatic),
            Event::Start(Tag::Image { .. }) => edits.extend(unpictured(text, &range)),
            // As text it is read again, and then what acts in it is found.
            Event::Html(_) | Event::InlineHtml(_) => tags(text, &range, &mut edits),
            // The text of `<https://…>` is a link, in which nothing acts.
            Event::Text(shown) if code == 0 && automatic == 0 => {
                if text.get(range.clone()) == Some(shown.as_ref()) {
                    live(text, &range, &mut edits);
                } else if shown.ends_with(['@', '#']) && continues(text, range.end) {
                    // An entity, as in `&#64;name`.
                    edits.push((range.end..range.end, BREAK));
                }
            }
            _ => {}
        }
    }
    edits
}

/// A picture becomes a link to it.
fn unpictured(text: &str, range: &Range<usize>) -> Option<Edit> {
    let written = text.get(range.clone())?;
    let nameless = written.starts_with("![]");
    written.starts_with("![").then_some((range.start..range.start + 2, if nameless { "[image" } else { "[" }))
}

/// An entity for the beginning of each tag shows it as text. A backslash would not: one that follows a URL becomes part of
/// it.
fn tags(text: &str, range: &Range<usize>, edits: &mut Vec<Edit>) {
    let written = text.get(range.clone()).unwrap_or_default();
    for (offset, sign) in written.match_indices('<') {
        let at = range.start + offset;
        let end = at + sign.len();
        let next = text.get(end..).and_then(|rest| rest.chars().next());
        if next.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            edits.push((at..end, "&lt;"));
        }
    }
}

/// Breaks `@name`, `#1` and `GH-1`.
fn live(text: &str, range: &Range<usize>, edits: &mut Vec<Edit>) {
    let written = text.get(range.clone()).unwrap_or_default();
    for (offset, sign) in written.match_indices(['@', '#', '-']) {
        let at = range.start + offset;
        let end = at + sign.len();
        let before = text.get(..at).unwrap_or_default();
        let acts = match sign {
            "@" => continues(text, end) && !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'),
            "#" => numbered(text, end),
            _ => {
                let start = before.len().saturating_sub(2);
                before.get(start..).is_some_and(|word| word.eq_ignore_ascii_case("gh")) && numbered(text, end)
            }
        };
        if acts && !in_url(before) {
            edits.push((end..end, BREAK));
        }
    }
}

/// Whether a letter or digit stands there, or an entity that may be one.
fn continues(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '&'))
}

fn numbered(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '&'))
}

/// Whether what stands before is the beginning of a URL, which GitHub makes a link: in it nothing acts, and it must stay
/// whole. <https://github.github.com/gfm/#autolinks-extension->
fn in_url(before: &str) -> bool {
    let begins = |c: char| c.is_whitespace() || matches!(c, '*' | '_' | '~' | '(');
    let Some(start) = before.rfind("https://").or_else(|| before.rfind("http://")) else { return false };
    let (earlier, url) = before.split_at_checked(start).unwrap_or((before, ""));
    let Some((_, rest)) = url.split_once("://") else { return false };
    let Some((host, path)) = rest.split_once('/') else { return false };
    let is_host = host.contains('.')
        && host
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#!$&+,;=%@".contains(&byte));
    is_host && is_path && earlier.chars().next_back().is_none_or(begins)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(markdown: &str) -> String {
        comment(markdown).replace(BREAK, "¦")
    }

    #[test]
    fn names_and_numbers_act_on_nobody() {
        let cases = [
            ("@octocat, see #1 and octo/repo#23", "@¦octocat, see #¦1 and octo/repo#¦23"),
            ("**@octocat** gh-7 (@org/team)", "**@¦octocat** gh-¦7 (@¦org/team)"),
            ("&#64;octocat &#35;12", "&#64;¦octocat &#35;¦12"),
            ("@&#111;ctocat", "@¦&#111;ctocat"),
            ("[@octocat](https://e.com)", "[@¦octocat](https://e.com)"),
            ("x://@octocat https://@octocat", "x://@¦octocat https://@¦octocat"),
            ("> @octocat\n- @octocat", "> @¦octocat\n- @¦octocat"),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(shown(markdown), wanted, "{markdown}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_was() {
        let cases = [
            "# Title\n\n- [x] done\n\n| a | b |\n|---|---|\n| 1 | 2 |",
            "```python\n@decorator\n#1\n<b>\n```",
            "`@octocat` and `#1` and `<b>`",
            "me@example.org, a # b, #tag, C# 1, @ me, a < b",
            "https://www.npmjs.com/package/@octokit/rest and <https://e.com/@x#1>",
            "[label](https://e.com/@x#1 \"title\")",
        ];
        for markdown in cases {
            assert_eq!(comment(markdown), markdown);
        }
    }

    #[test]
    fn pictures_become_links_and_html_becomes_text() {
        assert_eq!(comment("![chart](https://e.com/x.png)"), "[chart](https://e.com/x.png)");
        assert_eq!(comment("![](https://e.com/?q=secret)"), "[image](https://e.com/?q=secret)");
        assert_eq!(comment("a <img src=\"https://e.com\"> b"), "a &lt;img src=\"https://e.com\"> b");
        assert_eq!(comment("<!-- hidden -->"), "&lt;!-- hidden -->");
        assert_eq!(shown("<div>\n@octocat\n</div>"), "&lt;div>\n@¦octocat\n&lt;/div>");
    }

    /// The HTML block hides the first fence; once it is text, the fence is one, and the second ends it.
    #[test]
    fn what_html_had_hidden_is_mended_too() {
        let mended = shown("<div>\n```\n</div>\n\n```\n@octocat\n```\n");
        assert!(!mended.contains("@octocat"), "{mended}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]
        #[test]
        fn mending_ends_grows_little_and_loses_nothing(markdown in "[a1@#<>/!\\[\\]()`&;\\\\ \n*-]{0,60}") {
            let mended = comment(&markdown);
            prop_assert!(edits(&mended).is_empty(), "{mended:?}");
            prop_assert!(mended.encode_utf16().count() <= markdown.encode_utf16().count() * 5 / 2 + 16, "{mended:?}");
        }
    }
}
