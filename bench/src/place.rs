//! Where things are: the repository, the binaries beside our own, a folder to work in.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The places of one run.
pub(crate) struct Place {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Where cargo put our binary and the measured ones: `target/release`, unless `CHELA_BENCH_PROFILE` was set.
    pub(crate) binaries: PathBuf,
    /// The target folder, on a real disk with the rest of the repository.
    pub(crate) target: PathBuf,
    /// Emptied at the start; what programs print stays there to be read.
    work: PathBuf,
}

impl Place {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let binaries = own.parent().context("our own binary lies nowhere")?.to_owned();
        let target = binaries.parent().context("the binaries lie nowhere")?.to_owned();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("there is no repository")?.to_owned();
        let work = target.join("bench");
        match std::fs::remove_dir_all(&work) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir_all(&work)?,
        }
        Ok(Self { root, binaries, target, work })
    }

    /// The places of a test, whose binary lies one folder deeper; what its programs print is kept apart.
    #[cfg(test)]
    pub(crate) fn of_tests(name: &str) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let binaries = own.parent().and_then(Path::parent).context("our own binary lies nowhere")?.to_owned();
        let target = binaries.parent().context("the binaries lie nowhere")?.to_owned();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("there is no repository")?.to_owned();
        let work = target.join(name);
        std::fs::create_dir_all(&work)?;
        Ok(Self { root, binaries, target, work })
    }

    /// Whether these are the binaries that are shipped.
    pub(crate) fn profile(&self) -> &str {
        self.binaries.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// A new folder.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.work.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}
