//! Where a gateway keeps its things: a configuration file and a data folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chela_app::install::Scope;
use chela_app::live::{Commands, Ground, Inside, Live};
use chela_app::mcp::{Grants, McpHome};
use chela_clock::SystemClock;
use chela_core::blob::BlobStore;
use chela_core::clock::Clock;
use chela_core::sandbox::Sandbox;
use chela_embedded::{Embedded, FolderBlobs, LocalSecrets};
use chela_sandbox::{Jail, Unjailed};
use clap::Args;

/// The options every command about a local gateway shares.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The configuration; it need not exist
    #[arg(long, global = true, env = "CHELA_CONFIG", default_value = "chela.json5", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The folder for sessions, memory and media
    #[arg(long, global = true, env = "CHELA_DATA", default_value = ".chela", value_name = "FOLDER")]
    pub(crate) data: PathBuf,
}

/// A variable of the environment: the one place where this program reads it.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Place {
    /// The clock of this machine.
    pub(crate) fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// The embedded store. One process at a time.
    pub(crate) fn open_store(&self) -> anyhow::Result<Embedded> {
        Embedded::open(&self.data, Self::clock()).with_context(|| format!("cannot open {}", self.data.display()))
    }

    /// Secrets of the environment and of files.
    pub(crate) fn secrets() -> Arc<LocalSecrets> {
        Arc::new(LocalSecrets::new(variable))
    }

    /// What a gateway here stands on. `files` are the workspaces.
    pub(crate) fn ground(&self, files: Arc<dyn BlobStore>, scope: Scope) -> anyhow::Result<Ground> {
        let (config_files, config_key) = self.config_files()?;
        Ok(Ground {
            config_files: Arc::new(config_files),
            config_key,
            files,
            secrets: Self::secrets(),
            variables: Arc::new(variable),
            clock: Self::clock(),
            commands: Commands::default(),
            scope,
            mcp: McpHome {
                launcher: Some(chela_mcp::stdio::launcher(variable)),
                grants: Grants::Folder(self.data.join("mcp")),
            },
            inside: Inside::default(),
        })
    }

    /// Which programs can be started: a browser, and commands: in a jail of bubblewrap, and, if the configuration wants it, without one.
    pub(crate) async fn commands() -> Commands {
        let Ok(stage) = std::env::current_exe() else { return Commands::default() };
        let path = variable("PATH").unwrap_or_default();
        let bwrap = std::env::split_paths(&path).map(|folder| folder.join("bwrap")).find(|file| file.is_file());
        let jail = match bwrap {
            Some(bwrap) => {
                let jail = Jail::open(&bwrap, &stage).await;
                jail.map_err(|error| format!("bubblewrap does not work here: {error}"))
            }
            None => Err("there is no bubblewrap to make one of (on Debian: apt install bubblewrap)".to_owned()),
        };
        let sandbox = jail.map(|jail| Arc::new(jail) as Arc<dyn Sandbox>).map_err(|why| format!("no sandbox: {why}"));
        let browser = Some(crate::browser::opener(path));
        Commands {
            sandbox: Some(sandbox),
            gateway: Some(Arc::new(Unjailed::new(&stage))),
            browser,
            ..Commands::default()
        }
    }

    /// The configuration and its accounts, without the store: a running gateway holds that.
    pub(crate) async fn live(&self) -> anyhow::Result<Live> {
        let (files, _) = self.config_files()?;
        Ok(Live::open(self.ground(Arc::new(files), Scope::Everything)?).await?)
    }

    /// The folder the configuration is in, and its name there.
    fn config_files(&self) -> anyhow::Result<(FolderBlobs, String)> {
        let folder = match self.config.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = self.config.file_name().and_then(|name| name.to_str()).context("--config names no file")?;
        let files = FolderBlobs::open(folder, &std::env::temp_dir().join("chela-incoming"));
        Ok((files.with_context(|| format!("cannot read {}", folder.display()))?, name.to_owned()))
    }
}
