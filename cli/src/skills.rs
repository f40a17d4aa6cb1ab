//! `chela skills`: instructions from outside, pinned and scanned before an agent may follow them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_embedded::FolderBlobs;
use chela_skills::install::{Source, Terms, forget, judge, lock, put, verify, without_secrets};
use chela_skills::{Locked, Shelf, ShelfSettings, scan};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::place::Place;
use crate::show::{BAD, CODE, FAINT, GOOD, WARN, line, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela skills install ./weather\n  chela skills install https://github.com/acme/skills.git#v1.2:weather --sha256 9f2c…\n  chela skills install download.zip --agent work\n  chela skills verify\n\nOn AWS: install with --into shelf, then `aws s3 sync shelf/ s3://<the stack's bucket>/`."
)]
pub(crate) struct Skills {
    #[command(subcommand)]
    command: SkillsCommand,
    /// For this agent alone; for all agents if left out
    #[arg(long, global = true, value_name = "ID")]
    agent: Option<String>,
    /// A folder of files in the place of the gateway's
    #[arg(long, global = true, value_name = "FOLDER")]
    into: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum SkillsCommand {
    /// Skills on the shelf, and what those lack that cannot work
    Ls {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// What a skill says
    Show {
        /// Its name
        name: String,
    },
    /// Fetch, compare, scan and install a skill
    Install {
        /// A folder, a .zip or .tar.gz, or a repository: https://host/path.git[#revision[:folder]]
        source: String,
        /// The hash it must have
        #[arg(long, value_name = "HASH")]
        sha256: Option<String>,
        /// Install it although the scan warns; what the scan forbids is never installed
        #[arg(long)]
        accept: bool,
    },
    /// Fetch and scan only
    Scan {
        /// As for install
        source: String,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Whether installed skills are as they were installed
    Verify,
    /// Remove an installed skill
    Remove {
        /// Its name
        name: String,
    },
}

impl Skills {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let live = self.shelf().await?;
        let shelf = live.files();
        match &self.command {
            SkillsCommand::Ls { json } => self.list(&live, *json).await,
            SkillsCommand::Show { name } => self.show(shelf, name).await,
            SkillsCommand::Install { source, sha256, accept } => {
                let terms = Terms { pin: sha256.clone(), accept: *accept };
                self.install(shelf, source, &terms).await
            }
            SkillsCommand::Scan { source, json } => scan_only(source, *json),
            SkillsCommand::Verify => self.verify(shelf).await,
            SkillsCommand::Remove { name } => self.remove(shelf, name).await,
        }
    }

    fn root(&self) -> String {
        match &self.agent {
            Some(agent) => format!("agents/{}/skills/", AgentId::new(agent).as_str()),
            None => "skills/".to_owned(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.into.clone().unwrap_or_else(|| self.place.data.join("files"))
    }

    /// The files, with the workspaces where configuration has them. A gateway may be running beside: files are the one
    /// thing that several processes may write.
    async fn shelf(&self) -> anyhow::Result<Live> {
        let folder = self.folder();
        let incoming = folder.with_extension("incoming-skills");
        let files = FolderBlobs::open(&folder, &incoming);
        let files = Arc::new(files.with_context(|| format!("cannot write to {}", folder.display()))?);
        Ok(Live::open(self.place.ground(files, Scope::Nothing)?).await?)
    }

    async fn list(&self, live: &Live, as_json: bool) -> anyhow::Result<()> {
        let agent = AgentId::new(self.agent.as_deref().unwrap_or("main"));
        let config = live.current().await.config.clone();
        let mut settings = chela_app::shelf_settings(&config, &agent);
        settings.ground.tools =
            chela_tools::all(&chela_tools::ToolSettings::default()).iter().map(|tool| tool.spec().name).collect();
        let (stock, problems) = Shelf::new(live.files().clone()).stock(&agent, &settings, Place::clock().now()).await?;
        if as_json {
            let rows = stock.iter().map(|it| {
                let missing: Vec<String> = it.missing.iter().map(ToString::to_string).collect();
                json!({"name": it.skill.name, "description": it.skill.description, "folder": it.folder,
                       "pinned": it.pinned, "missing": missing})
            });
            let skills: Vec<_> = rows.collect();
            line(&json!({"skills": skills, "problems": problems}).to_string());
            return Ok(());
        }
        if stock.is_empty() {
            line(&format!("There are no skills yet. {CODE}chela skills install <source>{CODE:#} brings one."));
        } else {
            let rows: Vec<Vec<String>> = stock.iter().map(row).collect();
            table(&["skill", "pinned", "works", "what for"], &rows);
        }
        for problem in problems {
            line(&format!("{BAD}left out{BAD:#}: {problem}"));
        }
        Ok(())
    }

    async fn show(&self, files: &Arc<dyn BlobStore>, name: &str) -> anyhow::Result<()> {
        let agent = AgentId::new(self.agent.as_deref().unwrap_or("main"));
        let (stock, _) =
            Shelf::new(files.clone()).stock(&agent, &ShelfSettings::default(), Place::clock().now()).await?;
        let found = stock.iter().find(|it| it.skill.name == name);
        let found = found.with_context(|| format!("there is no skill \"{name}\"; see `chela skills ls`"))?;
        line(&format!("{CODE}{}{CODE:#}  {FAINT}{}{FAINT:#}\n{}\n", name, found.folder, found.skill.description));
        line(&found.skill.body);
        Ok(())
    }

    async fn install(&self, files: &Arc<dyn BlobStore>, source: &str, terms: &Terms) -> anyhow::Result<()> {
        let scratch = Scratch::new()?;
        let (folder, bundle) = Source::parse(source)?.fetch(scratch.path())?;
        let (skill, warnings) = judge(&folder, &bundle, terms)?;
        let (name, root) = (skill.name.clone(), self.root());
        let now = jiff::Timestamp::now().to_string();
        put(
            files.as_ref(),
            &root,
            &name,
            &bundle,
            Locked::of(&bundle, &without_secrets(source), &now, warnings.clone()),
        )
        .await?;
        for warning in &warnings {
            line(&format!("{WARN}accepted{WARN:#} {}:{} {}", warning.path, warning.line, warning.why));
        }
        line(&format!("{GOOD}installed{GOOD:#} {CODE}{name}{CODE:#} in {}{name}", root));
        line(&format!("{FAINT}pin it elsewhere with{FAINT:#} --sha256 {}", bundle.hash()));
        Ok(())
    }

    async fn verify(&self, files: &Arc<dyn BlobStore>) -> anyhow::Result<()> {
        let report = verify(files.as_ref(), &self.root()).await?;
        if report.is_empty() {
            line("Nothing is installed here.");
        }
        let mut changed = 0usize;
        for (name, wrong) in report {
            if wrong.is_empty() {
                line(&format!("{GOOD}as installed{GOOD:#}  {name}"));
                continue;
            }
            changed = changed.saturating_add(1);
            line(&format!("{BAD}changed{BAD:#}       {name}: {}", wrong.join(", ")));
        }
        anyhow::ensure!(
            changed == 0,
            "{changed} skills are not as they were installed; install them again, or remove them"
        );
        Ok(())
    }

    async fn remove(&self, files: &Arc<dyn BlobStore>, name: &str) -> anyhow::Result<()> {
        let root = self.root();
        let known = lock(files.as_ref(), &root).await?.skills.contains_key(name);
        anyhow::ensure!(known, "no skill \"{name}\" was installed in {root}; see `chela skills ls`");
        // First the files: a lock without files is nothing, files without a lock would be followed unpinned.
        for file in files.list(&format!("{root}{name}/"), usize::MAX).await? {
            files.delete(&file.key, None).await?;
        }
        forget(files.as_ref(), &root, name).await?;
        line(&format!("{GOOD}removed{GOOD:#} {name}"));
        Ok(())
    }
}

fn row(it: &chela_skills::Stocked) -> Vec<String> {
    let works = if it.missing.is_empty() {
        "yes".to_owned()
    } else {
        let missing: Vec<String> = it.missing.iter().map(ToString::to_string).collect();
        format!("lacks {}", missing.join("; "))
    };
    let pinned = if it.pinned { "yes" } else { "no" };
    let what: String = it.skill.description.chars().take(70).collect();
    vec![it.skill.name.clone(), pinned.to_owned(), works, what]
}

fn scan_only(source: &str, as_json: bool) -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let (folder, bundle) = Source::parse(source)?.fetch(scratch.path())?;
    let (skill, findings) = (bundle.skill(&folder)?, scan(&bundle));
    if as_json {
        line(&json!({"name": skill.name, "sha256": bundle.hash(), "findings": findings}).to_string());
        return Ok(());
    }
    line(&format!("{CODE}{}{CODE:#}  sha256 {}", skill.name, bundle.hash()));
    if findings.is_empty() {
        line(&format!("{GOOD}nothing found{GOOD:#}; that does not prove it harmless: read it before you install it"));
    }
    for it in findings {
        let style = if it.severity == chela_skills::Severity::Block { BAD } else { WARN };
        line(&format!("{style}{}{style:#}  {}:{}  {}", it.rule, it.path, it.line, it.why));
    }
    Ok(())
}

/// A folder for what is being fetched; gone with the command.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let name = format!("chela-skill-{}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
