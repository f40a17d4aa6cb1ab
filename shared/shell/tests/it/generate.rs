//! Random lines of shell: well-formed ones, broken ones, and heaps of whatever means something to a shell.

use proptest::prelude::*;
use proptest::sample::select;

const NAMES: [&str; 16] =
    ["a", "ls", "b2", "foo.bar", "cd", "echo", "git", "grep", "tar", "sort", "env", "sh", "exec", "./x", "if", "test"];

/// Texts that mean nothing, something, or something to somebody else.
const PARTS: [&str; 88] = [
    "a", "b", "-x", "--long=v", "A=b", "a=b", "0", "é", "日本", "ß", "😀", "a#b", "#", "%1", "^", "HEAD^", "HEAD~2",
    "~", "~root", "a:~", "@", "+", ",", ".", "..", ":", "/", "//", "-", "--", "_", "=", "==", "!", "!!", "!a", "*",
    "?", "[a]", "[", "]", "{a,b}", "{1..3}", "{", "}", "{}", "$", "$x", "${x}", "$(a)", "`a`", "$((1))", "$'a'",
    "$\"a\"", "\\", "\\\\", "\\\n", "\\ ", "\\a", "\\'", "\\\"", "\\$", "\\`", "\\#", "'", "\"", "''", "\"\"", "<",
    ">", ">>", "<<", "<<<", "&", "&&", "|", "||", "|&", ";", ";;", "(", ")", "\n", " ", "\t", "\r", "\u{200b}",
    "\u{a0}",
];

/// Longer pieces that run something, write something or mean something, wherever they come to stand.
const CONSTRUCTS: [&str; 58] = [
    "${x:-$(a)}",
    "${x@P}",
    "${x:=`a`}",
    "${!x}",
    "${x[$(a)]}",
    "${#x}",
    "$((a[$(a)]))",
    "$[1]",
    "$-",
    "$$",
    "$!",
    "\"$(a)\"",
    "\"`a`\"",
    "\"${x:-$(a)}\"",
    "\"$((1))\"",
    "$(a \"b\")",
    "$(<a)",
    "`a \\`b\\``",
    "<(a)",
    ">(a)",
    "&>",
    "&>>",
    ">&",
    "<&",
    "2>",
    "2>&1",
    "{fd}>a",
    ">|",
    "<>",
    "<<E\n$(a)\nE\n",
    "<<'E'\n$(a)\nE\n",
    "<<-E\n\ta\nE\n",
    "<<< $(a)",
    "@(a|b)",
    "!(a)",
    "+(a)",
    "~+",
    "~-",
    "a[$(a)]",
    "A[0]=b",
    "A+=b",
    "A=(a b)",
    "a() { a; }",
    "a () a",
    "!$",
    "!-1",
    "^a^b",
    "\\\r\n",
    "$'\\x3b'",
    "'$'\\n''",
    "\u{2003}",
    "\u{85}",
    "\u{2028}",
    "\u{b}",
    "\u{0}",
    "＆",
    "；",
    "＄(a)",
];

const WORDS_OF_BASH: [&str; 30] = [
    "if", "then", "fi", "for", "do", "done", "case", "esac", "in", "while", "time", "coproc", "function", "[[", "]]",
    "select", "until", "else", "elif", "((", "eval", "source", "let", "alias", "trap", "declare", "export", "local",
    "set", "builtin",
];

/// One of the three ways to write a text, or several of them within one word.
fn word() -> impl Strategy<Value = String> {
    let plain = select(
        &["a", "b", "-x", "--long=v", "a=b", "0", "é", "日本", "a#b", "%1", "HEAD^", "HEAD~2", "@", ",", "..", ":"][..],
    );
    let single = "[ -&(-~é\n]{0,6}".prop_map(|text: String| format!("'{text}'"));
    let double = "[ #%-\\[\\]-_a-~é]{0,6}".prop_map(|text: String| format!("\"{text}\""));
    let within = select(&["\\\"", "\\\\", "\\$", "\\`", "\\a", "x", " ", "'", "#", ";"][..]);
    let escaped = proptest::collection::vec(within, 0..4).prop_map(|texts| format!("\"{}\"", texts.concat()));
    let escape = "\\\\[!-~é ]";
    let part = prop_oneof![6 => plain.prop_map(str::to_owned), 2 => single, 2 => double, 2 => escaped, 1 => escape];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn command() -> impl Strategy<Value = String> {
    let name = prop_oneof![8 => select(&NAMES[..4]), 2 => select(&NAMES[..])];
    let space = select(&[" ", "  "][..]);
    (name, proptest::collection::vec((space, word()), 0..4))
        .prop_map(|(name, words)| words.into_iter().fold(name.to_owned(), |line, (space, word)| line + space + &word))
}

/// Commands and what stands between them: nearly always well-formed.
fn list() -> impl Strategy<Value = String> {
    let between = select(
        &[";", " ; ", "\n", "\n\n", "&&", " && ", " &&\n", "|| ", " | ", "|", " |\n", " # c\n", " #'\n", ";\n"][..],
    );
    let end = select(&["", "", "", "\n", ";", " # \"end", " #"][..]);
    (command(), proptest::collection::vec((between, command()), 0..4), end).prop_map(|(first, rest, end)| {
        rest.into_iter().fold(first, |line, (between, command)| line + between + &command) + end
    })
}

/// A list in which something was put in, or a piece was taken away.
fn broken() -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => select(&PARTS[..]), 2 => select(&CONSTRUCTS[..]), 2 => select(&WORDS_OF_BASH[..])];
    (list(), any::<prop::sample::Index>(), proptest::option::of(piece)).prop_map(|(line, at, piece)| {
        let mut letters: Vec<char> = line.chars().collect();
        let at = at.index(letters.len());
        match piece {
            Some(piece) => drop(letters.splice(at..at, piece.chars())),
            None => drop(letters.remove(at)),
        }
        letters.into_iter().collect()
    })
}

/// No order at all.
fn heap() -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => select(&PARTS[..]), 1 => select(&CONSTRUCTS[..]), 2 => select(&NAMES[..]), 1 => select(&WORDS_OF_BASH[..]), 4 => Just(" ")];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

pub(crate) fn line() -> impl Strategy<Value = String> {
    prop_oneof![6 => list(), 4 => broken(), 2 => heap()]
}
