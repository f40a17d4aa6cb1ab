//! Blocks to a platform's dialect. The walk is here, once; a dialect says only how it marks things.

use super::{Block, Span, blocks};

/// How one platform marks text. Everything it returns is in its own dialect, already escaped.
pub trait Dialect {
    /// A span of one style: escapes its text, then marks style and link.
    fn span(&self, span: &Span) -> String;

    /// A code block. `text` is raw.
    fn code(&self, language: &str, text: &str) -> String;

    /// A quote. `inner` is already in the dialect.
    fn quote(&self, inner: &str) -> String;

    /// A title. `spans` are the title's own, its level is 1 to 6.
    fn heading(&self, level: u8, spans: &[Span]) -> String;

    /// How bullets look.
    fn bullet(&self) -> &'static str {
        "• "
    }
}

/// Writes markdown in a dialect.
pub fn render(markdown: &str, dialect: &dyn Dialect) -> String {
    write_blocks(&blocks(markdown), dialect, "\n\n", 0)
}

fn write_blocks(blocks: &[Block], dialect: &dyn Dialect, between: &str, depth: usize) -> String {
    let written: Vec<String> = blocks.iter().map(|block| write_block(block, dialect, depth)).collect();
    written.join(between)
}

fn write_block(block: &Block, dialect: &dyn Dialect, depth: usize) -> String {
    match block {
        Block::Paragraph(spans) => write_spans(spans, dialect),
        Block::Heading(level, spans) => dialect.heading(*level, spans),
        Block::Code { language, text } => dialect.code(language, text),
        Block::Quote(inner) => dialect.quote(&write_blocks(inner, dialect, "\n", depth)),
        Block::List { start, items } => write_list(*start, items, dialect, depth),
        Block::Rule => "———".to_owned(),
    }
}

fn write_spans(spans: &[Span], dialect: &dyn Dialect) -> String {
    spans.iter().map(|span| dialect.span(span)).collect()
}

/// One item a line. Only the mark is indented: spaces before the lines of a code block would become part of it.
fn write_list(start: Option<u64>, items: &[Vec<Block>], dialect: &dyn Dialect, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let lines: Vec<String> = (0_u64..)
        .zip(items)
        .map(|(at, item)| {
            let inner = write_blocks(item, dialect, "\n", depth + 1);
            match start {
                Some(first) => format!("{indent}{}. {inner}", first.saturating_add(at)),
                None => format!("{indent}{}{inner}", dialect.bullet()),
            }
        })
        .collect();
    lines.join("\n")
}

/// The dialect of platforms without one: marks go, text and links stay.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Dialect for Plain {
    fn span(&self, span: &Span) -> String {
        match &span.link {
            Some(link) if *link != span.text => format!("{} ({link})", span.text),
            _ => span.text.clone(),
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        text.to_owned()
    }

    fn quote(&self, inner: &str) -> String {
        let lines: Vec<String> = inner.lines().map(|line| format!("> {line}")).collect();
        lines.join("\n")
    }

    fn heading(&self, _level: u8, spans: &[Span]) -> String {
        write_spans(spans, self)
    }
}
