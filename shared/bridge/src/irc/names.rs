//! Names on IRC: when two are the same, and where one stands in a text.

/// Which letters of a network are the same: <https://modern.ircdocs.horse/#casemapping-parameter>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Casemapping {
    /// A to Z are a to z.
    Ascii,
    /// And `[]\^` are `{}|~`.
    #[default]
    Rfc1459,
    /// And `[]\` are `{}|`.
    StrictRfc1459,
}

impl Casemapping {
    /// The mapping a server announces; an unknown one is taken for the one that tells most names apart.
    pub fn named(name: &str) -> Self {
        match name {
            "rfc1459" => Self::Rfc1459,
            "rfc1459-strict" | "strict-rfc1459" => Self::StrictRfc1459,
            _ => Self::Ascii,
        }
    }

    /// The one way to write a name.
    pub fn lower(self, name: &str) -> String {
        name.chars().map(|c| self.lower_char(c)).collect()
    }

    /// Whether two names are one.
    pub fn same(self, one: &str, other: &str) -> bool {
        self.lower(one) == self.lower(other)
    }

    fn lower_char(self, c: char) -> char {
        match (self, c) {
            (Self::Rfc1459, '^') => '~',
            (Self::Rfc1459 | Self::StrictRfc1459, '[') => '{',
            (Self::Rfc1459 | Self::StrictRfc1459, ']') => '}',
            (Self::Rfc1459 | Self::StrictRfc1459, '\\') => '|',
            (_, other) => other.to_ascii_lowercase(),
        }
    }
}

/// Whether a character may be part of a nick: <https://modern.ircdocs.horse/#clients>. Letters of every script count, so
/// that "robots" in any language does not call a bot named "robot".
fn in_a_nick(c: char) -> bool {
    c.is_alphanumeric() || "[]\\`_^{|}-~".contains(c)
}

/// Whether a text names `nick` as a word of its own, and the text without that where it is only an address: at the
/// beginning, or at the end behind a comma or `@`.
pub fn mention(text: &str, nick: &str, casemapping: Casemapping) -> Option<String> {
    if nick.is_empty() {
        return None;
    }
    // Mapping keeps the length of every character in bytes, so places in one are places in the other.
    let (lower, wanted) = (casemapping.lower(text), casemapping.lower(nick));
    let found = lower.match_indices(&wanted).find(|(at, _)| {
        let before = lower.get(..*at).and_then(|before| before.chars().next_back());
        let after = lower.get(at + wanted.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(in_a_nick) && !after.is_some_and(in_a_nick)
    });
    let (at, _) = found?;
    let (before, after) = (text.get(..at)?, text.get(at + wanted.len()..)?);
    let left = before.trim_start().trim_start_matches('@');
    if left.is_empty() {
        let said = after.trim_start();
        let said = said.strip_prefix([':', ',']).unwrap_or(said);
        return Some(said.trim_start().to_owned());
    }
    let addressed = before.trim_end().strip_suffix([',', '@']);
    match addressed.filter(|_| after.trim().chars().all(|c| "?!.".contains(c))) {
        Some(said) => Some(format!("{}{}", said.trim_end(), after.trim())),
        None => Some(text.to_owned()),
    }
}

/// A text without colours and other codes: <https://modern.ircdocs.horse/formatting>.
pub fn without_codes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{3}' => {
                let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                    (0..2).filter(|_| chars.next_if(char::is_ascii_digit).is_some()).count()
                };
                // A comma belongs to the code only where a digit follows it.
                if digits(&mut chars) > 0 && chars.peek() == Some(&',') {
                    let mut ahead = chars.clone();
                    ahead.next();
                    if ahead.peek().is_some_and(char::is_ascii_digit) {
                        chars = ahead;
                        digits(&mut chars);
                    }
                }
            }
            '\u{4}' => {
                for _ in 0..6 {
                    if chars.next_if(char::is_ascii_hexdigit).is_none() {
                        break;
                    }
                }
            }
            '\t' => plain.push(' '),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_network_says_which_letters_are_the_same() {
        let lower = |mapping: Casemapping| mapping.lower("A[]\\^É");
        assert_eq!(lower(Casemapping::Ascii), "a[]\\^É");
        assert_eq!(lower(Casemapping::Rfc1459), "a{}|~É");
        assert_eq!(lower(Casemapping::StrictRfc1459), "a{}|^É");
        assert_eq!(Casemapping::named("ascii"), Casemapping::Ascii);
        assert!(Casemapping::named("rfc1459").same("Bot[1]", "bOT{1}"));
    }

    #[test]
    fn a_nick_is_a_mention_only_as_a_word_of_its_own() {
        let cases = [
            ("bot: status?", Some("status?")),
            ("Bot, status?", Some("status?")),
            ("@bot status?", Some("status?")),
            ("  bot   status?", Some("status?")),
            ("bot", Some("")),
            ("status, bot?", Some("status?")),
            ("thanks @bot", Some("thanks")),
            ("thanks bot", Some("thanks bot")),
            ("is bot here?", Some("is bot here?")),
            ("(bot) is here", Some("(bot) is here")),
            ("robot and bot_ and bots, but bot: too", Some("robot and bot_ and bots, but bot: too")),
            ("botanic robot bot-like bot2 [bot] ébot", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(mention(text, "bot", Casemapping::Rfc1459).as_deref(), wanted, "{text}");
        }
        assert_eq!(mention("b{1}: hi", "B[1]", Casemapping::Rfc1459).as_deref(), Some("hi"));
        assert_eq!(mention("b{1}: hi", "B[1]", Casemapping::Ascii), None);
        assert_eq!(mention(": hi", "", Casemapping::Ascii), None);
    }

    #[test]
    fn codes_are_no_text() {
        let text = "\u{2}b\u{f} \u{3}04,12red\u{3} \u{3}3,x \u{3},1 \u{4}ff0000hex \u{1d}i\u{1d}\u{16}\u{11}m\u{7}\t.";
        assert_eq!(without_codes(text), "b red ,x ,1 hex im .");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", nick in "[a-z\\[\\]é]{0,4}") {
            let _ = mention(&text, &nick, Casemapping::Rfc1459);
            prop_assert!(!without_codes(&text).chars().any(char::is_control));
        }
    }
}
