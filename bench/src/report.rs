//! The table and `bench.json`.

use std::io::Write as _;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde_json::{Map, Number, Value};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HEADING: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// What a number should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// It only informs.
    None,
    AtMost(f64),
    AtLeast(f64),
    /// Missing it fails the benchmark: the number is counted, so no noise can excuse it.
    NeverMore(f64),
}

/// Everything measured, in the order of the table.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
    values: Map<String, Value>,
    notes: Vec<String>,
}

enum Line {
    Heading(String),
    Row { label: String, value: String, goal: Goal, met: bool },
}

impl Report {
    pub(crate) fn heading(&mut self, text: String) {
        self.lines.push(Line::Heading(text));
    }

    /// A number under its key in `bench.json`, with a unit for the table.
    pub(crate) fn row(&mut self, key: &str, label: &str, value: f64, unit: &str, goal: Goal) {
        self.value(key, value);
        let met = match goal {
            Goal::None => true,
            Goal::AtMost(most) | Goal::NeverMore(most) => value <= most,
            Goal::AtLeast(least) => value >= least,
        };
        let value = format!("{} {unit}", readable(value));
        self.lines.push(Line::Row { label: label.to_owned(), value, goal, met });
    }

    /// A number for `bench.json` alone.
    pub(crate) fn value(&mut self, key: &str, value: f64) {
        let number = Number::from_f64((value * 1e4).round() / 1e4);
        self.values.insert(key.to_owned(), number.map_or(Value::Null, Value::Number));
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_owned(), value.into());
    }

    /// A line under the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Whether something was missed that no noise excuses.
    pub(crate) fn failed(&self) -> bool {
        self.lines.iter().any(|line| matches!(line, Line::Row { goal: Goal::NeverMore(_), met: false, .. }))
    }

    pub(crate) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(&self.values)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Colours where a terminal wants them; `NO_COLOR` and pipes get plain text.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{FAINT}{:<52}{:>16}  {:<10}ok?{FAINT:#}", "measured", "", "goal")?;
        for line in &self.lines {
            match line {
                Line::Heading(text) => writeln!(out, "\n{HEADING}{text}{HEADING:#}")?,
                Line::Row { label, value, goal, met } => {
                    let goal = match goal {
                        Goal::None => String::new(),
                        Goal::AtMost(most) | Goal::NeverMore(most) => format!("≤ {most}"),
                        Goal::AtLeast(least) => format!("≥ {least}"),
                    };
                    let (style, verdict) = match (goal.is_empty(), met) {
                        (true, _) => (Style::new(), ""),
                        (false, true) => (GOOD, "ok"),
                        (false, false) => (BAD, "missed"),
                    };
                    writeln!(out, "{label:<52}{value:>16}  {goal:<10}{style}{verdict}{style:#}")?;
                }
            }
        }
        writeln!(out)?;
        for note in &self.notes {
            writeln!(out, "{FAINT}{note}{FAINT:#}")?;
        }
        Ok(())
    }
}

/// Three digits that count.
fn readable(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The best of some readings: noise only ever adds to a time and takes from a rate.
pub(crate) fn best(readings: impl IntoIterator<Item = f64>, better: fn(f64, f64) -> f64) -> f64 {
    readings.into_iter().reduce(better).unwrap_or(f64::NAN)
}

pub(crate) fn median(readings: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = readings.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) {
        (upper + sorted.get(middle.wrapping_sub(1)).copied().unwrap_or(upper)) / 2.0
    } else {
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_counted_can_fail_the_benchmark() {
        let mut report = Report::default();
        report.row("slow", "slow", 2.0, "ms", Goal::AtMost(1.0));
        report.row("few", "few", 2.0, "/s", Goal::AtLeast(3.0));
        report.row("writes", "writes", 5.0, "", Goal::NeverMore(5.0));
        assert!(!report.failed());
        report.row("writes", "writes", 5.02, "", Goal::NeverMore(5.0));
        assert!(report.failed());
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!((median([3.0, 1.0, 2.0]), median([4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
        assert_eq!((best([3.0, 1.0], f64::min), best([3.0, 1.0], f64::max)), (1.0, 3.0));
    }

    #[test]
    fn numbers_show_the_digits_that_count() {
        let shown = [1234.56, 12.34, 1.234, 0.1234, 5.0, 0.0].map(readable);
        assert_eq!(shown, ["1235", "12.3", "1.23", "0.123", "5", "0"]);
    }
}
