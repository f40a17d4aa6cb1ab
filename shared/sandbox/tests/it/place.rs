//! Where the tests run commands.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox};
use chela_sandbox::Jail;

/// A secret that the surroundings of every command hold.
pub(crate) const SECRET: &str = "HUNTER2";

pub(crate) fn bwrap() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bubblewrap/bin/bwrap");
    let path = std::env::var("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join("bwrap"));
    std::iter::once(ours)
        .chain(installed)
        .find(|file| file.exists())
        .expect("these tests need bubblewrap; `tools/bootstrap bubblewrap` gets it")
}

pub(crate) fn stage() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chela-sandbox-stage"))
}

pub(crate) fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What this kernel has of Landlock: 1 and more keep files and other processes out of reach, 6 and more stop signals.
pub(crate) fn landlock() -> i32 {
    let script = "import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))";
    let asked = Command::new("python3").args(["-c", script]).output().unwrap();
    String::from_utf8_lossy(&asked.stdout).trim().parse().unwrap()
}

pub(crate) fn request(argv: &[&str]) -> CommandRequest {
    CommandRequest {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        timeout_ms: 10_000,
        ..CommandRequest::default()
    }
}

pub(crate) fn shell(script: &str) -> CommandRequest {
    request(&["bash", "-c", script])
}

/// The jail.
pub(crate) async fn jail() -> Jail {
    Jail::open(&bwrap(), stage()).await.expect("namespaces can be made here")
}

/// The stage in a world like Lambda's: the host's network and processes, one environment for one command after another, a
/// `/tmp` of its own, the program in `/var/task`, credentials in its environment. Only bubblewrap's mounts are used.
pub(crate) struct Function {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Function {
    pub(crate) fn start() -> Self {
        Self::after("true")
    }

    /// Runs `before` in the same world first, as something that an earlier process left.
    pub(crate) fn after(before: &str) -> Self {
        let mut command = Command::new(bwrap());
        command.args(["--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/var", "--perms", "1777", "--tmpfs", "/tmp"]);
        // A folder that somebody left open.
        command.args(["--perms", "1777", "--tmpfs", "/mnt"]);
        command.args(["--perms", "0755", "--dir", "/var/task"]);
        command.arg("--ro-bind").arg(stage()).arg("/var/task/bootstrap");
        command.args(["--remount-ro", "/var", "--remount-ro", "/dev"]);
        if root() {
            command.args(["--cap-add", "ALL"]);
        }
        let script = format!("{before}; exec /var/task/bootstrap sandbox-inner closed");
        let mut child = command
            .args(["sh", "-c", &script])
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// The answer, or `None` if the stage died of it.
    pub(crate) fn try_run(&mut self, request: &CommandRequest) -> Option<CommandResult> {
        let mut line = serde_json::to_vec(request).unwrap();
        line.push(b'\n');
        self.child.stdin.as_mut().unwrap().write_all(&line).ok()?;
        loop {
            let mut said = String::new();
            self.answers.read_line(&mut said).unwrap();
            let said: serde_json::Value = serde_json::from_str(&said).ok()?;
            if let Some(answer) = said.get("Ended") {
                let answer: Result<CommandResult, String> = serde_json::from_value(answer.clone()).unwrap();
                return Some(answer.unwrap());
            }
        }
    }

    pub(crate) fn run(&mut self, request: &CommandRequest) -> CommandResult {
        self.try_run(request).expect("the stage answers")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The same request in every place.
pub(crate) async fn everywhere(request: &CommandRequest) -> Vec<(&'static str, CommandResult)> {
    let jailed = jail().await.run(request).await.unwrap();
    vec![("jail", jailed), ("function", Function::start().run(request))]
}
