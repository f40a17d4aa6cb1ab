//! Ranges of a text replaced by others: for who reads markdown as events and hands it on as text.

use std::ops::Range;

/// A range of a text, and what is to stand there.
pub type Edit = (Range<usize>, &'static str);

/// The text with its ranges replaced. Of two that overlap the one that begins first counts, and the shorter.
pub fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut edited = String::with_capacity(text.len().saturating_add(edits.len()));
    let mut at = 0;
    for (range, new) in edits {
        if range.start < at {
            continue;
        }
        edited.push_str(text.get(at..range.start).unwrap_or_default());
        edited.push_str(new);
        at = range.end;
    }
    edited.push_str(text.get(at..).unwrap_or_default());
    edited
}
