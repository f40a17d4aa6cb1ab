//! Lines of the protocol: `[@tags ][:source ]command[ parameters]`.
//! <https://modern.ircdocs.horse/#message-format>, <https://ircv3.net/specs/extensions/message-tags>
//!
//! Written here because `irc-proto`, the crate that reads lines, is under the MPL, and because this is all there is to it.

use std::collections::BTreeMap;

/// Most bytes of a line, its CR LF included, without tags: <https://modern.ircdocs.horse/#messages>.
pub const MOST_BYTES: usize = 512;

/// A line from the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The tags, unescaped; of a tag that stands twice, the last.
    pub tags: BTreeMap<String, String>,
    /// Who sent it, without the colon; empty if it is not said.
    pub source: String,
    /// The command or numeric, in upper case.
    pub command: String,
    /// Its parameters.
    pub params: Vec<String>,
}

impl Line {
    /// Reads a line without its end; `None` if there is no command in it.
    pub fn read(text: &str) -> Option<Self> {
        let mut line = Self::default();
        let mut rest = text.trim_start_matches(' ');
        if let Some(tagged) = rest.strip_prefix('@') {
            let (tags, after) = tagged.split_once(' ')?;
            for tag in tags.split(';').filter(|tag| !tag.is_empty()) {
                let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
                line.tags.insert(name.to_owned(), unescape(value));
            }
            rest = after.trim_start_matches(' ');
        }
        if let Some(sourced) = rest.strip_prefix(':') {
            let (source, after) = sourced.split_once(' ')?;
            line.source = source.to_owned();
            rest = after.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() {
            return None;
        }
        line.command = command.to_ascii_uppercase();
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(last) = rest.strip_prefix(':') {
                line.params.push(last.to_owned());
                return Some(line);
            }
            if rest.is_empty() {
                return Some(line);
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            line.params.push(param.to_owned());
            rest = after;
        }
    }

    /// A parameter; empty if there are not so many.
    pub fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// The nick of a person who sent it; `None` for servers.
    pub fn nick(&self) -> Option<&str> {
        let (nick, _) = self.source.split_once('!')?;
        (!nick.is_empty()).then_some(nick)
    }
}

/// A value of a tag as it was before it was sent. A backslash before another character, or at the end, goes.
fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some(':')) => plain.push(';'),
            ('\\', Some('s')) => plain.push(' '),
            ('\\', Some('r')) => plain.push('\r'),
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some(other)) => plain.push(other),
            ('\\', None) => {}
            (plainly, _) => plain.push(plainly),
        }
    }
    plain
}

/// A value of a tag as it is sent.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            ';' => escaped.push_str("\\:"),
            ' ' => escaped.push_str("\\s"),
            '\\' => escaped.push_str("\\\\"),
            '\r' => escaped.push_str("\\r"),
            '\n' => escaped.push_str("\\n"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Bytes from the server as text: UTF-8, or Latin-1 where it is not, as old clients write.
pub fn decode(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Vec<String>, String, String, Vec<String>) {
        let line = Line::read(text).unwrap();
        let tags = line.tags.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        (tags, line.source, line.command, line.params)
    }

    #[test]
    fn lines_are_taken_apart() {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        type Case<'c> = (&'c str, &'c [&'c str], &'c str, &'c str, &'c [&'c str]);
        let cases: &[Case<'_>] = &[
            ("PING", &[], "", "PING", &[]),
            ("ping :a b", &[], "", "PING", &["a b"]),
            (":irc.x 001 me :Welcome to x", &[], "irc.x", "001", &["me", "Welcome to x"]),
            (":a!b@c PRIVMSG #x ::)", &[], "a!b@c", "PRIVMSG", &["#x", ":)"]),
            (":a!b@c PRIVMSG #x :  two  spaces ", &[], "a!b@c", "PRIVMSG", &["#x", "  two  spaces "]),
            (":a!b@c PRIVMSG #x :", &[], "a!b@c", "PRIVMSG", &["#x", ""]),
            (":a  MODE   #x  +o   b  ", &[], "a", "MODE", &["#x", "+o", "b"]),
            (":a!b@c JOIN #x", &[], "a!b@c", "JOIN", &["#x"]),
            ("@a=1;b;c=;a=2 :s X", &["a=2", "b=", "c="], "s", "X", &[]),
            ("@v/+x=\\:\\s\\\\\\r\\n\\q\\ X", &["v/+x=; \\\r\nq"], "", "X", &[]),
            ("@id=1  :s  X  y", &["id=1"], "s", "X", &["y"]),
        ];
        for (text, tags, source, command, params) in cases {
            let wanted = (own(tags), (*source).to_owned(), (*command).to_owned(), own(params));
            assert_eq!(read(text), wanted, "{text}");
        }
        for none in ["", " ", "@a=b", ":source", "@a=b :source", "@a=b :source ", ":source "] {
            assert_eq!(Line::read(none), None, "{none:?}");
        }
    }

    #[test]
    fn only_people_have_nicks() {
        let nick = |source: &str| Line { source: source.to_owned(), ..Line::default() }.nick().map(str::to_owned);
        assert_eq!(nick("alice!~a@host"), Some("alice".to_owned()));
        assert_eq!((nick("irc.example.org"), nick("!x@y"), nick("")), (None, None, None));
    }

    #[test]
    fn old_clients_are_understood() {
        assert_eq!((decode("größe".as_bytes()), decode(b"gr\xf6\xdfe")), ("größe".to_owned(), "größe".to_owned()));
    }

    proptest! {
        #[test]
        fn tags_survive_their_escapes(value in ".*") {
            prop_assert_eq!(unescape(&escape(&value)), value);
        }

        #[test]
        fn no_line_panics(text in "[@: \\\\;=!a-z\u{1}é]{0,60}") {
            let _ = Line::read(&text);
        }
    }
}
