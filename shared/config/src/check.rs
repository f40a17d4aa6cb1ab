//! From the text of a configuration to the configuration, or to everything that is wrong with it.

use chela_core::route::RoutingConfig;
use serde::Deserialize;
use serde_json::Value;

use crate::document::Part;
use crate::excerpt::excerpt;
use crate::include::{Files, Sources};
use crate::path::Path;
use crate::report::{Finding, Report, Severity};
use crate::safety::inspect;
use crate::schema::{CONFIGURATION, TEXT};
use crate::settings::Config;
use crate::shape::{ChannelKeys, Misfit, fit};
use crate::variables::{MissingVariable, Resolver, SecretUse};

/// Most findings of one report: each costs a pass over the text.
const MAX_FINDINGS: usize = 100;

const COMPARE: &str = "compare it with docs/configuration.md";

/// What a configuration is read against.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Values of `${VAR}`.
    pub variables: &'a (dyn Fn(&str) -> Option<String> + Send + Sync),
    /// What becomes of those that are not set.
    pub missing: MissingVariable,
    /// The channels that are built in. If empty, channels may have any name and any keys.
    pub channels: &'a [ChannelKeys],
}

/// A configuration that was looked at.
#[derive(Debug)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// The configuration, if there is no error.
    pub config: Option<Config>,
    /// Secrets that are kept elsewhere, in the order of their keys in the text.
    pub secrets: Vec<SecretUse>,
    /// Files that `$include` names and that were not there, relative to the folder of the main file.
    pub absent_files: Vec<String>,
}

/// The JSON schema of the configuration, for editors and for `chela config schema`. It is made from the types ahead of
/// time: making it takes a millisecond, which is what a whole function may take to start.
pub fn schema() -> Value {
    // A text that is no JSON would be a schema that allows nothing; a test holds it to what the types say.
    serde_json::from_str(TEXT).unwrap_or_default()
}

/// Reads and checks a configuration. `name` is what the findings call the file; `files` gives the text of an included
/// file by its path relative to the folder of the main file. Pure: the same input gives the same answer.
pub fn check(name: &str, text: &str, files: Files<'_>, surroundings: &Surroundings<'_>) -> Checked {
    let sources = Sources::read(name, text, files);
    let mut report = Report::default();
    for flaw in &sources.flaws {
        let finding = Raised { severity: Severity::Error, path: &flaw.path, message: &flaw.message, fix: &flaw.fix };
        raise(&mut report, &sources, finding, (flaw.file, flaw.place));
    }
    let mut value = sources.value();
    let mut resolver = Resolver {
        lookup: surroundings.variables,
        missing: surroundings.missing,
        misfits: Vec::new(),
        secrets: Vec::new(),
    };
    resolver.resolve(&mut value, &Path::root());
    let Resolver { misfits, secrets, .. } = resolver;
    report_all(&mut report, &sources, misfits);
    report_all(&mut report, &sources, fit(&CONFIGURATION, surroundings.channels, &mut value));
    let mut config = None;
    if report.is_usable() {
        match read(&value) {
            Ok(read) => {
                report_all(&mut report, &sources, inspect(&read, surroundings));
                config = Some(read);
            }
            Err(misfit) => report_all(&mut report, &sources, vec![*misfit]),
        }
    }
    let config = config.filter(|_| report.is_usable());
    Checked { report, config, secrets, absent_files: sources.absent }
}

/// A value that fits the schema, as a configuration.
fn read(value: &Value) -> Result<Config, Box<Misfit>> {
    let mut config: Config = serde_path_to_error::deserialize(value).map_err(|error| Box::new(unread(&error)))?;
    config.routing = RoutingConfig::deserialize(value).map_err(|_| {
        Box::new(Misfit {
            path: Path::root(),
            at_key: false,
            warning: false,
            message: "the agents, bindings or session rules cannot be read".to_owned(),
            fix: COMPARE.to_owned(),
        })
    })?;
    // An empty roster is none: routing would take it for a house where nobody answers.
    let agents = &mut config.routing.agents;
    agents.entries = agents.entries.take().filter(|entries| !entries.is_empty());
    agents.list = agents.list.take().filter(|list| !list.is_empty());
    Ok(config)
}

/// What the schema could not say. The reader's own words may repeat a value, so only what it expected is passed on.
fn unread(error: &serde_path_to_error::Error<serde_json::Error>) -> Misfit {
    let mut path = Path::root();
    for segment in error.path() {
        match segment {
            serde_path_to_error::Segment::Map { key } => path = path.key(key),
            serde_path_to_error::Segment::Seq { index } => path = path.index(*index),
            _ => {}
        }
    }
    let text = error.inner().to_string();
    let wanted = text.rsplit_once("expected ").map(|(_, wanted)| wanted.to_owned());
    let message = wanted.as_ref().map_or_else(|| "cannot be read".to_owned(), |wanted| format!("must be {wanted}"));
    Misfit { path, at_key: false, warning: false, message, fix: COMPARE.to_owned() }
}

fn report_all(report: &mut Report, sources: &Sources, misfits: Vec<Misfit>) {
    for misfit in misfits {
        let part = if misfit.at_key { Part::Key } else { Part::Value };
        let severity = if misfit.warning { Severity::Warning } else { Severity::Error };
        let place = sources.place(&misfit.path, part);
        let finding = Raised { severity, path: &misfit.path, message: &misfit.message, fix: &misfit.fix };
        raise(report, sources, finding, place);
    }
}

struct Raised<'a> {
    severity: Severity,
    path: &'a Path,
    message: &'a str,
    fix: &'a str,
}

fn raise(report: &mut Report, sources: &Sources, raised: Raised<'_>, (file, place): (usize, crate::document::Place)) {
    if report.errors.len().saturating_add(report.warnings.len()) >= MAX_FINDINGS {
        // Never lose the only error behind a hundred warnings.
        if raised.severity == Severity::Warning || !report.errors.is_empty() {
            return;
        }
    }
    let file = sources.files.get(file);
    let (name, text) = file.map_or(("", ""), |file| (file.name.as_str(), file.text.as_str()));
    report.add(Finding {
        severity: raised.severity,
        path: raised.path.to_string(),
        file: name.to_owned(),
        line: place.line,
        column: place.column,
        message: raised.message.to_owned(),
        fix: raised.fix.to_owned(),
        excerpt: excerpt(text, place.line, place.column),
    });
}

#[cfg(test)]
mod tests;
