//! Cuts a note where its headings are, and only where a part between headings is too long by its length alone.

use crate::chunks::{Chunk, chunks, size, weigh};
use crate::origin::{Origin, Origins, read_marker};

/// A passage of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// First line, from 1.
    pub(crate) start_line: usize,
    /// Last line.
    pub(crate) end_line: usize,
    /// The headings above its first line, outermost first.
    pub(crate) heading: String,
    /// What it says; comments below notes are left out.
    pub(crate) text: String,
    /// Who wrote it.
    pub(crate) origin: Origin,
}

/// A part of a note that begins with a heading, or the part before the first.
struct Section<'a> {
    /// Its first line, from 0.
    first: usize,
    lines: Vec<&'a str>,
    weight: usize,
}

/// All passages of a note that hold anything.
pub(crate) fn pieces(text: &str, guests: bool, tokens: usize, overlap: usize) -> Vec<Piece> {
    let origins = Origins::of_file(text, guests);
    let headings = headings(text);
    let mut found = Vec::new();
    for Section { first, lines, .. } in sections(text, size(tokens)) {
        for Chunk { start_line, end_line, text } in chunks(&lines.join("\n"), tokens, overlap) {
            if text.trim().is_empty() {
                continue;
            }
            // The first line that says anything: empty ones above a heading are not under the heading before.
            let empty = text.lines().take_while(|line| line.trim().is_empty()).count();
            let (start_line, end_line) = (start_line.saturating_add(first), end_line.saturating_add(first));
            let begin = start_line.saturating_add(empty);
            let heading = headings.iter().rev().find(|(line, _)| *line <= begin).map(|(_, path)| path.clone());
            let origin = origins.of_lines(begin, end_line);
            found.push(Piece { start_line, end_line, heading: heading.unwrap_or_default(), text, origin });
        }
    }
    found
}

/// Parts between headings, small neighbours together as long as they fit into one piece.
fn sections(text: &str, most: usize) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut fenced = false;
    for (number, line) in text.split('\n').enumerate() {
        let begins = level(line).is_some() && !fenced;
        fenced ^= is_fence(line);
        // Comments below notes say nothing that anybody would look for.
        let line = if read_marker(line).is_some() { "" } else { line };
        let weight = weigh(line).saturating_add(1);
        match sections.last_mut().filter(|_| !begins) {
            Some(section) => {
                section.lines.push(line);
                section.weight = section.weight.saturating_add(weight);
            }
            None => sections.push(Section { first: number, lines: vec![line], weight }),
        }
    }
    sections.into_iter().fold(Vec::new(), |mut joined: Vec<Section<'_>>, section| {
        match joined.last_mut().filter(|last| last.weight.saturating_add(section.weight) <= most) {
            Some(last) => {
                last.weight = last.weight.saturating_add(section.weight);
                last.lines.extend(section.lines);
            }
            None => joined.push(section),
        }
        joined
    })
}

/// The line of each heading, from 1, with the headings it is under and itself.
fn headings(text: &str) -> Vec<(usize, String)> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.split('\n').enumerate() {
        if let Some(level) = level(line).filter(|_| !fenced) {
            open.retain(|(other, _)| *other < level);
            open.push((level, line.trim_matches(|c: char| c == '#' || c.is_whitespace())));
            let path: Vec<&str> = open.iter().map(|(_, title)| *title).collect();
            found.push((number.saturating_add(1), path.join(" > ")));
        }
        fenced ^= is_fence(line);
    }
    found
}

/// How deep a heading is; `None` for any other line.
fn level(line: &str) -> Option<usize> {
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    let rest = line.get(hashes..)?;
    ((1..=6).contains(&hashes) && rest.starts_with([' ', '\t'])).then_some(hashes)
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::origin::Trust;

    fn cut(text: &str, tokens: usize) -> Vec<(usize, usize, String)> {
        pieces(text, false, tokens, 2).into_iter().map(|p| (p.start_line, p.end_line, p.heading)).collect()
    }

    #[test]
    fn small_sections_stay_together_and_others_begin_at_a_heading() {
        let text = "# People\n\n## Ada\nlikes tea\n\n## Bob\nlikes milk\n";
        assert_eq!(cut(text, 400), [(1, 8, "People".into())]);
        // 44 units: "# People", its empty line and Ada's section (31) fit, Bob's (19 more) does not.
        assert_eq!(cut(text, 11), [(1, 5, "People".into()), (6, 8, "People > Bob".into())]);
    }

    #[test]
    fn a_long_section_keeps_its_heading_in_every_piece() {
        let text = format!("# Log\nintro\n## March\n{}## April\nend\n", "a line of words\n".repeat(20));
        let cut = cut(&text, 12);
        assert!(cut.len() > 4);
        assert_eq!(cut.first().unwrap().2, "Log");
        assert!(cut.iter().filter(|(.., heading)| heading == "Log > March").count() > 3, "{cut:?}");
        assert_eq!(cut.last().unwrap().2, "Log > April");
    }

    #[test]
    fn a_hash_in_code_or_without_a_space_is_no_heading() {
        let text = "# A\n```\n# not\n```\n#tag\n####### seven\n# B\n";
        let paths: Vec<String> = headings(text).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["A", "B"]);
    }

    #[test]
    fn a_piece_knows_its_author_and_not_the_comment() {
        let text = "# Day\n\n- 10:00 tea\n<!-- saved k; author schedule; trust agent -->\n";
        let piece = pieces(text, false, 400, 80).remove(0);
        assert_eq!((piece.origin.author.as_str(), piece.origin.trust), ("schedule", Trust::Agent));
        assert!(!piece.text.contains("saved") && piece.text.contains("tea") && piece.end_line == 5);
        assert_eq!(pieces(text, true, 400, 80).remove(0).origin.trust, Trust::Guest);
    }

    proptest! {
        #[test]
        fn every_line_that_says_something_is_in_a_piece(text in "([#a-c`~ ]{0,9}\n){0,30}", tokens in 1_usize..30) {
            let cut = pieces(&text, false, tokens, 3);
            for (number, line) in text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let held = cut.iter().any(|p| (p.start_line..=p.end_line).contains(&(number + 1)));
                prop_assert!(held, "{line:?} of {text:?}");
            }
        }
    }
}
