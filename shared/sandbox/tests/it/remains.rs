//! What a command leaves: nothing but files, and of those only what a store can keep.

use std::time::{Duration, Instant};

use chela_core::sandbox::Sandbox;

use crate::place::{Function, everywhere, jail, shell};

/// Whether a process lives on this machine that has this word among its arguments.
fn alive(word: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let own = entry.file_name().to_str() == Some(&std::process::id().to_string());
        !own && String::from_utf8_lossy(&command).contains(word)
    })
}

#[tokio::test]
async fn a_daemon_ends_with_its_command_and_nobody_waits_for_it() {
    let word = format!("daemon-{}", std::process::id());
    let script = format!(
        "(setsid bash -c 'trap \"\" TERM HUP; while :; do sleep 0.1; done' {word} &) ; (setsid setsid sleep 300 {word} &); echo begun"
    );
    let script = format!(
        "{script}; python3 -c \"import os, sys, time\nif os.fork(): sys.exit()\nos.setsid()\nif os.fork(): sys.exit()\ntime.sleep(300)\" {word}"
    );
    let began = Instant::now();
    let jailed = jail().await.run(&shell(&script)).await.unwrap();
    assert!(jailed.stdout.contains("begun") && !alive(&word), "{jailed:?}");
    let mut function = Function::start();
    let result = function.run(&shell(&script));
    // The environment lives on, and nothing in it.
    assert!(result.stdout.contains("begun") && !alive(&word), "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn the_next_command_in_a_warm_environment_finds_nothing() {
    let mut function = Function::start();
    // Folders nobody may enter, a name that is no text, and two thousand folders in one another.
    let script = "echo x >/tmp/left; mkdir -p /tmp/closed/inner; echo x >/tmp/closed/inner/x; chmod 000 /tmp/closed/inner /tmp/closed; \
        touch $'/tmp/\\377'; ln -s / /tmp/link; mkfifo /tmp/fifo; echo here >$HOME/mine; cd /tmp; \
python3 -c 'import os
for n in range(2000): os.mkdir(\"d\"); os.chdir(\"d\")
print(\"deep\", n + 1)'";
    let first = function.run(&shell(script));
    assert!(first.stdout.contains("deep 2000"), "{first:?}");
    let second = function.run(&shell("find /tmp -mindepth 1; pwd; ls -A"));
    let lines: Vec<&str> = second.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{second:?}");
    let own = lines[0].to_owned();
    assert_ne!(function.run(&shell("pwd")).stdout.trim(), own);
}

#[tokio::test]
async fn what_a_killed_environment_left_is_wiped_before_the_next_command() {
    let mut function =
        Function::after("mkdir -p /tmp/chela-sandbox-old/a/b; echo secret >/tmp/chela-sandbox-old/a/b/c");
    let result = function.run(&shell("find /tmp -mindepth 1 | wc -l"));
    assert_eq!(result.stdout, "1\n", "{result:?}");
}

#[tokio::test]
async fn p03_only_files_come_back_and_nothing_is_waited_for() {
    let script = "echo kept >kept; ln -s /etc/passwd link; ln -s kept inside; mkfifo fifo; echo y >one; ln one two; \
        python3 -c \"import socket\" ; mkdir -p 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17; echo z >1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/z; \
        mkdir closed; echo c >closed/c; chmod 000 closed; touch 'a:b' $'new\\nline' $'\\377'";
    let began = Instant::now();
    for (place, result) in everywhere(&shell(script)).await {
        let limits = chela_archive::Limits { entries: 100, file_bytes: 1000, total_bytes: 10_000 };
        let files = chela_archive::from_text(&result.archive, limits).unwrap();
        let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| *name != "closed/c");
        assert_eq!(names, ["kept"], "{place}: {result:?}");
        for name in ["link: links", "inside: links", "fifo: ", "one: ", "two: ", "a:b: ", "new\\nline: "] {
            assert!(result.left_out.iter().any(|line| line.starts_with(name)), "{name} in the {place}: {result:?}");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(15), "somebody waited for the FIFO");
}
