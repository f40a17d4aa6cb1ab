//! What a model's answer means beside its words: what is not for the reader, silence, files, choices.

mod directive;
mod reasoning;
mod silence;

use crate::channel::Choice;

pub use self::directive::{Piece, Said, pieces};
pub use self::reasoning::without_reasoning;
pub use self::silence::is_silent;

/// A heartbeat's answer that ends it without a word, as in OpenClaw: alone, or before or after at most this much.
const HEARTBEAT_OK: &str = "HEARTBEAT_OK";
const HEARTBEAT_OK_MAX_CHARS: usize = 300;

/// What is to be shown of an answer; `None` for silence.
pub fn visible(text: &str, heartbeat: bool) -> Option<String> {
    let text = without_reasoning(text);
    if text.is_empty() || is_silent(&text) {
        return None;
    }
    if heartbeat {
        let rest = text.strip_prefix(HEARTBEAT_OK).or_else(|| text.strip_suffix(HEARTBEAT_OK));
        if let Some(rest) = rest {
            let rest = rest.trim();
            return (rest.chars().count() > HEARTBEAT_OK_MAX_CHARS).then(|| rest.to_owned());
        }
    }
    Some(text)
}

/// What can be shown of an answer that still grows: nothing that its end could turn into something else.
pub fn growing(text: &str) -> String {
    let whole = without_reasoning(text);
    // "NO_RE" may become silence, "[[qui" a row of buttons, "<thi" a thought, "MED" a file.
    let settled = match whole.rfind("[[") {
        Some(at) if !whole.get(at..).unwrap_or_default().contains("]]") => whole.get(..at).unwrap_or_default(),
        _ => &whole,
    };
    let settled = match settled.rfind('<') {
        Some(at) if !settled.get(at..).unwrap_or_default().contains(['>', '\n']) => {
            settled.get(..at).unwrap_or_default()
        }
        _ => settled,
    };
    let last = settled.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let line = settled.get(last..).unwrap_or_default().trim_start();
    let begun = |word: &str| !line.is_empty() && (word.starts_with(line) || line.starts_with(word));
    let settled = if begun("MEDIA:") { settled.get(..last).unwrap_or_default() } else { settled };
    if silence::may_become_silent(settled) {
        return String::new();
    }
    let texts = pieces(settled).into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(Said::of(&text).text),
        Piece::File(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n\n").trim().to_owned()
}

/// The beginning of a growing answer that its end will show word for word: up to the first thing that is shown in another
/// way or not at all, as files and buttons are.
pub fn settled(text: &str) -> String {
    let (shown, whole) = (growing(text), without_reasoning(text));
    shown.chars().zip(whole.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one).collect()
}

/// Choices for platforms without buttons: a list whose numbers can be answered with.
pub fn numbered(choices: &[Choice]) -> String {
    let lines: Vec<String> = (1_usize..).zip(choices).map(|(at, choice)| format!("{at}. {}", choice.label)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_recognised_and_nothing_else_is_swallowed() {
        for silent in ["", "  ", "NO_REPLY", "no_reply.", " NO_REPLY \n", "<think>why</think>NO_REPLY"] {
            assert_eq!(visible(silent, false), None, "{silent:?}");
        }
        assert_eq!(visible("HEARTBEAT_OK", true), None);
        assert_eq!(visible("HEARTBEAT_OK nothing new", true), None);
        assert_eq!(visible("HEARTBEAT_OK", false).as_deref(), Some("HEARTBEAT_OK"));
        assert_eq!(visible("The dentist is at 9.", true).as_deref(), Some("The dentist is at 9."));
        let long = format!("HEARTBEAT_OK {}", "x".repeat(400));
        assert!(visible(&long, true).is_some());
    }

    #[test]
    fn a_growing_answer_shows_nothing_it_may_take_back() {
        let cases = [
            ("Hello [[quick_rep", "Hello"),
            ("Hello [[quick_replies: A, B]]", "Hello"),
            ("a [[b]] c [[", "a [[b]] c"),
            ("Look\nMEDIA:pic", "Look"),
            ("Look\nMED", "Look"),
            ("Look\nMEDIA:pic.png\nnow", "Look\n\nnow"),
            ("x <thi", "x"),
            ("x <think>se", "x"),
            ("1 < 2\nand", "1 < 2\nand"),
            ("NO_RE", ""),
            ("NO_REPLY", ""),
            ("NO, really", "NO, really"),
        ];
        for (text, wanted) in cases {
            assert_eq!(growing(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_is_settled_stays_word_for_word() {
        let text =
            "Hi <think>secret</think>there, you.\n\nLook\nMEDIA:a/b.png\n[[buttons: T | Q | Yes:hidden, No:n]] end";
        let whole = visible(text, false).unwrap();
        for (at, _) in text.char_indices() {
            let settled = settled(text.split_at(at).0);
            assert!(whole.starts_with(&settled) && !settled.contains("MEDIA"), "{settled:?}");
        }
        assert_eq!(settled(text), "Hi there, you.\n\nLook\n");
        assert_eq!((settled("NO_RE").as_str(), settled("NO_REPLY").as_str()), ("", ""));
    }

    /// However the text is cut, no prefix shows what the whole hides.
    #[test]
    fn no_prefix_leaks() {
        let text = "Hi <think>secret</think>there\nMEDIA:a/b.png\n[[buttons: T | Q | Yes:hidden, No:n]] end";
        for (at, _) in text.char_indices() {
            let shown = growing(text.split_at(at).0);
            assert!(!shown.contains("secret") && !shown.contains("hidden") && !shown.contains("MEDIA"), "{shown:?}");
        }
        assert_eq!(growing(text), "Hi there\n\nT\nQ end");
    }
}
