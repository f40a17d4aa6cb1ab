//! How the command looks: colours where a terminal wants them, plain text elsewhere, JSON for machines.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// Something is in order.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Something wants attention.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Something is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to copy.
pub(crate) const CODE: Style = AnsiColor::Cyan.on_default();
/// Something in passing.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A line on standard output. A closed pipe ends the program quietly elsewhere; here it is ignored.
pub(crate) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A line on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// An error with its causes, one a line.
pub(crate) fn failure(error: &anyhow::Error) {
    note(&format!("{BAD}error{BAD:#}: {error}"));
    for cause in error.chain().skip(1) {
        note(&format!("  {FAINT}because{FAINT:#} {cause}"));
    }
}

/// A table with aligned columns.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let print = |cells: &[String], style: Style| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width));
        line(format!("{style}{}{style:#}", padded.collect::<Vec<_>>().join("  ")).trim_end());
    };
    print(&headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>(), FAINT);
    for row in rows {
        print(row, Style::new());
    }
}
