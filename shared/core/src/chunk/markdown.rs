//! Cutting markdown by length without leaving a code fence open.

use super::utf16::Utf16;
use crate::agent_id::js_trim;

/// Spaces, fence and line break that a cut inside a fence needs besides its two fence lines.
const FENCE_ROOM: usize = 3;

/// One fenced code block, in UTF-16 units.
struct Fence<'a> {
    start: usize,
    end: usize,
    open_line: &'a str,
    open_len: usize,
    /// Indentation and marker: the line that closes the block.
    close_line: &'a str,
}

impl<'a> Fence<'a> {
    fn contains(&self, at: usize) -> bool {
        self.start < at && at < self.end
    }

    /// The line that opens the block again in the next chunk: with its language where there is room for it,
    /// empty where there is no room at all.
    fn reopen_line(&self, limit: usize) -> &'a str {
        if self.open_len + self.close_line.len() + FENCE_ROOM <= limit {
            self.open_line
        } else if self.close_line.len() * 2 + FENCE_ROOM <= limit {
            self.close_line
        } else {
            ""
        }
    }
}

pub(super) fn chunk_markdown_by_length(text: &str, limit: usize) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let source = Utf16::new(text);
    if limit == 0 || source.len() <= limit {
        return vec![text.to_owned()];
    }
    let fences = fences(text);
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut reopen: Option<&Fence<'_>> = None;
    while start < source.len() {
        let mut chunk = reopen.map(|fence| fence.reopen_line(limit)).unwrap_or_default().to_owned();
        if !chunk.is_empty() {
            chunk.push('\n');
        }
        let room = limit.saturating_sub(super::utf16_len(&chunk)).max(1);
        if source.len() - start <= room {
            chunk.push_str(source.slice(start, source.len()));
            chunks.push(chunk);
            break;
        }
        let window = Window { start, room, reopened: !chunk.is_empty() };
        let cut = find_cut(&source, &fences, &window, limit);
        if cut.at <= start {
            break;
        }
        chunk.push_str(source.slice(start, cut.at));
        if let Some(fence) = cut.close {
            if !chunk.ends_with('\n') {
                chunk.push('\n');
            }
            chunk.push_str(fence.close_line);
        }
        chunks.push(chunk);
        reopen = cut.reopen;
        start = if cut.in_fence { cut.at } else { skip_blank(&source, cut.at) };
    }
    chunks
}

/// Cuts a text that is mostly code at the blank lines that follow its code blocks.
pub(super) fn split_packed_fences(text: &str) -> Vec<String> {
    let source = Utf16::new(text);
    let mut parts = Vec::new();
    let mut start = 0;
    for fence in fences(text) {
        if fence.end <= start {
            continue;
        }
        let rest = source.slice(fence.end, source.len());
        let Some((0, separator)) = super::blank_lines(rest).first().copied() else { continue };
        if js_trim(rest.get(separator..).unwrap_or_default()).is_empty() {
            continue;
        }
        parts.push(source.slice(start, fence.end).to_owned());
        start = fence.end + separator;
    }
    if start < source.len() || parts.is_empty() {
        parts.push(source.slice(start, source.len()).to_owned());
    }
    parts
}

/// The stretch of text from which the next chunk is taken.
struct Window {
    start: usize,
    room: usize,
    reopened: bool,
}

/// Where a chunk ends.
struct Cut<'f, 'a> {
    at: usize,
    /// Whether the place first looked at was inside a fence: then no whitespace is dropped after the cut.
    in_fence: bool,
    /// The block to close at the end of this chunk.
    close: Option<&'f Fence<'a>>,
    /// The block to open at the beginning of the next one.
    reopen: Option<&'f Fence<'a>>,
}

fn find_cut<'f, 'a>(source: &Utf16<'a>, fences: &'f [Fence<'a>], window: &Window, limit: usize) -> Cut<'f, 'a> {
    let Window { start, room, reopened } = *window;
    let end = source.len().min(start + room);
    let hard = || source.chunk_end(start, end, None);
    let at = source.chunk_end(start, end, soft_break(source, start, end, fences));
    let Some(fence) = fence_at(fences, at) else { return Cut { at, in_fence: false, close: None, reopen: None } };
    if fence.reopen_line(limit).is_empty() {
        return Cut { at: hard(), in_fence: true, close: None, reopen: None };
    }
    // The closing line, and the line break before it unless the cut is at one, must fit as well. Where the
    // room does not even hold a closing line these ends lie before the start.
    let with_newline = (start + room).saturating_sub(fence.close_line.len());
    let without_newline = with_newline.saturating_sub(1);
    let progress =
        source.len().min(if reopened { start + 1 } else { (start + 1).max(fence.start + fence.open_len + 2) });
    let line_start = last_line_start(source, fences, fence, progress, start.max(with_newline.saturating_sub(1)), start);
    if line_start.is_none() && progress >= with_newline {
        return Cut { at: hard(), in_fence: true, close: None, reopen: Some(fence) };
    }
    let at = match line_start {
        Some(at) => source.chunk_end(start, with_newline, Some(at)),
        None => source.chunk_end(start, without_newline, None),
    };
    let close = fence_at(fences, at).filter(|there| there.start == fence.start);
    Cut { at, in_fence: true, close, reopen: close }
}

/// The last line of the block that begins after `progress` and whose preceding line break is not after `last`.
fn last_line_start(
    source: &Utf16<'_>,
    fences: &[Fence<'_>],
    fence: &Fence<'_>,
    progress: usize,
    last: usize,
    start: usize,
) -> Option<usize> {
    (start..=last.min(source.len().saturating_sub(1)))
        .rev()
        .filter(|at| source.char_at(*at) == Some('\n'))
        .map(|at| at + 1)
        .take_while(|line| *line >= progress)
        .find(|line| fence_at(fences, *line).is_some_and(|there| there.start == fence.start))
}

/// The last place outside fences and parentheses to cut at: a line break if there is one, else a space.
fn soft_break(source: &Utf16<'_>, start: usize, end: usize, fences: &[Fence<'_>]) -> Option<usize> {
    let mut ahead = fences.get(fences.partition_point(|fence| fence.end <= start)..).unwrap_or_default();
    let breaks = source.breakpoints(start, end, |at| {
        while let [fence, later @ ..] = ahead
            && fence.end <= at
        {
            ahead = later;
        }
        ahead.first().filter(|fence| at > fence.start).map(|fence| fence.end)
    });
    breaks.newline.filter(|at| *at > start).or(breaks.space.filter(|at| *at > start))
}

/// After a cut in prose: one whitespace is dropped, and where a line break follows, the blank lines.
fn skip_blank(source: &Utf16<'_>, at: usize) -> usize {
    let at = source.skip_space(at, 1);
    if source.char_at(at) != Some('\n') {
        return at;
    }
    let after = source.skip_space(at, 1);
    if after == at {
        return at;
    }
    (after..source.len()).find(|at| source.char_at(*at) != Some('\n')).unwrap_or(source.len())
}

/// The block that a place is strictly inside of.
fn fence_at<'f, 'a>(fences: &'f [Fence<'a>], at: usize) -> Option<&'f Fence<'a>> {
    fences.get(fences.partition_point(|fence| fence.end <= at)).filter(|fence| fence.contains(at))
}

/// The fenced blocks at the top level of a text. One that is never closed reaches to the end.
fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    let mut start = 0;
    for line in text.split('\n') {
        let len = super::utf16_len(line);
        if let Some((close_line, info)) = fence_line(line) {
            match open.take() {
                None => {
                    let open_line = line.strip_suffix('\r').unwrap_or(line);
                    let open_len = super::utf16_len(open_line);
                    open = Some(Fence { start, end: 0, open_line, open_len, close_line });
                }
                Some(fence) if closes(fence.close_line, close_line, info) => {
                    fences.push(Fence { end: start + len, ..fence });
                }
                still_open => open = still_open,
            }
        }
        start += len + 1;
    }
    fences.extend(open.map(|fence| Fence { end: start - 1, ..fence }));
    fences
}

/// A line that can open or close a block, as indentation with marker, and what follows them.
fn fence_line(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let body = line.trim_start_matches(' ');
    let indent = line.len() - body.len();
    let marker = body.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = body.trim_start_matches(marker);
    let head = line.len() - info.len();
    let is_fence = indent <= 3 && head - indent >= 3 && !info.contains(['\r', '\u{2028}', '\u{2029}']);
    if is_fence { Some((line.get(..head)?, info)) } else { None }
}

fn closes(open: &str, line: &str, info: &str) -> bool {
    let (open, marker) = (open.trim_start_matches(' '), line.trim_start_matches(' '));
    marker.starts_with(open) && info.chars().all(|c| matches!(c, ' ' | '\t'))
}
