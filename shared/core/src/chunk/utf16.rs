//! A text with offsets in UTF-16 units that knows where its visible characters (grapheme clusters) begin.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use crate::agent_id::is_js_space;

/// A text addressed by UTF-16 units. An offset inside a character stands for where that character begins.
pub(super) struct Utf16<'a> {
    text: &'a str,
    /// For each unit, and for the end, the byte where its character begins.
    bytes: std::rc::Rc<[usize]>,
    /// How much of the original text this is the rest of: in bytes and in units.
    base: (usize, usize),
}

/// Where a stretch of text may be cut.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Breakpoints {
    /// The last line break outside parentheses.
    pub(super) newline: Option<usize>,
    /// The last other whitespace outside parentheses.
    pub(super) space: Option<usize>,
}

impl<'a> Utf16<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for (at, c) in text.char_indices() {
            bytes.extend(std::iter::repeat_n(at, c.len_utf16()));
        }
        bytes.push(text.len());
        Self { text, bytes: bytes.into(), base: (0, 0) }
    }

    pub(super) fn len(&self) -> usize {
        (self.bytes.len() - 1).saturating_sub(self.base.1)
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(self.byte(start)..self.byte(end)).unwrap_or_default()
    }

    /// The text from a unit on, as a text of its own.
    pub(super) fn suffix(&self, start: usize) -> Self {
        let byte = self.byte(start);
        Self {
            text: self.text.get(byte..).unwrap_or_default(),
            bytes: std::rc::Rc::clone(&self.bytes),
            base: (self.base.0 + byte, self.base.1 + start),
        }
    }

    /// The character that begins at a unit, if one does.
    pub(super) fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(self.byte(at)..)?.chars().next()
    }

    /// Where to end a chunk that begins at `start` and must not pass `max_end`: at `preferred` where that is
    /// usable, before a visible character that would be cut otherwise, and inside one only where not even the
    /// first fits. A single character of two units is never cut, even where it passes `max_end`.
    pub(super) fn chunk_end(&self, start: usize, max_end: usize, preferred: Option<usize>) -> usize {
        let hard_end = max_end.min(self.len());
        if hard_end <= start {
            return start;
        }
        let preferred = preferred.filter(|at| *at > start && *at <= hard_end).unwrap_or(hard_end);
        if preferred == self.len() {
            return preferred;
        }
        let mut end = self.cluster_start(preferred);
        if end <= start && preferred < hard_end {
            end = if hard_end == self.len() { hard_end } else { self.cluster_start(hard_end) };
        }
        if end > start { end } else { self.char_boundary(start, hard_end) }
    }

    /// Skips up to `max` visible characters that are whitespace through and through.
    pub(super) fn skip_space(&self, start: usize, max: usize) -> usize {
        let mut cursor = start;
        let mut skipped = 0;
        while skipped < max && cursor < self.len() && self.char_at(cursor).is_some_and(is_js_space) {
            let end = self.cluster_end(cursor);
            if self.cluster_start(cursor) != cursor || !self.slice(cursor, end).chars().all(is_js_space) {
                break;
            }
            cursor = end;
            skipped += 1;
        }
        cursor
    }

    /// The end of the text before `end` without the visible characters at its end that are whitespace.
    pub(super) fn trim_end(&self, end: usize) -> usize {
        let mut cursor = end;
        while cursor > 0 && self.char_at(cursor - 1).is_some_and(is_js_space) {
            let start = self.cluster_start(cursor - 1);
            let cluster_end = self.cluster_end(start);
            if cluster_end > cursor || !self.slice(start, cluster_end).chars().all(is_js_space) {
                break;
            }
            cursor = start;
        }
        cursor
    }

    /// Where the text between two units may be cut. `skip_to` tells for a unit where to go on instead.
    pub(super) fn breakpoints(
        &self,
        start: usize,
        end: usize,
        mut skip_to: impl FnMut(usize) -> Option<usize>,
    ) -> Breakpoints {
        let mut breaks = Breakpoints::default();
        let mut depth = 0_usize;
        let mut at = start;
        while at < end {
            if let Some(next) = skip_to(at) {
                at = next.max(at + 1);
                continue;
            }
            let c = self.char_at(at).unwrap_or_default();
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                '\n' if depth == 0 => breaks.newline = Some(at),
                c if depth == 0 && is_js_space(c) => breaks.space = Some(at),
                _ => {}
            }
            at += c.len_utf16();
        }
        breaks
    }

    /// `end`, or the nearest end that does not cut the character there; never `start`.
    fn char_boundary(&self, start: usize, end: usize) -> usize {
        let cut = end < self.len() && self.byte(end) == self.byte(end - 1);
        match (cut, end - 1 > start) {
            (false, _) => end,
            (true, true) => end - 1,
            (true, false) => end + 1,
        }
    }

    fn cluster_start(&self, at: usize) -> usize {
        let byte = self.byte(at);
        let mut cursor = GraphemeCursor::new(byte, self.text.len(), true);
        let start = match cursor.is_boundary(self.text, 0) {
            Ok(true) => byte,
            _ => cursor.prev_boundary(self.text, 0).ok().flatten().unwrap_or(0),
        };
        self.unit(start)
    }

    fn cluster_end(&self, start: usize) -> usize {
        let mut cursor = GraphemeCursor::new(self.byte(start), self.text.len(), true);
        self.unit(cursor.next_boundary(self.text, 0).ok().flatten().unwrap_or(self.text.len()))
    }

    fn byte(&self, unit: usize) -> usize {
        let byte = self.bytes.get(self.base.1 + unit).copied().unwrap_or(self.base.0 + self.text.len());
        byte.saturating_sub(self.base.0)
    }

    fn unit(&self, byte: usize) -> usize {
        self.bytes.partition_point(|at| *at < self.base.0 + byte).saturating_sub(self.base.1)
    }
}

/// The text without the visible characters at its end that are whitespace.
pub(super) fn trim_end(text: &str) -> &str {
    let mut end = text.len();
    for (start, cluster) in text.grapheme_indices(true).rev() {
        if !cluster.chars().all(is_js_space) {
            break;
        }
        end = start;
    }
    text.get(..end).unwrap_or_default()
}
