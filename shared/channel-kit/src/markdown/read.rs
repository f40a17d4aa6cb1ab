//! Markdown to blocks.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use super::{Block, Span, Style};

/// Quotes and lists deeper than this are shown as if they were not nested further: a reply of a thousand `>` must not
/// exhaust the stack of whoever walks the blocks.
const DEEPEST: usize = 6;

/// Nobody sees it.
const BREAK: char = '\u{200b}';

/// Reads markdown. Every text is valid markdown, so nothing fails.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut reader = Reader { open: vec![Open::new(Kind::Document)], ..Reader::default() };
    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        let source = markdown.get(range).unwrap_or_default();
        reader.take(event, source);
    }
    let blocks = reader.finish();
    // Definitions of links show nothing of themselves; a reply of nothing else is shown as it was written.
    if blocks.is_empty() && !markdown.trim().is_empty() {
        return vec![Block::Paragraph(vec![Span { text: markdown.trim().to_owned(), ..Span::default() }])];
    }
    blocks
}

/// A container that is being filled.
struct Open {
    kind: Kind,
    blocks: Vec<Block>,
    items: Vec<Vec<Block>>,
}

impl Open {
    fn new(kind: Kind) -> Self {
        Self { kind, blocks: Vec::new(), items: Vec::new() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Document,
    Quote,
    List(Option<u64>),
    Item,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// Containers that were begun beyond [`DEEPEST`] and have no [`Open`].
    flattened: usize,
    spans: Vec<Span>,
    bold: u32,
    italic: u32,
    strike: u32,
    links: Vec<String>,
    code: Option<(String, String)>,
    table: Option<Table>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, source: &str) {
        match event {
            Event::Start(tag) => self.start(tag, source),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.text(&text, false),
            },
            Event::Code(text) => self.text(&text, true),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text, true),
            Event::Html(text) | Event::InlineHtml(text) => self.text(&text, false),
            Event::FootnoteReference(name) => self.text(&format!("[^{name}]"), false),
            Event::SoftBreak | Event::HardBreak => self.text("\n", false),
            Event::Rule => self.push(Block::Rule),
            Event::TaskListMarker(done) => self.text(if done { "[x] " } else { "[ ] " }, false),
        }
    }

    fn start(&mut self, tag: Tag<'_>, source: &str) {
        match tag {
            Tag::BlockQuote(_) => self.enter(Kind::Quote),
            Tag::List(start) => self.enter(Kind::List(start)),
            Tag::Item => self.enter(Kind::Item),
            Tag::CodeBlock(kind) => {
                self.close_paragraph();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.split_whitespace().next().unwrap_or_default().to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::Table(_) => {
                self.close_paragraph();
                self.table = Some(Table { source: source.trim_end().to_owned(), rows: Vec::new() });
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::Emphasis => self.italic += 1,
            Tag::Strong => self.bold += 1,
            Tag::Strikethrough => self.strike += 1,
            Tag::Link { link_type: LinkType::Email, dest_url, .. } => self.open_link(format!("mailto:{dest_url}")),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.open_link(dest_url.into_string()),
            Tag::Paragraph | Tag::Heading { .. } | Tag::HtmlBlock => self.close_paragraph(),
            // Not enabled above, or without a mark of their own: their text flows on.
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => self.leave(),
            TagEnd::CodeBlock => {
                if let Some((language, mut text)) = self.code.take() {
                    if text.ends_with('\n') {
                        text.pop();
                    }
                    self.push(Block::Code { language, text });
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.push(Block::Code { language: String::new(), text: table.text() });
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.spans).into_iter().map(|span| span.text).collect();
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Emphasis => self.italic = self.italic.saturating_sub(1),
            TagEnd::Strong => self.bold = self.bold.saturating_sub(1),
            TagEnd::Strikethrough => self.strike = self.strike.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            TagEnd::Heading(level) => {
                let spans = std::mem::take(&mut self.spans);
                self.push(Block::Heading(rank(level), spans));
            }
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.close_paragraph(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, code: bool) {
        let style = Style { bold: self.bold > 0, italic: self.italic > 0, strike: self.strike > 0, code };
        let link = self.links.last().cloned();
        match self.spans.last_mut() {
            Some(last) if last.style == style && last.link == link => last.text.push_str(text),
            _ => self.spans.push(Span { text: text.to_owned(), style, link }),
        }
    }

    /// Some dialects write a link as markdown does: a `!` right before it would make it a picture, which every reader's
    /// program fetches. An invisible character keeps them apart.
    fn open_link(&mut self, url: String) {
        if let Some(before) = self.spans.last_mut().filter(|span| span.text.ends_with('!')) {
            before.text.push(BREAK);
        }
        self.links.push(url);
    }

    /// A link or picture without a text still leads somewhere: its URL becomes the text.
    fn close_link(&mut self) {
        if let Some(url) = self.links.last().cloned()
            && self.spans.last().is_none_or(|span| span.link.as_ref() != Some(&url))
        {
            self.text(&url, false);
        }
        self.links.pop();
    }

    fn enter(&mut self, kind: Kind) {
        self.close_paragraph();
        if self.flattened > 0 || (self.open.len() > DEEPEST && kind != Kind::Item) {
            self.flattened += 1;
        } else {
            self.open.push(Open::new(kind));
        }
    }

    fn leave(&mut self) {
        self.close_paragraph();
        if self.flattened > 0 {
            self.flattened -= 1;
            return;
        }
        let Some(done) = self.open.pop() else { return };
        match done.kind {
            Kind::Quote => self.push(Block::Quote(done.blocks)),
            Kind::List(start) => self.push(Block::List { start, items: done.items }),
            Kind::Item => match self.open.last_mut() {
                Some(list) => list.items.push(done.blocks),
                None => self.open.push(done),
            },
            Kind::Document => self.open.push(done),
        }
    }

    fn close_paragraph(&mut self) {
        if self.table.is_some() {
            return;
        }
        let mut spans = std::mem::take(&mut self.spans);
        // The reader of HTML blocks keeps the line break; every other block has none.
        while let Some(last) = spans.last_mut() {
            last.text.truncate(last.text.trim_end_matches('\n').len());
            if !last.text.is_empty() {
                break;
            }
            spans.pop();
        }
        if !spans.is_empty() {
            self.push(Block::Paragraph(spans));
        }
    }

    fn push(&mut self, block: Block) {
        if let Some(open) = self.open.last_mut() {
            open.blocks.push(block);
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.close_paragraph();
        while self.open.len() > 1 {
            self.leave();
        }
        self.open.pop().map(|document| document.blocks).unwrap_or_default()
    }
}

fn rank(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// A table in a fixed width: no chat platform has tables.
struct Table {
    source: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Wider cells do not make their whole column wider, so that one long cell does not multiply the length of all.
    const WIDEST: usize = 24;

    fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        // Markdown drops cells that stand beyond the head's last column; a reader should see them all the same.
        let cells = |line: &str| {
            let line = line.trim_start_matches(['>', ' ']).trim_end();
            let line = line.strip_prefix('|').unwrap_or(line);
            line.strip_suffix('|').unwrap_or(line).matches('|').count() + 1
        };
        if self.source.lines().any(|line| cells(line) > columns) {
            return self.source.clone();
        }
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count().min(Self::WIDEST)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = self.rows.iter().map(line).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        lines.insert(lines.len().min(1), rule.join("-|-"));
        lines.join("\n")
    }
}
