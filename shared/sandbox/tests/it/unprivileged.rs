//! The same tests again as somebody without any rights, where root runs them.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::place::root;

#[test]
fn all_of_it_holds_for_nobody_too() {
    if !root() {
        return; // The other tests are these.
    }
    let exe = std::env::current_exe().unwrap();
    let ran = Command::new(exe)
        .args(["--test-threads=2", "--skip", "unprivileged::"])
        .env("TMPDIR", "/var/tmp")
        .env("HOME", "/nonexistent")
        .uid(65_534)
        .gid(65_534)
        .output()
        .expect("nobody may read and run the tests: their folder must be open to all");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("test result: ok"), "{said}");
}
