//! Runs one command that a model chose. Only the `sandbox` function calls it: on AWS a function of its own, with an
//! empty role and nothing in its environment, because no wall inside the agent's function would hold
//! (user namespaces are denied in Lambda, and its environment carries credentials).
//!
//! The command gets a fresh folder as home and working directory, four environment variables, and the lower of its own
//! and our limits. Its whole process group is killed when its time is up.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Longest run.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// Most bytes kept of each output stream; the rest is read and thrown away, so that the command never blocks on it.
const MAX_OUTPUT: usize = 64 * 1024;

/// Most bytes of input.
const MAX_STDIN: usize = 1024 * 1024;

/// Where programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is to be run. Arguments, never a shell string: nothing here parses a command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandRequest {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What it reads.
    #[serde(default)]
    pub stdin: String,
    /// Milliseconds until it is killed; at most 60,000.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u64,
}

fn default_timeout() -> u64 {
    10_000
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandResult {
    /// The exit code; absent if a signal ended it.
    pub exit_code: Option<i32>,
    /// What it wrote, cut to 64 KB; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// The same for its errors.
    pub stderr: String,
    /// Whether something was cut.
    pub truncated: bool,
    /// Whether its time ran out.
    pub timed_out: bool,
    /// How long it ran.
    pub duration_ms: u64,
}

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The request is not one.
    #[error("{0}")]
    Invalid(&'static str),
    /// The program cannot be started.
    #[error("\"{program}\" cannot be started: {source}")]
    NotStarted {
        /// `argv[0]`.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The sandbox itself failed.
    #[error("the sandbox failed: {0}")]
    Broken(#[from] std::io::Error),
}

/// Runs one command to its end. Running it twice runs it twice; nothing is left of the first run but what the program
/// did outside its folder.
pub async fn run(request: &CommandRequest) -> Result<CommandResult, CommandError> {
    let Some((program, arguments)) = request.argv.split_first() else {
        return Err(CommandError::Invalid("argv is empty: give the program and its arguments"));
    };
    if program.is_empty() || request.argv.iter().any(|word| word.contains('\0')) {
        return Err(CommandError::Invalid("argv has an empty program or a NUL character"));
    }
    if request.stdin.len() > MAX_STDIN {
        return Err(CommandError::Invalid("stdin is over 1 MiB"));
    }
    let home = tempfile::tempdir()?;
    let started = Instant::now();
    let mut child = start(program, arguments, home.path())?;
    let timeout = Duration::from_millis(request.timeout_ms).min(MAX_TIMEOUT);
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A program that does not read its input closes the pipe; that is its right.
            let _ = input.write_all(request.stdin.as_bytes()).await;
        }
    };
    let work = async {
        let ((), stdout, stderr, status) = tokio::join!(feed, read(output), read(errors), child.wait());
        (stdout, stderr, status)
    };
    let ended = tokio::time::timeout(timeout, work).await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match ended {
        Ok((stdout, stderr, status)) => Ok(CommandResult {
            exit_code: status?.code(),
            truncated: stdout.1 || stderr.1,
            stdout: String::from_utf8_lossy(&stdout.0).into_owned(),
            stderr: String::from_utf8_lossy(&stderr.0).into_owned(),
            timed_out: false,
            duration_ms,
        }),
        Err(_) => {
            kill_group(&mut child).await;
            let (stdout, stderr) = (String::new(), "killed: its time ran out".to_owned());
            Ok(CommandResult { exit_code: None, stdout, stderr, truncated: false, timed_out: true, duration_ms })
        }
    }
}

fn start(program: &str, arguments: &[String], home: &Path) -> Result<Child, CommandError> {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("LANG", "C.UTF-8")
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| CommandError::NotStarted { program: program.to_owned(), source })
}

/// Reads to the end and keeps the beginning; tells whether anything was thrown away.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> (Vec<u8>, bool) {
    let Some(mut stream) = stream else { return (Vec::new(), false) };
    let (mut kept, mut cut, mut buffer) = (Vec::new(), false, vec![0u8; 8192]);
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let room = MAX_OUTPUT.saturating_sub(kept.len()).min(n);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
        cut |= room < n;
    }
    (kept, cut)
}

/// Grandchildren are in the group too; killing only the child would leave them running in a reused environment.
async fn kill_group(child: &mut Child) {
    if let Some(id) = child.id() {
        // `kill` with a negative id addresses the group (POSIX kill(1)); no crate for one system call.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).env("PATH", PATH).status().await;
    }
    let _ = child.kill().await;
}
