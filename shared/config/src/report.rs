//! What is wrong with a configuration, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::excerpt::Excerpt;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, though perhaps not as meant.
    Warning,
}

/// One finding. Carries no value of the configuration, so that no secret can be in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Which key, as `channels.telegram.dmPolicy`.
    pub path: String,
    /// Which file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub fix: String,
    /// The line, with every value blotted out.
    #[serde(skip)]
    pub(crate) excerpt: Excerpt,
}

/// Everything that was found, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The configuration cannot be used while there are any.
    pub errors: Vec<Finding>,
    /// What the owner should know.
    pub warnings: Vec<Finding>,
}

impl Report {
    /// Whether the configuration can be used.
    pub fn is_usable(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether there is nothing to say.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.warnings.is_empty()
    }

    /// For a person: each finding with its place, its line and the fix.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for finding in self.errors.iter().chain(&self.warnings) {
            finding.render(&mut out);
        }
        out
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        let list = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        let place = |finding: &Finding| (finding.file.clone(), finding.line, finding.column);
        let at = list.partition_point(|other| place(other) <= place(&finding));
        list.insert(at, finding);
    }
}

impl Finding {
    fn render(&self, out: &mut String) {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Self { file, line, column, path, message, fix, excerpt, .. } = self;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{file}:{line}:{column}: {severity}: {path}: {message}");
        let _ = writeln!(out, " {number} | {}", excerpt.line);
        let _ = writeln!(out, " {margin} | {}^", " ".repeat(excerpt.caret));
        let _ = writeln!(out, " {margin} = fix: {fix}");
    }
}
