//! What `chela audit` looks for: settings that are allowed and leave a door open. Every check has an id, a severity and a
//! fix; the safe fixes can be applied. Pure: it is given what there is, and reads nothing itself.
//!
//! [`chela_config::check`] refuses what cannot be meant. Here stands what may be meant and should be known.

mod browser;
mod channels;
mod checks;
mod exec;
mod files;
mod gateway;
mod mcp;
mod models;
mod money;
mod secrets;
mod skills;
mod template;

use std::path::PathBuf;

use chela_config::{ChannelKeys, Config};
use serde::Serialize;
use serde_json::Value;

pub use checks::{CHECKS, Check};
pub use template::{Template, TemplateError};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth changing, unless it is meant.
    Warn,
    /// Somebody can take over, read or spend what is not theirs.
    Critical,
}

/// What is looked at.
pub struct Subject<'a> {
    /// The configuration with its defaults. If [`Subject::refused`] has anything, nothing of it is looked at.
    pub config: &'a Config,
    /// Why the configuration cannot be used.
    pub refused: &'a [chela_config::Finding],
    /// The same as it was written, before variables were put in.
    pub written: &'a Value,
    /// Which keys of channels are secrets.
    pub channels: &'a [ChannelKeys],
    /// The template of the deployment, if there is one.
    pub template: Option<&'a Template>,
    /// Files and folders of the installation on this machine.
    pub files: &'a [OwnedFile],
    /// Skills that are not just as they were installed.
    pub skills: &'a [OwnedSkill],
}

/// A skill that is not pinned, or not without doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedSkill {
    /// The key of its folder in the file store.
    pub folder: String,
    /// What is known of it.
    pub pinned: Pinned,
}

/// How a skill differs from one that was installed without a warning and stayed as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// It was written into its place, not installed.
    No,
    /// These of its files are missing, changed or new.
    Changed(Vec<String>),
    /// So many warnings of the scan were accepted.
    Accepted(usize),
}

/// A file or folder of the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFile {
    /// Where.
    pub path: PathBuf,
    /// What it holds.
    pub holds: Holds,
    /// The permission bits.
    pub mode: u32,
    /// Whether the path is a symbolic link.
    pub symlink: bool,
}

/// What a file of the installation holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// `chela.json5`.
    Configuration,
    /// Conversations, memory, media.
    Data,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which check.
    pub id: &'static str,
    /// How much it matters here.
    pub severity: Severity,
    /// The key, the resource or the file.
    pub at: String,
    /// What is wrong. Never a secret's value.
    pub message: String,
    /// What to do.
    pub fix: String,
    /// What can be done about it without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
}

/// A fix that takes away nothing anybody could rely on by right.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Repair {
    /// A key of the configuration gets another value.
    Key {
        /// The keys that lead to it.
        path: Vec<String>,
        /// The value.
        value: Value,
    },
    /// A file or folder gets other permission bits.
    Mode {
        /// Which.
        path: PathBuf,
        /// The bits.
        mode: u32,
    },
}

/// Everything that was found, the worst first.
pub fn audit(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for error in subject.refused {
        findings.push(checks::REFUSED.found(&error.path, &error.message, &error.fix));
    }
    if subject.refused.is_empty() {
        channels::look(subject, &mut findings);
        gateway::look(subject, &mut findings);
        money::look(subject, &mut findings);
        models::look(subject, &mut findings);
        exec::look(subject, &mut findings);
        mcp::look(subject, &mut findings);
        browser::look(subject, &mut findings);
    }
    secrets::look(subject, &mut findings);
    files::look(subject, &mut findings);
    skills::look(subject, &mut findings);
    if let Some(template) = subject.template {
        template::look(template, &mut findings);
    }
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.id.cmp(b.id)).then(a.at.cmp(&b.at)));
    findings
}

impl Check {
    /// Something this check found, of its own severity.
    pub(crate) fn found(&self, at: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        let (at, message, fix) = (at.into(), message.into(), fix.into());
        Finding { id: self.id, severity: self.severity, at, message, fix, repair: None }
    }
}

impl Finding {
    fn with(self, repair: Repair) -> Self {
        Self { repair: Some(repair), ..self }
    }

    fn of_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

#[cfg(test)]
mod tests;
