//! What a command may and may not do.

use chela_sandbox::{CommandError, CommandRequest, run};

fn request(argv: &[&str]) -> CommandRequest {
    CommandRequest {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        stdin: String::new(),
        timeout_ms: 5_000,
    }
}

#[tokio::test]
async fn a_command_reads_and_answers() {
    let result = run(&CommandRequest { stdin: "b\na\n".into(), ..request(&["sort"]) }).await.unwrap();
    assert_eq!((result.exit_code, result.stdout.as_str()), (Some(0), "a\nb\n"));
}

#[tokio::test]
async fn arguments_are_never_a_shell_line() {
    let result = run(&request(&["echo", "$(id); rm -rf /", "*"])).await.unwrap();
    assert_eq!(result.stdout, "$(id); rm -rf / *\n");
}

#[tokio::test]
async fn the_environment_holds_four_variables() {
    let result = run(&request(&["env"])).await.unwrap();
    let mut names: Vec<&str> = result.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR"]);
}

#[tokio::test]
async fn nothing_is_left_in_the_folder_of_the_next_command() {
    run(&request(&["touch", "left-behind"])).await.unwrap();
    assert_eq!(run(&request(&["ls", "-A"])).await.unwrap().stdout, "");
}

#[tokio::test]
async fn a_command_and_its_children_end_when_the_time_is_up() {
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("still-alive");
    let script = format!("(while true; do date > {}; done) & wait", file.display());
    let result = run(&CommandRequest { timeout_ms: 300, ..request(&["sh", "-c", &script]) }).await.unwrap();
    assert!(result.timed_out && result.exit_code.is_none());
    std::fs::remove_file(&file).unwrap();
    let again = run(&request(&["sh", "-c", &format!("sleep 0.2; test -e {}", file.display())])).await.unwrap();
    assert_eq!(again.exit_code, Some(1), "the grandchild still writes");
}

#[tokio::test]
async fn a_flood_is_cut_and_does_not_block() {
    let result = run(&request(&["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2"])).await.unwrap();
    assert_eq!((result.stdout.len(), result.truncated, result.stderr.as_str()), (64 * 1024, true, "end\n"));
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    assert!(matches!(run(&request(&[])).await, Err(CommandError::Invalid(_))));
    assert!(matches!(run(&request(&["a\0b"])).await, Err(CommandError::Invalid(_))));
    assert!(matches!(run(&request(&["no-such-program"])).await, Err(CommandError::NotStarted { .. })));
    assert_eq!(run(&request(&["false"])).await.unwrap().exit_code, Some(1));
}
