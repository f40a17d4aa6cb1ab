//! `chela config`: the configuration looked at, never changed.

use std::path::Path;

use anyhow::Context as _;
use chela_config::{Checked, MissingVariable, Surroundings};
use clap::{Args, Subcommand};

use crate::place::{Place, variable};
use crate::show::{GOOD, line};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela config check\n  chela config example > chela.json5\n  chela config schema > chela.schema.json"
)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that is wrong with it: key, line, and what to do
    Check {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// The JSON schema, for editors
    Schema,
    /// Every key with its default, commented
    Example,
}

impl ConfigCommand {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match &self.command {
            Command::Schema => line(&serde_json::to_string_pretty(&chela_config::schema())?),
            Command::Example => line(chela_config::DEFAULT_TEXT.trim_end()),
            Command::Check { json } => {
                let Checked { report, .. } = check(&self.place.config)?;
                if *json {
                    line(&serde_json::to_string(&report)?);
                } else if report.is_clean() {
                    line(&format!("{GOOD}{} is in order{GOOD:#}", self.place.config.display()));
                } else {
                    line(report.render().trim_end());
                }
                let errors = report.errors.len();
                anyhow::ensure!(errors == 0, "{errors} errors in {}", self.place.config.display());
            }
        }
        Ok(())
    }
}

/// Looks over a configuration file with the files it includes.
pub(crate) fn check(path: &Path) -> anyhow::Result<Checked> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    // Included names were already confined to the folder.
    let files = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let channels = chela_app::install::channel_keys();
    let surroundings = Surroundings { variables: &variable, missing: MissingVariable::Refuse, channels: &channels };
    Ok(chela_config::check(&path.display().to_string(), &text, &files, &surroundings))
}
