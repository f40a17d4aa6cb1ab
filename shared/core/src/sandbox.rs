//! Where a command runs that a model chose: a place with nothing to steal. A function without rights or routes on AWS, a
//! jail on a laptop. Files go in and come out as an archive; the sandbox itself reaches no store.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Longest run in milliseconds, in the background of a laptop. A tool call that waits ends after 30 s, and the function after
/// a minute.
pub const MAX_TIMEOUT_MS: u64 = 600_000;

/// Most bytes of input.
pub const MAX_STDIN: usize = 256 * 1024;

/// Most bytes kept of each output stream.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// Most bytes of an archive as it travels, written in base64. Lambda takes and gives 6 MB, and output comes beside it:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_ARCHIVE: usize = 4 * 1024 * 1024;

/// Variables a command may be given. Everything else can change which code a program runs (`LD_PRELOAD`, `BASH_ENV`,
/// `NODE_OPTIONS`, `GIT_SSH_COMMAND` and whatever comes next), so this is a list of what may, not of what may not.
pub const VARIABLES: [&str; 6] = ["LANG", "LC_ALL", "TZ", "TERM", "NO_COLOR", "COLUMNS"];

/// What is to be run. Arguments, never a shell string: nothing here parses a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandRequest {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What it reads.
    #[serde(default)]
    pub stdin: String,
    /// Variables beside those that are always there (PATH, HOME, TMPDIR, LANG), from [`VARIABLES`].
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Milliseconds until it is killed; at most [`MAX_TIMEOUT_MS`].
    pub timeout_ms: u64,
    /// The files of the folder it begins in, as `chela-archive` packs them; empty for none.
    #[serde(default)]
    pub archive: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandResult {
    /// The exit code; absent if a signal ended it. 127 if the program could not be started.
    pub exit_code: Option<i32>,
    /// What it wrote, cut to [`MAX_OUTPUT`]; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// The same for its errors.
    pub stderr: String,
    /// Whether something of its output was cut.
    pub truncated: bool,
    /// Why it was killed before its end: its time, its memory, its files.
    pub killed: Option<String>,
    /// How long it ran.
    pub duration_ms: u64,
    /// The files it made or changed, packed as in [`CommandRequest::archive`]; empty for none. A stranger wrote it: it is
    /// unpacked under caps.
    pub archive: String,
    /// Files it was given and removed.
    pub removed: Vec<String>,
    /// What it left behind and is not in the archive, with the reason.
    pub left_out: Vec<String>,
}

/// Why a command was not run, or nothing is known of it.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It was not run, and the reason says what to do: change the request, or come again later.
    #[error("{0}")]
    Invalid(String),
    /// The sandbox did not do its part: try again later. The command may have run.
    #[error("the sandbox failed: {0}")]
    Unavailable(String),
}

/// Hears what a command writes, output and errors as they come. What its result will not hold of them is not told.
pub type Hear<'a> = dyn Fn(&str) + Send + Sync + 'a;

/// Runs commands.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Runs one command to its end, or kills it when its time is up. Running it twice runs it twice. Nothing is left of it
    /// afterwards: no process, no file.
    async fn run(&self, request: &CommandRequest) -> Result<CommandResult, SandboxError>;

    /// The same, and tells what the command writes while it runs; where nothing goes on after a turn, nobody is told.
    async fn run_aloud(&self, request: &CommandRequest, _hear: &Hear<'_>) -> Result<CommandResult, SandboxError> {
        self.run(request).await
    }

    /// Whether a command can go on after the answer to the message that began it.
    fn outlives_a_turn(&self) -> bool {
        false
    }
}

/// Refuses what no sandbox runs. Adapters call it first.
pub fn check_request(request: &CommandRequest) -> Result<(), SandboxError> {
    let refused = |reason: String| Err(SandboxError::Invalid(reason));
    if request.argv.first().is_none_or(String::is_empty) || request.argv.iter().any(|word| word.contains('\0')) {
        return refused("argv is empty, or has an empty program or a NUL character".to_owned());
    }
    if request.stdin.len() > MAX_STDIN {
        return refused(format!("stdin is over {MAX_STDIN} bytes"));
    }
    if request.archive.len() > MAX_ARCHIVE {
        return refused(format!("the files are over {MAX_ARCHIVE} bytes when packed: bring fewer"));
    }
    if let Some((name, _)) =
        request.env.iter().find(|(name, value)| !VARIABLES.contains(&name.as_str()) || value.contains('\0'))
    {
        return refused(format!("the variable {name} is not given to commands; these are: {}", VARIABLES.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(argv: &[&str]) -> CommandRequest {
        CommandRequest { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..CommandRequest::default() }
    }

    #[test]
    fn what_no_sandbox_runs_is_refused_with_its_reason() {
        assert!(check_request(&request(&["ls", ""])).is_ok());
        for argv in [&[][..], &[""], &["ls", "a\0b"]] {
            assert!(check_request(&request(argv)).is_err(), "{argv:?}");
        }
        let long = CommandRequest { stdin: "x".repeat(MAX_STDIN + 1), ..request(&["cat"]) };
        assert!(check_request(&long).unwrap_err().to_string().contains("stdin"));
        let heavy = CommandRequest { archive: "x".repeat(MAX_ARCHIVE + 1), ..request(&["cat"]) };
        assert!(check_request(&heavy).unwrap_err().to_string().contains("fewer"));
    }

    #[test]
    fn x08_variables_that_choose_code_are_refused_whatever_their_name() {
        let with = |name: &str| CommandRequest { env: [(name.to_owned(), "x".to_owned())].into(), ..request(&["env"]) };
        for name in [
            "BASH_ENV",
            "ENV",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "MAKEFLAGS",
            "PATH",
            "RUSTC_WRAPPER",
            "CLOUDSDK_PYTHON",
            "SHELLOPTS",
            "PS4",
            "IFS",
            "PYTHONSTARTUP",
            "lang",
            "",
            "A=B",
        ] {
            assert!(check_request(&with(name)).is_err(), "{name}");
        }
        VARIABLES.iter().for_each(|name| check_request(&with(name)).unwrap());
    }
}
