//! What a command may do.

use chela_archive::{Limits, from_text, to_text};
use chela_core::sandbox::{CommandRequest, Sandbox, SandboxError};
use chela_sandbox::{Jail, Unjailed};

use crate::place::{bwrap, everywhere, jail, request, shell, stage};

const LIMITS: Limits = Limits { entries: 1000, file_bytes: 1 << 20, total_bytes: 1 << 24 };

#[tokio::test]
async fn a_command_reads_and_answers() {
    for (place, result) in everywhere(&CommandRequest { stdin: "b\na\n".into(), ..request(&["sort"]) }).await {
        assert_eq!((result.exit_code, result.stdout.as_str()), (Some(0), "a\nb\n"), "{place}: {result:?}");
    }
}

#[tokio::test]
async fn arguments_are_never_a_shell_line() {
    for (place, result) in everywhere(&request(&["echo", "$(id); rm -rf /", "*"])).await {
        assert_eq!(result.stdout, "$(id); rm -rf / *\n", "{place}");
    }
}

#[tokio::test]
async fn x20_the_environment_holds_four_variables_those_that_were_given_and_none_of_a_file() {
    let env = [("TZ".to_owned(), "UTC".to_owned())].into();
    let file = b"OPENAI_BASE_URL=http://x\nHTTP_PROXY=http://x\nexport AWS_ENDPOINT_URL=http://x\n";
    let archive = to_text([".env", ".bashrc", ".profile", ".envrc"].map(|name| (name, &file[..]))).unwrap();
    for (place, result) in everywhere(&CommandRequest { env, archive, ..shell("/usr/bin/env") }).await {
        let mut names: Vec<&str> = result.stdout.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        let of_bash = ["PWD", "SHLVL", "_"];
        names.retain(|name| !of_bash.contains(name));
        assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR", "TZ"], "{place}");
    }
}

#[tokio::test]
async fn files_are_brought_and_what_changed_is_brought_back() {
    let archive = to_text([
        ("notes/a.md", &b"one\n"[..]),
        ("notes/b.md", b"two\n"),
        ("run.sh", b"#!/bin/sh\necho ran\n"),
        ("old", b""),
    ]);
    let script = "./run.sh; echo three >>notes/a.md; mkdir out; printf '\\0\\377' >out/bin; rm old; cp notes/b.md same; \
                  cat notes/b.md >again; mv again notes/b.md";
    for (place, result) in everywhere(&CommandRequest { archive: archive.clone().unwrap(), ..shell(script) }).await {
        assert_eq!((result.stdout.as_str(), result.stderr.as_str()), ("ran\n", ""), "{place}");
        let mut files = from_text(&result.archive, LIMITS).unwrap();
        files.sort();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref())).collect();
        let expected = [("notes/a.md", &b"one\nthree\n"[..]), ("out/bin", &[0, 255]), ("same", b"two\n")];
        assert_eq!(files, expected, "{place}: a file that is as it was stays where it is");
        assert_eq!((result.removed, result.left_out), (vec!["old".to_owned()], vec![]), "{place}");
    }
}

#[tokio::test]
async fn x23_a_flood_is_cut_and_does_not_block() {
    for (place, result) in everywhere(&shell("head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2")).await {
        assert_eq!(
            (result.stdout.len(), result.truncated, result.stderr.as_str()),
            (64 * 1024, true, "end\n"),
            "{place}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    for (place, result) in everywhere(&request(&["no-such-program"])).await {
        assert_eq!(result.exit_code, Some(127), "{place}");
        assert!(result.stderr.contains("\"no-such-program\" cannot be started"), "{place}: {}", result.stderr);
    }
    for (place, result) in everywhere(&request(&["false"])).await {
        assert_eq!(result.exit_code, Some(1), "{place}");
    }
    let jail = jail().await;
    assert!(matches!(jail.run(&request(&[])).await, Err(SandboxError::Invalid(_))));
    let archive = "no archive".to_owned();
    let refused = jail.run(&CommandRequest { archive, ..request(&["true"]) }).await;
    assert!(matches!(refused, Err(SandboxError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn languages_people_use_work() {
    for program in ["python3", "perl"] {
        let ours = std::process::Command::new(program).arg("--version").output();
        if ours.is_ok_and(|output| output.status.success()) {
            for (place, result) in everywhere(&shell(&format!("command -v {program} && {program} --version"))).await {
                assert_eq!(result.exit_code, Some(0), "{program} in the {place}: {result:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_working_bubblewrap_there_is_no_jail() {
    let nowhere = Jail::open(std::path::Path::new("/no/bwrap"), stage()).await;
    assert!(matches!(nowhere, Err(SandboxError::Unavailable(_))));
    let no_stage = Jail::open(&bwrap(), std::path::Path::new("/bin/true")).await;
    assert!(no_stage.unwrap_err().to_string().contains("without an answer"));
}

#[tokio::test]
async fn an_owner_who_wants_no_walls_still_gets_a_folder_limits_and_an_end() {
    let open = Unjailed::new(stage());
    let result =
        open.run(&shell("env | wc -l; ulimit -v; ulimit -u; grep Seccomp: /proc/self/status; sleep 60 &")).await;
    let result = result.unwrap();
    assert!(result.stdout.contains("128") && result.stdout.contains("Seccomp:\t0"), "{result:?}");
    assert!(result.duration_ms < 5_000);
}
