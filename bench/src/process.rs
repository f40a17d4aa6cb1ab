//! Programs under measurement: started with an environment of our own, read through `/proc`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

/// What `/proc` counts time in; the same on every architecture Linux runs on. `man 5 proc_pid_stat`
const TICKS_PER_S: f64 = 100.0;

/// A running program. It ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. It sees nothing of our environment but where to find programs and its home; what it prints goes
    /// to `log`, a file, because a pipe that nobody reads would stop it.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        variables: &[(String, String)],
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let kept = ["PATH", "HOME", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(kept)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("{} does not start: build it first (`make bench` does)", program.display()))?;
        Ok(Self { child, log })
    }

    /// An error if it has ended, with the last it said.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("the program ended ({status}):\n{}", self.last_words());
        }
        Ok(())
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Bytes it printed so far.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |file| file.len())
    }

    /// Its id, as `/proc` writes it.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// CPU of its living threads, in ms: a resolution of nanoseconds.
    pub(crate) fn precise_cpu_ms(&self) -> anyhow::Result<f64> {
        let mut ns = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let counters = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            ns += counters.split(' ').next().context("schedstat is empty")?.parse::<f64>()?;
        }
        Ok(ns / 1e6)
    }

    /// A line of `/proc/<pid>/status` such as `VmRSS`, in MB of 1e6 bytes.
    pub(crate) fn memory_mb(&self, line: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
        let kib = value.and_then(|value| value.split_whitespace().next()).with_context(|| format!("no {line}"))?;
        Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU of all threads of a process (`self` is ours), also those that ended, in ms: a resolution of 10 ms.
pub(crate) fn cpu_ms_of(process: &str) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in brackets, may have spaces; what follows it begins with the third field.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<f64>().ok());
    let (user, system) = (ticks(14).context("no utime")?, ticks(15).context("no stime")?);
    Ok((user + system) * 1000.0 / TICKS_PER_S)
}

/// Load of the machine over the last minute, and its cores.
pub(crate) fn machine() -> (f64, usize) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
    (load, std::thread::available_parallelism().map_or(1, usize::from))
}

/// Runs a script of the repository and returns what it printed.
pub(crate) fn run(root: &Path, script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let program = root.join(script);
    let out = Command::new(&program).args(arguments).stdin(Stdio::null()).output();
    let out = out.with_context(|| format!("{} does not start", program.display()))?;
    ensure!(out.status.success(), "{script} failed:\n{}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}
