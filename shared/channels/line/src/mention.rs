//! Mentions of us in a text, which are taken out of it.

use crate::event::Mentionee;

/// The text without the mentions of us, and whether there were any.
pub(crate) fn read(text: &str, mentionees: &[Mentionee]) -> (String, bool) {
    let mut ours: Vec<&Mentionee> = mentionees.iter().filter(|mentionee| mentionee.is_self).collect();
    if ours.is_empty() {
        return (text.to_owned(), false);
    }
    // From the end, so that earlier places stay where they are.
    ours.sort_by_key(|mentionee| std::cmp::Reverse(mentionee.index));
    let mut left = text.to_owned();
    for mentionee in ours {
        // LINE counts texts in UTF-16 units and does not say how it counts here; a mention begins with "@" however it
        // is counted. https://developers.line.biz/en/docs/messaging-api/text-character-count/
        let place = place(text, mentionee, char::len_utf16).or_else(|| place(text, mentionee, |_| 1));
        if let Some((before, after)) = place.and_then(|(from, to)| Some((left.get(..from)?, left.get(to..)?))) {
            left = joined(before, after);
        }
    }
    (left.trim().to_owned(), true)
}

/// Where the mention begins and ends, in bytes, if characters count as `units` says and it begins with "@".
fn place(text: &str, mentionee: &Mentionee, units: impl Fn(char) -> usize) -> Option<(usize, usize)> {
    let end = mentionee.index.checked_add(mentionee.length)?;
    let (mut from, mut to, mut at) = (None, None, 0);
    for (byte, character) in text.char_indices().chain([(text.len(), '\0')]) {
        if at == mentionee.index {
            from = Some(byte);
        }
        if at == end {
            to = Some(byte);
        }
        at += units(character);
    }
    let (from, to) = (from?, to?);
    text.get(from..to)?.starts_with('@').then_some((from, to))
}

/// What stood around a mention, with one space between the words.
fn joined(before: &str, after: &str) -> String {
    if before.ends_with(' ') && after.starts_with(' ') {
        return format!("{before}{}", after.trim_start_matches(' '));
    }
    format!("{before}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(index: usize, length: usize) -> Mentionee {
        Mentionee { index, length, is_self: true }
    }

    fn seen(text: &str, mentionees: &[Mentionee]) -> (String, bool) {
        read(text, mentionees)
    }

    #[test]
    fn mentions_of_us_go_and_others_stay() {
        let other = Mentionee { index: 8, length: 4, is_self: false };
        assert_eq!(seen("@chela, @ada says hi", &[us(0, 6), other]), (", @ada says hi".to_owned(), true));
        assert_eq!(
            seen("hi @ada", &[Mentionee { index: 3, length: 4, is_self: false }]),
            ("hi @ada".to_owned(), false)
        );
        assert_eq!(seen("ask @chela now @chela", &[us(4, 6), us(15, 6)]), ("ask now".to_owned(), true));
    }

    #[test]
    fn places_are_counted_in_utf16_units_or_in_characters() {
        assert_eq!(seen("👋 @chela hi", &[us(3, 6)]), ("👋 hi".to_owned(), true));
        assert_eq!(seen("👋 @chela hi", &[us(2, 6)]), ("👋 hi".to_owned(), true));
    }

    #[test]
    fn a_mention_that_is_not_there_takes_nothing_away() {
        for odd in [us(0, 3), us(4, 600), us(600, 1), us(usize::MAX, usize::MAX), us(1, 0)] {
            assert_eq!(seen("hello é", &[odd]), ("hello é".to_owned(), true), "{odd:?}", odd = (odd.index, odd.length));
        }
    }
}
