//! Markdown as lines of IRC: formatting codes, one message a line, none longer than the server takes.
//! <https://modern.ircdocs.horse/formatting>

use chela_channel_kit::markdown::{Dialect, Span, Style, render};
use unicode_segmentation::UnicodeSegmentation as _;

use super::line::MOST_BYTES;

const BOLD: char = '\u{2}';
const ITALIC: char = '\u{1d}';
const STRIKE: char = '\u{1e}';
const MONOSPACE: char = '\u{11}';

/// Longest user name and host a server puts before our lines when it passes them on, with `!`, `~` and `@`:
/// USERLEN is 10 and HOSTLEN 63 almost everywhere (<https://modern.ircdocs.horse/#userlen-parameter>).
const USER_AND_HOST: usize = "!~".len() + 10 + "@".len() + 63;

/// Bytes of text that fit into one line to `target` from a nick of so many bytes: a receiver sees `:nick!user@host PRIVMSG target :text` CR LF, and
/// what is over 512 bytes is cut off, or costs the connection.
pub(super) fn budget(nick: usize, target: &str) -> usize {
    let around = ":".len() + nick + USER_AND_HOST + " PRIVMSG ".len() + target.len() + " :".len() + "\r\n".len();
    // A nick and a target of absurd length leave something to say all the same.
    MOST_BYTES.saturating_sub(around).max(64)
}

/// The texts of the messages that show this markdown, each at most `budget` bytes. Empty lines cannot be sent.
pub(super) fn lines(markdown: &str, budget: usize) -> Vec<String> {
    let written = render(markdown, &Irc);
    written.split('\n').flat_map(|line| split(line.trim_end(), budget)).collect()
}

struct Irc;

impl Dialect for Irc {
    fn span(&self, span: &Span) -> String {
        let text: String = span.text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        // A code ends with its line, so it is written anew on each.
        let marked: Vec<String> = text.split('\n').map(|line| marked(line, span.style)).collect();
        let marked = marked.join("\n");
        match &span.link {
            Some(link) if *link != span.text => format!("{marked} ({})", visible(link)),
            _ => marked,
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        let lines = text.lines().map(|line| {
            let line = visible(&line.replace('\t', "    "));
            if line.trim().is_empty() { String::new() } else { format!("{MONOSPACE}{line}{MONOSPACE}") }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn visible(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn marked(line: &str, style: Style) -> String {
    if line.trim().is_empty() {
        return line.to_owned();
    }
    let codes = [(style.code, MONOSPACE), (style.strike, STRIKE), (style.italic, ITALIC), (style.bold, BOLD)];
    codes.into_iter().filter(|(on, _)| *on).fold(line.to_owned(), |text, (_, code)| format!("{code}{text}{code}"))
}

/// Cuts a line between words if it can, never within a visible character. What was bold at a cut is bold after it.
fn split(line: &str, budget: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut rest, mut open) = (line.to_owned(), String::new());
    while !rest.trim_matches(is_code).trim().is_empty() {
        let room = budget.saturating_sub(open.len());
        let cut = cut(&rest, room);
        let (now, later) = rest.split_at_checked(cut).unwrap_or((rest.as_str(), ""));
        let part = format!("{open}{}", now.trim_end());
        for code in now.chars().filter(|c| is_code(*c)) {
            match open.find(code) {
                Some(at) => drop(open.remove(at)),
                None => open.push(code),
            }
        }
        if !part.trim_matches(is_code).trim().is_empty() {
            parts.push(part);
        }
        rest = later.trim_start_matches(' ').to_owned();
    }
    parts
}

fn is_code(c: char) -> bool {
    [BOLD, ITALIC, STRIKE, MONOSPACE].contains(&c)
}

/// How many bytes of `text` go into `room`: all, or to the last space in the second half, or to the last whole visible
/// character; at least one character, so that there is an end.
fn cut(text: &str, room: usize) -> usize {
    if text.len() <= room {
        return text.len();
    }
    let fitting = |ends: &mut dyn Iterator<Item = usize>| ends.take_while(|end| *end <= room).last().unwrap_or(0);
    let whole = fitting(&mut text.grapheme_indices(true).map(|(at, seen)| at + seen.len()));
    let whole = match whole {
        // One visible character of more bytes than a line.
        0 => fitting(&mut text.char_indices().map(|(at, c)| at + c.len_utf8())),
        whole => whole,
    };
    let least = text.chars().next().map_or(0, char::len_utf8);
    let space = text.get(..whole).and_then(|fits| fits.rfind(' ')).filter(|space| *space > whole / 2);
    space.unwrap_or(whole).max(least)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_are_codes_and_breaks_are_messages() {
        let cases: &[(&str, &[&str])] = &[
            ("plain", &["plain"]),
            ("**b** _i_ ~~s~~ `c`", &["\u{2}b\u{2} \u{1d}i\u{1d} \u{1e}s\u{1e} \u{11}c\u{11}"]),
            ("**two\nlines**", &["\u{2}two\u{2}", "\u{2}lines\u{2}"]),
            ("# T\n\ntext", &["\u{2}T\u{2}", "text"]),
            ("- a\n- b", &["• a", "• b"]),
            ("> q\n> r", &["> q", "> r"]),
            ("```rust\nfn a() {\n\n\tb\n}\n```", &["\u{11}fn a() {\u{11}", "\u{11}    b\u{11}", "\u{11}}\u{11}"]),
            ("[label](https://e.com) <https://f.com>", &["label (https://e.com) https://f.com"]),
            ("a\u{1}ACTION b\u{1}\u{2}c\rd", &["aACTION bc", "d"]),
            ("", &[]),
            ("\n\n", &[]),
        ];
        for (markdown, wanted) in cases {
            assert_eq!(lines(markdown, 400), *wanted, "{markdown:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_words_and_stays_bold() {
        let said = lines(&format!("**{}**", "word ".repeat(40).trim()), 70);
        assert!(said.len() > 2 && said.iter().all(|line| line.len() <= 70 && line.starts_with('\u{2}')), "{said:?}");
        let words: usize = said.iter().map(|line| line.matches("word").count()).sum();
        assert_eq!(words, 40);
        let family = "👩‍👩‍👧‍👦";
        let said = lines(&family.repeat(20), 70);
        assert!(said.iter().all(|line| line.replace(family, "").is_empty()), "{said:?}");
    }

    #[test]
    fn a_line_fits_with_the_longest_prefix_a_server_adds() {
        let (nick, target) = ("agentbot", "#a-channel");
        let text = "x".repeat(budget(nick.len(), target));
        let host = "h".repeat(63);
        assert_eq!(format!(":{nick}!~{}@{host} PRIVMSG {target} :{text}\r\n", "u".repeat(10)).len(), 512);
        assert_eq!(budget(600, target), 64);
    }

    proptest! {
        #[test]
        fn every_line_fits_and_holds_no_line_of_its_own(markdown in "(.|\n|[*_`~ é👩‍👧]){0,400}", budget in 64_usize..450) {
            for line in lines(&markdown, budget) {
                prop_assert!(line.len() <= budget, "{} bytes", line.len());
                let broken = line.contains(['\r', '\n', '\0', '\u{1}']);
                prop_assert!(!broken);
                prop_assert!(!line.trim().is_empty());
            }
        }

        #[test]
        fn no_word_is_lost(count in 1_usize..200, budget in 64_usize..450) {
            let text: Vec<String> = (0..count).map(|at| format!("w{at}q é")).collect();
            let said = lines(&text.join(" "), budget).join(" ");
            for at in 0..count {
                let word = format!("w{at}q");
                prop_assert!(said.contains(&word));
            }
        }
    }
}
