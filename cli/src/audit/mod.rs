//! `chela audit`: doors left open, and those closed that can be closed without asking.

mod log;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_audit::{Finding, Holds, OwnedFile, OwnedSkill, Pinned, Repair, Severity, Subject, Template, audit};
use chela_config::Config;
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_embedded::FolderBlobs;
use chela_skills::install::{lock, verify};
use chela_skills::{Shelf, ShelfSettings};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::place::Place;
use crate::show::{BAD, CODE, FAINT, GOOD, WARN, line};

/// Where the repository keeps its template.
const TEMPLATE: &str = "infra/template.yaml";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela audit\n  chela audit --fix\n  chela audit --json | jq '.findings[] | select(.severity == \"critical\")'\n  chela audit --template infra/template.yaml\n\nEnds with an error if something critical is left. All checks: docs/audit.md",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    /// For machines
    #[arg(long)]
    json: bool,
    /// Do what is safe: permissions of files, and keys that open more than their defaults; the old text is kept beside it
    #[arg(long)]
    fix: bool,
    /// The template of the deployment; infra/template.yaml if it is there
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Who agreed to what, and what was run
    Log(log::Log),
}

/// What was found, and what was done about it.
struct Outcome {
    findings: Vec<Finding>,
    mended: Vec<String>,
}

impl Audit {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        if let Some(AuditCommand::Log(log)) = &self.command {
            return log.run().await;
        }
        let template = self.template()?;
        let mut outcome = Outcome { findings: self.look(template.as_ref()).await?, mended: Vec::new() };
        if self.fix {
            outcome.mended = self.mend(&outcome.findings)?;
            outcome.findings = self.look(template.as_ref()).await?;
        }
        if self.json {
            line(&json!({"findings": outcome.findings, "mended": outcome.mended}).to_string());
        } else {
            outcome.show();
        }
        let critical = outcome.findings.iter().filter(|finding| finding.severity == Severity::Critical).count();
        anyhow::ensure!(critical == 0, "{critical} critical findings");
        Ok(())
    }

    fn template(&self) -> anyhow::Result<Option<Template>> {
        let path = match &self.template {
            Some(path) => path.as_path(),
            None if Path::new(TEMPLATE).exists() => Path::new(TEMPLATE),
            None => return Ok(None),
        };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Template::read(&text).map(Some).with_context(|| format!("cannot use {}", path.display()))
    }

    async fn look(&self, template: Option<&Template>) -> anyhow::Result<Vec<Finding>> {
        let path = &self.place.config;
        let (checked, written) = if path.exists() {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            (Some(crate::config::check(path)?), chela_config::written(&text).unwrap_or_default())
        } else {
            // Without a file the defaults hold.
            (None, json!({}))
        };
        let (config, refused) = checked.map(|it| (it.config.unwrap_or_default(), it.report.errors)).unwrap_or_default();
        let (channels, files) = (chela_app::install::channel_keys(), self.files());
        let skills = self.skills(&config).await?;
        Ok(audit(&Subject {
            config: &config,
            refused: &refused,
            written: &written,
            channels: &channels,
            template,
            files: &files,
            skills: &skills,
        }))
    }

    /// Skills of all agents and of each that are not just as they were installed.
    async fn skills(&self, config: &Config) -> anyhow::Result<Vec<OwnedSkill>> {
        let folder = self.place.data.join("files");
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let opened = FolderBlobs::open(&folder, &folder.with_extension("incoming-audit"));
        let opened: Arc<dyn BlobStore> = Arc::new(opened.with_context(|| format!("cannot read {}", folder.display()))?);
        // Without a configuration that can be used every agent works in its own folder.
        let live = Live::open(self.place.ground(opened.clone(), Scope::Nothing)?).await;
        let files = live.map_or(opened, |live| live.files().clone());
        let agents: Vec<AgentId> = config.agents.ids().iter().map(|id| AgentId::new(id)).collect();
        let own = agents.iter().map(|agent| format!("agents/{}/skills/", agent.as_str()));
        let mut skills = Vec::new();
        for root in own.chain(["skills/".to_owned()]) {
            let locked = lock(files.as_ref(), &root).await?.skills;
            for (name, wrong) in verify(files.as_ref(), &root).await? {
                let accepted = locked.get(&name).map_or(0, |locked| locked.accepted.len());
                let pinned = if wrong.is_empty() { Pinned::Accepted(accepted) } else { Pinned::Changed(wrong) };
                if pinned != Pinned::Accepted(0) {
                    skills.push(OwnedSkill { folder: format!("{root}{name}"), pinned });
                }
            }
        }
        let (shelf, now) = (Shelf::new(files), Place::clock().now());
        let mut unpinned = BTreeSet::new();
        for agent in &agents {
            let (stock, _) = shelf.stock(agent, &ShelfSettings::default(), now).await?;
            unpinned.extend(stock.into_iter().filter(|it| !it.pinned).map(|it| it.folder));
        }
        skills.extend(unpinned.into_iter().map(|folder| OwnedSkill { folder, pinned: Pinned::No }));
        Ok(skills)
    }

    fn files(&self) -> Vec<OwnedFile> {
        let places = [(&self.place.config, Holds::Configuration), (&self.place.data, Holds::Data)];
        let seen = places.into_iter().filter_map(|(path, holds)| {
            let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
            let symlink = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
            Some(OwnedFile { path: path.clone(), holds, mode, symlink })
        });
        seen.collect()
    }

    fn mend(&self, findings: &[Finding]) -> anyhow::Result<Vec<String>> {
        let mut mended = Vec::new();
        for finding in findings {
            match &finding.repair {
                Some(Repair::Mode { path, mode }) => {
                    fs::set_permissions(path, Permissions::from_mode(*mode))
                        .with_context(|| format!("cannot change the permissions of {}", path.display()))?;
                    mended.push(format!("{}: permissions {mode:o}", path.display()));
                }
                Some(Repair::Key { path, value }) if self.set(path, value)? => {
                    mended.push(format!("{}: {value}", path.join(".")));
                }
                Some(Repair::Key { .. }) | None => {}
            }
        }
        Ok(mended)
    }

    /// Sets a key of the configuration, and keeps the text from before the first change. `false` if the key stands where
    /// it cannot be changed without touching anything else, such as an included file.
    fn set(&self, keys: &[String], value: &Value) -> anyhow::Result<bool> {
        let path = &self.place.config;
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(edited) = chela_config::edit(&text, keys, value) else { return Ok(false) };
        if edited == text {
            return Ok(false);
        }
        let permissions = fs::metadata(path)?.permissions();
        let beside = |suffix: &str| path.with_added_extension(suffix);
        let (old, new) = (beside("before-audit"), beside("new"));
        if !old.exists() {
            fs::copy(path, &old).with_context(|| format!("cannot write {}", old.display()))?;
            // It may hold secrets, and its permissions are never looked at again.
            fs::set_permissions(&old, Permissions::from_mode(0o600))?;
        }
        fs::write(&new, edited).with_context(|| format!("cannot write {}", new.display()))?;
        fs::set_permissions(&new, permissions)?;
        fs::rename(&new, path).with_context(|| format!("cannot replace {}", path.display()))?;
        Ok(true)
    }
}

impl Outcome {
    fn show(&self) {
        for what in &self.mended {
            line(&format!("{GOOD}mended{GOOD:#}    {what}"));
        }
        for Finding { id, severity, at, message, fix, repair } in &self.findings {
            let sign = match severity {
                Severity::Critical => format!("{BAD}critical{BAD:#}"),
                Severity::Warn => format!("{WARN}warn{WARN:#}    "),
                Severity::Info => format!("{FAINT}info{FAINT:#}    "),
            };
            line(&format!("{sign}  {at}: {message}  {FAINT}{id}{FAINT:#}"));
            let by_itself = if repair.is_some() { " (--fix does it)" } else { "" };
            line(&format!("          {CODE}{fix}{CODE:#}{FAINT}{by_itself}{FAINT:#}"));
        }
        if self.findings.is_empty() {
            line(&format!("{GOOD}nothing found{GOOD:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what breaks here is a failed test")]

    use super::*;

    #[test]
    fn a_mended_configuration_and_what_was_before_are_private_and_the_second_time_does_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (config, data) = (folder.path().join("chela.json5"), folder.path().join("data"));
        let text = "{ channels: { webhook: { groupPolicy: 'open' } } } // mine";
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, Permissions::from_mode(0o644)).unwrap();
        let place = Place { config: config.clone(), data };
        let audit = Audit { command: None, json: false, fix: true, template: None, place };
        let repairs = || {
            vec![
                repair(Repair::Key {
                    path: ["channels", "webhook", "groupPolicy"].map(str::to_owned).to_vec(),
                    value: json!("allowlist"),
                }),
                repair(Repair::Mode { path: config.clone(), mode: 0o600 }),
            ]
        };
        assert_eq!(audit.mend(&repairs()).unwrap().len(), 2);
        let old = config.with_added_extension("before-audit");
        assert_eq!(fs::read_to_string(&config).unwrap(), text.replace("'open'", "\"allowlist\""));
        assert_eq!(fs::read_to_string(&old).unwrap(), text);
        for file in [&config, &old] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
        let again = audit.mend(&repairs()[..1]).unwrap();
        assert!(again.is_empty() && fs::read_to_string(&old).unwrap() == text, "{again:?}");
    }

    fn repair(repair: Repair) -> Finding {
        let (id, severity) = ("test", Severity::Critical);
        Finding { id, severity, at: String::new(), message: String::new(), fix: String::new(), repair: Some(repair) }
    }
}
