//! Markdown of replies, read once into blocks and styled spans; every platform's dialect writes these its own way.
//!
//! No text is lost: what has no form here (HTML, images, tables, footnotes) is written as readable text.

mod edited;
#[cfg(test)]
mod openclaw;
mod read;
mod unloaded;
mod write;

pub use self::edited::{Edit, edited};
pub use self::read::blocks;
pub use self::unloaded::unloaded;
pub use self::write::{Dialect, Fenced, Plain, render, render_within};

/// A block of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Running text.
    Paragraph(Vec<Span>),
    /// A title and its level, 1 to 6.
    Heading(u8, Vec<Span>),
    /// Text to be shown as it is.
    Code {
        /// The word after the fence; empty if there is none.
        language: String,
        /// The text, without a line break at its end.
        text: String,
    },
    /// Somebody else's words.
    Quote(Vec<Block>),
    /// A list.
    List {
        /// The first number; `None` for bullets.
        start: Option<u64>,
        /// Its items.
        items: Vec<Vec<Block>>,
    },
    /// A line between two parts.
    Rule,
}

/// A stretch of text with one style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The text, without any escapes.
    pub text: String,
    /// How it is shown.
    pub style: Style,
    /// Where it leads.
    pub link: Option<String>,
}

/// How text is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Strong.
    pub bold: bool,
    /// Emphasised.
    pub italic: bool,
    /// Struck through.
    pub strike: bool,
    /// Shown as it is, in a fixed width.
    pub code: bool,
}
