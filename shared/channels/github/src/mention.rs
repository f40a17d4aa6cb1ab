//! Whether a comment mentions us, and the comment without it. As on GitHub a mention in code is none; and unlike there one
//! in a quote is none either, for whoever quotes us speaks to somebody else.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A comment, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Addressed {
    /// Without mentions of us.
    pub(crate) text: String,
    /// Whether it mentions us.
    pub(crate) to_us: bool,
}

/// Reads a comment in GitHub's markdown.
pub(crate) fn read(body: &str, login: &str) -> Addressed {
    let mut found = Vec::new();
    let mut silent = 0_usize;
    for (event, range) in Parser::new_ext(body, options()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::HtmlBlock) => silent += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::BlockQuote(_) | TagEnd::HtmlBlock) => {
                silent = silent.saturating_sub(1);
            }
            Event::Text(_) if silent == 0 => found.extend(mentions(body, range, login)),
            _ => {}
        }
    }
    let mut text = String::with_capacity(body.len());
    let mut at = 0;
    for mention in &found {
        text.push_str(body.get(at..mention.start).unwrap_or_default());
        at = mention.end.max(at);
        let spaced = text.is_empty() || text.ends_with(char::is_whitespace);
        if spaced && body.get(at..).is_some_and(|rest| rest.starts_with(' ')) {
            at += 1;
        }
    }
    text.push_str(body.get(at..).unwrap_or_default());
    Addressed { text: text.trim().to_owned(), to_us: !found.is_empty() }
}

/// What GitHub's markdown has beyond CommonMark and changes where code or a quote is.
pub(crate) fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
}

/// Where `@login` or `@login[bot]` begins in this range of the body, and where it ends.
fn mentions(body: &str, range: std::ops::Range<usize>, login: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let text = body.get(range.clone()).unwrap_or_default();
    text.match_indices('@').filter_map(move |(offset, _)| {
        let start = range.start + offset;
        let before = body.get(..start)?.chars().next_back();
        if before.is_some_and(|c| continues(c) || c == '/') {
            return None;
        }
        let name = start + 1;
        let mut end = name + login.len();
        if !body.get(name..end)?.eq_ignore_ascii_case(login) {
            return None;
        }
        if body.get(end..).is_some_and(|rest| rest.starts_with("[bot]")) {
            end += "[bot]".len();
        }
        let mut after = body.get(end..)?.chars();
        let next = after.next();
        // `@login/team` is a team.
        let team = next == Some('/') && after.next().is_some_and(continues);
        (!next.is_some_and(continues) && !team).then_some(start..end)
    })
}

/// Whether a letter makes a login longer.
fn continues(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(body: &str) -> (String, bool) {
        let Addressed { text, to_us } = read(body, "my-bot");
        (text, to_us)
    }

    #[test]
    fn a_mention_is_found_in_any_case_and_taken_out() {
        let cases = [
            ("@my-bot fix this", "fix this"),
            ("hey @My-Bot what", "hey what"),
            ("@my-bot[bot] hello", "hello"),
            ("thanks, @my-bot!", "thanks, !"),
            ("(@my-bot) **@my-bot** now", "() **** now"),
            ("- a\n- @my-bot b", "- a\n- b"),
            ("@my-bot", ""),
            ("@my-bot @my-bot twice", "twice"),
            ("é @my-bot é", "é é"),
        ];
        for (body, text) in cases {
            assert_eq!(seen(body), (text.to_owned(), true), "{body}");
        }
    }

    #[test]
    fn code_quotes_and_other_names_are_no_mentions() {
        let bodies = [
            "`@my-bot` hi",
            "```\n@my-bot\n```",
            "    @my-bot in indented code",
            "~~~~\n```\n@my-bot\n~~~~",
            "> @my-bot said so\n\nyes",
            "> quoted\n@my-bot lazily",
            "<!-- @my-bot -->",
            "<details>\n@my-bot\n</details>",
            "@my-bot2 hi",
            "@my-bot-too hi",
            "@my-bo hi",
            "@my-bot_x hi",
            "a@my-bot.com",
            "https://example.org/@my-bot",
            "@my-bot/team look",
            "@@my-botx",
        ];
        for body in bodies {
            assert_eq!(seen(body), (body.trim().to_owned(), false), "{body}");
        }
    }

    #[test]
    fn a_mention_beside_code_counts() {
        assert_eq!(seen("`@my-bot` and @my-bot").0, "`@my-bot` and");
        assert!(seen("```\ncode\n```\n@my-bot look").1);
        assert!(seen("> quoted\n\n@my-bot look").1);
        assert!(seen("see [@my-bot here](https://e.com)").1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_panics_and_nothing_else_is_lost(body in "[@mybot\\-\\[\\]`> \n/é]{0,60}") {
            let read = read(&body, "my-bot");
            if !read.to_us {
                prop_assert_eq!(read.text, body.trim());
            }
        }
    }
}
