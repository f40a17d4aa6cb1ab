//! The real bash as the oracle: it is given a line, its builtins are switched off, and every program it would start is
//! a recorder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Sourced before the line: a name that is found nowhere is recorded too, and then every builtin is switched off.
const PRELUDE: &str = "command_not_found_handle() { \"$RECORDER\" \"$@\"; }\nenable -n ";

/// One file for each program that was started, its words ended by NUL. Ends as the test wants, for `&&` and `||`.
const RECORDER: &str = "#!/bin/sh\nfor word do printf '%s\\0' \"$word\"; done >\"$RECORD/$$\"\nexit \"$STATUS\"\n";

pub(crate) struct Bash {
    folder: TempDir,
}

impl Bash {
    pub(crate) fn new() -> Self {
        let bash = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bash.at("bin")).unwrap();
        let builtins = Command::new("/bin/bash").args(["-c", "echo $(compgen -b)"]).output().unwrap().stdout;
        fs::write(bash.at("prelude"), [PRELUDE.as_bytes(), &builtins].concat()).unwrap();
        program(&bash.at("recorder"), RECORDER);
        for name in ["a", "ls"] {
            program(&bash.at("bin").join(name), &format!("#!/bin/sh\nexec \"$RECORDER\" {name} \"$@\"\n"));
        }
        bash
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What bash starts for this line, each with how often, when every program ends with `status`.
    pub(crate) fn runs(&self, line: &str, status: u8) -> BTreeMap<Vec<String>, usize> {
        let record = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mut bash = Command::new("/bin/bash");
        bash.args(["-c", line])
            .env_clear()
            .env("PATH", self.at("bin"))
            .env("LANG", "C.UTF-8")
            .env("BASH_ENV", self.at("prelude"))
            .env("RECORDER", self.at("recorder"))
            .env("RECORD", record.path())
            .env("STATUS", status.to_string())
            .current_dir(self.at("bin"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        bash.status().unwrap();
        let mut found = BTreeMap::new();
        for file in fs::read_dir(record.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let argv = text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect();
            *found.entry(argv).or_default() += 1;
        }
        found
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The oracle itself: it must see what runs, also where we would ask.
#[test]
fn the_oracle_sees_what_bash_runs() {
    let bash = Bash::new();
    let seen = |line: &str, status| bash.runs(line, status).into_keys().collect::<Vec<_>>();
    assert_eq!(seen("ls -l 'a b' \"$((1+1))\"", 0), [["ls", "-l", "a b", "2"]]);
    assert_eq!(seen("echo one; exec two", 0), [vec!["echo", "one"], vec!["exec", "two"]]);
    assert_eq!(seen("a && b || c", 0), [["a"], ["b"]]);
    assert_eq!(seen("a && b || c", 1), [["a"], ["c"]]);
    assert_eq!(seen("a $(b)", 0), [["a"], ["b"]]);
    let path = bash.at("bin/ls");
    assert_eq!(seen(&format!("{} x", path.display()), 0), [["ls", "x"]]);
    assert_eq!(bash.runs("a | a | a", 0).into_values().sum::<usize>(), 3);
}
