//! Cutting a reply into messages a platform accepts. Limits count UTF-16 code units, as platforms and OpenClaw
//! do; no cut falls inside a character, nor inside what a reader sees as one where that fits the limit.

mod block;
mod code_blocks;
mod markdown;
mod utf16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::block::block_end;
use self::code_blocks::code_blocks;
use self::markdown::{chunk_markdown_by_length, split_packed_fences};
use self::utf16::Utf16;

/// Where a text is preferably cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChunkMode {
    /// At the last line break or space that fits.
    #[default]
    Length,
    /// Between paragraphs, and only inside one that is longer than the limit.
    Newline,
}

/// Cuts plain text into chunks of at most `limit` UTF-16 units; 0 is no limit. Whitespace around a cut is
/// dropped. A chunk exceeds the limit only where one character needs two units and the limit is one.
#[must_use]
pub fn chunk_text(text: &str, limit: usize, mode: ChunkMode) -> Vec<String> {
    match mode {
        ChunkMode::Length => chunk_by_length(text, limit),
        ChunkMode::Newline => chunk_by_paragraph(text, limit, true),
    }
}

/// Cuts markdown into chunks of at most `limit` UTF-16 units; 0 is no limit. A fenced code block that must be
/// cut is closed at the end of a chunk and opened again in the next, wherever the limit leaves room for that. A
/// chunk exceeds the limit, by one unit, only where that is all the room left and a character needs two.
#[must_use]
pub fn chunk_markdown(text: &str, limit: usize, mode: ChunkMode) -> Vec<String> {
    if mode == ChunkMode::Length {
        return chunk_markdown_by_length(text, limit);
    }
    let mut chunks = Vec::new();
    for paragraphs in chunk_by_paragraph(text, limit, false) {
        let parts = if utf16_len(&paragraphs) > limit { split_packed_fences(&paragraphs) } else { vec![paragraphs] };
        chunks.extend(parts.iter().flat_map(|part| chunk_markdown_by_length(part, limit)));
    }
    chunks
}

fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

fn chunk_by_length(text: &str, limit: usize) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let text = Utf16::new(text);
    if limit == 0 || text.len() <= limit {
        return vec![text.slice(0, text.len()).to_owned()];
    }
    let mut chunks = Vec::new();
    // What follows a cut is read afresh: a cut inside a long emoji begins a new one.
    let mut rest = text;
    while rest.len() > limit {
        let breaks = rest.breakpoints(0, limit, |_| None);
        let preferred = breaks.newline.filter(|at| *at > 0).or(breaks.space);
        let cut = rest.chunk_end(0, limit, preferred);
        let end = rest.trim_end(cut);
        if end > 0 {
            chunks.push(rest.slice(0, end).to_owned());
        }
        rest = rest.suffix(rest.skip_space(cut, usize::MAX));
    }
    let end = rest.trim_end(rest.len());
    if end > 0 {
        chunks.push(rest.slice(0, end).to_owned());
    }
    chunks
}

/// Packs whole paragraphs into chunks. Without `split_long`, a paragraph over the limit stays whole.
fn chunk_by_paragraph(text: &str, limit: usize, split_long: bool) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    if limit == 0 {
        return vec![text.to_owned()];
    }
    let text = text.replace('\u{2029}', "\n\n").replace("\r\n", "\n").replace(['\r', '\u{2028}'], "\n");
    let split = |text: &str| if split_long { chunk_by_length(text, limit) } else { vec![text.to_owned()] };
    let blank_lines = blank_lines(&text);
    if blank_lines.is_empty() {
        return if utf16_len(&text) <= limit { vec![text] } else { split(&text) };
    }
    let code = code_blocks(&text);
    let mut packer = Packer { chunks: Vec::new(), current: String::new(), limit };
    let (mut start, mut separator) = (0, "");
    for (from, to) in blank_lines {
        let block = code.get(code.partition_point(|block| block.end <= from));
        if block.is_some_and(|block| block.contains(&from)) {
            continue;
        }
        packer.add(separator, text.get(start..from).unwrap_or_default(), &split);
        separator = text.get(from..to).unwrap_or_default();
        start = to;
    }
    packer.add(separator, text.get(start..).unwrap_or_default(), &split);
    packer.finish()
}

/// The byte ranges that separate paragraphs: a line break, blanks, and all further line breaks.
fn blank_lines(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let run = |from: usize, wanted: fn(u8) -> bool| bytes.iter().skip(from).take_while(|b| wanted(**b)).count();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = bytes.iter().skip(at).position(|b| *b == b'\n') {
        let start = at + offset;
        let blanks = start + 1 + run(start + 1, |b| matches!(b, b' ' | b'\t'));
        let breaks = run(blanks, |b| b == b'\n');
        at = if breaks == 0 { start + 1 } else { blanks + breaks };
        if breaks > 0 {
            found.push((start, at));
        }
    }
    found
}

struct Packer {
    chunks: Vec<String>,
    current: String,
    limit: usize,
}

impl Packer {
    fn add(&mut self, separator: &str, paragraph: &str, split: &impl Fn(&str) -> Vec<String>) {
        let paragraph = utf16::trim_end(paragraph);
        if paragraph.is_empty() {
            return;
        }
        if !self.current.is_empty() {
            let length = utf16_len(&self.current) + utf16_len(separator) + utf16_len(paragraph);
            if length <= self.limit {
                self.current.push_str(separator);
                self.current.push_str(paragraph);
                return;
            }
            self.chunks.push(std::mem::take(&mut self.current));
        }
        if utf16_len(paragraph) <= self.limit {
            paragraph.clone_into(&mut self.current);
        } else {
            self.chunks.extend(split(paragraph));
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.chunks.push(self.current);
        }
        self.chunks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODES: [ChunkMode; 2] = [ChunkMode::Length, ChunkMode::Newline];

    #[test]
    fn a_flag_or_a_family_is_cut_only_where_it_does_not_fit() {
        assert_eq!(chunk_text("a 👩‍👩‍👧‍👦", 12, ChunkMode::Length), ["a", "👩‍👩‍👧‍👦"]);
        assert_eq!(chunk_text("👩‍👩‍👧‍👦", 4, ChunkMode::Length).concat(), "👩‍👩‍👧‍👦");
        assert_eq!(chunk_text("😀😀", 1, ChunkMode::Length), ["😀", "😀"]);
    }

    #[test]
    fn parentheses_are_kept_together() {
        assert_eq!(chunk_text("see (a b c) now", 12, ChunkMode::Length), ["see (a b c)", "now"]);
        assert_eq!(chunk_text("see (a b c) now", 8, ChunkMode::Length), ["see", "(a b c)", "now"]);
    }

    #[test]
    fn code_that_must_be_cut_is_closed_and_opened_again() {
        let text = format!("```rust\n{}```", "let x = 1;\n".repeat(6));
        let chunks = chunk_markdown(&text, 40, ChunkMode::Length);
        assert!(chunks.len() > 1);
        assert!(chunks.iter().all(|chunk| chunk.starts_with("```rust\n") && chunk.ends_with("\n```")), "{chunks:?}");
    }

    #[test]
    fn paragraphs_are_packed_and_code_is_not_taken_for_paragraphs() {
        let text = "one\n\ntwo\n\n```\na\n\nb\n```";
        assert_eq!(chunk_text(text, 10, ChunkMode::Newline), ["one\n\ntwo", "```\na\n\nb", "```"]);
        assert_eq!(chunk_markdown(text, 14, ChunkMode::Newline), ["one\n\ntwo", "```\na\n\nb\n```"]);
    }

    #[test]
    fn no_limit_is_no_cut() {
        for mode in MODES {
            assert_eq!(chunk_text("a\r\n\r\nb", 0, mode), ["a\r\n\r\nb"]);
            assert_eq!(chunk_markdown("a\r\n\r\nb", 0, mode), ["a\r\n\r\nb"]);
            assert!(chunk_text("", 5, mode).is_empty());
        }
    }

    fn visible(text: &str) -> String {
        text.chars().filter(|c| !crate::agent_id::is_js_space(*c)).collect()
    }

    /// The text without its fence lines, of which cutting adds some.
    fn unfenced(text: &str) -> String {
        visible(&text.split('\n').filter(|line| !line.trim().starts_with("```")).collect::<String>())
    }

    /// Prose and closed code blocks, as a model writes them.
    fn markdown() -> impl Strategy<Value = String> {
        let prose = "[a-zé😀 ]{0,60}";
        let code = "[a-z{}; \n]{0,120}".prop_map(|code| format!("```rust\n{code}\n```"));
        proptest::collection::vec(prop_oneof![prose, code, Just(String::new())], 0..12)
            .prop_map(|blocks| blocks.join("\n"))
    }

    proptest! {
        #[test]
        fn plain_text_loses_nothing_but_space(text in "(\\PC|[ \t\n\r()`~>-]){0,300}", limit in 2_usize..80) {
            for mode in MODES {
                let chunks = chunk_text(&text, limit, mode);
                prop_assert_eq!(visible(&chunks.concat()), visible(&text));
                prop_assert!(chunks.iter().all(|chunk| !chunk.is_empty() && utf16_len(chunk) <= limit));
            }
        }

        #[test]
        fn any_markdown_can_be_cut_at_any_limit(text in "(\\PC|[ \t\n\r()`~>-]|```|\n```\n){0,200}", limit in 0_usize..60) {
            for mode in MODES {
                let chunks = chunk_markdown(&text, limit, mode);
                // Between long fence lines one unit may be all the room, and a character may need two.
                prop_assert!(limit == 0 || chunks.iter().all(|chunk| utf16_len(chunk) <= limit + 1));
            }
        }

        #[test]
        fn markdown_keeps_its_text_and_closes_its_code(text in markdown(), limit in 40_usize..200) {
            for mode in MODES {
                let chunks = chunk_markdown(&text, limit, mode);
                prop_assert_eq!(unfenced(&chunks.join("\n")), unfenced(&text));
                for chunk in &chunks {
                    prop_assert!(utf16_len(chunk) <= limit);
                    let fences = chunk.split('\n').filter(|line| line.starts_with("```")).count();
                    prop_assert_eq!(fences % 2, 0, "{:?}", chunk);
                }
            }
        }
    }
}
