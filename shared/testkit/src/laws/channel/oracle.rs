//! Official SDKs as judges. They are Python packages, which `tools/bootstrap oracles` installs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Lets a Python script read `question` as JSON from its input, and gives the JSON it prints. `CHELA_ORACLE_PYTHON` names
/// another Python that has the packages.
pub fn ask(script: &str, question: &Value) -> Value {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/oracles/bin/python");
    let python = std::env::var_os("CHELA_ORACLE_PYTHON").map_or_else(installed, PathBuf::from);
    let fix = format!("{} cannot be asked; run: tools/bootstrap oracles", python.display());
    let started = Command::new(&python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut judge = started.unwrap_or_else(|error| panic!("{fix} ({error})"));
    judge.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert!(said.status.success(), "{fix}\n{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}
