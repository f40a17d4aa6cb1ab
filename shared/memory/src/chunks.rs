//! Cuts a text into pieces of about 400 tokens that overlap by about 80, with OpenClaw's arithmetic: a token is four
//! UTF-16 code units, a line ends a unit later, an overlong line is cut into pieces of its own.
//!
//! Where OpenClaw weighs five classes of East Asian characters, this weighs the common one (a token each); rarer ones
//! count as Latin ones do, which only makes their pieces longer.

/// UTF-16 code units that are reckoned a token.
const UNITS: usize = 4;

/// A piece of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// First line, from 1.
    pub(crate) start_line: usize,
    /// Last line.
    pub(crate) end_line: usize,
    pub(crate) text: String,
}

/// A line or a part of one.
#[derive(Clone)]
struct Segment<'a> {
    text: &'a str,
    line: usize,
}

/// What a piece of so many tokens may weigh.
pub(crate) fn size(tokens: usize) -> usize {
    tokens.saturating_mul(UNITS).max(32)
}

/// All pieces of a text.
pub(crate) fn chunks(text: &str, tokens: usize, overlap: usize) -> Vec<Chunk> {
    let mut cutter = Cutter {
        most: size(tokens),
        overlap: overlap.saturating_mul(UNITS),
        current: Vec::new(),
        size: 0,
        chunks: Vec::new(),
    };
    for (index, line) in text.split('\n').enumerate() {
        if line.is_empty() {
            cutter.add(Segment { text: "", line: index.saturating_add(1) });
        }
        let mut rest = line;
        while !rest.is_empty() {
            let coarse = prefix(rest, cutter.most, char::len_utf16);
            let mut part = coarse;
            while !part.is_empty() {
                let fine = prefix(part, cutter.most, weight);
                cutter.add(Segment { text: fine, line: index.saturating_add(1) });
                part = part.get(fine.len()..).unwrap_or_default();
            }
            rest = rest.get(coarse.len()..).unwrap_or_default();
        }
    }
    cutter.flush();
    cutter.chunks
}

/// The longest beginning of a text whose characters weigh no more than `most`, but at least one character.
fn prefix(text: &str, most: usize, weight: impl Fn(char) -> usize) -> &str {
    let mut sum: usize = 0;
    for (at, c) in text.char_indices() {
        sum = sum.saturating_add(weight(c));
        if sum > most && at > 0 {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}

/// The longest end of a text that weighs no more than `most`; nothing if no character fits.
fn suffix(text: &str, most: usize) -> &str {
    let mut sum: usize = 0;
    for (at, c) in text.char_indices().rev() {
        sum = sum.saturating_add(weight(c));
        if sum > most {
            return text.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
        }
    }
    text
}

fn weight(c: char) -> usize {
    match c {
        '·' | '\u{3000}'..='\u{319f}' | '\u{4e00}'..='\u{9fa5}' | '\u{ac00}'..='\u{d7af}' | '\u{ff01}'..='\u{ff60}' => {
            UNITS
        }
        _ => c.len_utf16(),
    }
}

/// What a text weighs, in the units that [`size`] counts.
pub(crate) fn weigh(text: &str) -> usize {
    text.chars().map(weight).sum()
}

struct Cutter<'a> {
    most: usize,
    overlap: usize,
    current: Vec<Segment<'a>>,
    size: usize,
    chunks: Vec<Chunk>,
}

impl<'a> Cutter<'a> {
    fn add(&mut self, segment: Segment<'a>) {
        let size = weigh(segment.text).saturating_add(1);
        if self.size.saturating_add(size) > self.most && !self.current.is_empty() {
            self.flush();
            self.carry(self.overlap.min(self.most.saturating_sub(size)));
        }
        self.current.push(segment);
        self.size = self.size.saturating_add(size);
    }

    fn flush(&mut self) {
        if let (Some(first), Some(last)) = (self.current.first(), self.current.last()) {
            let text = self.current.iter().map(|segment| segment.text).collect::<Vec<_>>().join("\n");
            self.chunks.push(Chunk { start_line: first.line, end_line: last.line, text });
        }
    }

    /// Keeps the end of the piece just finished as the beginning of the next.
    fn carry(&mut self, window: usize) {
        let mut kept: Vec<Segment<'a>> = Vec::new();
        let mut sum: usize = 0;
        for segment in self.current.iter().rev() {
            let size = weigh(segment.text).saturating_add(1);
            let remaining = window.saturating_sub(sum);
            if size > remaining {
                let tail = if kept.is_empty() { suffix(segment.text, remaining.saturating_sub(1)) } else { "" };
                if !tail.is_empty() {
                    sum = sum.saturating_add(weigh(tail)).saturating_add(1);
                    kept.push(Segment { text: tail, line: segment.line });
                }
                break;
            }
            sum = sum.saturating_add(size);
            kept.push(segment.clone());
            if sum >= window {
                break;
            }
        }
        kept.reverse();
        self.current = kept;
        self.size = sum;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const TOKENS: usize = 400;
    const OVERLAP: usize = 80;

    /// Pieces of OpenClaw 2026.9 for the same notes.
    const FIXTURES: &str = include_str!("../../../tests/fixtures/openclaw/memory_chunks.jsonl");

    #[test]
    fn notes_are_cut_as_openclaw_cuts_them() {
        let mut lines = 0;
        for line in FIXTURES.lines() {
            let fixture: Value = serde_json::from_str(line).unwrap();
            let input = &fixture["input"];
            let number = |key: &str| usize::try_from(input[key].as_u64().unwrap()).unwrap();
            let ours = chunks(input["text"].as_str().unwrap(), number("tokens"), number("overlap"));
            let theirs = fixture["output"].as_array().unwrap();
            let shape = |text: &Value, start: &Value, end: &Value| json!([start, end, text]);
            let ours: Vec<Value> = ours.iter().map(|c| json!([c.start_line, c.end_line, c.text])).collect();
            let theirs: Vec<Value> = theirs.iter().map(|c| shape(&c["text"], &c["startLine"], &c["endLine"])).collect();
            assert_eq!(ours, theirs);
            lines += 1;
        }
        assert_eq!(lines, 7);
    }

    #[test]
    fn east_asian_text_is_cut_by_tokens() {
        let cut = chunks(&"漢".repeat(1000), TOKENS, OVERLAP);
        assert!(cut.iter().all(|chunk| chunk.text.chars().filter(|c| *c == '漢').count() <= TOKENS), "{}", cut.len());
        assert!(cut.len() >= 3);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_piece_is_too_long(text in "[a-z漢😀 \n]{0,400}", tokens in 1_usize..30, overlap in 0_usize..10) {
            let most = (tokens * UNITS).max(32);
            let cut = chunks(&text, tokens, overlap);
            for (line, content) in text.split('\n').enumerate().filter(|(_, content)| !content.is_empty()) {
                let holds = |chunk: &&Chunk| (chunk.start_line..=chunk.end_line).contains(&(line + 1));
                let held: String = cut.iter().filter(holds).map(|chunk| chunk.text.clone()).collect();
                for c in content.chars() {
                    prop_assert!(held.contains(c), "{c} of line {}", line + 1);
                }
            }
            for chunk in &cut {
                prop_assert!(weigh(&chunk.text) <= most, "{chunk:?}");
                prop_assert!(chunk.start_line <= chunk.end_line);
            }
        }
    }
}
