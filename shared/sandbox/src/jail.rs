//! The sandbox of a laptop: bubblewrap around the stage that runs requests. Without bubblewrap there is none, and nothing
//! runs unless the owner of the machine wants commands to run beside everything else ([`Unjailed`]).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::sandbox::{
    CommandRequest, CommandResult, Hear, MAX_ARCHIVE, MAX_OUTPUT, Sandbox, SandboxError, check_request,
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::limits::{DISK_BYTES, NOBODY};
use crate::run::{PATH, Walls};
use crate::stage::{INNER, Said};

/// Where the stage lies inside: as in Lambda.
const STAGE: &str = "/var/task/bootstrap";

/// Most bytes a stage says: an archive, and both outputs with every character escaped, once at the end, and once before in
/// pieces as small as can be.
const MAX_SAID: usize = MAX_ARCHIVE + 2 * (6 + 6 + 16) * MAX_OUTPUT + 64 * 1024;

/// Beyond a command's own time: unpacking, killing, packing.
const MARGIN: Duration = Duration::from_secs(4);

/// Parts of the system that programs need, read-only. No `/home`, no `/root`, no `/var`, no `/run` with its sockets, and
/// of `/etc` only what the loader reads and what holds no secret.
const SYSTEM: [&str; 8] = [
    "/usr",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/nix/store",
];

/// Folders that are links into `/usr` on most systems, and folders on others.
const ROOTS: [&str; 5] = ["bin", "sbin", "lib", "lib64", "lib32"];

/// Commands in a jail of bubblewrap, each in one of its own.
#[derive(Clone, Debug)]
pub struct Jail {
    bwrap: PathBuf,
    stage: PathBuf,
}

impl Jail {
    /// The jail, if `bwrap` works here; `stage` is a program that calls [`crate::take_over`]. Tries it once, because a
    /// system may have bubblewrap and forbid namespaces.
    pub async fn open(bwrap: &Path, stage: &Path) -> Result<Self, SandboxError> {
        let jail = Self { bwrap: bwrap.to_owned(), stage: stage.to_owned() };
        let request = CommandRequest { argv: vec!["true".to_owned()], timeout_ms: 5_000, ..CommandRequest::default() };
        let result = jail.run(&request).await?;
        match result.exit_code {
            Some(0) => Ok(jail),
            _ => Err(SandboxError::Unavailable(format!("`true` failed in it: {}", result.stderr.trim()))),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.bwrap);
        // Bubblewrap itself is outside, where commands of the same user might read its environment.
        command.env_clear().env("PATH", PATH);
        command
            .args(["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"])
            .args(["--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1"])
            .args(["--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL", "--clearenv"]);
        for path in SYSTEM {
            command.args(["--ro-bind-try", path, path]);
        }
        for name in ROOTS {
            let path = Path::new("/").join(name);
            match std::fs::read_link(&path) {
                Ok(target) => command.arg("--symlink").arg(target).arg(&path),
                Err(_) => command.arg("--ro-bind-try").arg(&path).arg(&path),
            };
        }
        command
            .args(["--proc", "/proc", "--dev", "/dev", "--perms", "0700", "--size", &DISK_TMPFS.to_string()])
            .args(["--tmpfs", "/tmp", "--ro-bind"])
            .arg(&self.stage)
            .args([STAGE, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", STAGE, INNER])
            .arg(Walls::Closed.name());
        command
    }
}

/// Room of the jail's `/tmp`: the kernel's own wall, behind the watch that says what happened.
const DISK_TMPFS: u64 = DISK_BYTES + 8 * 1024 * 1024;

#[async_trait]
impl Sandbox for Jail {
    async fn run(&self, request: &CommandRequest) -> Result<CommandResult, SandboxError> {
        self.run_aloud(request, &|_| ()).await
    }

    async fn run_aloud(&self, request: &CommandRequest, hear: &Hear<'_>) -> Result<CommandResult, SandboxError> {
        let mut command = self.command();
        if rustix::process::geteuid().is_root() {
            // No number of processes is too high for root, also in a namespace that root made.
            command.uid(NOBODY).gid(NOBODY);
        }
        exchange(command, request, hear).await
    }

    fn outlives_a_turn(&self) -> bool {
        true
    }
}

/// Commands beside everything else, with limits and a clean environment but no walls: they can read what the user of the
/// gateway can read, and reach every network.
#[derive(Clone, Debug)]
pub struct Unjailed {
    stage: PathBuf,
}

impl Unjailed {
    /// `stage` is a program that calls [`crate::take_over`].
    pub fn new(stage: &Path) -> Self {
        Self { stage: stage.to_owned() }
    }
}

#[async_trait]
impl Sandbox for Unjailed {
    async fn run(&self, request: &CommandRequest) -> Result<CommandResult, SandboxError> {
        self.run_aloud(request, &|_| ()).await
    }

    async fn run_aloud(&self, request: &CommandRequest, hear: &Hear<'_>) -> Result<CommandResult, SandboxError> {
        let mut command = Command::new(&self.stage);
        command.args([INNER, Walls::Open.name()]).env_clear().env("PATH", PATH);
        exchange(command, request, hear).await
    }

    fn outlives_a_turn(&self) -> bool {
        true
    }
}

/// Gives a stage one request and takes its one answer. Whatever happens, the stage is dead afterwards.
async fn exchange(
    mut command: Command,
    request: &CommandRequest,
    hear: &Hear<'_>,
) -> Result<CommandResult, SandboxError> {
    check_request(request)?;
    let broken = |error: &dyn std::fmt::Display| SandboxError::Unavailable(error.to_string());
    let mut line = serde_json::to_vec(request).map_err(|error| broken(&error))?;
    line.push(b'\n');
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| broken(&error))?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A stage that does not come up says why on its way out.
            let _ = input.write_all(&line).await;
        }
    };
    let work = async { tokio::join!(feed, listen(output, hear), read(errors)) };
    let most = Duration::from_millis(request.timeout_ms).saturating_add(MARGIN);
    let Ok(((), answer, errors)) = tokio::time::timeout(most, work).await else {
        return Err(SandboxError::Unavailable("it did not end in time and was killed".to_owned()));
    };
    let _ = child.wait().await;
    let said = String::from_utf8_lossy(&errors);
    let answer =
        answer.ok_or_else(|| SandboxError::Unavailable(format!("it ended without an answer: {}", said.trim())))?;
    answer.map_err(SandboxError::Invalid)
}

/// Hands on what a command writes, until the stage is gone, and returns its answer.
async fn listen(stream: Option<impl AsyncRead + Unpin>, hear: &Hear<'_>) -> Option<Result<CommandResult, String>> {
    let mut lines = BufReader::new(stream?.take(u64::try_from(MAX_SAID).unwrap_or(u64::MAX))).lines();
    let mut answer = None;
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Said::Wrote(text)) => hear(&text),
            Ok(Said::Ended(ended)) => answer = Some(ended),
            // Without walls a command could write here, too; what is not the stage's is not listened to.
            Err(_) => {}
        }
    }
    answer
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(stream) = stream {
        // What was read before an error is looked at all the same.
        let _ = stream.take(4096).read_to_end(&mut kept).await;
    }
    kept
}
