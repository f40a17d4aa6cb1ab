//! Where a text that still grows can be cut, so that what stands before the cut can be sent.

use super::code_blocks::code_blocks;

/// The kinds of places a text may be cut at, the best last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Space,
    Sentence,
    Line,
    Paragraph,
}

/// The byte before which a growing text may be cut: behind `least` characters or more, and `most` or fewer where that
/// leaves a place; `None` as long as there is none, or too little text. A text that has `stopped` growing for now is cut
/// before it has `most`, though not within a sentence. No code block is ever cut, however long it is.
pub fn block_end(text: &str, least: usize, most: usize, stopped: bool) -> Option<usize> {
    let full = text.chars().count() >= most;
    if !full && !stopped {
        return None;
    }
    // Only line breaks of one kind are looked at: another kind is not cut at.
    let code = code_blocks(text);
    let in_code = |at: usize| code.get(code.partition_point(|block| block.end <= at)).is_some_and(|b| b.contains(&at));
    let worst = if full { Kind::Space } else { Kind::Sentence };
    let mut best: Option<(Kind, usize)> = None;
    for (count, (at, c)) in text.char_indices().enumerate() {
        let end = at.saturating_add(c.len_utf8());
        let rest = text.get(end..).unwrap_or_default();
        let Some(kind) = kind(c, rest).filter(|kind| *kind >= worst && count.saturating_add(1) >= least) else {
            continue;
        };
        // A cut before the end of a code block's line would be within it.
        if in_code(at) || in_code(end) && !starts(&code, end) {
            continue;
        }
        if count >= most {
            // Nothing fits: the first good place behind that.
            match best {
                None if kind >= Kind::Line => return Some(end),
                None => continue,
                Some(_) => break,
            }
        }
        if best.is_none_or(|(known, _)| kind >= known) {
            best = Some((kind, end));
        }
    }
    best.map(|(_, end)| end)
}

/// Whether a code block begins exactly here.
fn starts(code: &[std::ops::Range<usize>], at: usize) -> bool {
    code.iter().any(|block| block.start == at)
}

/// What ends with this character, if what follows says so.
fn kind(c: char, rest: &str) -> Option<Kind> {
    let next = rest.chars().next();
    let blank = || rest.trim_start_matches([' ', '\t']).starts_with('\n');
    match c {
        '\n' if blank() => Some(Kind::Paragraph),
        '\n' => Some(Kind::Line),
        '.' | '!' | '?' | '…' if next.is_none_or(char::is_whitespace) => Some(Kind::Sentence),
        '。' | '！' | '？' => Some(Kind::Sentence),
        c if c.is_whitespace() => Some(Kind::Space),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, least: usize, most: usize, stopped: bool) -> Option<&str> {
        block_end(text, least, most, stopped).map(|end| text.split_at(end).0)
    }

    #[test]
    fn a_block_is_as_long_as_may_be_and_ends_as_well_as_may_be() {
        let text = "One.\n\nTwo two.\n\nThree three three. Four\nfive";
        assert_eq!(cut(text, 1, 100, false), None, "there is room for more");
        assert_eq!(cut(text, 1, 20, false), Some("One.\n\nTwo two.\n"));
        assert_eq!(cut(text, 18, 40, false), Some("One.\n\nTwo two.\n\nThree three three. Four\n"));
        assert_eq!(cut(text, 18, 36, false), Some("One.\n\nTwo two.\n\nThree three three."));
        assert_eq!(cut("wordy words", 2, 8, false), Some("wordy "));
        assert_eq!(cut("unbrokenword", 2, 8, false), None);
    }

    #[test]
    fn a_text_that_stands_still_is_not_cut_within_a_sentence() {
        assert_eq!(cut("Let me look. I thi", 5, 100, true), Some("Let me look."));
        assert_eq!(cut("Let me look.", 5, 100, true), Some("Let me look."));
        assert_eq!(cut("Let me look.", 50, 100, true), None, "too short");
        assert_eq!(cut("Version 1.5 of", 5, 100, true), None);
    }

    #[test]
    fn no_code_is_cut_however_long_it_is() {
        let open = format!("Look:\n\n```sh\n{}", "echo one.\n\n".repeat(20));
        assert_eq!(cut(&open, 1, 50, false), Some("Look:\n"));
        assert_eq!(cut(&open, 10, 50, false), None);
        let closed = format!("{open}```\nThat is all.");
        assert_eq!(cut(&closed, 10, 50, false), closed.strip_suffix("That is all."));
    }

    proptest! {
        /// However a text grows, its blocks are the text, and each has its fences in pairs.
        #[test]
        fn blocks_are_the_text_and_no_fence_is_open_in_any(
            lines in prop::collection::vec("[a-c.]{0,6}( [a-c.é]{1,6}){0,3}", 0..20),
            fences in prop::collection::vec((0..20usize, 0..4usize), 0..3),
            (least, more) in (1..20usize, 0..30usize),
        ) {
            let mut lines = lines;
            for (from, length) in fences {
                if from + length < lines.len() {
                    for at in [from + length, from] {
                        lines.insert(at, "```".to_owned());
                    }
                }
            }
            let fences = |text: &str| text.lines().filter(|line| *line == "```").count();
            let text = lines.join("\n");
            let whole = fences(&text) % 2 == 0;
            let (mut from, mut blocks) = (0, Vec::new());
            for (at, _) in text.char_indices() {
                if let Some(end) = block_end(&text[from..at], least, least + more, at % 3 == 0) {
                    blocks.push(&text[from..from + end]);
                    from += end;
                }
            }
            for block in &blocks {
                prop_assert!(block.chars().count() >= least, "{:?}", block);
                prop_assert!(fences(block) % 2 == 0 || !whole, "{:?} of {:?}", block, text);
            }
            prop_assert_eq!(blocks.concat() + &text[from..], text);
        }
    }
}
