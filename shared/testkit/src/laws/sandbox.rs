//! Laws of [`Sandbox`]. What each place keeps out beside is tried where the place is.

use std::time::{Duration, Instant};

use chela_archive::{Limits, from_text, to_text};
use chela_core::sandbox::{CommandRequest, CommandResult, MAX_OUTPUT, Sandbox, SandboxError};

fn request(argv: &[&str]) -> CommandRequest {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    CommandRequest { argv, timeout_ms: 10_000, ..CommandRequest::default() }
}

fn shell(script: &str) -> CommandRequest {
    request(&["bash", "-c", script])
}

async fn run(sandbox: &dyn Sandbox, request: &CommandRequest) -> CommandResult {
    sandbox.run(request).await.unwrap()
}

fn files(result: &CommandResult) -> Vec<(String, String)> {
    let limits = Limits { entries: 100, file_bytes: 1 << 20, total_bytes: 1 << 20 };
    let files = from_text(&result.archive, limits).unwrap();
    files.iter().map(|(name, bytes)| (name.clone(), String::from_utf8(bytes.to_vec()).unwrap())).collect()
}

/// Words stay words, input is read, output and errors are kept apart, and the code is the program's.
pub async fn a_program_gets_its_words_and_answers(sandbox: &dyn Sandbox) {
    let asked = CommandRequest { stdin: "b\na\n".to_owned(), ..shell("sort; echo \"$0\" >&2; exit 3") };
    let asked = CommandRequest { argv: [asked.argv.clone(), vec!["$(id); *".to_owned()]].concat(), ..asked };
    let result = run(sandbox, &asked).await;
    let said = (result.exit_code, result.stdout.as_str(), result.stderr.as_str());
    assert_eq!(said, (Some(3), "a\nb\n", "$(id); *\n"), "{result:?}");
    assert_eq!((result.killed, result.truncated), (None, false));
}

/// Who cannot be started is 127, and who is ended by a signal has no code.
pub async fn other_ends_are_told_apart(sandbox: &dyn Sandbox) {
    let result = run(sandbox, &request(&["no-such-program-here"])).await;
    assert!(result.exit_code == Some(127) && result.stderr.contains("no-such-program-here"), "{result:?}");
    let result = run(sandbox, &shell("kill -TERM $$")).await;
    assert_eq!((result.exit_code, result.killed), (None, None));
}

/// What is over the caps is cut, and said to be; the command is not held up by it.
pub async fn output_is_capped(sandbox: &dyn Sandbox) {
    let result = run(sandbox, &shell("head -c 300000 /dev/zero | tr '\\0' x; head -c 10 /dev/zero >&2; exit 4")).await;
    assert_eq!((result.exit_code, result.truncated, result.stdout.len()), (Some(4), true, MAX_OUTPUT));
    assert_eq!(result.stderr.len(), 10);
}

/// When its time is over a command is killed whatever it does about signals, with all it began; nobody waits for those.
pub async fn time_is_limited(sandbox: &dyn Sandbox) {
    let began = Instant::now();
    let stubborn = "trap '' TERM HUP INT; (setsid sleep 300 &); echo begun; while :; do sleep 0.1; done";
    let result = run(sandbox, &CommandRequest { timeout_ms: 1_000, ..shell(stubborn) }).await;
    assert!(result.killed.as_deref().unwrap_or_default().contains("time"), "{result:?}");
    assert_eq!((result.exit_code, result.stdout.as_str()), (None, "begun\n"));
    assert!(result.duration_ms >= 1_000 && began.elapsed() < Duration::from_secs(12), "{result:?}");
}

/// The environment is that of the place and what was given, and nothing of whoever runs it.
pub async fn the_environment_is_clean(sandbox: &dyn Sandbox) {
    let env = [("TZ".to_owned(), "Europe/Berlin".to_owned())].into();
    let result = run(sandbox, &CommandRequest { env, ..request(&["/usr/bin/env"]) }).await;
    let mut names: Vec<&str> = result.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR", "TZ"], "{result:?}");
    assert!(result.stdout.contains("TZ=Europe/Berlin\n"));
}

/// What is never run is refused by every place, and nothing of it happens.
pub async fn what_no_sandbox_runs_is_refused(sandbox: &dyn Sandbox) {
    let env = [("LD_PRELOAD".to_owned(), "/tmp/x.so".to_owned())].into();
    for refused in [request(&[]), CommandRequest { env, ..request(&["true"]) }] {
        let answer = sandbox.run(&refused).await;
        assert!(matches!(answer, Err(SandboxError::Invalid(_))), "{answer:?}");
    }
    let broken = CommandRequest { archive: "no archive".to_owned(), ..request(&["true"]) };
    assert!(sandbox.run(&broken).await.is_err());
}

/// A command begins among the files it was given; what it made or changed comes back, and what it removed is named.
pub async fn files_go_in_and_come_back(sandbox: &dyn Sandbox) {
    let given = [("a.txt", &b"one\n"[..]), ("sub/b.txt", b"same\n"), ("gone.txt", b"x")];
    let asked = CommandRequest {
        archive: to_text(given).unwrap(),
        ..shell(
            "cat a.txt sub/b.txt; echo two >>a.txt; rm gone.txt; mkdir -p new; echo made >new/c.txt; ln -s a.txt link",
        )
    };
    let result = run(sandbox, &asked).await;
    assert_eq!((result.exit_code, result.stdout.as_str()), (Some(0), "one\nsame\n"), "{result:?}");
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    assert_eq!(files(&result), [("a.txt", "one\ntwo\n"), ("new/c.txt", "made\n")].map(owned));
    assert_eq!(result.removed, ["gone.txt"]);
    assert!(result.left_out.iter().any(|line| line.starts_with("link")), "{result:?}");
}

/// The next command finds no file, no process and no memory of the last.
pub async fn nothing_is_left(sandbox: &dyn Sandbox) {
    let word = format!("300.{}", std::process::id());
    let first =
        format!("echo mine >/tmp/left; echo mine >kept; (setsid sleep {word} >/dev/null 2>&1 &); sleep 0.2; echo done");
    let result = run(sandbox, &shell(&first)).await;
    assert_eq!(result.stdout, "done\n", "{result:?}");
    let look = "ls -A; find /tmp -mindepth 1 -not -path \"$HOME*\"; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; done 2>/dev/null";
    let result = run(sandbox, &shell(look)).await;
    assert!(!result.stdout.contains("left") && !result.stdout.contains("kept"), "{result:?}");
    assert!(!result.stdout.contains(&word), "{result:?}");
}

/// No socket is opened, to this machine or any other.
pub async fn there_is_no_network(sandbox: &dyn Sandbox) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let result = run(sandbox, &shell(&format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) && echo REACHED; echo end"))).await;
    assert_eq!(result.stdout, "end\n", "{result:?}");
    assert!(listener.accept().is_err(), "somebody came");
}

/// What is told while a command runs is what it writes, in time where commands go on after a turn, and never something else.
pub async fn output_is_told_while_it_runs(sandbox: &dyn Sandbox) {
    let told = std::sync::Mutex::new(Vec::new());
    let began = Instant::now();
    let hear = |text: &str| told.lock().unwrap().push((text.to_owned(), began.elapsed()));
    let result = sandbox.run_aloud(&shell("echo first; sleep 2; echo second >&2"), &hear).await.unwrap();
    assert_eq!((result.stdout.as_str(), result.stderr.as_str()), ("first\n", "second\n"));
    let (told, ended) = (told.into_inner().unwrap(), began.elapsed());
    if sandbox.outlives_a_turn() {
        assert_eq!(told.iter().map(|(text, _)| text.as_str()).collect::<String>(), "first\nsecond\n");
        assert!(ended - told[0].1 > Duration::from_secs(1), "it was told at the end: {told:?}");
    } else {
        assert!(told.is_empty(), "{told:?}");
    }
}

/// Declares one test for each law; `$make` is an `async fn() -> Subject<dyn Sandbox>`.
#[macro_export]
macro_rules! sandbox_laws {
    ($make:expr) => {
        $crate::law_tests!(
            sandbox,
            $make,
            [
                a_program_gets_its_words_and_answers,
                other_ends_are_told_apart,
                output_is_capped,
                time_is_limited,
                the_environment_is_clean,
                what_no_sandbox_runs_is_refused,
                files_go_in_and_come_back,
                nothing_is_left,
                there_is_no_network,
                output_is_told_while_it_runs,
            ]
        );
    };
}
