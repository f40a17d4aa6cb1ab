//! What a command looks like, and its name.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Whether a character shows, where it stands, and as itself. A list of what does, so that what Unicode adds later is
/// escaped: letters and digits of all scripts, and the common signs.
pub(crate) fn shows(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // Letters by their category, but blank: fillers of Hangul, vowels inherent in Khmer.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{17b4}' | '\u{17b5}' => false,
        // Signs: Latin-1, general punctuation without spaces and directions, currencies up to arrows and boxes
        // (U+2800 is a blank), CJK punctuation, full-width forms, emoji.
        '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{bf}' | '\u{d7}' | '\u{f7}' => true,
        '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{20a0}'..='\u{20bf}' => true,
        '\u{2100}'..='\u{27ff}' | '\u{2801}'..='\u{2b5f}' | '\u{3001}'..='\u{3030}' => true,
        '\u{ff01}'..='\u{ff65}' | '\u{1f300}'..='\u{1f64f}' | '\u{1f680}'..='\u{1f6c5}' => true,
        _ => c.is_alphanumeric(),
    }
}

/// `⟨U+202E⟩`.
pub(crate) fn named(c: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(c))
}

/// The whole command for a person's eyes, never cut: line breaks, control characters, directions, zero-width characters
/// and everything else that would not show stand as `⟨U+202E⟩`. Two different commands never look the same by that.
pub fn shown(command: &str) -> String {
    let mut shown = String::with_capacity(command.len());
    for c in command.chars() {
        // The bracket itself is named too, so that nobody writes our sign for something hidden.
        if shows(c) && c != '⟨' {
            shown.push(c);
        } else {
            shown.push_str(&named(c));
        }
    }
    shown
}

/// A name for these texts, in this order: SHA-256, in hex. What a grant is bound to: the command, its folder, the
/// digest of a script it runs, the session, the turn. The same texts always have the same name, no others have it:
/// each is hashed with its length, so that `["ab", "c"]` is not `["a", "bc"]`.
pub fn digest<T: AsRef<str>>(parts: &[T]) -> String {
    let mut hash = Sha256::new_with_prefix("chela.shell.1");
    for part in parts.iter().map(AsRef::as_ref) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// The words so quoted that every shell reads these words.
pub(crate) fn quoted(argv: &[String]) -> String {
    let mut line = String::new();
    for word in argv {
        let space = if line.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(line, "{space}'{}'", word.replace('\'', r"'\''"));
    }
    line
}

/// The words as a person would write them: quoted only where needed. For messages, not for shells.
pub(crate) fn plain(argv: &[String]) -> String {
    let bare = |word: &String| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_@%+=:,./-".contains(c) && c.is_ascii())
    };
    let words = argv.iter().map(|word| if bare(word) { word.clone() } else { quoted(std::slice::from_ref(word)) });
    shown(&words.collect::<Vec<_>>().join(" "))
}
