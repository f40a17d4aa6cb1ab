//! Where a markdown text has code blocks, fenced or indented, inside lists and quotations too. This is the part
//! of CommonMark's block structure that a blank line inside code depends on; raw HTML is plain text, as in
//! OpenClaw. Inline markup is not looked at: no inline code contains a blank line.

use std::ops::Range;

/// The byte ranges of a text's code blocks, in order. The text has no line breaks other than `\n`.
pub(super) fn code_blocks(text: &str) -> Vec<Range<usize>> {
    let mut parser = Parser { containers: Vec::new(), leaf: Leaf::None, blocks: Vec::new(), end: 0 };
    // OpenClaw's parser drops a byte order mark, and its places are then one unit short.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut start = (text.len() - body.len()).saturating_sub(1);
    for line in body.split('\n') {
        parser.line(Cursor { line, at: 0, column: 0, tab: 0 }, start);
        start += line.len() + 1;
        parser.end = start - 1;
    }
    parser.close_leaf();
    parser.blocks
}

/// How far a line must be indented to be code.
const CODE_INDENT: usize = 4;

enum Container {
    Quote,
    /// A list item, with the columns its content is indented by.
    Item {
        indent: usize,
        /// Nothing but its marker has been seen yet.
        empty: bool,
        /// A blank line came before any content: the next line is outside.
        over: bool,
    },
}

/// The block that a line's text may go on with.
enum Leaf {
    None,
    Paragraph {
        /// Columns of the table this paragraph's last line could be the head of.
        cells: usize,
        /// Nothing but link definitions so far, which no line makes a heading of.
        definitions: bool,
    },
    Table,
    Fence {
        start: usize,
        marker: char,
        length: usize,
    },
    Indented {
        start: usize,
        end: usize,
    },
}

struct Parser {
    containers: Vec<Container>,
    leaf: Leaf,
    blocks: Vec<Range<usize>>,
    /// Where the last line that belongs to the open blocks ends.
    end: usize,
}

impl Parser {
    fn line(&mut self, mut cursor: Cursor<'_>, start: usize) {
        let matched = self.match_containers(&mut cursor);
        let all_matched = matched == self.containers.len();
        let line_end = start + cursor.line.len();
        // A container that interrupts a paragraph, or code that could go on, must not look like an accident.
        let interrupts = all_matched && matches!(self.leaf, Leaf::Paragraph { .. } | Leaf::Indented { .. });
        if all_matched && self.continue_code(&cursor, start) {
            return;
        }
        let mut lazy = !all_matched;
        // Code on the line that leaves a container is a block of that line alone, as in OpenClaw's parser.
        let mut outside = lazy;
        // An unmatched container closes the code inside it; only a paragraph can go on without its containers.
        if lazy && !matches!(self.leaf, Leaf::Paragraph { .. }) {
            self.close(matched);
            lazy = false;
        }
        loop {
            let indent = cursor.indent();
            let in_paragraph = matches!(self.leaf, Leaf::Paragraph { .. });
            if cursor.is_blank() || (indent >= CODE_INDENT && in_paragraph) {
                break;
            }
            if indent >= CODE_INDENT {
                self.close_leaf();
                cursor.skip_columns(CODE_INDENT);
                self.leaf = Leaf::Indented { start: start + cursor.at, end: line_end };
                if outside {
                    self.close_leaf();
                }
                return;
            }
            let rest = cursor.rest();
            if let Some(container) = container_at(&cursor, interrupts) {
                self.close(if lazy { matched } else { self.containers.len() });
                (lazy, outside) = (false, false);
                cursor.enter(&container);
                self.containers.push(container);
                continue;
            }
            let flow = Flow::of(rest, !lazy && matches!(self.leaf, Leaf::Paragraph { definitions: false, .. }));
            if flow != Flow::Text {
                self.close(if lazy { matched } else { self.containers.len() });
                if let Flow::Fence { marker, length } = flow {
                    self.leaf = Leaf::Fence { start: line_end - rest.len(), marker, length };
                }
                return;
            }
            break;
        }
        self.text(&cursor, lazy, matched);
    }

    /// Ends the line as text: a blank one closes the paragraph, any other goes on with it or begins one.
    fn text(&mut self, cursor: &Cursor<'_>, lazy: bool, matched: usize) {
        if cursor.is_blank() {
            self.close(if lazy { matched } else { self.containers.len() });
            return;
        }
        let rest = cursor.rest();
        let is_head = !lazy && cursor.indent() < CODE_INDENT;
        let definition = rest.starts_with('[') && rest.contains("]:");
        let cells = if is_head { table_cells(rest) } else { 0 };
        self.leaf = match self.leaf {
            Leaf::Table => Leaf::Table,
            Leaf::Paragraph { cells, .. } if is_head && cells > 0 && delimiter_cells(rest) == Some(cells) => {
                Leaf::Table
            }
            Leaf::Paragraph { definitions, .. } => Leaf::Paragraph { cells, definitions: definitions && definition },
            _ => Leaf::Paragraph { cells, definitions: definition },
        };
    }

    /// Consumes the markers of the open containers; returns how many go on with this line.
    fn match_containers(&mut self, cursor: &mut Cursor<'_>) -> usize {
        let mut matched = 0;
        for container in &mut self.containers {
            let goes_on = match &*container {
                Container::Quote => cursor.indent() < CODE_INDENT && cursor.rest().starts_with('>'),
                Container::Item { indent, over, .. } => cursor.is_blank() || (!over && cursor.indent() >= *indent),
            };
            if !goes_on {
                break;
            }
            match container {
                Container::Quote => cursor.enter(container),
                Container::Item { indent, empty, over } => {
                    cursor.skip_columns(*indent);
                    *over |= *empty && cursor.is_blank();
                    *empty &= cursor.is_blank();
                }
            }
            matched += 1;
        }
        matched
    }

    /// Whether the line belongs to the open code block.
    fn continue_code(&mut self, cursor: &Cursor<'_>, line_start: usize) -> bool {
        let line_end = line_start + cursor.line.len();
        match &mut self.leaf {
            Leaf::Fence { start, marker, length } => {
                let rest = cursor.rest();
                let run = rest.chars().take_while(|c| c == marker).count();
                let closes = cursor.indent() < CODE_INDENT
                    && run >= *length
                    && rest.chars().skip(run).all(|c| matches!(c, ' ' | '\t'));
                if closes {
                    self.blocks.push(*start..line_end);
                    self.leaf = Leaf::None;
                }
                true
            }
            // A line of nothing but blanks is code where it is indented enough.
            Leaf::Indented { end, .. } if cursor.indent() >= CODE_INDENT => {
                *end = line_end;
                true
            }
            Leaf::Indented { .. } if cursor.is_blank() => true,
            Leaf::Indented { .. } => {
                self.close_leaf();
                false
            }
            _ => false,
        }
    }

    /// Closes the leaf and all containers but the first `keep`.
    fn close(&mut self, keep: usize) {
        self.close_leaf();
        self.containers.truncate(keep);
    }

    fn close_leaf(&mut self) {
        match std::mem::replace(&mut self.leaf, Leaf::None) {
            Leaf::Fence { start, .. } => self.blocks.push(start..self.end),
            Leaf::Indented { start, end } => self.blocks.push(start..end),
            Leaf::None | Leaf::Paragraph { .. } | Leaf::Table => {}
        }
    }
}

/// The container that begins here, if one does.
fn container_at(cursor: &Cursor<'_>, interrupts: bool) -> Option<Container> {
    let rest = cursor.rest();
    if rest.starts_with('>') {
        return Some(Container::Quote);
    }
    if is_thematic_break(rest) {
        return None;
    }
    let width = list_marker(rest, interrupts)?;
    let mut after = *cursor;
    let marker_indent = cursor.indent();
    after.skip_columns(marker_indent);
    after.skip_bytes(width);
    let spaces = after.indent();
    if after.is_blank() {
        return (!interrupts).then_some(Container::Item {
            indent: marker_indent + width + 1,
            empty: true,
            over: false,
        });
    }
    let padding = if spaces > CODE_INDENT { 1 } else { spaces };
    Some(Container::Item { indent: marker_indent + width + padding, empty: false, over: false })
}

/// What a line is once its containers are taken off.
#[derive(PartialEq)]
enum Flow {
    Fence {
        marker: char,
        length: usize,
    },
    /// A heading, a rule, or the line under a heading: a block of one line.
    Line,
    Text,
}

impl Flow {
    fn of(rest: &str, under_paragraph: bool) -> Self {
        let Some(marker) = rest.chars().next() else { return Self::Text };
        let length = rest.chars().take_while(|c| *c == marker).count();
        let after = rest.trim_start_matches(marker);
        let blank = |text: &str| text.chars().all(|c| matches!(c, ' ' | '\t'));
        match marker {
            '`' if length >= 3 && !after.contains('`') => Self::Fence { marker, length },
            '~' if length >= 3 => Self::Fence { marker, length },
            '#' if length <= 6 && (after.is_empty() || after.starts_with([' ', '\t'])) => Self::Line,
            '-' | '=' if under_paragraph && blank(after) => Self::Line,
            _ if is_thematic_break(rest) => Self::Line,
            _ => Self::Text,
        }
    }
}

fn is_thematic_break(rest: &str) -> bool {
    let Some(marker) = rest.chars().next().filter(|c| matches!(c, '*' | '-' | '_')) else { return false };
    rest.chars().all(|c| c == marker || matches!(c, ' ' | '\t')) && rest.matches(marker).count() >= 3
}

/// The width of a list marker. A list that interrupts a paragraph must begin with 1.
fn list_marker(rest: &str, interrupts: bool) -> Option<usize> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let width = match rest.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => {
            if interrupts && rest.get(..digits) != Some("1") {
                return None;
            }
            digits + 1
        }
        _ => return None,
    };
    rest.get(width..).filter(|after| after.is_empty() || after.starts_with([' ', '\t'])).map(|_| width)
}

/// How many cells a line has as the head of a table.
fn table_cells(rest: &str) -> usize {
    let row = rest.trim_matches([' ', '\t']);
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut escaped = false;
    let dividers = row.char_indices().filter(|(at, c)| {
        let divides = *c == '|' && !escaped && at + 1 < row.len();
        escaped = *c == '\\' && !escaped;
        divides
    });
    if row.is_empty() { 0 } else { dividers.count() + 1 }
}

/// How many cells a line has as the row of dashes under a table's head.
fn delimiter_cells(rest: &str) -> Option<usize> {
    let row = rest.trim_matches([' ', '\t']);
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    let mut cells = 0;
    for cell in row.split('|') {
        let cell = cell.trim_matches([' ', '\t']);
        let cell = cell.strip_prefix(':').unwrap_or(cell);
        let cell = cell.strip_suffix(':').unwrap_or(cell);
        if cell.is_empty() || !cell.bytes().all(|b| b == b'-') {
            return None;
        }
        cells += 1;
    }
    rest.contains(['|', ':']).then_some(cells)
}

/// A place in a line, in bytes and in columns: a tab reaches to the next multiple of four.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    line: &'a str,
    at: usize,
    column: usize,
    /// Columns of the tab at `at` that are still to come, where it has been entered.
    tab: usize,
}

impl<'a> Cursor<'a> {
    /// The line from its first character that is no blank.
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default().trim_start_matches([' ', '\t'])
    }

    fn is_blank(&self) -> bool {
        self.rest().is_empty()
    }

    /// The columns of blanks from here.
    fn indent(&self) -> usize {
        let mut columns = self.tab;
        let from = self.at + usize::from(self.tab > 0);
        for byte in self.line.bytes().skip(from) {
            columns += match byte {
                b' ' => 1,
                b'\t' => tab_width(self.column + columns),
                _ => break,
            };
        }
        columns
    }

    fn skip_columns(&mut self, mut columns: usize) {
        while columns > 0 {
            let width = match self.line.as_bytes().get(self.at) {
                Some(b' ') => 1,
                Some(b'\t') if self.tab > 0 => self.tab,
                Some(b'\t') => tab_width(self.column),
                _ => return,
            };
            let step = width.min(columns);
            self.column += step;
            columns -= step;
            self.tab = width - step;
            self.at += usize::from(self.tab == 0);
        }
    }

    /// Skips characters that are one column each.
    fn skip_bytes(&mut self, count: usize) {
        self.at += count;
        self.column += count;
        self.tab = 0;
    }

    /// Skips the marker of a container that begins here, and the blanks that belong to it.
    fn enter(&mut self, container: &Container) {
        let marker_indent = self.indent();
        self.skip_columns(marker_indent);
        match container {
            Container::Quote => {
                self.skip_bytes(1);
                self.skip_columns(1);
            }
            Container::Item { indent, empty, .. } => {
                let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
                self.skip_bytes(digits + 1);
                let padding = indent.saturating_sub(marker_indent + digits + 1);
                self.skip_columns(if *empty { usize::MAX } else { padding });
            }
        }
    }
}

fn tab_width(column: usize) -> usize {
    CODE_INDENT - column % CODE_INDENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<&str> {
        code_blocks(text).into_iter().map(|block| text.get(block).unwrap()).collect()
    }

    #[test]
    fn fenced_code_keeps_its_blank_lines() {
        assert_eq!(code("a\n```\n\nb\n```\n\nc"), ["```\n\nb\n```"]);
        assert_eq!(code("~~~~\n~~~\n\n```\n~~~~~ \nc"), ["~~~~\n~~~\n\n```\n~~~~~ "]);
        assert_eq!(code("```\na\n\nb"), ["```\na\n\nb"]);
        assert!(code("``` `\n\nb").is_empty());
    }

    #[test]
    fn indented_code_ends_with_its_last_indented_line() {
        assert_eq!(code("a\n\n    b\n\n\tc\n\nd"), ["b\n\n\tc"]);
        assert!(code("a\n    b\n\nc").is_empty());
        assert_eq!(code("# a\n    b"), ["b"]);
    }

    #[test]
    fn code_in_a_list_or_quotation_ends_with_it() {
        assert_eq!(code("- ```\n  a\n\n  b\n  ```\n\nc"), ["```\n  a\n\n  b\n  ```"]);
        assert_eq!(code("> ```\n> a\n\nb"), ["```\n> a"]);
        assert_eq!(code("1. a\n\n       b\n\n       c"), ["b\n\n       c"]);
        assert!(code("- a\n\n    b").is_empty());
    }

    #[test]
    fn a_tab_is_as_wide_as_its_column() {
        assert_eq!(code("-\t\ta"), ["\ta"]);
        assert!(code(">\ta").is_empty());
    }
}
