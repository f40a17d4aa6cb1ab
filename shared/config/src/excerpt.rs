//! A line of the configuration that may be shown to anybody: its keys and its punctuation, and `…` for every value.
//!
//! The rule is what may be seen, not what must be hidden: a secret can stand in a wrong place, without quotes, or in
//! a comment.

/// Widest line that is shown.
const WIDTH: usize = 100;

/// A line without its values, and the column under which the caret goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Excerpt {
    pub(crate) line: String,
    pub(crate) caret: usize,
}

/// What the characters of a text are.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    Space,
    Punctuation,
    Word,
    Quoted,
    Comment,
}

/// The line of `text` around a place.
pub(crate) fn excerpt(text: &str, line: usize, column: usize) -> Excerpt {
    let tokens = tokens(text);
    let mut out = String::new();
    let mut caret = None;
    let mut before = None;
    let (mut at_line, mut at_column) = (1_usize, 1_usize);
    for (index, (token, piece)) in tokens.iter().enumerate() {
        let key =
            matches!(token, Token::Word | Token::Quoted) && begins_entry(before) && precedes_colon(&tokens, index);
        let shown = matches!(token, Token::Space | Token::Punctuation)
            || key
            || (*token == Token::Word && matches!(*piece, "true" | "false" | "null"));
        let mut blotted = false;
        for c in piece.chars() {
            if at_line == line && at_column == column {
                caret = Some(out.chars().count());
            }
            if c == '\n' {
                (at_line, at_column, blotted) = (at_line.saturating_add(1), 1, false);
                continue;
            }
            if at_line == line && (shown || !std::mem::replace(&mut blotted, true)) {
                out.push(if shown { if c.is_whitespace() { ' ' } else { c } } else { '…' });
            }
            at_column = at_column.saturating_add(1);
        }
        if !matches!(token, Token::Space | Token::Comment) {
            before = Some(*piece);
        }
    }
    crop(out.trim_end(), caret)
}

fn begins_entry(before: Option<&str>) -> bool {
    before.is_none_or(|piece| matches!(piece, "{" | ","))
}

fn precedes_colon(tokens: &[(Token, &str)], index: usize) -> bool {
    let rest = tokens.get(index.saturating_add(1)..).unwrap_or_default();
    rest.iter().find(|(token, _)| *token != Token::Space).is_some_and(|(_, piece)| *piece == ":")
}

/// Cuts a long line down to the part around the caret.
fn crop(line: &str, caret: Option<usize>) -> Excerpt {
    let length = line.chars().count();
    let caret = caret.unwrap_or(length).min(length);
    let from = if length <= WIDTH { 0 } else { caret.saturating_sub(WIDTH / 2) };
    let line: String = line.chars().skip(from).take(WIDTH).collect();
    let indent = line.chars().take_while(|c| *c == ' ').count().min(caret.saturating_sub(from));
    Excerpt { line: line.chars().skip(indent).collect(), caret: caret.saturating_sub(from).saturating_sub(indent) }
}

/// Splits a text into pieces. Where it is not JSON5 the pieces are larger, never smaller: an open quote or comment runs
/// to the end, so that nothing of it is shown.
fn tokens(text: &str) -> Vec<(Token, &str)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '"' | '\'' => (Token::Quoted, quoted(rest, first)),
            '/' if rest.starts_with("//") => {
                (Token::Comment, rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len()))
            }
            '/' if rest.starts_with("/*") => {
                (Token::Comment, rest.find("*/").map_or(rest.len(), |end| end.saturating_add(2)))
            }
            '{' | '}' | '[' | ']' | ',' | ':' => (Token::Punctuation, 1),
            c if c.is_whitespace() => (Token::Space, run(rest, |c| c.is_whitespace())),
            _ => {
                let word = run(rest, |c| {
                    !c.is_whitespace() && !matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '"' | '\'' | '/')
                });
                (Token::Word, word.max(first.len_utf8()))
            }
        };
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        tokens.push((token, piece));
        rest = after;
    }
    tokens
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, line: usize, column: usize) -> (String, usize) {
        let Excerpt { line, caret } = excerpt(text, line, column);
        (line, caret)
    }

    #[test]
    fn keys_are_shown_and_values_are_not() {
        let text = "{\n  botToken: 'hunter2', \"dm Policy\": 5, // hunter2\n  on: true, list: [hunter2, 'x'] }";
        assert_eq!(shown(text, 2, 3), ("botToken: …, \"dm Policy\": …, …".into(), 0));
        assert_eq!(shown(text, 2, 13), ("botToken: …, \"dm Policy\": …, …".into(), 10));
        assert_eq!(shown(text, 2, 24), ("botToken: …, \"dm Policy\": …, …".into(), 13));
        assert_eq!(shown(text, 3, 7), ("on: true, list: […, …] }".into(), 4));
    }

    #[test]
    fn a_token_without_quotes_is_no_key() {
        assert_eq!(shown("{ botToken: 123:hunter2, a: sk-hunter2:x }", 1, 1).0, "{ botToken: …:…, a: …:… }");
        assert_eq!(shown("{ a: 'hunter\n2', b: 1 }", 2, 1).0, "…, b: … }");
        assert_eq!(shown("{ a: 'open, b: hunter2", 1, 1).0, "{ a: …");
        assert_eq!(shown("{ a: /* hunter2: */ 1 }", 1, 1).0, "{ a: … … }");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{{ {} wrong: 1 }}", "key: 1, ".repeat(50));
        let column = text.find("wrong").unwrap() + 1;
        let Excerpt { line, caret } = excerpt(&text, 1, column);
        assert!(line.chars().count() <= WIDTH);
        assert_eq!(line.chars().skip(caret).take(5).collect::<String>(), "wrong");
    }

    proptest! {
        #[test]
        fn no_value_is_ever_shown(
            before in "[ {,]{0,6}", key in "(a|'b'|\"c\"): ?", after in "[ ,}\n]{0,6}",
            quote in prop_oneof![Just("'"), Just("\""), Just("")], prefix in "[0-9a-z:.-]{0,4}",
        ) {
            let text = format!("{before}{key}{quote}{prefix}HUNTER{quote}{after}");
            for line in 1..=text.split('\n').count() {
                prop_assert!(!excerpt(&text, line, 1).line.contains("HUNTER"), "{text:?}");
            }
        }
    }
}
